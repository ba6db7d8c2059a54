// Pictures large: one after the other with the arrow keys; Escape gives the focus back to where it was.
import { $, $$ } from './dom.js'

let now = null

const all = () => $$('#timeline [data-picture]')

function show(link) {
  const box = $('#lightbox'), big = document.createElement('img')
  now = link
  big.src = link.href
  big.alt = link.dataset.picture
  $('figure', box).replaceChildren(big)
  $('[data-name]', box).textContent = link.dataset.picture
  $('[data-size]', box).textContent = link.dataset.size
  $('[data-save]', box).href = link.href + '?download'
  const list = all(), at = list.indexOf(link)
  $('[data-step="-1"]', box).disabled = at < 1
  $('[data-step="1"]', box).disabled = at === list.length - 1
  if (!box.open) {
    box.showModal()
    box.addEventListener('close', () => { $('figure', box).replaceChildren(); now?.isConnected && now.focus(); now = null }, { once: true })
  }
}

function step(by) {
  const list = all(), next = list[list.indexOf(now) + by]
  if (next) show(next)
}

export function start() {
  document.addEventListener('click', event => {
    const link = event.target.closest?.('[data-picture]')
    if (link && $('#lightbox') && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); show(link); return }
    const button = event.target.closest?.('#lightbox [data-step]')
    if (button) step(+button.dataset.step)
    else if (event.target.matches?.('#lightbox .big')) $('#lightbox').close()
  })
  document.addEventListener('keydown', event => {
    if (!$('#lightbox')?.open) return
    if (event.key === 'ArrowLeft') step(-1)
    else if (event.key === 'ArrowRight') step(1)
    else return
    event.preventDefault()
    event.stopPropagation()
  }, true)
}
