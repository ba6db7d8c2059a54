// What people who do not see the screen are told: one calm and one urgent place in the layout, and at most one text in two seconds.
// Bars and messages that come and go carry `data-say` (or `data-say="now"` for the urgent place); what they say is said when it shows.
import { $, $$, body } from './dom.js'

/** What has changed is looked at once it is drawn (ms): to ask before whether it is to be seen would have the page laid out at once. */
const PAUSE = 2000, MOST = 600, HEARD = 200, DRAWN = 50
let calm = [], urgent = [], last = -PAUSE, timer = 0

/** Say it as soon as the pause allows; what comes until then is said in one go, what is urgent first. */
export function say(text, now = false) {
  const said = text.replace(/\s+/g, ' ').trim()
  if (!said || calm.includes(said) || urgent.includes(said)) return
  ;(now ? urgent : calm).push(said)
  timer ||= setTimeout(speak, Math.max(0, last + PAUSE - performance.now()))
}

function speak() {
  const now = urgent.length > 0, text = (now ? urgent : calm).splice(0).join('. ').slice(0, MOST)
  last = performance.now()
  timer = urgent.length || calm.length ? setTimeout(speak, PAUSE) : 0
  // a node of its own, so that the same words said twice are heard twice
  $(now ? '#alerted' : '#said')?.replaceChildren(document.createTextNode(text))
}

/** New entries of the open conversation, as the reader wants to hear of them: with their text, only from whom, or not at all. */
export function hear(entries) {
  if (body.dataset.announce === 'off') return
  for (const { heard, text } of entries.map(n => n.dataset)) {
    if (heard) say(text && body.dataset.announce !== 'sender' ? `${heard}: ${text.slice(0, HEARD)}` : heard)
  }
}

/** What a bar says, without its buttons and without the time, which goes on. */
function words(box) {
  const copy = box.cloneNode(true)
  for (const n of $$('button, a, [hidden], [aria-hidden=true], progress, kbd, time', copy)) n.remove()
  return copy.textContent.replace(/\s+/g, ' ').trim()
}

const told = new WeakMap(), changed = new Set()
let looking = 0

function look(box) {
  const text = box.checkVisibility() ? words(box) : ''
  if (told.get(box) === text) return
  told.set(box, text)
  say(text, box.dataset.say === 'now')
}

function lookAll() {
  looking = 0
  const boxes = [...changed]
  changed.clear()
  for (const box of boxes) if (box.isConnected) look(box)
}

export function start() {
  if (!$('#said')) return
  for (const box of $$('[data-say]')) told.set(box, words(box))
  new MutationObserver(changes => {
    for (const { target, addedNodes } of changes) {
      changed.add((target.closest ? target : target.parentElement)?.closest('[data-say]'))
      for (const node of addedNodes) if (node.querySelectorAll) for (const box of [node, ...$$('[data-say]', node)]) if (box.matches('[data-say]')) changed.add(box)
    }
    changed.delete(null)
    changed.delete(undefined)
    if (changed.size) looking ||= setTimeout(lookAll, DRAWN)
  }).observe(body, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['hidden'] })
}
