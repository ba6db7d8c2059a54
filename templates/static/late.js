// A colleague was faster: what they said is shown before anything of mine leaves, and I decide. The customer going on does not stop me.
import { $, $$, body, fetchPart, textOf } from './dom.js'

const SHOWN = 8000
let here = null, hiding = 0

const field = () => here && $('#reply [name=seen]', here.section)
const writing = () => { const form = here && $('#reply', here.section); return !!form && (!!textOf(form).value.trim() || !!$('[name=file]:checked', form)) }

/** Until somebody has decided, the form says that it has not seen what came. */
function hold() { const seen = field(); if (seen) seen.dataset.held = '' }

function free(newest) {
  const seen = field()
  if (!seen) return
  delete seen.dataset.held
  if (+newest > +seen.value) seen.value = newest
}

function show(bar) {
  const old = $('#collision', here.section)
  if (old?.dataset.newest === bar.dataset.newest) return
  old?.remove()
  $('#beside', here.section).prepend(bar)
  ago()
}

function done() {
  const bar = here && $('#collision', here.section)
  if (!bar) return
  free(bar.dataset.newest)
  bar.remove()
}

async function look() {
  const mine = here, seen = field()
  if (!seen) return
  try {
    const { answer, doc } = await fetchPart(`/c/${mine.number}/newer?seen=${seen.value}`)
    if (here !== mine) return
    const bar = $('#collision', doc)
    if (bar && writing()) show(bar)
    else if (!$('#collision', mine.section)) free(0)
  } catch { /* the send itself asks again, on the server */ }
}

function hint({ kind, conversation, actor }) {
  if (!here || conversation !== here.number || !writing()) return
  if ((kind === 'message.sent' || kind === 'note.added') && actor && actor !== body.dataset.me) { hold(); look() }
  if (kind === 'message.received') again()
}

function again() {
  const line = $('#again', here.section)
  if (!line) return
  line.textContent = line.dataset.again
  line.hidden = false
  clearTimeout(hiding)
  hiding = setTimeout(() => { line.hidden = true }, SHOWN)
}

const STEPS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]
/** "20 seconds ago" in the page's language. */
function ago() {
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: 'short' })
  for (const time of $$('time[data-since]')) {
    const seconds = Math.max(1, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000))
    const [unit, size] = STEPS.find(([, size]) => seconds >= size)
    const text = words.format(-Math.floor(seconds / size), unit)
    if (time.textContent !== text) time.textContent = text
  }
}

function click(event) {
  const wish = event.target.closest('[data-late]')?.dataset.late
  if (!wish || !here) return
  if (wish === 'edit') { event.preventDefault(); done(); textOf($('#reply', here.section)).focus() }
  if (wish === 'send') { free($('#collision', here.section).dataset.newest); $('#collision', here.section).classList.add('going') }
  if (wish === 'discard') setTimeout(done)
}

export function start() {
  document.addEventListener('hub:opened', event => { here = event.detail; ago() })
  document.addEventListener('hub:left', () => { here = null })
  document.addEventListener('hub:hint', event => hint(event.detail))
  document.addEventListener('hub:reload', () => { if (writing()) { hold(); look() } })
  document.addEventListener('hub:answered', event => {
    const bar = here && $('#collision', event.detail.doc)
    if (bar) { hold(); show(bar); bar.scrollIntoView({ block: 'nearest' }) }
  })
  document.addEventListener('hub:sent', event => { if (here && event.detail.form?.id === 'reply') { done(); free(0) } })
  document.addEventListener('click', click)
  setInterval(ago, 5000)
}
