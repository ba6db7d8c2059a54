// The menu of further ways to send: Enter in one of its fields presses the button beside it, and what was not used is gone when it shuts.
import { $, $$ } from './dom.js'

function pressed(event) {
  if (event.key !== 'Enter' || event.isComposing || !event.target.matches?.('[data-once]')) return
  event.preventDefault()
  $('button', event.target.parentElement).click()
}

function shut(menu) {
  for (const field of $$('[data-once]', menu)) field.value = field.defaultValue
  for (const says of $$('[data-says]', menu)) says.replaceChildren()
  for (const way of $$('.way[open]', menu)) way.open = false
}

export function start() {
  document.addEventListener('keydown', pressed)
  document.addEventListener('toggle', event => { if (!event.target.open && event.target.matches?.('.split>.menu')) shut(event.target) }, true)
}
