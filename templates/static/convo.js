// The conversation that is open: what is new comes in without losing what somebody reads or types.
import { $, $$, busy, fetchPart, replace, tell, trouble, body } from './dom.js'
import { hear, say } from './announce.js'
import { refreshList } from './list.js'
import { frames } from './mail.js'
import { keep, place, trim } from './timeline.js'

let here = null
let changed = new Set(), turn = Promise.resolve(), seenTimer = 0

/** {number, section, timeline, tl} of the open conversation; null where none is. */
export const open = () => here
const atEnd = () => Math.abs(here.timeline.scrollTop) < 100
const newest = () => Math.max(0, ...$$(':scope > .li', here.tl).map(n => +n.dataset.id))
/** Is the newest not on the page? Then nothing is added below. */
const past = () => here.section.hasAttribute('data-past')
/** Somebody listens, or has marked a text: this entry is left as it is. */
const held = node => $$('audio', node).some(a => !a.paused) || (!getSelection().isCollapsed && getSelection().containsNode(node, true))

/** Begin with the conversation that has just been put in. */
function begin(section) {
  const timeline = $('#timeline', section)
  here = { number: section.dataset.conversation, section, timeline, tl: $('.tl', timeline) }
  changed = new Set()
  if (+section.dataset.unread) markSeen()
  timeline.addEventListener('scroll', () => { if (here?.timeline === timeline && atEnd() && !past()) jump(0) }, { passive: true })
  const key = $('[data-key]', section)
  if (key) { key.textContent = /Mac|iP/.test(navigator.platform) ? '⌘ ↵' : document.documentElement.lang === 'de' ? 'Strg ↵' : 'Ctrl ↵'; key.hidden = false }
}

export function refreshConversation(message) {
  if (message) changed.add(message)
  const mine = here
  turn = turn.then(async () => {
    await mine?.sending  // its own answer brings what I send
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
  const { timeline, tl } = here
  const items = $('#items', doc) || $('.tl', doc)
  if (mine && past()) { $('#newest').click(); return }
  const end = mine || atEnd(), before = newest()
  const gone = wanted.filter(m => !$(`[data-message="${m}"]`, items))
  const heard = []
  let fresh = 0
  const put = () => {
    for (const node of $$(':scope > .li', items)) {
      const old = document.getElementById(node.id)
      if (old) again(old, node)
      else if (!past()) {
        node.classList.add('fresh')
        place(node)
        failed(node)
        if ($('article', node)) { heard.push(node); fresh += +node.dataset.id > before && !node.nextElementSibling.matches('.li') }
      }
    }
    for (const m of gone) $(`[data-message="${m}"]`, tl)?.remove()
    trim(end)
  }
  end ? put() : keep(put)
  frames(tl)
  tell('hub:came')
  head(doc)
  planned(doc)
  const seen = items.dataset.seen || $('[name=seen]', doc)?.value, field = $('#composer [name=seen]')
  if (seen && field && !('held' in field.dataset) && +seen > +field.value) field.value = seen
  if (end) timeline.scrollTop = 0
  else if (fresh) jump(fresh)
  if (!mine) hear(heard)
  heard.forEach(unsaid)
  if (('more' in items.dataset && !past()) || changed.size) refreshConversation()
  markSeen()
}

/** The head as it is now; ``own``: I have just changed it. Whoever stands on its heading stays there. */
function head(doc, own) {
  const old = $('#head'), fresh = $('#head', doc), within = old.contains(document.activeElement)
  if (!fresh || (!own && busy(old) && !document.activeElement.matches('#head h1'))) return
  replace(old, fresh, true)
  if (within) $('#head h1').focus()
}

/** What leaves later. Whoever is choosing another time for it is left alone. */
function planned(doc, own) {
  const old = $('#plans', here.tl), fresh = $('#plans', doc), within = old?.contains(document.activeElement)
  if (!old || !fresh || (!own && busy(old))) return
  replace(old, fresh, true)
  if (within) $('#head h1').focus()
}

/** What stands beside it, after something was done with a form here or there. */
function beside(form, doc) {
  const within = !!form.closest('#about')
  replace($('#about'), $('#about', doc), true)
  if (within) $('#head h1').focus()
}

/** What could not be delivered is said at once. */
function failed(node) {
  if ($('.failed', node)) say(`${$('article', node).getAttribute('aria-label')}. ${$('.trouble', node)?.firstElementChild?.textContent || ''}`, true)
}

/** What was to be said of an entry as it came; from now on it is as on any page. */
const unsaid = ({ dataset }) => { delete dataset.heard; delete dataset.text }

/** An entry that is here already, as it is now. */
function again(old, node) {
  unsaid(node)
  old.classList.remove('fresh')
  if (busy(old) || held(old)) return
  if (!$('.failed', old)) failed(node)
  const unfolded = $$('details', old).map(d => d.open)
  $$('details', node).forEach((d, i) => { if (unfolded[i]) d.open = true })
  replace(old, node, true)
}

/** The button to the end: so many new entries are below (0: none, it goes). */
function jump(count) {
  const button = $('#jumpnew')
  if (!button) return
  here.below = count ? (here.below || 0) + count : 0
  button.hidden = !here.below
  if (!here.below) return
  const words = $('span', button)
  words.textContent = (here.below === 1 ? button.dataset.one : button.dataset.many).replace('{n}', here.below)
  say(words.textContent)
}

function toEnd() {
  if (past()) $('#newest').click()
  else { here.timeline.scrollTop = 0; jump(0) }
}

function markSeen() {
  const mine = here
  if (!mine || mine.unread || past() || document.visibilityState !== 'visible' || !document.hasFocus()) return
  clearTimeout(seenTimer)
  seenTimer = setTimeout(() => { if (here === mine) fetch(`/c/${mine.number}/seen`, { method: 'POST', headers: { 'X-Hub': 'part' } }).catch(() => {}) }, 400)
}

/** What the server says after something was said here. */
export function taken(doc, mine) {
  head(doc, true)
  apply(doc, mine)
  replace($('#trouble'), $('#trouble', doc), true)
}

/** A form of the conversation, sent without leaving the page. */
async function send(form, event) {
  event.preventDefault()
  const mine = here
  const button = event.submitter || $('button.btn-p:not([type=button]):not([form]), button:not([type=button]):not([form])', form)
  if (button.disabled) return
  const pressed = new URLSearchParams(new FormData(form, event.submitter?.form === form ? event.submitter : null))
  button.disabled = true
  if ('unread' in form.dataset) { mine.unread = true; clearTimeout(seenTimer) }
  let over
  mine.sending = new Promise(resolve => { over = resolve })
  try {
    const { answer, doc } = await fetchPart(form.action, { method: 'POST', body: pressed })
    if (here !== mine) { refreshList(); return }
    form.closest('details.menu')?.removeAttribute('open')
    form.closest('.ask')?.remove()
    if (!answer.ok) mine.unread = false
    if (!answer.ok && !$('#composer', doc)) { trouble($('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    if (!$('#composer', doc) || $('[data-conversation]', doc).dataset.conversation !== mine.number) { tell('hub:go', { url: answer.url, doc }); return }
    beside(form, doc)
    planned(doc, true)
    taken(doc, false)
    if (answer.ok) tell('hub:done', { doc })
    tell('hub:answered', { form, doc })
    refreshList()
  } catch (error) { if (here === mine) trouble(error.message === 'signed out' ? '' : body.dataset.lost) } finally { over(); button.disabled = false }
}

export function start() {
  document.addEventListener('hub:opened', event => begin(event.detail.section))
  document.addEventListener('hub:left', () => { here = null; clearTimeout(seenTimer) })
  document.addEventListener('hub:hint', event => {
    const hint = event.detail
    if (!here) return
    const whole = here.section.dataset.history === 'all' && hint.customer === here.section.dataset.customer
    if (whole || hint.conversation === here.number || hint.kind === 'lists') refreshConversation(hint.message)
  })
  document.addEventListener('hub:reload', () => {
    if (!here) return
    $$(':scope > .li', here.tl).forEach(n => n.dataset.message && changed.add(n.dataset.message))
    refreshConversation()
  })
  document.addEventListener('hub:changed', event => { if (event.detail) refreshConversation(event.detail) })
  document.addEventListener('hub:trouble', event => trouble(event.detail))
  document.addEventListener('submit', event => { if (here && event.target.matches('[data-send]')) send(event.target, event) })
  document.addEventListener('click', event => {
    if (here && event.target.closest('#jumpnew')) toEnd()
  })
  document.addEventListener('hub:away', () => { const button = $('#jumpnew'); if (here && button) { button.hidden = false; $('span', button).textContent = button.dataset.newest } })
  addEventListener('focus', () => markSeen())
}
