// Enter where an answer is written: a new line, or it sends, as its writer chose for this kind of channel.
import { $, body } from './dom.js'
import { chosenWay } from './via.js'

/** With a keyboard only: on a touch screen it is too easily hit. */
const keyboard = matchMedia('(hover: hover) and (pointer: fine)')

function pressed(event) {
  const form = event.target.closest?.('#reply')
  if (event.key !== 'Enter' || !form || !event.target.matches('textarea')) return
  // 229: the key that ends a composition in browsers that say so only by its code
  if (event.isComposing || event.keyCode === 229 || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  const mail = 'subject' in (chosenWay($('#composer'))?.dataset || {})
  if (!keyboard.matches || body.dataset[mail ? 'enterMail' : 'enterChat'] !== 'send') return
  event.preventDefault()
  if (!event.repeat) form.requestSubmit()
}

export const start = () => document.addEventListener('keydown', pressed)
