// Mentions: the sign @ in a note offers colleagues and teams; the text keeps the focus, the list follows the letters.
import { $, $$, fetchPart } from './dom.js'

const WORD = /(?:^|[^\p{L}\p{N}_.+-])@([\p{L}\p{N}][\p{L}\p{N} .'-]{0,40})?$/u
let turn = 0, timer = 0, given = null

const area = () => $('#note-text')
const list = () => $('#mates')
const chosen = () => $('[aria-selected=true]', list())

/** What stands behind the last @ before the cursor: {begin, word}; null when nobody is being mentioned. */
function asked() {
  const text = area(), found = WORD.exec(text.value.slice(0, text.selectionStart))
  if (!found || text.selectionStart !== text.selectionEnd) return null
  const word = found[1] || ''
  return { begin: text.selectionStart - word.length, word }
}

function choose(option) {
  for (const other of $$('[role=option]', list())) other.ariaSelected = String(other === option)
  option ? area().setAttribute('aria-activedescendant', option.id) : area().removeAttribute('aria-activedescendant')
  option?.scrollIntoView({ block: 'nearest' })
}

function close() {
  turn += 1
  if (!list() || list().hidden) return
  list().hidden = true
  area().removeAttribute('aria-activedescendant')
}

async function find() {
  const here = asked(), mine = ++turn
  if (!here || here.word.trim() === given) return close()
  const { answer, doc } = await fetchPart(`/mates?q=${encodeURIComponent(here.word)}`).catch(() => ({}))
  if (mine !== turn || !answer?.ok || !list()) return
  const found = $$('li', doc)
  if (!found.length) return close()
  list().replaceChildren(...found)
  list().hidden = false
  choose(found[0])
}

function insert(option) {
  const here = asked(), text = area()
  if (!here) return close()
  given = option.dataset.name
  text.setRangeText(`${given} `, here.begin, text.selectionStart, 'end')
  close()
  text.focus()
  text.dispatchEvent(new Event('input', { bubbles: true }))
}

function keys(event) {
  if (event.target !== area() || list().hidden) return
  const options = $$('[role=option]', list()), at = options.indexOf(chosen())
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (by) choose(options[(at + by + options.length) % options.length])
  else if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey) || event.key === 'Tab') insert(options[at])
  else if (event.key === 'Escape') close()
  else return
  event.preventDefault()
  event.stopPropagation()
}

function ready() {
  const text = area(), button = $('[data-mention]')
  if (!text || !list()) return
  given = null
  for (const [name, value] of Object.entries({ 'aria-autocomplete': 'list', 'aria-haspopup': 'listbox', 'aria-controls': 'mates' })) text.setAttribute(name, value)
  if (button) button.hidden = false
}

export function start() {
  document.addEventListener('input', event => {
    if (event.target !== area()) return
    clearTimeout(timer)
    timer = setTimeout(find, 80)
  })
  document.addEventListener('keydown', event => { if (area() && list()) keys(event) }, true)
  document.addEventListener('click', event => {
    const option = event.target.closest('#mates [role=option]')
    if (option) insert(option)
    else if (event.target.closest('[data-mention]')) {
      const text = area(), before = text.value.slice(0, text.selectionStart)
      text.focus()
      text.setRangeText(/(^|\s)$/.test(before) ? '@' : ' @', text.selectionStart, text.selectionEnd, 'end')
      text.dispatchEvent(new Event('input', { bubbles: true }))
    } else if (event.target !== area()) close()
  })
  document.addEventListener('hub:opened', ready)
  ready()
}
