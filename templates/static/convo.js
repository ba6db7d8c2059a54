// The conversation that is open: what is new comes in without losing what somebody reads or types.
import { $, $$, busy, fetchPart, replace, say, tell, trouble, textOf, body } from './dom.js'
import { refreshList } from './list.js'

let here = null
let changed = new Set(), turn = Promise.resolve(), seenTimer = 0

/** {number, section, timeline, tl, past} of the open conversation; null where none is. */
export const open = () => here
const atEnd = () => Math.abs(here.timeline.scrollTop) < 100
const newest = () => Math.max(0, ...$$('.li', here.tl).map(n => +n.dataset.id))

/** Begin with the conversation that has just been put in. */
function begin(section) {
  const timeline = $('#timeline', section)
  here = { number: section.dataset.conversation, section, timeline, tl: $('.tl', timeline), past: section.hasAttribute('data-past') }
  changed = new Set()
  frames(timeline)
  if (+section.dataset.unread) markSeen()
  timeline.addEventListener('scroll', () => { if (here?.timeline === timeline && atEnd()) $('#jumpnew').hidden = true }, { passive: true })
  const key = $('[data-key]', section)
  if (key) { key.textContent = /Mac|iP/.test(navigator.platform) ? '⌘ ↵' : document.documentElement.lang === 'de' ? 'Strg ↵' : 'Ctrl ↵'; key.hidden = false }
}

export function refreshConversation(message) {
  if (message) changed.add(message)
  const mine = here
  turn = turn.then(async () => {
    if (!mine || here !== mine) return
    const wanted = [...changed].slice(0, 50)
    wanted.forEach(m => changed.delete(m))
    try {
      const { answer, doc } = await fetchPart(`/c/${mine.number}/items?after=${newest()}&message=${wanted}&${mine.section.dataset.in}`)
      if (here !== mine) return
      if (answer.ok) apply(doc, false, wanted)
      else if (answer.status === 404) refreshList()
    } catch { if (here === mine) wanted.forEach(m => changed.add(m)) }
  })
  return turn
}

/** Put the entries of an answer where they belong; ``mine``: I have just said something, so go to the end. */
export function apply(doc, mine, wanted = []) {
  const { timeline, tl, past } = here
  const items = $('#items', doc) || $('.tl', doc)
  const end = mine || atEnd(), distance = timeline.scrollTop
  const gone = wanted.filter(m => !$(`[data-message="${m}"]`, items))
  let heard = ''
  for (const node of $$(':scope > .li', items)) {
    const old = document.getElementById(node.id)
    if (old) {
      const unfolded = $$('details', old).map(d => d.open)
      if (!busy(old)) { $$('details', node).forEach((d, i) => { if (unfolded[i]) d.open = true }); replace(old, node, true) }
    } else if (!past) {
      node.classList.add('fresh')
      const after = $$('.li', tl).filter(n => +n.dataset.id < +node.dataset.id).at(-1)
      after ? after.after(node) : tl.append(node)
      heard = $('article', node)?.getAttribute('aria-label') || heard
    }
    const put = document.getElementById(node.id)
    if (put) frames(put)
  }
  for (const m of gone) $(`[data-message="${m}"]`, tl)?.remove()
  head(doc)
  const seen = items.dataset.seen || $('[name=seen]', doc)?.value, field = $('#composer [name=seen]')
  if (seen && field && +seen > +field.value) field.value = seen
  if (heard) say(heard)
  if (end) timeline.scrollTop = 0
  else if (heard) { timeline.scrollTop = distance; $('#jumpnew').hidden = false }
  if ('more' in items.dataset || changed.size) refreshConversation()
  markSeen()
}

/** The head as it is now; ``own``: I have just changed it. Whoever stands on its heading stays there. */
function head(doc, own) {
  const old = $('#head'), fresh = $('#head', doc), within = old.contains(document.activeElement)
  if (!fresh || (!own && busy(old) && !document.activeElement.matches('#head h1'))) return
  replace(old, fresh, true)
  if (within) $('#head h1').focus()
}

function markSeen() {
  const mine = here
  if (!mine || mine.past || document.visibilityState !== 'visible' || !document.hasFocus()) return
  clearTimeout(seenTimer)
  seenTimer = setTimeout(() => { if (here === mine) fetch(`/c/${mine.number}/seen`, { method: 'POST', headers: { 'X-Hub': 'part' } }).catch(() => {}) }, 400)
}

/** A frame is as high as the mail in it. */
function frames(root) {
  for (const frame of $$('iframe.frame', root)) {
    const fit = () => { const inner = frame.contentDocument?.documentElement; if (inner) frame.style.height = Math.min(inner.scrollHeight + 4, 20000) + 'px' }
    frame.addEventListener('load', fit)
    if (frame.contentDocument?.readyState === 'complete') fit()
  }
}

async function loadOlder(event) {
  const link = event.target.closest('#older')
  if (!link || !here) return
  event.preventDefault()
  const mine = here
  const { doc } = await fetchPart(`/c/${mine.number}/items?before=${link.dataset.before}&${mine.section.dataset.in}`)
  if (here !== mine) return
  const from = mine.timeline.scrollTop
  link.replaceWith(...($('#older', doc) ? [$('#older', doc)] : []), ...$('#items', doc).children)
  mine.timeline.scrollTop = from
}

/** A form of the conversation, sent without leaving the page. */
async function send(form, event) {
  event.preventDefault()
  const mine = here, button = $('button.btn-p:not([type=button]):not([form]), button:not([type=button]):not([form])', form), compose = form.dataset.compose
  if (button.disabled) return
  const data = () => new FormData(form, event.submitter?.form === form ? event.submitter : null)
  button.disabled = true
  const hook = { form, ready: true }
  try {
    if (compose) { tell('hub:sending', hook); if (!await hook.ready) return }
    const { answer, doc } = await fetchPart(form.action, { method: 'POST', body: form.enctype.startsWith('multipart') ? data() : new URLSearchParams(data()) })
    if (here !== mine) { if (compose && answer.ok) tell('hub:sent', { form, away: true }); refreshList(); return }
    if (!compose) form.closest('details.menu')?.removeAttribute('open')
    form.closest('.ask')?.remove()
    if (!answer.ok && !$('#composer', doc)) { trouble($('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    if (!$('#composer', doc) || $('[data-conversation]', doc).dataset.conversation !== mine.number) { tell('hub:go', { url: answer.url, doc }); return }
    head(doc, true)
    apply(doc, answer.ok && compose)
    replace($('#trouble'), $('#trouble', doc), true)
    if (compose) {
      const kept = $(`[data-compose=${compose}]`, doc)
      if (answer.ok) tell('hub:sent', { form, doc })
      if (kept) $('[name=client_id]', form).value = $('[name=client_id]', kept).value
      textOf(form).focus()
    }
    refreshList()
  } catch (error) { if (here === mine) trouble(error.message === 'signed out' ? '' : body.dataset.lost) }
  finally { button.disabled = false; if (compose && here === mine) tell('hub:tried', { form }) }
}

export function start() {
  document.addEventListener('hub:opened', event => begin(event.detail.section))
  document.addEventListener('hub:left', () => { here = null; clearTimeout(seenTimer) })
  document.addEventListener('hub:hint', event => {
    const hint = event.detail
    if (here && (hint.conversation === here.number || hint.kind === 'lists')) refreshConversation(hint.message)
  })
  document.addEventListener('hub:reload', () => {
    if (!here) return
    $$('.li', here.tl).forEach(n => n.dataset.message && changed.add(n.dataset.message))
    refreshConversation()
  })
  document.addEventListener('hub:changed', event => { if (event.detail) refreshConversation(event.detail) })
  document.addEventListener('hub:trouble', event => trouble(event.detail))
  document.addEventListener('submit', event => { if (here && event.target.matches('[data-compose],[data-send]')) send(event.target, event) })
  document.addEventListener('click', event => {
    if (here && event.target.closest('#jumpnew')) here.timeline.scrollTop = 0
    loadOlder(event)
  })
  addEventListener('focus', () => markSeen())
}
