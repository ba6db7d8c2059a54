// The bar about the connection: nothing for five seconds, then since when, and when it is tried again. And a new version of the hub.
import { $, body, tell } from './dom.js'

const SOON = 5000, SHOWN = 3000
let late = 0, counting = 0, hiding = 0, told = null

const bar = () => $('#connection')
const clock = at => new Date(at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })

function show(words, { next = '', now = false, back = false } = {}) {
  const box = bar()
  clearTimeout(hiding)
  if ($('[data-words]', box).textContent !== words) $('[data-words]', box).textContent = words
  $('[data-next]', box).textContent = next
  $('[data-now]', box).hidden = !now
  box.classList.toggle('good', back)
  box.hidden = false
}

function hide() {
  clearInterval(counting)
  bar().hidden = true
}

function count() {
  const seconds = Math.max(0, Math.ceil((told.next - Date.now()) / 1000)), data = bar().dataset
  show(data.offline.replace('{time}', clock(told.since)), { next: data.next.replace('{n}', seconds), now: true })
}

function offline(event) {
  told = event.detail
  if (!bar().hidden && counting) { count(); return }
  late ||= setTimeout(() => {
    late = 0
    clearInterval(counting)
    counting = setInterval(count, 500)
    count()
  }, Math.max(0, told.since + SOON - Date.now()))
}

function online(event) {
  clearTimeout(late)
  late = 0
  const said = counting
  clearInterval(counting)
  counting = 0
  if (!said) return
  const n = event.detail.caught, data = bar().dataset
  show((n === 1 ? data.one : n ? data.many : data.back).replace('{n}', n), { back: true })
  hiding = setTimeout(hide, SHOWN)
}

export function start() {
  if (!bar()) return
  document.addEventListener('hub:offline', offline)
  document.addEventListener('hub:online', online)
  document.addEventListener('hub:version', event => { if (body.dataset.version && event.detail !== body.dataset.version) $('#version').hidden = false })
  document.addEventListener('click', event => {
    if (event.target.closest('#connection [data-now]')) tell('hub:now')
    if (event.target.closest('#version button')) location.reload()
  })
}
