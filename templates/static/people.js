// Customers: looking for one while typing, walking through the results by arrows, and the panel that stays true.
import { $, $$, body, fetchPart, replace, typing } from './dom.js'
import { act } from './keys.js'
import { during, PATIENCE } from './loading.js'

const REST = 180, SOON = 400, BUSY = 2000
let timer = 0, asked = null, due = 0, turn = 0

/** The results for what stands in the field, in the address too. */
async function look(form) {
  const url = new URL(form.action, location.href)
  for (const [key, value] of new FormData(form)) if (value) url.searchParams.set(key, value)
  asked?.abort()
  asked = new AbortController()
  const found = await during($('#found'), signal => fetchPart(url.pathname + url.search, { signal, patience: PATIENCE }), { stop: asked.signal })
  if (!found?.answer.ok || !$('#found', found.doc)) return
  replace($('#found'), $('#found', found.doc), true)
  history.replaceState(history.state, '', url.pathname + url.search)
}

/** Down from the field into the results, up again. */
function walk(event) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  const here = event.target.closest?.('[data-find], #found')
  if (!by || !here || event.isComposing) return
  const all = $$('#found .btn, #found .fk'), place = all.indexOf(document.activeElement)
  const next = place + by < 0 ? $('[data-find] [type=search]') : all[place + by]
  if (typing(event.target) && by < 0) return
  event.preventDefault()
  next?.focus()
}

/** Whoever changed the customer elsewhere, or they wrote: what stands beside the conversation is fetched again. */
async function again() {
  const pane = $('[data-conversation]'), about = $('#about'), mine = ++turn
  if (!pane || !about) return
  if (about.contains(document.activeElement) || $('details[open]', about)) { soon(BUSY); return }
  const { answer, doc } = await fetchPart(location.pathname + location.search, { headers: { 'X-Hub': 'panes' } })
  if (mine === turn && answer.ok && $('#about', doc) && $('[data-conversation]', doc)?.dataset.conversation === $('[data-conversation]')?.dataset.conversation) replace($('#about'), $('#about', doc))
}

function soon(ms) {
  clearTimeout(due)
  due = setTimeout(() => again().catch(() => {}), ms)
}

export function start() {
  if (!body.dataset.me) return
  document.addEventListener('input', event => {
    const form = event.target.closest('[data-find]')
    if (!form) return
    clearTimeout(timer)
    timer = setTimeout(() => look(form).catch(() => {}), REST)
  })
  addEventListener('keydown', walk, true)
  document.addEventListener('hub:reload', () => soon(SOON))
  document.addEventListener('hub:hint', event => {
    const { kind = '', customer } = event.detail || {}
    const pane = $('[data-conversation]')
    if (!pane || !(kind.startsWith('customer.') || kind.startsWith('identity.') || /^conversation\.(customer|(un)?linked)$/.test(kind)) || String(customer) !== pane.dataset.customer) return
    soon(SOON)
  })
  if ($('a[href="/new"]')) act('new', () => { location.href = '/new' })
}
