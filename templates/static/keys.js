// The keys. What they do stands in one table, which the server sends with the page; what a control does, in its `data-act`.
import { $, $$, tell, typing } from './dom.js'
import { apply, currentRow, rows } from './list.js'
import { step } from './nav.js'

const PAUSE = 1500
const own = new Map()
let bound = [], names = {}, begun = '', until = 0

/** Give an action something to do where no control stands for it; `can` says whether it can be done here. */
export const act = (id, work, can = () => true) => own.set(id, { work, can })
export const bindings = () => bound

const seen = el => el.checkVisibility?.() ?? !!el.offsetParent
/** It stands in a menu that can be opened. */
const folded = el => { const menu = el.closest('details.menu:not([open])'); return !!menu && !el.matches('summary') && seen($('summary', menu)) }
/** The control that does it to all that is selected. */
export const many = id => $('#bulk.on') && $(`#bulk [data-bulk~="${id}"]`)
/** The control that does it here, if there is one. A radio button hides behind its label. */
export function control(id) {
  const all = $$(`[data-act~="${id}"]`)
  return many(id) || all.find(el => seen(el) || (el.type === 'radio' && seen(el.closest('label') || el))) || all.find(folded)
}
const ownWork = id => many(id) ? null : own.get(id)
export const possible = b => ownWork(b.id)?.can() || !!control(b.id)

/** Do it; true when there was something to do. */
export function run(id) {
  const mine = ownWork(id), el = mine?.can() ? null : control(id)
  if (!el && !mine?.can()) return false
  if (!el) { mine.work(); return true }
  if (el.matches('summary')) { if (el.parentElement.open = !el.parentElement.open) ($('input:not([type=hidden]),select,button', el.nextElementSibling) || el).focus() }
  else if (el.matches('[type=radio]')) { el.checked = true; el.dispatchEvent(new Event('change', { bubbles: true })); tell('hub:mode', el) }
  else if (el.matches('input,select,textarea')) { if (folded(el)) el.closest('details.menu').open = true; el.focus() }
  else el.click()
  return true
}

/** "Shift+n", "mod+Enter", "?" : as the table spells what was pressed. */
function spelled(event) {
  if (event.getModifierState?.('AltGraph') || event.altKey) return ''
  const mod = event.ctrlKey || event.metaKey
  const letter = /^\p{L}$/u.test(event.key)
  const shift = event.shiftKey && (letter || mod || event.key.length > 1)
  return (mod ? 'mod+' : '') + (shift ? 'Shift+' : '') + (letter ? event.key.toLowerCase() : event.key)
}

function pressed(event) {
  const key = spelled(event)
  if (event.defaultPrevented || event.isComposing || !key || $('dialog[open]')) return
  const writing = typing(event.target)
  if (event.repeat && key === 'Enter' && event.target.closest?.('button,a,summary')) { event.preventDefault(); return }
  if (key.length === 1 && !event.repeat && performance.now() < until) {
    const found = bound.find(b => b.keys.includes(`${begun} ${key}`))
    until = 0
    if (found && run(found.id)) { event.preventDefault(); return }
  }
  const found = bound.find(b => b.keys.includes(key) && (!writing || key.startsWith('mod+') || key === 'Escape') && fits(b, event) && possible(b))
  if (found) {
    event.preventDefault()
    if (!event.repeat) run(found.id)
  } else if (!writing && bound.some(b => b.keys.some(k => k.startsWith(`${key} `)))) {
    begun = key
    until = performance.now() + PAUSE
  }
}

/** Where one reads, arrows scroll; elsewhere they go through the list, if there is one. */
const scrolls = event => event.key.startsWith('Arrow') && (!rows().length || !!event.target.closest?.('.scroll:not(#listscroll)'))
const fits = (b, event) => scrolls(event) ? false : b.scope === 'everywhere' || (b.scope === 'composer' ? !!event.target.closest?.('#composer') : !!$('[data-conversation]') || !!many(b.id))

/** A key as people read it: Strg K, Umschalt J. */
export function readable(key) {
  const mac = /Mac|iP/.test(navigator.platform)
  const one = k => k.split('+').map(p => p === 'mod' ? (mac ? '⌘' : names.mod) : p === 'Shift' ? names.Shift : ({ Enter: '↵', ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' })[p] || p.toUpperCase()).join(' ')
  return key.split(' ').map(one).join(` ${names.then} `)
}

/** Tooltips and screen readers know the keys too. */
function label(root = document) {
  const within = (selector) => [...(root.matches?.(selector) ? [root] : []), ...$$(selector, root)]
  for (const b of bound) {
    for (const el of within(`[data-key-of="${b.id}"]`)) el.textContent = b.keys[0] ? readable(b.keys[0]) : ''
    if (!b.keys.length) continue
    for (const el of within(`[data-act~="${b.id}"]`)) {
      el.setAttribute('aria-keyshortcuts', b.keys.map(k => k.replace('mod', /Mac|iP/.test(navigator.platform) ? 'Meta' : 'Control')).join(' '))
      if (el.title && !el.title.includes(' ( ')) el.title += ` ( ${readable(b.keys[0])} )`
    }
  }
}

// ── what needs no control ────────────────────────────────────────────────────────────────────────────────────────
const items = theirs => $$('#timeline .li article, #timeline .li .ev').filter(el => seen(el) && (!theirs || el.matches('.card:not(.out), .grp:not(:has(.out))')))

function item(by, theirs) {
  const all = items(theirs), now = document.activeElement.closest?.('#timeline article, #timeline .ev')
  const place = now ? all.findIndex(el => by > 0 ? now.compareDocumentPosition(el) & 4 : el === now || now.compareDocumentPosition(el) & 4) : all.length
  const next = now ? all[by > 0 ? place : (place < 0 ? all.length : place) - 1] : all[all.length - 1]
  if (!next) return
  next.tabIndex = -1
  next.focus({ preventScroll: true })
  next.scrollIntoView({ block: 'nearest' })
}

/** Escape: out of the field, then the drawer shut, then back to the row in the list. */
function leave() {
  const active = document.activeElement
  if ($('details.menu[open]')) return
  if (typing(active)) { active.blur(); (active.closest('.convo') ? $('#timeline') : currentRow() || rows()[0])?.focus() }
  else if (document.body.dataset.drawer) tell('hub:drawer', '')
  else currentRow()?.focus()
}

function standard() {
  act('next', () => step(1))
  act('previous', () => step(-1))
  act('apply', () => apply())
  act('leave', leave)
  act('open', () => { const row = document.activeElement.closest?.('#rows a.it') || currentRow(); if (row) row.click() })
  act('focus_list', () => (currentRow() || rows()[0])?.focus())
  act('focus_timeline', () => $('#timeline')?.focus())
  act('focus_composer', () => $$('#composer textarea').find(seen)?.focus())
  act('focus_customer', () => $('aside.cust .scroll')?.focus())
  act('item_next', () => item(1, false))
  act('item_previous', () => item(-1, false))
  act('theirs_next', () => item(1, true))
  act('theirs_previous', () => item(-1, true))
  act('send', () => document.activeElement.closest('[data-compose]')?.requestSubmit())
}

/** In the settings a key is pressed, not spelled. */
function fields() {
  for (const field of $$('[data-key-field]')) {
    field.addEventListener('keydown', event => {
      if (['Tab', 'Enter', 'Escape', 'Backspace', 'Delete', 'Shift'].includes(event.key) || event.key.length > 1 || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      const key = spelled(event) || event.key
      field.value = field.value === 'g' ? `g ${key}` : key
    })
  }
}

export function start() {
  const told = $('#keys')
  if (told) ({ keys: bound, names } = JSON.parse(told.dataset.keys))
  standard()
  label()
  fields()
  document.addEventListener('keydown', pressed)
  document.addEventListener('hub:opened', event => label(event.detail.section))
  document.addEventListener('hub:drawn', event => label(event.detail))
  document.addEventListener('hub:mode', event => { const area = $$('#composer textarea').find(seen); if (event.detail.name === 'mode') area?.focus() })
}
