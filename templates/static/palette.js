// The palette: one field for actions, places, people and conversations. What is on the page answers at once, the server a moment later.
import { $, $$, fetchPart } from './dom.js'
import { act, bindings, possible, readable } from './keys.js'
import { go } from './nav.js'
import { actions, best, conversations, folded, people, places, tags } from './wanted.js'

const LATER = 80
let asked = 0, waiting = 0, back = null

const box = () => $('#palette')

function option(entry) {
  const li = document.createElement('li')
  li.role = 'option'
  li.work = entry.work || (() => follow(entry.href))
  const label = document.createElement('span')
  label.className = 'grow trunc'
  label.textContent = entry.label
  li.append(label)
  if (entry.key) { const key = document.createElement('kbd'); key.textContent = entry.key; li.append(key) }
  return li
}

function section(heading, entries) {
  if (!entries.length) return []
  const title = document.createElement('li')
  title.role = 'presentation'
  title.className = 'hd'
  title.textContent = heading
  return [title, ...entries.map(option)]
}

const follow = href => /^\/c\/\d+/.test(href) && $('#rows') ? go(href, { focus: true }) : location.assign(href)

function fill() {
  const raw = $('input', box()).value.trim(), kind = /^[>@#:]/.exec(raw)?.[0] || '', said = raw.slice(kind.length).trim(), wish = folded(said)
  const words = box().dataset
  const found = {
    '': () => [...section(words.actions, best(wish, actions())), ...section(words.go, best(wish, places())), ...(wish ? section(words.rows, best(wish, conversations())) : [])],
    '>': () => section(words.actions, best(wish, actions())),
    '@': () => section(words.assign, best(wish, people())),
    '#': () => /^\d+$/.test(wish) ? section(words.rows, [{ label: `#${wish}`, href: `/c/${wish}` }]) : [],
    ':': () => [],
  }[kind]()
  $('#palette-list').replaceChildren(...found)
  choose(options()[0])
  clearTimeout(waiting)
  asked += 1
  if (kind === ':') tagged(wish, said, asked)
  else if ((!kind && wish.length > 1) || (kind === '@' && wish)) waiting = setTimeout(() => more(raw, asked), LATER)
  else tellCount()
}

async function tagged(wish, raw, turn) {
  const found = await tags(wish, raw)
  if (turn !== asked) return
  $('#palette-list').replaceChildren(...section(box().dataset.tags, found))
  choose(options()[0])
  tellCount()
}

async function more(raw, turn) {
  const { answer, doc } = await fetchPart(`/palette?q=${encodeURIComponent(raw)}`).catch(() => ({}))
  if (turn !== asked || !answer?.ok) return
  const there = new Set(options().map(o => o.textContent))
  for (const li of $$('li', doc)) {
    if (li.role === 'option') {
      if (there.has(li.textContent)) continue
      li.work = () => follow(li.dataset.href)
    }
    $('#palette-list').append(li)
  }
  $$('#palette-list .hd').forEach(h => { if (h.nextElementSibling?.role !== 'option') h.remove() })
  if (!chosen()) choose(options()[0])
  else number()
  tellCount()
}

const options = () => $$('#palette-list [role=option]')
const chosen = () => options().find(o => o.ariaSelected === 'true')
const number = () => options().forEach((o, i) => { o.id = `palette-${i}` })

function choose(wanted) {
  number()
  for (const o of options()) o.ariaSelected = String(o === wanted)
  const input = $('input', box())
  wanted ? input.setAttribute('aria-activedescendant', wanted.id) : input.removeAttribute('aria-activedescendant')
  wanted?.scrollIntoView({ block: 'nearest' })
}

function tellCount() {
  const n = options().length
  $('#palette-count').textContent = (n === 1 ? box().dataset.one : box().dataset.many).replace('{n}', n)
}

function take(wanted) {
  if (!wanted) return
  shut()
  wanted.work()
}

function shut() {
  box().close()
  if (back?.isConnected) back.focus()
}

function open() {
  back = document.activeElement
  box().showModal()
  $('input', box()).value = ''
  fill()
}

function keys(event) {
  const all = options(), at = all.indexOf(chosen()), by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (by && all.length) choose(all[(at + by + all.length) % all.length])
  else if (event.key === 'Enter') { if (!event.repeat) take(chosen()) }
  else return
  event.preventDefault()
}

// ── the keys that work here ──────────────────────────────────────────────────────────────────────────────────────
function help() {
  for (const section of $$('#help [data-scope]')) {
    const lines = bindings().filter(b => b.scope === section.dataset.scope && b.keys.length && possible(b)).flatMap(b => {
      const key = document.createElement('dt'), words = document.createElement('dd')
      key.append(...b.keys.flatMap((k, i) => [...(i ? [' '] : []), Object.assign(document.createElement('kbd'), { textContent: readable(k) })]))
      words.textContent = b.label
      return [key, words]
    })
    $('dl', section).replaceChildren(...lines)
    section.hidden = !lines.length
  }
  $('#help').showModal()
  $('#help-title').focus()
}

export function start() {
  if (!box()) return
  act('palette', open)
  act('help', help)
  box().addEventListener('input', fill)
  box().addEventListener('keydown', keys)
  $('#palette-list').addEventListener('click', event => take(event.target.closest('[role=option]')))
  for (const dialog of [box(), $('#help')]) dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close() })
  for (const button of $$('button[data-act=palette]')) { button.hidden = false; button.addEventListener('click', open) }
}
