// Mails as they were designed, in frames that can do nothing: their height, their quotations, their remote pictures, dark or light.
import { $, $$ } from './dom.js'

const TALL = 400, HIGHEST = 20000, WIDE = 480, MOST = 6
const isDark = () => (document.documentElement.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'
const idOf = frame => frame.name.slice(1)
const asFirst = frame => 'cut' in frame.dataset && !('images' in frame.dataset)

/** Every frame in it becomes as high as its mail. */
export function frames(root) {
  for (const frame of $$('iframe.frame', root)) {
    if (frame.dataset.kept) continue
    frame.dataset.kept = 'yes'
    const asked = new URL(frame.src).searchParams
    if (asked.has('cut')) frame.dataset.cut = ''
    if (asked.has('images')) frame.dataset.always = ''
    const dim = $('.dim', frame.closest('.mb'))
    if (dim) dim.hidden = false
    frame.addEventListener('load', () => loaded(frame))
    if (frame.contentDocument?.readyState === 'complete' && frame.contentDocument.URL !== 'about:blank') loaded(frame)
  }
}

function loaded(frame) {
  const inner = frame.contentDocument
  if (!inner?.body || inner.URL === 'about:blank') return
  inner.documentElement.dataset.theme = isDark() ? 'dark' : 'light'
  const fold = $('[data-frame=full]', frame.closest('.mb'))
  if (fold && 'cut' in frame.dataset && !inner.documentElement.classList.contains('cut')) fold.hidden = true
  let left = MOST
  const watch = new ResizeObserver(() => { if (left-- > 0) fit(frame, inner); else watch.disconnect() })
  watch.observe(inner.body)
  fit(frame, inner)
}

function fit(frame, inner) {
  const height = Math.min(Math.ceil(inner.body.getBoundingClientRect().height), HIGHEST)
  if (!height || !frame.isConnected) return
  const box = frame.closest('.mb'), tall = height > TALL
  if (+frame.getAttribute('height') !== height) frame.setAttribute('height', height)
  $('.clip', box).classList.toggle('tall', tall)
  $('.all', box).hidden = !tall
  if (asFirst(frame) && frame.clientWidth >= WIDE && Math.abs(+frame.dataset.known - height) > 8) {
    frame.dataset.known = height
    fetch(`/messages/${idOf(frame)}/height`, { method: 'POST', body: new URLSearchParams({ height }), headers: { 'X-Hub': 'part' } }).catch(() => {})
  }
}

function load(frame) {
  const asked = new URLSearchParams()
  if ('cut' in frame.dataset) asked.set('cut', '')
  if ('images' in frame.dataset || 'always' in frame.dataset) asked.set('images', '1')
  frame.src = `/messages/${idOf(frame)}/html?${asked}`
}

function press(button, event) {
  const box = button.closest('.mb'), frame = $('iframe.frame', box), what = button.dataset.frame
  if (what === 'dark') {
    button.setAttribute('aria-pressed', frame.classList.toggle('inverted'))
    return
  }
  event.preventDefault()
  if (what === 'full') {
    const open = button.getAttribute('aria-expanded') !== 'true'
    button.setAttribute('aria-expanded', open)
    if (open) delete frame.dataset.cut
    else frame.dataset.cut = ''
  } else {
    frame.dataset.images = ''
    if (what === 'always') fetch(button.form.action, { method: 'POST', headers: { 'X-Hub': 'part' } }).catch(() => {})
    frame.tabIndex = -1
    button.closest('.blocked').remove()
    frame.focus({ preventScroll: true })
  }
  load(frame)
}

/** A menu that would be cut off below opens upwards. */
function turn(menu) {
  const pop = $('.pop', menu), room = menu.closest('.scroll')
  pop.classList.remove('up')
  if (room && pop.getBoundingClientRect().bottom > room.getBoundingClientRect().bottom) pop.classList.add('up')
}

export function start() {
  document.addEventListener('toggle', event => { if (event.target.open && event.target.matches?.('.card details.menu')) turn(event.target) }, true)
  document.addEventListener('click', event => {
    const button = event.target.closest('button')
    if (button?.dataset.frame) press(button, event)
    else if (button?.matches('.qf button')) {
      event.preventDefault()
      const open = button.getAttribute('aria-expanded') !== 'true'
      button.setAttribute('aria-expanded', open)
      document.getElementById(button.getAttribute('aria-controls')).hidden = !open
    }
  })
}
