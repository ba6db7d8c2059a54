// Sending: what is said leaves the box at once, stands in the timeline with a clock, and waits on this device until the server has
// answered, however long that takes. A repeat has the same client id, so the server says it once.
import { $, $$, body, fetchPart, tell, textOf } from './dom.js'
import { say } from './announce.js'
import { open, taken } from './convo.js'
import { copyOf } from './files.js'
import { refreshList } from './list.js'
import { tab } from './stream.js'
import { toast } from './toast.js'
import { all, drop, isOurs, keep, of } from './waiting.js'

const STEPS = [2, 5, 10, 20, 30], ABSENT = 5, TWICE = 400, MOST_KEEPALIVE = 60000, OURS = 3
/** What is under way from this page, and for each the promise of its draft's version. */
const flying = new Set(), versions = new Map()
let away = false, tries = 0, timer = 0, busy = null, again = false, drawn = ''

const fresh = () => [...crypto.getRandomValues(new Uint8Array(12))].map(n => n.toString(16).padStart(2, '0')).join('')
const formOf = mode => $(`#composer [data-compose=${mode}]`)

/** Send was pressed: whoever, by what and with what is settled from here on. */
function press(form, event) {
  event.preventDefault()
  const hook = { form, draft: null }
  tell('hub:sending', hook)
  if (!hook.draft) return
  const fields = [...new FormData(form, event.submitter?.form === form ? event.submitter : null)].filter(([, value]) => typeof value === 'string')
  const id = $('[name=client_id]', form), action = new URL(form.action)
  const entry = { id: id.value, number: hook.draft.number, mode: hook.draft.mode, tab, at: Date.now(), action: action.pathname + action.search, fields, content: hook.draft.whole() }
  if (!keep(entry)) { tell('hub:trouble', $('#composer').dataset.full); return }
  id.value = fresh()
  versions.set(entry.id, hook.clear())
  for (const button of $$('button:not([type=button])', form)) { button.disabled = true; setTimeout(() => { button.disabled = false }, TWICE) }
  event.submitter?.closest('details.menu')?.removeAttribute('open')
  draw()
  open().timeline.scrollTop = 0
  textOf(form).focus()
  flush()
}

// ── on its way ───────────────────────────────────────────────────────────────────────────────────────────────────
function flush() {
  clearTimeout(timer)
  again = true
  busy ||= (async () => { while (again) { again = false; await work() } })().finally(() => { busy = null })
}

/** One after the other, as they were said. What another page waits for is that page's own, while it lives. */
async function work() {
  const others = new Set(((await navigator.locks?.query())?.held || []).map(lock => lock.name))
  for (const entry of all()) {
    if (entry.why || (entry.tab !== tab && others.has(`hub-tab-${entry.tab}`))) continue
    if (await deliver(entry)) continue
    away = true
    timer = setTimeout(flush, STEPS[Math.min(tries++, STEPS.length - 1)] * 1000)
    draw()
    return
  }
  tries = 0
}

async function bodyOf(entry) {
  const said = new URLSearchParams(entry.fields), version = await versions.get(entry.id)
  if (version !== undefined) said.set('draft', version)
  return said
}

const post = (entry, said) => ({ method: 'POST', body: said, keepalive: `${said}`.length < MOST_KEEPALIVE })

/** False: nobody knows whether it arrived, so it is tried again. */
async function deliver(entry) {
  const here = open()
  let over
  if (here?.number === entry.number) here.sending = new Promise(resolve => { over = resolve })
  flying.add(entry.id)
  try {
    const { answer, doc } = await fetchPart(entry.action, post(entry, await bodyOf(entry)))
    if (answer.status === 429 || answer.status === 408 || answer.status > 500) return false
    if (answer.status === 500 && (entry.tries = (entry.tries || 0) + 1) < OURS) { keep(entry); return false }
    away = false
    answer.ok ? arrived(entry, answer, doc) : refused(entry, doc)
    return true
  } catch { return false } finally { flying.delete(entry.id); over?.() }
}

function arrived(entry, answer, doc) {
  const here = open(), form = here?.number === entry.number ? formOf(entry.mode) : null
  drop(entry)
  versions.delete(entry.id)
  tell('hub:sent', { form, doc, mode: entry.mode, number: entry.number })
  if (form && $('[data-conversation]', doc)?.dataset.conversation !== entry.number) tell('hub:go', { url: answer.url, doc })  // brings the bar too
  else {
    if (form) taken(doc, true)
    toast(doc)
  }
  draw()
  refreshList()
}

/** The server has said no: the words come back into their box, or stand where they would have stood, with the reason. */
function refused(entry, doc) {
  const here = open(), form = here?.number === entry.number ? formOf(entry.mode) : null
  const late = $('#collision', doc) && $('#composer')?.dataset.late
  entry.why = [$('#trouble', doc), $('#failure-words', doc)].map(n => n?.textContent.trim()).find(Boolean) || late || body.dataset.lost
  versions.delete(entry.id)
  if (form && $('#composer', doc)) taken(doc, false)
  if (form && $(`#mode-${entry.mode}`).checked && !textOf(form).value.trim()) bring(entry)
  else { keep(entry); say(entry.why) }
  tell('hub:answered', { doc })
  draw()
}

function bring(entry) {
  drop(entry)
  tell('hub:back', entry)
  tell('hub:trouble', entry.why)
}

/** The page goes: what it has not begun to send leaves now, and what does not arrive is still on this device. */
function leave() {
  for (const entry of all()) if (entry.tab === tab && !entry.why && !flying.has(entry.id)) fetch(entry.action, { ...post(entry, new URLSearchParams(entry.fields)), headers: { 'X-Hub': 'part' } }).catch(() => {})
}

// ── in the timeline ──────────────────────────────────────────────────────────────────────────────────────────────
function node(entry) {
  const made = copyOf('#pend'), { text, attachments } = entry.content
  made.id = `p${entry.id}`
  if (entry.mode === 'note') { $('.bub', made).className = 'nt'; $('.grp', made).classList.remove('mine') }
  $('.txt', made).textContent = text
  $('[data-names]', made).textContent = attachments.map(file => file.name).join(', ')
  $('[data-words]', made).textContent = away ? made.dataset.waits : made.dataset.sending
  $('.mt', made).hidden = !!entry.why
  $('.trouble', made).hidden = !entry.why
  $('[data-why]', made).textContent = entry.why || ''
  return made
}

function draw() {
  const here = open()
  if (!here || !$('#pend')) return
  const waiting = of(here.number).filter(entry => entry.why || !$(`[data-client="${CSS.escape(`${body.dataset.me}:${entry.id}`)}"]`, here.tl))
  const now = JSON.stringify([here.number, ...waiting.map(entry => [entry.id, entry.why || away])])
  let place = $('.pends', here.tl)
  if (now === drawn && place) return
  drawn = now
  place?.remove()
  if (!waiting.length) return
  place = Object.assign(document.createElement('div'), { className: 'pends' })
  place.append(...waiting.map(node))
  here.tl.append(place)
}

function click(event) {
  const wish = event.target.closest('[data-pend]')
  const entry = wish && all().find(e => `p${e.id}` === wish.closest('.pend').id)
  if (!entry) return
  if (wish.dataset.pend === 'edit') bring(entry)
  else { drop(entry); formOf(entry.mode) && textOf(formOf(entry.mode)).focus() }
  draw()
}

export function start() {
  if (!body.dataset.me) return
  document.addEventListener('submit', event => { if (open() && event.target.matches('[data-compose]')) press(event.target, event) })
  document.addEventListener('click', click)
  document.addEventListener('hub:opened', () => { drawn = ''; draw() })
  document.addEventListener('hub:came', draw)
  document.addEventListener('hub:online', () => { away = false; tries = 0; draw(); flush() })
  document.addEventListener('hub:offline', () => { away = true; draw() })
  addEventListener('online', () => { tries = 0; flush() })
  addEventListener('pagehide', leave)
  addEventListener('storage', event => { if (isOurs(event.key)) { draw(); clearTimeout(timer); timer = setTimeout(flush, ABSENT * 1000) } })
  flush()
}
