// How the screens look: theme, density, widths. The server keeps it; here it is seen at once.
import { $, fetchPart, say } from './dom.js'
import { act } from './keys.js'

const root = document.documentElement

/** Show it now and have it kept. */
export function choose(name, value) {
  if (name === 'theme') {
    root.dataset.theme = value === 'system' ? '' : value
    value === 'system' ? localStorage.removeItem('theme') : localStorage.setItem('theme', value)
  } else if (name === 'density') value ? root.dataset.density = value : delete root.dataset.density
  const field = $(`#appearance [name=${name}]`)
  if (field) field.value = value
  return fetchPart('/me/appearance', { method: 'POST', body: new URLSearchParams({ [name]: value }) }).catch(() => say(document.body.dataset.lost))
}

export function start() {
  for (const theme of ['light', 'dark', 'system']) act(`look_${theme}`, () => choose('theme', theme))
  act('look_comfortable', () => choose('density', ''))
  act('look_compact', () => choose('density', 'compact'))
  document.addEventListener('change', event => { if (event.target.matches('#appearance select')) choose(event.target.name, event.target.value) })
  const field = $('#appearance [name=theme]')
  if (field && root.dataset.theme) field.value = root.dataset.theme
}
