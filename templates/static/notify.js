// What waits, in the title, on the icon and the app; and what just happened, as a sound and on the desktop, once for all tabs.
import { $, body, tell } from './dom.js'
import { title } from './list.js'

let sounds = null, shown = -1

// ── the number ───────────────────────────────────────────────────────────────────────────────────────────────────
function number({ n }) {
  body.dataset.waiting = n
  title()
  if (n === shown) return
  shown = n
  icon(n > 0)
  if (n > 0) navigator.setAppBadge?.(n)?.catch(() => {})
  else navigator.clearAppBadge?.()?.catch(() => {})
}

/** The mark of the hub, with a dot while something waits. */
function icon(dot) {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 64
  const pen = canvas.getContext('2d')
  pen.fillStyle = '#2c53d6'
  pen.beginPath()
  pen.roundRect(2, 2, 60, 60, 16)
  pen.fill()
  pen.strokeStyle = '#fff'
  pen.lineWidth = 6
  pen.beginPath()
  pen.arc(32, 32, 16, 0, 2 * Math.PI)
  pen.stroke()
  if (dot) {
    pen.fillStyle = '#dd2630'
    pen.strokeStyle = '#fff'
    pen.lineWidth = 4
    pen.beginPath()
    pen.arc(48, 16, 14, 0, 2 * Math.PI)
    pen.fill()
    pen.stroke()
  }
  const link = $('link[rel=icon]')
  if (link) link.href = canvas.toDataURL()
}

// ── sounds, made here ────────────────────────────────────────────────────────────────────────────────────────────
/** Each note: when it begins (s), how high (Hz), how long (s), its wave. */
const TONES = {
  drop: [[0, 880, 0.16, 'sine'], [0.09, 1318, 0.3, 'sine']],
  wood: [[0, 392, 0.09, 'triangle'], [0.11, 523, 0.14, 'triangle']],
  bell: [[0, 1046, 0.6, 'sine'], [0, 2093, 0.35, 'sine'], [0.02, 2637, 0.2, 'sine']],
  queue: [[0, 587, 0.22, 'sine']],
  call: [0, 0.5, 1.6, 2.1].flatMap(at => [[at, 440, 0.4, 'sine'], [at, 554, 0.4, 'sine']]),
}

/** May this page make sounds by now? Browsers want a click or key first. */
export function unlock() {
  const Context = window.AudioContext
  if (!Context) return Promise.resolve(false)
  sounds ??= new Context()
  return sounds.state === 'running' ? Promise.resolve(true) : Promise.race([sounds.resume().then(() => true), new Promise(done => setTimeout(done, 300, false))])
}

export async function play(name, volume) {
  if (!await unlock()) { muted(true); return false }
  muted(false)
  const now = sounds.currentTime
  for (const [at, height, length, wave] of TONES[name] || TONES.drop) {
    const voice = sounds.createOscillator(), gain = sounds.createGain()
    voice.type = wave
    voice.frequency.value = height
    gain.gain.setValueAtTime(0, now + at)
    gain.gain.linearRampToValueAtTime(volume / 100 * 0.35, now + at + 0.012)
    gain.gain.exponentialRampToValueAtTime(0.0001, now + at + length)
    voice.connect(gain).connect(sounds.destination)
    voice.start(now + at)
    voice.stop(now + at + length + 0.05)
  }
  return true
}

/** The bell says when a sound could not be heard, and why. */
function muted(yes) {
  const bell = $('#bell')
  if (!bell) return
  bell.classList.toggle('muted', yes)
  bell.title = yes ? bell.dataset.muted : bell.dataset.title
  $('.vh', bell).textContent = bell.title
}

// ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────────
export function desktop({ title: head, text, path, id }) {
  if (!('Notification' in window) || Notification.permission !== 'granted') return null
  try {
    const made = new Notification(head, { body: text, tag: path?.split('#')[0] || id, icon: $('link[rel=icon]')?.href })
    made.onclick = () => { window.focus(); made.close(); if (path) lead(path) }
    return made
  } catch { return null /* phones show notices by Web Push alone */ }
}

/** To what a notice is about; in the conversation that is open already only to the entry. */
function lead(path) {
  const url = new URL(path, location.href)
  if (url.pathname === location.pathname && url.hash) location.hash = url.hash
  else tell('hub:go', { url: url.href })
}

function notice(said) {
  const how = said.inFront ? said.front : said.away
  if (how.sound) play(how.sound === 'message' ? said.tone : how.sound, said.volume)
  if (how.desktop) desktop(said)
}

// ── the card that turns sound on ─────────────────────────────────────────────────────────────────────────────────
function card() {
  const box = $('#sound-card')
  if (!box || localStorage.getItem('sound')) return
  box.hidden = false
  box.addEventListener('click', async event => {
    const wish = event.target.closest('[data-sound]')?.dataset.sound
    if (!wish) return
    localStorage.setItem('sound', wish)
    box.hidden = true
    if (wish === 'on') await play('drop', 60)
  })
}

export function start() {
  if (!body.dataset.me) return
  number({ n: +body.dataset.waiting || 0 })
  document.addEventListener('hub:number', event => number(event.detail))
  document.addEventListener('hub:notice', event => notice(event.detail))
  navigator.serviceWorker?.addEventListener('message', event => { if (event.data?.go) lead(event.data.go) })
  for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => unlock().then(yes => yes && muted(false)), { once: true, capture: true })
  card()
}
