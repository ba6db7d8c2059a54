// Recordings and voice messages: play, ten seconds back and on, faster, and where one is. Without this the browser's own controls.
import { $, $$ } from './dom.js'

const SPEEDS = [1, 1.25, 1.5, 2, .75]
const clock = s => Number.isFinite(s) ? `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, '0')}` : '–:––'

function dress(player) {
  if (player.dataset.dressed) return
  player.dataset.dressed = 'yes'
  const audio = $('audio', player), part = Object.fromEntries($$('[data-do]', player).map(n => [n.dataset.do, n]))
  const bar = $('input', part.seek), said = part.speed.getAttribute('aria-label').split(':')[0]
  audio.controls = false
  audio.hidden = true
  for (const node of Object.values(part)) node.hidden = false
  const show = () => {
    part.time.textContent = `${clock(audio.currentTime)} / ${clock(audio.duration)}`
    if (audio.duration) bar.value = audio.currentTime / audio.duration * 1000
    bar.setAttribute('aria-valuetext', clock(audio.currentTime))
  }
  for (const kind of ['timeupdate', 'loadedmetadata', 'durationchange']) audio.addEventListener(kind, show)
  for (const kind of ['play', 'pause', 'ended']) audio.addEventListener(kind, () => part.play.setAttribute('aria-pressed', !audio.paused))
  audio.addEventListener('play', () => $$('audio').forEach(other => other !== audio && other.pause()))
  part.play.onclick = () => audio.paused ? audio.play().catch(() => {}) : audio.pause()
  part.back.onclick = () => { audio.currentTime = Math.max(0, audio.currentTime - 10) }
  part.on.onclick = () => { audio.currentTime = Math.min(audio.duration || 0, audio.currentTime + 10) }
  bar.oninput = () => { if (audio.duration) audio.currentTime = bar.value / 1000 * audio.duration }
  part.speed.onclick = () => {
    audio.playbackRate = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length]
    part.speed.textContent = `${audio.playbackRate}×`
    part.speed.setAttribute('aria-label', `${said}: ${audio.playbackRate}×`)
  }
}

export function start() {
  const look = root => $$('[data-player]', root).forEach(dress)
  new MutationObserver(changes => { for (const c of changes) for (const n of c.addedNodes) if (n.nodeType === 1) look(n.parentNode || n) })
    .observe(document.body, { childList: true, subtree: true })
  look(document)
}
