// How many SMS a text is (3GPP TS 23.038); the alphabet comes with the page, from the server's own table.
import { $, textOf } from './dom.js'

/** {parts, units, room, odd}: as hub/segments.py counts them. */
export function segments(text, { basic, extended }) {
  const signs = [...text], odd = signs.find(c => !basic.includes(c) && !extended.includes(c)) || ''
  const size = c => odd ? c.length : extended.includes(c) ? 2 : 1
  const units = signs.reduce((sum, c) => sum + size(c), 0), alone = odd ? 70 : 160, each = odd ? 67 : 153
  if (units <= alone) return { parts: units ? 1 : 0, units, room: alone, odd }
  let parts = 1, left = each
  for (const c of signs) { if (size(c) > left) { parts++; left = each } left -= size(c) }
  return { parts, units, room: parts * each, odd }
}

/** Say it beside the channel; true when it is more than the channel carries. */
export function counted(box, form, way) {
  const place = $('[data-count]', box), most = +(way?.dataset.segments || 0)
  place.hidden = !most
  if (!most) return false
  const { parts, units, room, odd } = segments(textOf(form).value, JSON.parse(place.dataset.gsm)), over = parts > most
  const words = (parts > 1 ? place.dataset.many : place.dataset.one).replace('{n}', units).replace('{room}', room).replace('{parts}', parts)
  place.textContent = [words, over && place.dataset.most.replace('{most}', most), odd && place.dataset.odd.replace('{sign}', odd)].filter(Boolean).join(' · ')
  place.title = place.textContent
  place.classList.toggle('warn-text', !!odd && !over)
  place.classList.toggle('bad-text', over)
  return over
}
