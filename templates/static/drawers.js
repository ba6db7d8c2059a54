// The sidebar and the customer's panel. Where they are drawers the browser opens and shuts them (popovers); where they are columns a
// key or the button takes them away and brings them back, and this device remembers.
import { $ } from './dom.js'
import { act } from './keys.js'

const root = document.documentElement
const KINDS = { side: { from: '(min-width: 64rem)', action: 'sidebar' }, cust: { from: '(min-width: 80rem)', action: 'panel' } }
const nameOf = id => id === 'cust' ? 'panel' : id

/** Show or hide it, as a column where there is room. */
function toggle(id) {
  const drawer = document.getElementById(id)
  if (!drawer) return
  if (!matchMedia(KINDS[id].from).matches) { drawer.togglePopover(); return }
  const name = nameOf(id), off = root.dataset[name] !== 'off'
  if (off) { root.dataset[name] = 'off'; localStorage.setItem(name, 'off') } else { delete root.dataset[name]; localStorage.removeItem(name) }
}

/** The button opens a drawer by itself; beside a column that was taken away it brings that back. */
function click(event) {
  const button = event.target.closest('[popovertarget]'), id = button?.getAttribute('popovertarget')
  if (!KINDS[id] || button.matches('.shut') || !matchMedia(KINDS[id].from).matches) return
  event.preventDefault()
  toggle(id)
}

export function start() {
  for (const id of Object.keys(KINDS)) act(KINDS[id].action, () => toggle(id))
  document.addEventListener('click', click)
  document.addEventListener('toggle', event => {
    if (!KINDS[event.target.id]) return
    if (event.newState === 'open') document.body.dataset.drawer = event.target.id
    else {
      delete document.body.dataset.drawer
      // what opened it may have been drawn anew meanwhile
      if (document.activeElement === document.body) $(`[popovertarget=${event.target.id}]:not(.shut)`)?.focus()
    }
  }, true)
  document.addEventListener('hub:drawer', () => $(':popover-open')?.hidePopover())
  document.addEventListener('hub:left', () => { delete document.body.dataset.drawer })
  // a link in the sidebar that opens without loading a page leaves the drawer behind
  document.addEventListener('hub:opened', () => $('.side:popover-open')?.hidePopover())
}
