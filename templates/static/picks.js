// Saved replies: found by name, text or shortcut, put in with their placeholders, the missing ones marked.
import { $, $$, fetchPart, textOf } from './dom.js'
import { action } from './files.js'

const PLACE = /\{\{\s*(?:customer|agent|conversation)\.\w+\s*\}\}/g
let asked = 0, looking = 0
const picker = () => $('#picks')

/** Show what still has to be filled in, behind the text and below it. */
export function mark(form) {
  const area = textOf(form), wrap = area.closest('.cxw'), found = area.value.match(PLACE) || []
  if (!wrap) return
  let mirror = $('.mirror', wrap)
  if (!found.length) mirror?.remove()
  else {
    if (!mirror) { mirror = document.createElement('div'); mirror.className = 'cx mirror'; mirror.ariaHidden = 'true'; wrap.prepend(mirror) }
    const rest = area.value.split(PLACE)
    mirror.replaceChildren(...rest.flatMap((text, i) => i < found.length ? [text, Object.assign(document.createElement('mark'), { textContent: found[i] })] : [text]), '\n')
    mirror.scrollTop = area.scrollTop
  }
  $('[data-missing]', form).hidden = !found.length
  $('[data-missing] b', form).textContent = [...new Set(found)].join(', ')
}

/** Select the next place that has to be filled in; false when there is none. */
export function next(form) {
  const area = textOf(form), found = [...area.value.matchAll(PLACE)]
  if (!found.length) return false
  const place = found.find(m => m.index > area.selectionStart) || found[0]
  area.focus()
  area.setSelectionRange(place.index, place.index + place[0].length)
  return true
}

function insert(option, draft) {
  const form = draft.form, area = textOf(form), words = option.dataset.text
  let start = area.selectionStart
  const end = area.selectionEnd
  if (picker().slash && area.value.slice(start - 1, start) === '/') start -= 1
  area.setRangeText(words, start, end, 'end')
  const there = $$('[name=act]', form).map(i => i.value)
  for (const [value, label] of JSON.parse(option.dataset.acts)) {
    if (there.includes(value)) continue
    $('[data-acts]', form).append(action([value, label]))
  }
  close(form)
  mark(form)
  if (words.search(PLACE) >= 0) { area.setSelectionRange(start, start); next(form) }
  draft.changed()
}

function choose(option) {
  const picks = picker()
  for (const other of $$('[role=option]', picks)) other.ariaSelected = String(other === option)
  const search = $('input', picks)
  option ? search.setAttribute('aria-activedescendant', option.id) : search.removeAttribute('aria-activedescendant')
  option?.scrollIntoView({ block: 'nearest' })
  $('[data-preview]', picks).textContent = option?.dataset.text || ''
}

async function find(number) {
  const mine = ++asked, picks = picker()
  const { answer, doc } = await fetchPart(`/c/${number}/saved?q=${encodeURIComponent($('input', picks).value)}`).catch(() => ({}))
  if (mine !== asked || !answer?.ok) return
  $('#found').replaceChildren(...$$('li', doc))
  $('[data-none]', picks).hidden = !!$('#found li')
  choose($('#found li'))
}

function open(slash, number) {
  const picks = picker()
  picks.slash = slash
  picks.hidden = false
  $('input', picks).value = ''
  $('input', picks).focus()
  find(number)
}

function close(form) {
  picker().hidden = true
  textOf(form).focus()
}

function keys(event, draft) {
  const picks = picker(), options = $$('[role=option]', picks), at = options.findIndex(o => o.ariaSelected === 'true')
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (by && options.length) choose(options[(at + by + options.length) % options.length])
  else if (event.key === 'Enter' && event.target.matches('input')) { if (options[at]) insert(options[at], draft) }
  else if (event.key === 'Escape') close(draft.form)
  else return
  event.preventDefault()
  event.stopPropagation()
}

/** The picker of one composer: by its button, and by a slash at the beginning of a line. */
export function offerReplies(draft, number) {
  const form = draft.form, picks = picker(), area = textOf(form), button = $('[data-picker]', form)
  button.hidden = false
  button.addEventListener('click', () => picks.hidden ? open(false, number) : close(form))
  area.addEventListener('input', event => {
    mark(form)
    if (event.data === '/' && /(^|\n)\/$/.test(area.value.slice(0, area.selectionStart))) open(true, number)
  })
  area.addEventListener('scroll', () => { const mirror = $('.mirror', form); if (mirror) mirror.scrollTop = area.scrollTop })
  $('[data-next]', form).addEventListener('click', () => next(form))
  $('input', picks).addEventListener('input', () => { clearTimeout(looking); looking = setTimeout(() => find(number), 120) })
  picks.addEventListener('keydown', event => keys(event, draft))
  $('#found').addEventListener('click', event => { const option = event.target.closest('[role=option]'); if (option) insert(option, draft) })
  mark(form)
}

export function start() {
  document.addEventListener('click', event => {
    const picks = picker()
    if (picks && !picks.hidden && !event.target.closest('#picks, [data-picker]')) picks.hidden = true
  })
}
