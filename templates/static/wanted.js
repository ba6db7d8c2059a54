// What the palette finds on the page itself: actions, places, people, tags, conversations; and how well a wish fits.
import { $, $$, fetchPart } from './dom.js'
import { bindings, many, possible, readable, run } from './keys.js'
import { give } from './work.js'

const MOST = 8
export const folded = text => text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '').replace(/ß/g, 'ss')

/** How well the letters of the wish stand in the text, in order: 0 not at all. Beginnings of words count most. */
export function fit(wish, text) {
  if (!wish) return 1
  const whole = text.indexOf(wish)
  if (whole >= 0) return 100 - Math.min(whole, 40) + (whole === 0 || /\W/.test(text[whole - 1]) ? 30 : 0) + (whole === 0 && text.length === wish.length ? 20 : 0)
  let at = -1, score = 20
  for (const letter of wish.replace(/\s/g, '')) {
    const next = text.indexOf(letter, at + 1)
    if (next < 0) return 0
    if (next !== at + 1 && !(next === 0 || /\W/.test(text[next - 1]))) score -= 2
    at = next
  }
  return Math.max(score, 0)
}

/** The best of them, each by its own words or by those of the other language. */
export const best = (wish, all) => all.map(x => ({ ...x, score: Math.max(fit(wish, folded(x.label)), fit(wish, folded(x.also || ''))) })).filter(x => x.score > 0).sort((a, b) => b.score - a.score).slice(0, MOST)

/** What the bar over the list says: "12 selected"; empty when nothing is. */
export const selected = () => $('#bulk.on [data-selected]')?.textContent || ''
const atAll = label => selected() ? `${label} · ${selected()}` : label
const RARE = /^(focus_|item_|theirs_|select|next|previous|open|apply|look_|be_)/

export function actions() {
  const weight = b => (many(b.id) ? 0 : b.scope === 'conversation' ? 1 : RARE.test(b.id) ? 3 : 2)
  return bindings().filter(b => !/^(palette|leave|go_)/.test(b.id) && possible(b)).sort((a, b) => weight(a) - weight(b))
    .map(b => ({ label: many(b.id) ? atAll(b.label) : b.label, also: b.also, key: b.keys[0] && readable(b.keys[0]), work: () => run(b.id) }))
}

export function places() {
  return $$('.side .nav a[href]').map(a => {
    const b = bindings().find(b => b.id === a.dataset.act), name = $('.lab', a)?.textContent || a.textContent.trim()
    return { label: name, also: b && `${b.label} ${b.also}`, key: b?.keys[0] && readable(b.keys[0]), href: a.getAttribute('href') }
  })
}

export const conversations = () => $$('#rows a.it').map(a => ({ label: [$('.nm', a), $('.su', a)].map(n => n?.textContent).filter(Boolean).join(' · '), href: a.getAttribute('href') }))

/** People and teams it may be given to, out of the menu that does it. */
export function people() {
  const select = $('#bulk.on select[name=to]') || $('#head select[name=to]')
  return select ? $$('option', select).filter(o => o.value).map(o => ({ label: atAll(o.textContent.trim()), work: () => give(o.value) })) : []
}

let known = null

/** The tags there are: to be given to what is selected or open, else as lists. A new one can be given too. */
export async function tags(wish, raw) {
  known ||= fetchPart('/tags').then(({ doc }) => $$('option', doc).map(o => o.value))
  const all = await known.catch(() => { known = null; return [] }), field = $('#bulk.on [name=tag]') || $('#head form [name=add]')
  const tag = name => ({ label: field ? atAll(name) : name, href: `/inbox/all?status=any&tag=${encodeURIComponent(name)}`, work: field && (() => put(field, name)) })
  const found = best(wish, all.map(tag))
  return field && raw && !all.includes(raw) ? [...found, { ...tag(raw), label: atAll(`+ ${raw}`) }] : found
}

function put(field, name) {
  field.value = name
  known = null
  field.form.requestSubmit($('[value=tag]', field.form))
}
