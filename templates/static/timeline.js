// The timeline as a place to read: it opens where one left off, loads what is near, lets go of what is far, and never jumps.
import { $, $$, fetchPart, tell } from './dom.js'
import { during, PATIENCE } from './loading.js'
import { frames } from './mail.js'

/** Entries that stand in the page at most. */
const MOST = 300
const NEAR = '700px 0px'
let near = null, held = null, sizes = null

const box = () => $('#timeline')
const entries = () => $$(':scope > .li', $('.tl', box()))
const firstId = node => +(node.dataset.first || node.dataset.id)
/** Does one entry stand before another? By time; of one time, by number. */
const comes = (one, other) => one.dataset.at - other.dataset.at || one.dataset.id - other.dataset.id

/** Do something to the timeline while what is being read keeps its place. */
export function keep(work) {
  const timeline = box(), top = timeline.getBoundingClientRect().top
  const anchor = entries().find(n => n.getBoundingClientRect().bottom > top + 1)
  const was = anchor?.getBoundingClientRect().top
  work()
  const now = anchor?.isConnected ? anchor : anchor && document.getElementById(anchor.id)  // it may have been drawn anew
  if (!now) return
  timeline.scrollTop += now.getBoundingClientRect().top - was
  if (!held?.share) stay(now, was)
}

/** For some frames more: what came in is only measured when it is drawn, and a timeline hangs from its end. */
function stay(node, top) {
  const timeline = box(), mine = held = { node, top }
  let turns = 6, at = timeline.scrollTop
  const again = () => {
    if (held !== mine) return
    if (Math.abs(timeline.scrollTop - at) > 1 || !turns--) { release(); return }  // somebody scrolled
    settle()
    at = timeline.scrollTop
    requestAnimationFrame(again)
  }
  requestAnimationFrame(again)
}

/** Let go of what is far: at the top or at the bottom. */
export function trim(top) {
  const all = entries(), extra = all.length - MOST
  if (extra <= 0) return
  const far = top ? all.slice(0, extra) : all.slice(-extra)
  if (far.some(n => n.contains(document.activeElement) || $$('audio', n).some(a => !a.paused))) return
  far.forEach(n => n.remove())
  const left = entries()
  // pages go by number: what came late may stand before what was there already
  if (top) aimAt($('#older'), Math.max(firstId(left[0]), ...far.map(n => +n.dataset.id + 1)))
  else { aimAt($('#later'), Math.min(left.at(-1).dataset.id, ...far.map(n => firstId(n) - 1))); past(true) }
}

/** Put an entry where it belongs. */
export function place(node) {
  const all = entries(), before = all.findLast(n => comes(n, node) < 0)
  before ? before.after(node) : all[0] ? all[0].before(node) : $('#later').before(node)
}

function aimAt(link, id) {
  link.hidden = !id
  if (!id) return
  link.dataset.at = id
  link.href = link.href.replace(/(before|item)=\d+(#i\d+)?/, (all, name, tail) => `${name}=${id}${tail ? '#i' + id : ''}`)
}

function past(yes) {
  $('#newest').hidden = !yes
  box().closest('.convo').toggleAttribute('data-past', yes)
}

/** What stands above (#older) or below (#later). */
async function more(link) {
  if (link.hidden || link.dataset.busy) return
  link.dataset.busy = 'yes'
  const up = link.id === 'older', asked = signal => fetchPart(link.dataset.more + link.dataset.at, { signal, patience: PATIENCE })
  try {
    const { answer, doc } = await during(link.closest('.pane, main'), asked, { put: outline => keep(() => up ? link.before(outline) : link.after(outline)) })
    const part = $('#items', doc)
    if (!answer.ok || !part || !link.isConnected) return
    const again = $('#' + link.id, part)
    const fresh = $$(':scope > .li', part).filter(n => !document.getElementById(n.id))
    keep(() => {
      fresh.forEach(place)
      aimAt(link, again.hidden ? '' : again.dataset.at)
      if (!up) past(!again.hidden)
      trim(!up)
    })
    fresh.forEach(frames)
  } finally {
    delete link.dataset.busy
    if (link.isConnected && near) { near.unobserve(link); near.observe(link) }
  }
}

// ── where one looks ──────────────────────────────────────────────────────────────────────────────────────────────
/** Hold an entry at a height (0 top, 1 bottom) until somebody scrolls, whatever grows meanwhile. */
function hold(node, share) {
  held = { node, share }
  let turns = 6
  const again = () => { settle(); if (held && --turns) requestAnimationFrame(again) }
  requestAnimationFrame(again)  // before it is drawn the first time, and after all that changes it until then
}

function settle() {
  const timeline = box()
  if (!held?.node.isConnected || !timeline?.contains(held.node)) { held = null; return }
  const room = timeline.getBoundingClientRect(), at = held.node.getBoundingClientRect()
  const wanted = 'top' in held ? held.top : held.share === .5 ? room.top + Math.max((room.height - at.height) / 2, 8) : room.top + room.height * held.share
  const off = at.top - wanted
  if (Math.abs(off) > .5) timeline.scrollTop += off
}

const release = () => { held = null }

/** To one entry: in the middle, marked, with the focus. False when it is not here. */
function show(id) {
  const node = document.getElementById('i' + id) || document.getElementById('e' + id)
  if (!node) return false
  for (let fold = node.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true
  const line = node.closest('.li')
  line.classList.add('hit')
  setTimeout(() => line.classList.remove('hit'), 2000)
  queueMicrotask(() => line.focus({ preventScroll: true }))  // after whoever opened the conversation has set it
  hold(line, .5)
  tell('hub:away')
  return true
}

function linked() {
  const asked = location.hash.match(/^#i(\d+)$/)?.[1]
  if (!asked) return false
  if (show(asked)) return true
  const url = new URL(location.href), number = box().closest('[data-conversation]')
  if (url.searchParams.has('item')) return false
  url.searchParams.delete('before')
  url.searchParams.set('item', asked)
  if (number) tell('hub:go', { url: url.href })
  else location.replace(url.href)
  return true
}

function begin() {
  const timeline = box()
  release()
  near?.disconnect()
  sizes?.disconnect()
  if (!timeline || !$('#older', timeline)) return
  near = new IntersectionObserver(seen => seen.forEach(s => { if (s.isIntersecting) more(s.target) }), { root: timeline, rootMargin: NEAR })
  sizes = new ResizeObserver(settle)
  sizes.observe($('.tl', timeline))
  for (const kind of ['wheel', 'touchmove', 'pointerdown', 'keydown']) timeline.addEventListener(kind, release, { passive: true })
  frames(timeline)
  if (!linked() && $('#new', timeline)) hold($('#new', timeline), 1 / 3)
  near.observe($('#older', timeline))
  near.observe($('#later', timeline))
}

// ── chapters ─────────────────────────────────────────────────────────────────────────────────────────────────────
async function unfold(fold) {
  if (!fold.open || fold.dataset.full) return
  fold.dataset.full = 'yes'
  const inside = $('.inside', fold), asked = signal => fetchPart(fold.dataset.chapter, { signal, patience: PATIENCE })
  const { answer, doc } = await during(fold.closest('.pane, main'), asked, { put: outline => inside.prepend(outline) })
  if (!answer.ok || !fold.isConnected) { delete fold.dataset.full; return }
  keep(() => inside.replaceChildren(...$('#items', doc).childNodes))
  frames(fold)
}

export function start() {
  document.addEventListener('hub:opened', begin)
  document.addEventListener('hub:left', () => { near?.disconnect(); sizes?.disconnect(); release() })
  document.addEventListener('click', event => {
    const link = event.target.closest('#older, #later')
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); more(link) }
  })
  document.addEventListener('toggle', event => { if (event.target.matches?.('.fold[data-chapter]')) unfold(event.target) }, true)
  addEventListener('hashchange', () => { if (box()) linked() })
  if ($('[data-person]')) begin()
}
