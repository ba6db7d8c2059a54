// A list that follows the letters behind a sign while the text keeps the focus: colleagues behind @, emoji behind a colon.
import { $, $$, fetchPart } from './dom.js'

/** `list` and `fields` are selectors; the first group of `word` is what is being written before the cursor; `path` asks for what fits,
 * `end` follows what is put in. Gives back how a button opens it with all there is. */
export function suggest({ list, fields, word, path, end = '' }) {
  let turn = 0, timer = 0, given = null, free = false
  const box = () => $(list), area = () => document.activeElement?.matches?.(fields) ? document.activeElement : null
  const options = () => $$('[role=option]', box()), at = () => options().findIndex(o => o.ariaSelected === 'true')

  function asked() {
    const text = area(), found = text?.selectionStart === text?.selectionEnd && word.exec(text?.value.slice(0, text.selectionStart) || '')
    return found ? { begin: text.selectionStart - (found[1] || '').length, word: found[1] || '' } : null
  }

  function choose(option) {
    for (const other of options()) other.ariaSelected = String(other === option)
    area()?.setAttribute('aria-controls', box().id)
    area()?.setAttribute('aria-activedescendant', option.id)
    option.scrollIntoView({ block: 'nearest' })
  }

  function close() {
    turn += 1
    if (!box() || box().hidden) return
    box().hidden = true
    for (const text of $$(fields)) text.removeAttribute('aria-activedescendant')
  }

  async function find(all) {
    const here = all ? { word: '' } : asked(), mine = ++turn
    if (!here || here.word.trim() === given) return close()
    const { answer, doc } = await fetchPart(path(here.word)).catch(() => ({}))
    if (mine !== turn || !answer?.ok || !box()) return
    const found = $$('li', doc)
    if (!found.length) return close()
    free = !!all
    box().classList.toggle('all', free)
    box().replaceChildren(...found)
    box().hidden = false
    choose(found[0])
  }

  function insert(option) {
    const text = area(), here = free ? { begin: text?.selectionStart } : asked()
    if (!text || !here) return close()
    given = option.dataset.name
    text.setRangeText(given + end, here.begin, text.selectionEnd, 'end')
    close()
    text.dispatchEvent(new Event('input', { bubbles: true }))
  }

  function keys(event) {
    if (!box() || box().hidden || event.target !== area()) return
    const all = options(), by = { ArrowDown: 1, ArrowUp: -1, ...(free ? { ArrowRight: 1, ArrowLeft: -1 } : {}) }[event.key]
    if (by) choose(all[(at() + by + all.length) % all.length])
    else if ((event.key === 'Enter' && !event.ctrlKey && !event.metaKey) || event.key === 'Tab') insert(all[at()])
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  function ready() {
    given = null
    for (const text of $$(fields)) { text.setAttribute('aria-autocomplete', 'list'); text.setAttribute('aria-haspopup', 'listbox') }
  }

  document.addEventListener('input', event => {
    if (event.target !== area() || !box()) return
    clearTimeout(timer)
    timer = setTimeout(find, 80)
  })
  document.addEventListener('keydown', keys, true)
  document.addEventListener('mousedown', event => { if (event.target.closest(list)) event.preventDefault() })  // the text keeps the focus
  document.addEventListener('click', event => {
    const option = event.target.closest(`${list} [role=option]`)
    if (option) insert(option)
    else if (event.target !== area() && !event.target.closest('[data-suggest]')) close()
  })
  document.addEventListener('hub:opened', ready)
  ready()
  return text => { clearTimeout(timer); text.focus(); box().hidden ? find(true) : close() }
}
