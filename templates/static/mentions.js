// Behind the sign @ a note offers colleagues and teams, behind a colon any text offers emoji.
import { $, $$ } from './dom.js'
import { suggest } from './suggest.js'

const NAME = /(?:^|[^\p{L}\p{N}_.+-])@([\p{L}\p{N}][\p{L}\p{N} .'-]{0,40})?$/u, SIGN = /(?:^|[\s(])(:\p{L}{2,20})$/u
let emoji = null

const ready = () => $$('[data-mention],[data-emoji]').forEach(button => { button.hidden = false })

function click(event) {
  if (event.target.closest('[data-mention]')) {
    const text = $('#note-text'), before = text.value.slice(0, text.selectionStart)
    text.focus()
    text.setRangeText(/(^|\s)$/.test(before) ? '@' : ' @', text.selectionStart, text.selectionEnd, 'end')
    text.dispatchEvent(new Event('input', { bubbles: true }))
  }
  const button = event.target.closest('[data-emoji]')
  if (button) emoji($('textarea', button.form))
}

/** In an answer nobody can be mentioned, which is said where somebody tries. */
function hint(event) {
  const line = event.target.id === 'reply-text' && $('[data-no-mention]')
  if (line) line.hidden = !/(?:^|\s)@[\p{L}\p{N}]*$/u.test(event.target.value.slice(0, event.target.selectionStart))
}

export function start() {
  suggest({ list: '#mates', fields: '#note-text', word: NAME, path: word => `/mates?q=${encodeURIComponent(word)}`, end: ' ' })
  emoji = suggest({ list: '#emoji', fields: '#note-text,#reply-text', word: SIGN, path: word => `/emoji?q=${encodeURIComponent(word.slice(1))}` })
  document.addEventListener('click', click)
  document.addEventListener('input', hint)
  document.addEventListener('hub:opened', ready)
  ready()
}
