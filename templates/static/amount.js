// How much of a list is in the page: the next rows come when its end is near, and never more than so many are kept.
import { $, fetchPart, replace, tell } from './dom.js'
import { grown, part, rows } from './list.js'
import { during, PATIENCE } from './loading.js'

const STEP = 50, MOST = 300
let busy = null, seen = null

const link = () => $('#pager a')

/** Load what comes next; with `wished`, past the most that a page holds: then only the new rows stay. True when there are more. */
export function more(wished = false) {
  if (!link()?.dataset.cursor || (!wished && rows().length >= MOST)) return Promise.resolve(false)
  busy ||= load(link().dataset.cursor).catch(() => false).finally(() => { busy = null; watch() })
  return busy
}

async function load(cursor) {
  const list = $('#rows'), full = rows().length >= MOST
  const { answer, doc } = await during(list.closest('.pane'), signal => fetchPart(part(cursor, STEP), { signal, patience: PATIENCE }), { put: outline => list.after(outline) })
  if (!answer.ok || $('#rows') !== list || link()?.dataset.cursor !== cursor) return false
  const all = [...$('#rows', doc).children], fresh = full ? all : all.filter(row => !document.getElementById(row.id))
  if (full) show(doc, cursor, fresh)
  else list.append(...fresh)
  replace($('#pager'), $('#pager', doc), true)
  tell('hub:drawn', list)
  grown()
  return fresh.length > 0
}

/** These rows instead of those that are there. */
function show(doc, from, fresh) {
  const list = $('#rows'), first = $('#onward', doc)
  list.replaceChildren(...fresh)
  list.dataset.from = from
  $('#onward')?.remove()
  if (first) list.before(first)
  $('#listscroll').scrollTop = 0
}

/** Back to the beginning of the list, with what is open beside it. */
async function begin() {
  const { answer, doc } = await during($('.list'), signal => fetchPart(part('', STEP), { signal, patience: PATIENCE }))
  if (!answer.ok) return
  show(doc, '', [...$('#rows', doc).children])
  replace($('#pager'), $('#pager', doc), true)
  grown()
  rows()[0]?.focus()
  watch()
}

function click(event) {
  const button = event.target.closest?.('#pager a, #onward a')
  if (!button || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  if (button.closest('#onward')) { begin().catch(() => { location.href = button.href }); return }
  const at = rows().length
  more(true).then(grew => grew ? (rows()[rows().length > at ? at : 0] || rows()[0])?.focus({ preventScroll: true }) : location.assign(button.href))
}

/** Look whether the end is near, anew after each change: an observer only tells of crossings. */
function watch() {
  seen?.disconnect()
  if (!link()) return
  seen = new IntersectionObserver(found => { if (found.some(f => f.isIntersecting)) more() }, { root: $('#listscroll'), rootMargin: '600px' })
  seen.observe($('#pager'))
}

export function start() {
  document.addEventListener('click', click)
  document.addEventListener('hub:drawn', event => { if (event.detail.id === 'pager') watch() })
  watch()
}
