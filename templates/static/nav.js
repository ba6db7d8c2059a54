// From one conversation to another without loading a page: its panes are fetched, put in, and the address says where one is.
import { $, $$, fetchPart, tell, body } from './dom.js'
import { saved } from './draft.js'
import { more } from './amount.js'
import { currentRow, rows, title } from './list.js'
import { say } from './announce.js'
import { during, PATIENCE } from './loading.js'

const REST = 80, FRESH = 10000
const app = $('.app')
const ahead = new Map()
let turn = 0, resting = 0, empty = null, going = null

const isConversation = url => url.origin === location.origin && /^\/c\/\d+$/.test(url.pathname)
const listed = url => url.searchParams.get('in')

/** The address of a conversation with the list that stands beside it here. */
function kept(href) {
  const url = new URL(href, location.href)
  const beside = $('#rows')?.dataset.in
  if (isConversation(url) && beside && !listed(url)) url.search = [url.search.slice(1), beside].filter(Boolean).join('&')
  return url
}

/** What a conversation's answer holds, taken out of it ahead of time: the page has less to do when somebody goes there. */
function taken({ answer, doc }) {
  const [section, customer] = ['section.convo[data-conversation]', 'aside.cust'].map(s => $(s, doc)).map(n => n && document.adoptNode(n))
  return { answer, name: doc.title, section, customer }
}

/** The panes of a conversation, once for pointing at it and opening it: {part, stopper}. */
function panes(url) {
  const key = url.pathname + url.search, known = ahead.get(key)
  if (known && performance.now() - known.at < FRESH) return known
  const stopper = new AbortController(), { signal } = stopper
  const part = saved(url.pathname.slice(3)).then(() => fetchPart(key, { headers: { 'X-Hub': 'panes' }, patience: PATIENCE, signal })).then(taken)
  const asked = { part, stopper, at: performance.now() }
  part.catch(() => { if (ahead.get(key) === asked) ahead.delete(key) })
  ahead.set(key, asked)
  if (ahead.size > 20) ahead.delete(ahead.keys().next().value)
  return asked
}

export const prefetch = row => panes(kept(row.href)).part.catch(() => {})

/** Open the conversation at an address. ``focus``: its heading takes the focus; ``next``: it comes after one that is done with. */
export async function go(href, { push = true, focus = false, next = false } = {}) {
  const url = kept(href), mine = ++turn
  going?.abort()
  going = new AbortController()
  const pane = [$('section.convo'), $('.list')].find(n => n.checkVisibility())
  const found = await during(pane, signal => {
    const { part, stopper } = panes(url)
    signal.onabort = () => { if (mine === turn) { ahead.delete(url.pathname + url.search); stopper.abort() } }
    return part
  }, { stop: going.signal })
  if (!found || mine !== turn) return
  const { answer } = found
  ahead.delete(url.pathname + url.search)
  if (!answer.ok || !found.section) { location.href = url.href; return }
  const arrived = new URL(answer.url)
  put(found, push ? arrived.pathname + arrived.search + url.hash : null, focus)
  if (next) say($('#said').dataset.next.replace('{name}', () => $('.big-name')?.textContent || '').replace('{subject}', () => $('#head h1').textContent))
}

/** What was fetched of a conversation, or of all, is old. */
function forget(number) {
  for (const key of [...ahead.keys()]) if (!number || key.startsWith(`/c/${number}?`)) ahead.delete(key)
}

function put({ section, customer, name }, address, focus) {
  forget($('[data-conversation]')?.dataset.conversation || '-')
  tell('hub:left')
  const old = $('section.convo'), aside = $('aside.cust')
  const held = old.dataset.conversation === section.dataset.conversation && old.contains(document.activeElement) && document.activeElement
  const caret = held && held.selectionStart
  $('main.contents')?.removeAttribute('id')
  old.replaceWith(section)
  if (aside) aside.replaceWith(customer)
  else app.append(customer)
  app.classList.remove('three')
  app.dataset.screen = 'convo'
  if (address) history.pushState({ hub: true }, '', address)
  document.title = `${name} · ${$('#rows').dataset.title}`
  tell('hub:opened', { number: section.dataset.conversation, section })
  title()
  const again = held && held.id && document.getElementById(held.id)
  if (focus) $('h1', section)?.focus()
  else if (again) { again.focus({ preventScroll: true }); if (caret >= 0) again.setSelectionRange(caret, caret) }
}

/** Go there by loading a page; there the focus is in the list again. */
function load(href) {
  sessionStorage.focus = 'list'
  location.href = href
}

/** Back to the list alone, as it stood. */
function close() {
  if (!empty) { location.reload(); return }
  tell('hub:left')
  $('section.convo').replaceWith(empty.cloneNode(true))
  $('main.contents').id = 'main'
  $('aside.cust')?.remove()
  app.classList.add('three')
  app.dataset.screen = 'list'
  const row = currentRow()
  row?.removeAttribute('aria-current')
  document.title = $('#rows')?.dataset.title || document.title
  title()
  row?.focus({ preventScroll: true })
}

/** The next (1) or previous (-1) conversation of the list, without taking the focus out of the list. */
export function step(by) {
  const all = rows(), at = all.indexOf(document.activeElement?.closest?.('a.it') || currentRow())
  if (by > 0 && at === all.length - 1 && at >= 0) { more(true).then(grew => { if (grew) step(by) }); return }
  const row = all[Math.min(Math.max((at < 0 && by < 0 ? 0 : at) + by, 0), all.length - 1)]
  if (!row || row === currentRow()) return
  row.focus({ preventScroll: true })
  row.scrollIntoView({ block: 'nearest' })
  go(row.href)
  for (const near of [all[all.indexOf(row) + by]]) if (near) prefetch(near)
}

function click(event) {
  const link = event.target.closest('a[href]')
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.target) return
  const url = kept(link.href)
  if (!$('#rows') || !$('section.convo')) return
  if (link === currentRow() && url.pathname + url.search === location.pathname + location.search) {
    event.preventDefault()
    if (event.detail === 0) $('#head h1').focus()
  } else if (isConversation(url) && !url.searchParams.has('before')) {
    event.preventDefault()
    go(url.href, { focus: event.detail === 0 })
  } else if (link.matches('.ch a.only-s') && empty && history.state?.hub) {
    event.preventDefault()
    history.back()
  }
}

export function start() {
  const section = $('section.convo')
  if (section && !section.dataset.conversation) empty = section.cloneNode(true)
  document.addEventListener('click', click)
  document.addEventListener('hub:go', event => {
    const url = new URL(event.detail.url)
    if (isConversation(url)) go(url.href, { focus: true, next: !!event.detail.doc && !url.pathname.endsWith(`/${$('[data-conversation]')?.dataset.conversation}`) })
    else if (empty && url.pathname === $('#rows')?.dataset.path && event.detail.doc) {
      url.searchParams.delete('done')
      history.pushState({ hub: true }, '', url.pathname + url.search)
      close()
      tell('hub:changed')
      if (document.activeElement === body) rows()[0]?.focus({ preventScroll: true })
    } else load(url.href)
  })
  document.addEventListener('hub:hint', event => {
    forget(event.detail.conversation)
  })
  document.addEventListener('hub:reload', () => forget())
  document.addEventListener('pointerover', event => {
    const row = event.target.closest?.('#rows a.it')
    clearTimeout(resting)
    if (row && event.pointerType === 'mouse' && row !== currentRow()) resting = setTimeout(() => prefetch(row), REST)
  })
  addEventListener('popstate', () => {
    const url = new URL(location.href)
    if (!$('#rows') || !$('section.convo')) location.reload()
    else if (isConversation(url)) go(url.href, { push: false })
    else if (url.pathname === $('#rows').dataset.path) close()
    else location.reload()
  })
  if (sessionStorage.focus) { delete sessionStorage.focus; ((currentRow() || rows()[0]) ?? $('#listscroll'))?.focus({ preventScroll: true }) }
  const opened = $('[data-conversation]')
  if (opened) tell('hub:opened', { number: opened.dataset.conversation, section: opened })
}
