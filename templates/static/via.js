// "Reply via": which channel carries the answer and to which address, and for how long it takes free text.
import { $, $$ } from './dom.js'
import { counted } from './segments.js'

let clock = 0

export const chosenWay = box => $('[name=via]:checked', box)
export const typedTo = form => ($('[name=to]', form)?.value || '').trim()

/** Choose a line: by its key, or by its channel and whom it goes to. */
export function chooseWay(box, key, to = '') {
  const ways = $$('[name=via]', box).filter(w => !w.ariaDisabled)
  const way = key && (ways.find(w => w.value === key) || ways.find(w => w.dataset.id === key && w.dataset.to === to) || ways.find(w => w.dataset.id === key))
  if (way && !way.checked) { way.checked = true; way.dispatchEvent(new Event('change', { bubbles: true })) }
}

/** Whom it goes to stands in the form, and is said. What somebody typed there themselves stays. */
export function whom(box, form) {
  const way = chosenWay(box), to = $('[name=to]', form), was = $('[name=was]', form), line = $('[data-whom]', form), fold = $('.rcp details', form)
  const forward = $('[name=how]', form).value === 'forward', several = 'cc' in way.dataset
  if (!forward) {
    if (to.value === was.value || !several) to.value = way.dataset.to
    was.value = way.dataset.to
  }
  if (fold) fold.toggleAttribute('data-off', !several)
  const own = to.value.trim()
  line.textContent = own && own !== way.dataset.to ? way.dataset.whom.replace(/ .*/s, ' ') + own : forward ? line.dataset.forward : way.dataset.whom
}

/** How much time is left, in words; amber below two hours, red below fifteen minutes. */
function left(box, form) {
  const place = $('[data-window]', box), way = chosenWay(box)?.dataset || {}, until = +(way.until || 0), minutes = Math.floor((until - Date.now()) / 60000)
  const over = 'limited' in way || (until > 0 && until <= Date.now())
  place.hidden = !until || over
  place.classList.toggle('warn-text', minutes < 120)
  place.classList.toggle('bad-text', minutes < 15)
  const words = minutes >= 60 ? place.dataset.hours.replace('{h}', Math.floor(minutes / 60)).replace('{m}', minutes % 60) : place.dataset.minutes.replace('{m}', minutes)
  place.textContent = place.dataset.words.replace('{time}', words)
  $('[data-over]', form).hidden = !over
  const prepared = over && 'templates' in way
  $('a[data-template]', form).hidden = !prepared
  $('.split', form).hidden = prepared
  const first = $('[data-act~=send_close]', form)
  if (first) first.hidden = prepared
  counted(box, form, chosenWay(box))
  for (const button of $$('button:not([type=button])', form)) if (button.form === form) button.toggleAttribute('data-late', over)
}

export function watchWay(box, form, changed) {
  const name = $('[data-via-name]', box), menu = $('.viabox', box)
  if (!menu) return
  let before = chosenWay(box)
  menu.addEventListener('change', () => {
    const way = chosenWay(box)
    if (way.ariaDisabled) { before.checked = true; way.focus(); return }
    before = way
    name.textContent = way.dataset.name
    $('summary .chi', menu).replaceWith($('.chi', way.closest('label')).cloneNode(true))
    whom(box, form)
    left(box, form)
    changed()
  })
  menu.addEventListener('keydown', event => { if (event.key === 'Enter' && event.target.matches('[name=via]')) { event.preventDefault(); menu.open = false; $('summary', menu).focus() } })
  form.addEventListener('click', event => {
    const instead = event.target.closest('[data-instead]')
    if (instead) { chooseWay(box, instead.dataset.instead); form.requestSubmit() }
  })
  form.addEventListener('input', event => { if (event.target.name === 'to') whom(box, form); counted(box, form, chosenWay(box)) })
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
