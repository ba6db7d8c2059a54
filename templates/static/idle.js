// Whoever moves is here: said at most once a minute, by whichever tab it happens in. The server decides when somebody is away.
import { body, fetchPart } from './dom.js'

const PAUSE = 60_000, KEY = 'moved'
let last = 0

function moved() {
  const now = Date.now()
  if (now - last < PAUSE) return
  last = Math.max(+localStorage.getItem(KEY) || 0, last)
  if (last <= now && now - last < PAUSE) return
  last = now
  localStorage.setItem(KEY, now)
  fetchPart('/me/moved', { method: 'POST' }).catch(() => { last = 0 })
}

export function start() {
  if (body.dataset.live === undefined) return
  for (const name of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchmove']) addEventListener(name, moved, { passive: true, capture: true })
  document.addEventListener('visibilitychange', () => { if (!document.hidden) moved() })
  if (!document.hidden) moved()
}
