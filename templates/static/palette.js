// The palette: one field for actions, places, people and conversations. What is on the page answers at once, the server a moment later.
import { $, $$, fetchPart, say } from './dom.js'
import { act, bindings, control, possible, readable, run } from './keys.js'
import { go } from './nav.js'

const LATER = 80, MOST = 8
let asked = 0, waiting = 0, back = null

const box = () => $('#palette')
const folded = text => text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').replace(/ß/g, 'ss')

/** How well the letters of the wish stand in the text, in order: 0 not at all. Beginnings of words count most. */
export function fit(wish, text) {
  if (!wish) return 1
  const whole = text.indexOf(wish)
  if (whole >= 0) return 100 - Math.min(whole, 40) + (whole === 0 || /\W/.test(text[whole - 1]) ? 30 : 0)
  let at = -1, score = 20
  for (const letter of wish.replace(/\s/g, '')) {
    const next = text.indexOf(letter, at + 1)
    if (next < 0) return 0
    if (next !== at + 1 && !(next === 0 || /\W/.test(text[next - 1]))) score -= 2
    at = next
  }
  return Math.max(score, 0)
}

const best = (wish, all) => all.map(x => ({ ...x, score: fit(wish, folded(`${x.label} ${x.also || ''}`)) })).filter(x => x.score > 0).sort((a, b) => b.score - a.score).slice(0, MOST)

function actions() {
  return bindings().filter(b => !['palette', 'leave'].includes(b.id) && !/^(go_|focus_|item_|theirs_|select|next|previous|open|apply)/.test(b.id) && possible(b))
    .sort((a, b) => (b.scope === 'conversation') - (a.scope === 'conversation'))
    .map(b => ({ label: b.label, also: b.also, key: b.keys[0] && readable(b.keys[0]), work: () => run(b.id) }))
}

function places() {
  return $$('.side .nav a[href]').map(a => ({ label: $('.lab', a)?.textContent || a.textContent.trim(), also: bindings().find(b => b.id === a.dataset.act)?.also, key: bindings().filter(b => b.id === a.dataset.act).map(b => b.keys[0] && readable(b.keys[0]))[0], href: a.getAttribute('href') }))
}

const conversations = () => $$('#rows a.it').map(a => ({ label: [$('.nm', a), $('.su', a)].map(n => n?.textContent).filter(Boolean).join(' · '), href: a.getAttribute('href') }))

/** People and teams it may be given to, out of the menu that does it. */
function people() {
  const select = control('assign')?.parentElement.querySelector('select[name=to]')
  return select ? $$('option', select).filter(o => o.value).map(o => ({ label: o.textContent.trim(), work: () => { select.value = o.value; select.form.requestSubmit() } })) : []
}

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
  const raw = $('input', box()).value.trim(), kind = /^[>@#:]/.exec(raw)?.[0] || '', wish = folded(raw.slice(kind.length).trim())
  const { actions: doing, go: going, rows } = box().dataset
  const said = [
    ...(kind && kind !== '>' ? [] : section(doing, best(wish, actions()))),
    ...(kind === '@' ? section(doing, best(wish, people())) : []),
    ...(kind === '>' || kind === '@' ? [] : kind ? [] : section(going, best(wish, places()))),
    ...(kind === '#' && /^\d+$/.test(wish) ? section(rows, [{ label: `#${wish}`, href: `/c/${wish}` }]) : []),
    ...(kind || !wish ? [] : section(rows, best(wish, conversations()))),
  ]
  $('#palette-list').replaceChildren(...said)
  choose(options()[0])
  clearTimeout(waiting)
  asked += 1
  if (!kind && wish.length > 1) waiting = setTimeout(() => more(raw, asked), LATER)
  else tellCount()
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
  else if (event.key === 'Enter') take(chosen())
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
