// Whom a conversation is given to: a list that the server searches, with what everybody is doing and how much they have.
import { $, $$, fetchPart } from './dom.js'
import { give } from './work.js'

const LATER = 80
let turn = 0, timer = 0

const pick = menu => $('[data-assignees]', menu)
const options = box => $$('[role=option]', box)
const chosen = box => $('[aria-selected=true]', box)

function choose(box, wanted) {
  for (const o of options(box)) o.ariaSelected = String(o === wanted)
  const input = $('input', box)
  wanted ? input.setAttribute('aria-activedescendant', wanted.id) : input.removeAttribute('aria-activedescendant')
  wanted?.scrollIntoView({ block: 'nearest' })
}

async function find(box) {
  const mine = ++turn, list = $('ul', box)
  const { answer, doc } = await fetchPart(`${box.dataset.assignees}?q=${encodeURIComponent($('input', box).value)}`).catch(() => ({}))
  if (mine !== turn || !answer?.ok || !box.isConnected) return
  list.replaceChildren(...$('ul', doc).childNodes)
  choose(box, options(box)[0])
}

function take(box, option) {
  if (!option) return
  box.closest('details').open = false
  give(option.dataset.to, $('select[name=to]', box.closest('.pop')))
}

function keys(event) {
  const box = event.target.closest?.('[data-assignees]')
  if (!box) return
  const all = options(box), at = all.indexOf(chosen(box)), by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (by && all.length) choose(box, all[(at + by + all.length) % all.length])
  else if (event.key === 'Enter') { if (!event.repeat) take(box, all[at]) }
  else return
  event.preventDefault()
  event.stopPropagation()
}

export function start() {
  document.addEventListener('toggle', event => {
    const box = event.target.matches?.('details.menu') && pick(event.target)
    if (!box) return
    turn += 1
    $('ul', box).replaceChildren()
    if (!event.target.open) return
    $('input', box).value = ''
    $('input', box).focus()
    find(box)
  }, true)
  document.addEventListener('input', event => {
    const box = event.target.closest('[data-assignees]')
    if (!box) return
    clearTimeout(timer)
    timer = setTimeout(find, LATER, box)
  })
  document.addEventListener('keydown', keys, true)
  document.addEventListener('click', event => {
    const option = event.target.closest('[data-assignees] [role=option]')
    if (option) take(option.closest('[data-assignees]'), option)
  })
}
