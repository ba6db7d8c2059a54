// The live stream, as this page hears it: `hub:hint` for everything that happened, `hub:reload` when too much was missed, `hub:online`,
// `hub:offline`, and what nobody keeps: `hub:nearby`, `hub:typing`, `hub:number`, `hub:notice`. All tabs share one connection.
import { body, tell } from './dom.js'
import { Exchange } from './line.js'

const HELD = 200, HIDDEN = 60000
export const tab = Math.random().toString(36).slice(2) + Math.random().toString(36).slice(2)

let last = 0, say = () => {}, held = [], hiddenSince = 0

function hear(told) {
  if (told.hint) hint(told.hint)
  else if (told.reload !== undefined) { if (told.reload > last) last = told.reload; held = []; tell('hub:reload') }
  else if (told.kind === 'notice') tell('hub:notice', { ...told.said, inFront: told.front })
  else if (told.kind) tell(`hub:${told.kind}`, told.said)
  else if (told.online !== undefined) tell(told.online ? 'hub:online' : 'hub:offline', told)
  else if (told.version) tell('hub:version', told.version)
  else if (told.left) location.reload()
}

/** Each is told once. A page that nobody sees waits: what it would fetch is old when somebody looks. */
function hint(said) {
  if (+said.id <= last) return
  last = +said.id
  if (!document.hidden) { tell('hub:hint', said); return }
  held.push(said)
}

function shown() {
  const waiting = held
  held = []
  if (waiting.length > HELD) tell('hub:reload')
  else waiting.forEach(said => tell('hub:hint', said))
  if (hiddenSince && Date.now() - hiddenSince > HIDDEN) say({ check: true })
  hiddenSince = 0
}

// ── whom to listen to ────────────────────────────────────────────────────────────────────────────────────────────
function byWorker() {
  const worker = new SharedWorker(body.dataset.worker, { name: `hub-${body.dataset.me}` })
  worker.port.onmessage = ({ data }) => hear(data)
  worker.onerror = () => { withoutWorker(); greet() }
  say = said => worker.port.postMessage({ tab, ...said })
}

const withoutWorker = () => (navigator.locks && 'BroadcastChannel' in window ? byChannel : alone)()

/** One tab leads and connects, the others listen to it; when it goes, the next one leads. */
function byChannel() {
  const channel = new BroadcastChannel(`hub-${body.dataset.me}`)
  let exchange = null
  say = said => exchange ? exchange.hear(tab, hear, said) : channel.postMessage({ tab, ...said })
  channel.onmessage = ({ data }) => {
    if (data.to === tab) hear(data.told)
    else if (data.leads && !exchange) greet()
    else if (data.tab && exchange) exchange.hear(data.tab, told => channel.postMessage({ to: data.tab, told }), data)
  }
  navigator.locks.request(`hub-leads-${body.dataset.me}`, () => {
    exchange = new Exchange()
    greet()
    channel.postMessage({ leads: true })
    return new Promise(() => {})
  })
}

function alone() {
  const exchange = new Exchange()
  say = said => exchange.hear(tab, hear, said)
}

const state = () => ({ visible: !document.hidden, focused: document.hasFocus() && !document.hidden })
const greet = () => say({ hi: last, ...state() })

function listen() {
  if ('SharedWorker' in window) byWorker()
  else withoutWorker()
  // greets once it holds the lock: whoever gets it next knows that this tab is gone
  if (navigator.locks) navigator.locks.request(`hub-tab-${tab}`, () => { greet(); return new Promise(() => {}) })
  else greet()
}

export function start() {
  if (body.dataset.live === undefined) return
  last = +body.dataset.live
  listen()
  document.addEventListener('visibilitychange', () => {
    say(state())
    if (document.hidden) hiddenSince = Date.now()
    else shown()
  })
  addEventListener('focus', () => { say({ ...state(), check: true }) })
  addEventListener('blur', () => say(state()))
  addEventListener('online', () => say({ check: true }))
  addEventListener('pagehide', () => say({ bye: true }))
  addEventListener('pageshow', event => { if (event.persisted) greet() })
  document.addEventListener('hub:now', () => say({ now: true }))
}
