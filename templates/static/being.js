// Who else is here: says where I am and whether I answer, and shows where the others are. Nobody keeps it; it ends by itself.
import { $, $$, body, fetchPart, textOf } from './dom.js'
import { tab } from './stream.js'

const AGAIN = 3000, JUST = 1500, ANSWERING = 60000, DOTS = 5000, PEEK = 2000
const me = body.dataset.me
const there = new Map(), typing = new Map()
let here = null, told = '', timer = 0, pressed = 0, fresh = false, peeking = 0

const words = () => $('#words')?.dataset || {}
const said = (key, values) => Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), words()[key] || '')

// ── where I am ───────────────────────────────────────────────────────────────────────────────────────────────────
function state() {
  const note = $('#mode-note', here.section)?.checked, form = $(note ? '.f-note' : '.f-reply', here.section)
  const answering = form && textOf(form).value.trim() && performance.now() - pressed < ANSWERING && pressed
  return { state: answering ? 'replying' : 'viewing', mode: note ? 'note' : 'reply', via: (!note && $('[name=via]:checked', here.section)?.dataset.id) || '' }
}

function report() {
  clearTimeout(timer)
  if (!here || document.hidden) return
  const now = state()
  told = now.state + now.mode
  const form = new URLSearchParams({ ...now, tab, typing: fresh && now.state === 'replying' && performance.now() - pressed < JUST ? 'yes' : '' })
  fresh = false
  fetch(`/c/${here.number}/here`, { method: 'POST', body: form, keepalive: true, headers: { 'X-Hub': 'part' } }).catch(() => {})
  timer = setTimeout(report, AGAIN)
}

function leave() {
  clearTimeout(timer)
  if (here && told) navigator.sendBeacon(`/c/${here.number}/here`, new URLSearchParams({ state: 'gone', tab }))
  told = ''
}

function pressing(event) {
  if (!here || !event.target.matches('#composer textarea')) return
  const first = !fresh && performance.now() - pressed > AGAIN
  pressed = performance.now()
  fresh = true
  const now = state()
  if (first || told !== now.state + now.mode) report()
}

// ── where the others are ─────────────────────────────────────────────────────────────────────────────────────────
function face(one, more) {
  const made = document.createElement('span')
  made.className = `av ${more} h${one.hue}${one.state === 'replying' ? ' ring' : ''}`
  made.setAttribute('aria-hidden', 'true')
  made.textContent = one.initials || '?'
  return made
}

const doing = one => said(one.state === 'viewing' ? 'viewing' : one.mode === 'note' ? 'noting' : 'replying', { name: one.name })
const others = number => (there.get(number) || []).filter(one => one.id !== me)

function header() {
  const stack = here && $('#head [data-here]', here.section)
  if (!stack) return
  const people = others(here.number), text = people.map(doing).join(', ')
  if (stack.title === text) return
  stack.hidden = !people.length
  stack.title = text
  text ? stack.setAttribute('aria-label', text) : stack.removeAttribute('aria-label')
  stack.replaceChildren(...people.slice(0, 4).map(one => face(one, 'av-s')))
}

/** The bar over the box: the first of those who are answering. */
function bar() {
  const box = here && $('#replying', here.section)
  if (!box) return
  const one = others(here.number).find(p => p.state === 'replying')
  box.hidden = !one
  if (!one) { shut(); return }
  const text = one.mode === 'reply' && one.via ? said('via', { name: one.name, channel: one.via }) : doing(one)
  if ($('[data-words]', box).textContent === text) return
  $('[data-words]', box).textContent = text
  $('[data-faces]', box).replaceChildren(face({ ...one, state: '' }, 'av-xs'))
  if (box.dataset.who !== one.id + one.mode) shut()
  box.dataset.who = one.id + one.mode
  box.dataset.draft = `/c/${here.number}/drafts/${one.mode}/of/${one.id}`
}

function rows() {
  const marked = new Set([...$$('#rows .here'), ...$$('#rows .typing')].map(n => n.closest('li')))
  for (const number of [...there.keys(), ...typing.keys()]) { const row = document.getElementById(`c${number}`); if (row) marked.add(row) }
  for (const row of marked) row_(row, row.id.slice(1))
}

function row_(row, number) {
  const link = $('a.it', row), people = others(number), text = people.map(doing).join(', '), old = $('.here', row)
  const writes = typing.has(number), line = $('.pv', row)
  if ((old?.title || '') !== text) {
    old?.remove()
    if (people.length) {
      const made = document.createElement('span')
      made.className = 'here stack'
      made.title = text
      const spoken = document.createElement('span')
      spoken.className = 'vh'
      spoken.textContent = text
      made.append(...people.slice(0, 2).map(one => face(one, 'av-xs')), spoken)
      line?.closest('.l').append(made)
    }
  }
  if (writes === link.classList.contains('typing')) return
  link.classList.toggle('typing', writes)
  $('.tpv', row)?.remove()
  if (writes && line) {
    const made = document.createElement('span')
    made.className = 'tpv trunc grow'
    made.textContent = said('typing', { name: typing.get(number).name || $('.nm', row).textContent })
    line.before(made)
  }
}

function bubble() {
  const old = $('#typing'), writes = here && typing.get(here.number)
  if (!writes) { old?.remove(); return }
  const tl = $('.tl', here.section), template = $('#typing-bubble', here.section)
  if (old || !tl || !template || here.section.hasAttribute('data-past')) return
  tl.append(template.content.cloneNode(true))
}

function draw() { header(); bar(); rows(); bubble() }

function nearby({ all, here: homes }) {
  if (all) there.clear()
  for (const home of homes) home.people.length ? there.set(home.conversation, home.people) : there.delete(home.conversation)
  draw()
}

function types({ conversation, name }) {
  clearTimeout(typing.get(conversation)?.timer)
  typing.set(conversation, { name, timer: setTimeout(() => { typing.delete(conversation); draw() }, DOTS) })
  draw()
}

function stops(number) {
  clearTimeout(typing.get(number)?.timer)
  if (typing.delete(number)) draw()
}

// ── what they are about to say ───────────────────────────────────────────────────────────────────────────────────
async function peek() {
  const box = $('#replying'), place = $('#peek')
  if (!box || box.hidden || place.hidden) return
  try {
    const { answer, doc } = await fetchPart(box.dataset.draft)
    const inside = answer.ok ? [...doc.body.childNodes] : []
    if (place.textContent !== inside.map(n => n.textContent).join('')) place.replaceChildren(...inside)
  } catch { /* asked again in a moment */ }
  clearTimeout(peeking)
  peeking = setTimeout(peek, PEEK)
}

function shut() {
  const place = $('#peek')
  if (!place || place.hidden) return
  clearTimeout(peeking)
  place.hidden = true
  place.replaceChildren()
  $('[data-peek]')?.setAttribute('aria-expanded', 'false')
}

export function start() {
  if (!me) return
  document.addEventListener('hub:opened', event => { here = event.detail; pressed = 0; draw(); report() })
  document.addEventListener('hub:left', () => { leave(); shut(); here = null })
  document.addEventListener('hub:nearby', event => nearby(event.detail))
  document.addEventListener('hub:typing', event => types(event.detail))
  document.addEventListener('hub:hint', event => { if (event.detail.kind === 'message.received') stops(event.detail.conversation) })
  document.addEventListener('hub:online', report)
  document.addEventListener('hub:sent', () => { pressed = 0; report() })
  document.addEventListener('input', pressing)
  document.addEventListener('change', event => { if (here && event.target.matches('[name=mode],[name=via]')) report() })
  document.addEventListener('visibilitychange', () => document.hidden ? leave() : report())
  addEventListener('pagehide', leave)
  addEventListener('pageshow', event => { if (event.persisted) report() })
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-peek]')
    if (!button) return
    if (!$('#peek').hidden) { shut(); return }
    $('#peek').hidden = false
    button.setAttribute('aria-expanded', 'true')
    peek()
  })
  // rows and the header are put in anew by others
  const app = $('.app')
  if (app) new MutationObserver(() => { if (there.size || typing.size) draw() }).observe(app, { childList: true, subtree: true })
}
