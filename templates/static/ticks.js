// Times that pass while somebody looks: once a minute, every second when less than two minutes are left. Nothing of it is announced.
import { $, $$, tell } from './dom.js'

const SECONDS = 120_000, APART = 5000
let words = null, skew = 0, asking = 0

/** A length of time as the server spells it. */
function span(ms) {
  const minutes = Math.floor(Math.max(ms, 0) / 60_000), days = Math.floor(minutes / 1440)
  const [n, form] = minutes < 60 ? [Math.max(minutes, 1), 'min'] : minutes < 1440 ? [Math.floor(minutes / 60), 'h'] : [days, days === 1 ? 'day' : 'days']
  return words[form].replace('{n}', n)
}

const write = (el, text) => { if (el.lastChild && el.lastChild.data !== text) el.lastChild.data = text }

/** The calendar has closed for many at once: what rests now is asked for a moment later, not by everybody in the same one. */
function again() {
  asking ||= setTimeout(() => { asking = 0; tell('hub:changed'); tell('hub:again') }, 1000 + Math.random() * APART)
}

/** One promise: how long there is, or how long it is late; true when it is so near that seconds count. */
function due(chip, now) {
  const { end, half, stop, say } = chip.dataset, left = end - now
  if (+stop && now >= stop) {
    chip.dataset.stop = 0
    again()
    return false
  }
  const late = left <= 0, near = left < SECONDS
  chip.classList.toggle('bad', late)
  chip.classList.toggle('warn', !late && now >= half)
  chip.classList.toggle('ok', !late && now < half)
  write(chip, late ? words.over.replace('{time}', span(-left)) : say.replace('{time}', near ? words.s.replace('{n}', Math.ceil(left / 1000)) : span(left)))
  return near && !late
}

function tick() {
  const now = Date.now() + skew
  let near = false
  if (!document.hidden) {
    for (const chip of $$('[data-end]')) near = due(chip, now) || near
    for (const time of $$('[data-since]')) write(time, span(now - time.dataset.since))
  }
  clearTimeout(tick.next)
  tick.next = setTimeout(tick, near ? 1000 : 60_000 - now % 60_000)
}

export function start() {
  const told = $('#ticks')
  if (!told) return
  words = told.dataset
  skew = words.now - Date.now()
  tick()
  for (const name of ['hub:opened', 'hub:drawn', 'hub:changed']) document.addEventListener(name, () => { clearTimeout(tick.next); tick.next = setTimeout(tick, 1000) })
  document.addEventListener('visibilitychange', tick)
}
