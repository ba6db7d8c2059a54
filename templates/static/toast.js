// The bar that says what was just done and offers to undo it: one place for all pages. It counts down and goes.
import { $, body, fetchPart, tell } from './dom.js'

let counting = 0, asking = 0

/** Show the bar of a page that was fetched; without one, the bar that is there begins to count. */
export function toast(doc) {
  const box = $('#toast')
  if (!box) return
  if (doc) {
    const fresh = $('#toast', doc)
    if (!fresh) return
    box.replaceChildren(...fresh.children)
    tell('hub:drawn', box)
  }
  clearInterval(counting)
  clearTimeout(asking)
  const bar = box.firstElementChild
  if (!bar) return
  if (bar.dataset.poll) { asking = setTimeout(ask, 700); return }
  const end = performance.now() + +bar.dataset.left
  const count = () => {
    const left = Math.ceil((end - performance.now()) / 1000)
    if (left <= 0) close(bar)
    else if ($('[data-count]', bar)) $('[data-count]', bar).textContent = left
  }
  counting = setInterval(count, 250)
  count()
}

/** Say something in the place of the bar. */
export function note(text) {
  const p = document.createElement('p')
  p.className = 'toast'
  p.dataset.left = 6000
  p.textContent = text
  $('#toast')?.replaceChildren(p)
  toast()
}

function close(bar) {
  clearInterval(counting)
  if (bar.contains(document.activeElement)) ($('#head h1') || $('#main'))?.focus()
  bar.remove()
}

/** How far it is: asked again until it is over. */
async function ask() {
  const bar = $('#toast [data-poll]')
  if (!bar) return
  try {
    const { answer, doc } = await fetchPart(bar.dataset.poll), fresh = $('#toast', doc)?.firstElementChild
    if (!answer.ok || !fresh) { bar.remove(); return }
    const focused = bar.contains(document.activeElement)
    if (fresh.dataset.poll) { $('.grow', bar).textContent = $('.grow', fresh).textContent; $('progress', bar).value = $('progress', fresh).value; asking = setTimeout(ask, 700); return }
    toast(doc)
    if (focused) $('#toast button')?.focus()
    tell('hub:changed')
  } catch { asking = setTimeout(ask, 2000) }
}

async function undo(form, button) {
  for (const b of form.querySelectorAll('button')) b.disabled = true
  try {
    const { answer, doc } = await fetchPart(button?.getAttribute('formaction') || form.action, { method: 'POST' })
    if (!answer.ok) { note($('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    toast(doc)
    tell('hub:changed')
    const section = $('[data-conversation]', doc), open = $('[data-conversation]')
    if (section && open?.dataset.conversation === section.dataset.conversation) tell('hub:again')
    else if (section && $('#rows') && !($('.app').dataset.screen === 'list' && matchMedia('(max-width:44.99rem)').matches)) tell('hub:go', { url: answer.url })
  } catch { note(body.dataset.lost) }
}

/** The address without what only says which bar to show. */
export function tidy() {
  const url = new URL(location.href)
  if (!url.searchParams.has('done') && !url.searchParams.has('did')) return
  url.search = url.search.replace(/[?&](done|did)=[\w.]*/g, '').replace(/^&/, '?')
  history.replaceState(history.state, '', url)
}

export function start() {
  document.addEventListener('hub:done', event => toast(event.detail.doc))
  document.addEventListener('hub:go', event => { if (event.detail.doc) toast(event.detail.doc) })
  document.addEventListener('hub:opened', tidy)
  addEventListener('submit', event => {
    if (!event.target.matches('#toast form[data-action]')) return
    event.preventDefault()
    event.stopImmediatePropagation()
    undo(event.target, event.submitter)
  }, true)
  toast()
  tidy()
}
