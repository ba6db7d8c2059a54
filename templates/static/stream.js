// The live stream of hints. What is heard goes to everybody as `hub:hint`; too much missed: `hub:reload`.
import { $, body, tell } from './dom.js'

let last = body.dataset.live, wait = 1, offlineTimer = 0

function offline(yes) {
  const bar = $('#connection')
  if (!yes) { clearTimeout(offlineTimer); offlineTimer = 0; bar.hidden = true; return }
  offlineTimer ||= setTimeout(() => { $('span', bar).textContent = body.dataset.offline; bar.hidden = false }, 3000)
}

function connect() {
  const source = new EventSource(`/stream?after=${last}`)
  source.onopen = () => { wait = 1; offline(false) }
  source.onmessage = event => { last = event.lastEventId || last; tell('hub:hint', JSON.parse(event.data)) }
  source.addEventListener('reload', event => { last = event.lastEventId || last; tell('hub:reload') })
  source.onerror = () => {
    source.close()
    offline(true)
    setTimeout(connect, (wait + Math.random() * wait) * 500)
    wait = Math.min(wait * 2, 30)
  }
}

export function start() {
  if (last !== undefined) connect()
}
