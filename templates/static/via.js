// "Reply via": which channel carries the answer, and for how long it takes free text.
import { $, $$ } from './dom.js'

let clock = 0

export const chosenWay = box => $('[name=via]:checked', box)

export function chooseWay(box, id) {
  const way = id && $$('[name=via]', box).find(w => w.value === id && !w.disabled)
  if (way && !way.checked) { way.checked = true; way.dispatchEvent(new Event('change', { bubbles: true })) }
}

/** How much time is left, in words; amber below two hours, red below fifteen minutes. */
function left(box, form) {
  const place = $('[data-window]', box), until = +(chosenWay(box)?.dataset.until || 0), minutes = Math.floor((until - Date.now()) / 60000)
  const over = until > 0 && until <= Date.now()
  place.hidden = !until || over
  place.classList.toggle('warn-text', minutes < 120)
  place.classList.toggle('bad-text', minutes < 15)
  const words = minutes >= 60 ? place.dataset.hours.replace('{h}', Math.floor(minutes / 60)).replace('{m}', minutes % 60) : place.dataset.minutes.replace('{m}', minutes)
  place.textContent = place.dataset.words.replace('{time}', words)
  $('[data-over]', form).hidden = !over
  for (const button of $$('button:not([type=button])', form)) if (button.form === form) button.toggleAttribute('data-late', over)
}

export function watchWay(box, form, changed) {
  const name = $('[data-via-name]', box), menu = $('.viabox', box)
  if (!menu) return
  menu.addEventListener('change', () => {
    const way = chosenWay(box)
    name.textContent = way.dataset.name
    $('summary .chi', menu).replaceWith($('.chi', way.closest('label')).cloneNode(true))
    left(box, form)
    changed()
  })
  menu.addEventListener('keydown', event => { if (event.key === 'Enter' && event.target.matches('[name=via]')) { event.preventDefault(); menu.open = false; $('summary', menu).focus() } })
  form.addEventListener('click', event => {
    const instead = event.target.closest('[data-instead]')
    if (instead) { chooseWay(box, instead.dataset.instead); form.requestSubmit() }
  })
  left(box, form)
  clearInterval(clock)
  clock = setInterval(() => left(box, form), 5000)
}

/** May it be sent by the chosen way? Asked once more when Send is pressed: the clock may have passed meanwhile. */
export function late(box, form) {
  if ($('[data-window]', box)) left(box, form)
  return !$('[data-over]', form)?.hidden
}

export const unwatchWay = () => clearInterval(clock)
