// A row under a finger: to the left it is snoozed until tomorrow, to the right closed, each with undo. Every menu does the same.
import { $ } from './dom.js'
import { post } from './bulk.js'

const BEGINS = 12, ENOUGH = 96
const DEEDS = { close: { do: 'status:closed' }, snooze: { do: 'snooze', words: 'tomorrow' } }
let held = null

const button = kind => $(`#bulk [data-bulk="${kind}"]`)
/** Can it be done to this list? */
const may = kind => !!button(kind) && (kind !== 'close' || button(kind).value === 'status:closed')

function begin(event) {
  const row = event.target.closest?.('#rows a.it'), finger = event.touches[0]
  held = row && event.touches.length === 1 && $('#bulk') && !$('#bulk.on') ? { row, x: finger.clientX, y: finger.clientY, by: 0 } : null
}

function move(event) {
  if (!held) return
  const by = event.touches[0].clientX - held.x, down = event.touches[0].clientY - held.y
  if (!held.by && Math.abs(down) > BEGINS) { held = null; return }
  if (!held.by && Math.abs(by) < BEGINS) return
  const kind = (by > 0) === (getComputedStyle(held.row).direction === 'ltr') ? 'close' : 'snooze', li = held.row.closest('li')
  if (!may(kind)) return
  if (li.dataset.swipe !== kind) {
    $(':scope > .i', li)?.remove()
    li.dataset.swipe = kind
    li.append($('svg', button(kind)).cloneNode(true))
  }
  held.by = by
  held.row.style.transform = `translateX(${by}px)`
  event.preventDefault()
}

function end() {
  if (!held) return
  const { row, by } = held, li = row.closest('li'), kind = li?.dataset.swipe
  held = null
  row.style.transform = ''
  if (!kind) return
  delete li.dataset.swipe
  $(':scope > .i', li)?.remove()
  if (Math.abs(by) >= ENOUGH) post($('#bulk'), new URLSearchParams({ ...DEEDS[kind], id: li.id.slice(1) }))
}

export function start() {
  document.addEventListener('touchstart', begin, { passive: true })
  document.addEventListener('touchmove', move, { passive: false })
  document.addEventListener('touchend', end)
  document.addEventListener('touchcancel', end)
}
