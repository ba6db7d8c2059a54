// The list: what a row says changes at once, its place only when pointer and keyboard are at rest.
import { $, $$, body, fetchPart, replace } from './dom.js'

const REST = 1500
const hovers = matchMedia('(hover: hover)').matches
const ROWS = 50
/**
 * A list is asked for again after this long (ms), and after so many times as long as the last answer took: fifty people must not tire the
 * server out. A row that was told what it says now can wait longer for its place.
 */
const PAUSE = 300, PATIENCE = 10, LONGEST = 3000, LAZY = 1500
let timer = 0, due = 0, earliest = 0, asking = false, turn = 0, pressed = -REST, waiting = null, resting = 0

export const rows = () => $$('#rows > li > a.it')
export const currentRow = () => $('#rows a.it[aria-current]')

/** Something changed: load the list soon (or after ``wait`` ms), and never twice at a time. */
export function refreshList(wait = 60) {
  const at = Math.max(performance.now() + wait, earliest)
  if (due && due <= at) return
  due = at
  clearTimeout(timer)
  if (!asking) timer = setTimeout(ask, due - performance.now())
}

async function ask() {
  const began = performance.now()
  asking = true
  due = 0
  try { await load() } catch { /* the stream tells when the connection is back, then it is loaded again */ }
  asking = false
  const ended = performance.now()
  earliest = ended + Math.min(Math.max(PAUSE, (ended - began) * PATIENCE), LONGEST)
  if (due) timer = setTimeout(ask, Math.max(due, earliest) - ended)
}

/** What a hint tells of a row that is here; is that all there is to be seen of it? */
function told({ kind, conversation, preview, unread }) {
  const row = kind === 'message.received' && preview !== undefined && $(`#c${conversation} a.it.un`), text = row && $('.pv', row), count = row && $('.pillc', row)
  if (!count || unread < 1) return false
  if (!$('.dr', text)) text.textContent = preview
  count.textContent = Math.min(unread, 999) + (unread > 999 ? '+' : '')
  return true
}

const still = () => (hovers && $('#listscroll')?.matches(':hover')) || performance.now() - pressed < REST

async function load() {
  const list = $('#rows')
  if (!list) return
  const mine = turn
  const { answer, doc } = await fetchPart(part(list.dataset.from, Math.max(list.children.length, ROWS)))
  if (!answer.ok || $('#rows') !== list) return
  if (mine !== turn) { refreshList(); return }
  const fresh = $('#rows', doc)
  markCurrent(currentRow()?.closest('li').id.slice(1), fresh)
  const moved = update(list, fresh)
  for (const id of ['views', 'me', 'tabs', 'pager']) replace($('#' + id), $('#' + id, doc))
  waiting = moved ? { fresh, nothing: $('#nothing', doc) } : null
  if (!moved || !still()) apply()
  else rest()
  count(moved)
  title()
}

/** The address of a part of the list: so many rows from a cursor on. */
export const part = (from, count) => `${$('#rows').dataset.rows}&cursor=${from || ''}&n=${count}`

/** Other rows are there than before: what was asked for meanwhile is old, what waits to be put in order is asked for again. */
export function grown() {
  turn += 1
  if (waiting) refreshList()
}

/** Write into the rows that are there what they say now; how many stand elsewhere, are new or gone. */
function update(list, fresh) {
  const there = new Map([...list.children].map(n => [n.id, n]))
  const before = [...list.children].map(n => n.id), after = [...fresh.children].map(n => n.id)
  for (const node of [...fresh.children]) {
    const mine = there.get(node.id)
    if (!mine || mine.outerHTML === node.outerHTML) continue
    const focused = mine.contains(document.activeElement) && document.activeElement
    mine.replaceChildren(...node.cloneNode(true).childNodes)
    mine.className = node.className
    if (focused) $('a,button', mine)?.focus({ preventScroll: true })
  }
  const kept = after.filter(id => there.has(id)).map(id => before.indexOf(id))
  return after.length - kept.length + before.length - kept.length + kept.length - rising(kept)
}

/** The length of the longest rising subsequence: so many rows may stay where they are. */
function rising(places) {
  const ends = []
  for (const place of places) {
    const at = ends.findIndex(end => end >= place)
    ends[at < 0 ? ends.length : at] = place
  }
  return ends.length
}

/** Put the rows in their new places; what is read stays where it is on the screen. */
export function apply() {
  if (!waiting) return
  const { fresh, nothing } = waiting, list = $('#rows'), scroll = $('#listscroll')
  waiting = null
  const top = scroll.getBoundingClientRect().top
  const anchor = scroll.scrollTop > 4 && [...list.children].find(n => n.getBoundingClientRect().bottom > top && [...fresh.children].some(f => f.id === n.id))
  const stood = anchor && anchor.getBoundingClientRect().top
  const there = new Map([...list.children].map(n => [n.id, n])), focused = document.activeElement
  const wanted = [...fresh.children].map(n => there.get(n.id) || n)
  for (const node of [...list.children]) if (!wanted.includes(node)) node.remove()
  let at = list.firstElementChild
  for (const node of wanted) {
    if (node === at) at = at.nextElementSibling
    else list.insertBefore(node, at)
  }
  if (list.contains(focused)) focused.focus({ preventScroll: true })
  if (anchor) scroll.scrollTop += anchor.getBoundingClientRect().top - stood
  replace($('#nothing'), nothing, true)
  count(0)
  title()
}

function rest() {
  clearTimeout(resting)
  resting = setTimeout(() => still() ? rest() : apply(), REST)
}

function count(n) {
  const button = $('#updates')
  if (!button) return
  button.hidden = !(n && waiting)
  button.textContent = button.hidden ? '' : (n === 1 ? button.dataset.one : button.dataset.many).replace('{n}', n)
}

/** (2) before the title: how much waits for me, on every page the same. */
export function title() {
  const unread = +body.dataset.waiting
  document.title = (unread ? `(${unread}) ` : '') + document.title.replace(/^\(\d+\+?\) /, '')
}

export function markCurrent(number, list = $('#rows')) {
  for (const row of $$('a.it', list)) row.closest('li').id === `c${number}` ? row.setAttribute('aria-current', 'true') : row.removeAttribute('aria-current')
  if (list?.dataset.rows) list.dataset.rows = list.dataset.rows.replace(/([?&]c=)\d*/, `$1${number || 0}`)
}

export function start() {
  document.addEventListener('keydown', event => {
    if (!['Control', 'Shift', 'Meta', 'Alt'].includes(event.key)) pressed = performance.now()
  }, true)
  document.addEventListener('click', event => { if (event.target.closest('#updates')) apply() })
  document.addEventListener('hub:hint', ({ detail }) => { if (!['people', 'presence.changed'].includes(detail.kind)) refreshList(told(detail) ? LAZY : undefined) })
  for (const name of ['hub:reload', 'hub:changed']) document.addEventListener(name, () => refreshList())
  document.addEventListener('hub:opened', event => markCurrent(event.detail.number))
}
