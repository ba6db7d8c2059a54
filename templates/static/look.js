// How the screens look: theme, density, widths. The server keeps it; here it is seen at once.
import { $, $$, fetchPart } from './dom.js'
import { say } from './announce.js'
import { act } from './keys.js'

const root = document.documentElement

/** Show it now and have it kept. */
export function choose(name, value) {
  if (name === 'theme') {
    root.dataset.theme = value === 'system' ? '' : value
    value === 'system' ? localStorage.removeItem('theme') : localStorage.setItem('theme', value)
  } else if (name === 'density') value ? root.dataset.density = value : delete root.dataset.density
  const field = $(`#appearance [name=${name}]`)
  if (field) field.value = value
  return fetchPart('/me/appearance', { method: 'POST', body: new URLSearchParams({ [name]: value }) }).catch(() => say(document.body.dataset.lost))
}

// ── how wide the panels are ─────────────────────────────────────────────────────────────────────────────────────
const LEAST = { list: [260, 560], panel: [240, 520] }, STEP = 16
let keeping = 0

/** The pane a separator stands at, and which way it grows. */
const paneOf = bar => bar.closest('.pane')
const outward = bar => (bar.dataset.split === 'list' ? 1 : -1) * (getComputedStyle(root).direction === 'rtl' ? -1 : 1)

function show(bar) {
  const [least, most] = LEAST[bar.dataset.split]
  bar.ariaValueMin = least
  bar.ariaValueMax = most
  bar.ariaValueNow = paneOf(bar).offsetWidth
}

/** Make the pane so wide (px; 0: as designed), and have it kept when nothing changes for a moment. */
function widen(bar, width) {
  const [least, most] = LEAST[bar.dataset.split], px = width && Math.round(Math.min(Math.max(width, least), most))
  const name = bar.dataset.split === 'list' ? '--wl' : '--wc'
  px ? root.style.setProperty(name, `${px}px`) : root.style.setProperty(name, 'initial')
  show(bar)
  clearTimeout(keeping)
  keeping = setTimeout(choose, 400, bar.dataset.split, px)
}

function drag(event) {
  const bar = event.target.closest?.('[data-split]')
  if (!bar || event.button) return
  event.preventDefault()
  bar.focus()
  bar.setPointerCapture(event.pointerId)
  const from = event.clientX, width = paneOf(bar).offsetWidth
  const move = e => widen(bar, width + (e.clientX - from) * outward(bar))
  bar.addEventListener('pointermove', move)
  bar.addEventListener('lostpointercapture', () => bar.removeEventListener('pointermove', move), { once: true })
}

function step(event) {
  const bar = event.target.closest?.('[data-split]'), by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key]
  if (!bar) return
  const [least, most] = LEAST[bar.dataset.split]
  if (by) widen(bar, paneOf(bar).offsetWidth + by * outward(bar))
  else if (event.key === 'Home') widen(bar, least)
  else if (event.key === 'End') widen(bar, most)
  else return
  event.preventDefault()
}

/** Once it is drawn: to ask before would have all of it laid out at once. */
const measure = () => requestAnimationFrame(() => setTimeout(() => $$('[data-split]').forEach(show)))

export function start() {
  document.addEventListener('pointerdown', drag)
  document.addEventListener('keydown', step)
  document.addEventListener('dblclick', event => { if (event.target.matches?.('[data-split]')) widen(event.target, 0) })
  document.addEventListener('hub:opened', measure)
  measure()
  for (const theme of ['light', 'dark', 'system']) act(`look_${theme}`, () => choose('theme', theme))
  act('look_comfortable', () => choose('density', ''))
  act('look_compact', () => choose('density', 'compact'))
  document.addEventListener('change', event => { if (event.target.matches('#appearance select')) choose(event.target.name, event.target.value) })
  const field = $('#appearance [name=theme]')
  if (field && root.dataset.theme) field.value = root.dataset.theme
}
