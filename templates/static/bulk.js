// Selecting rows of the list and working on all of them at once. Without this it is a plain form with check boxes.
import { $, $$, fetchPart, tell, typing, body } from './dom.js'
import { say } from './announce.js'
import { currentRow, rows } from './list.js'
import { act } from './keys.js'
import { note, toast } from './toast.js'

const chosen = new Set()
let last = null

const picks = () => $$('#rows .pick')
const everything = () => $('#bulk [name=all]')

/** Bring boxes, bar and count in line with what is chosen. */
function draw() {
  for (const box of picks()) box.checked = chosen.has(box.value)
  const bar = $('#bulk')
  if (!bar) return
  bar.classList.toggle('on', chosen.size > 0)
  $('.list')?.classList.toggle('picking', chosen.size > 0 || !!$('#selecting')?.checked)
  $('[data-selected]', bar).textContent = bar.dataset.words.replace('{n}', chosen.size)
}

function put(box, yes) {
  yes ? chosen.add(box.value) : chosen.delete(box.value)
  if (!yes && everything()) everything().checked = false
  last = box.value
}

function clear() {
  chosen.clear()
  last = null
  if (everything()) everything().checked = false
  if ($('#selecting')) $('#selecting').checked = false
  draw()
}

/** The box that was clicked with Shift takes along everything since the last one. */
function change(event) {
  const box = event.target
  if (box.id === 'selecting') draw()
  if (!box.matches?.('.pick')) return
  put(box, box.checked)
  draw()
}

function click(event) {
  if (event.target.closest('#bulk button[type=reset]')) { event.preventDefault(); clear(); return }
  const box = event.target.closest?.('.pick')
  if (!box || !event.shiftKey || !last) return
  const all = picks(), from = all.findIndex(b => b.value === last), to = all.indexOf(box)
  if (from < 0) return
  for (const between of all.slice(Math.min(from, to), Math.max(from, to) + 1)) box.checked ? chosen.add(between.value) : chosen.delete(between.value)
}

const send = (form, button) => {
  const data = new URLSearchParams(new FormData(form, button))
  data.delete('id')
  for (const id of chosen) data.append('id', id)
  return post(form, data)
}

/** Have the server do it, and say so with the bar that undoes it. */
export async function post(form, data) {
  for (const b of $$('button', form)) b.disabled = true
  try {
    const { answer, doc } = await fetchPart(form.action, { method: 'POST', body: data })
    if (!answer.ok) { note($('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    toast(doc)
    for (const menu of $$('details[open]', form)) menu.open = false
    clear()
    tell('hub:changed')
    tell('hub:again')
    ;(currentRow() || rows()[0])?.focus({ preventScroll: true })
  } catch { note(body.dataset.lost) }
  finally { for (const b of $$('button:not([hidden])', form)) b.disabled = false }
}

const current = () => document.activeElement?.closest?.('#rows a.it') || currentRow() || rows()[0]
const boxOf = row => row && $('.pick', row.closest('li'))

function told() {
  draw()
  say($('[data-selected]')?.textContent || '')
}

/** Select the row one is at, or leave it out again. */
function toggle() {
  const box = boxOf(current())
  if (!box) return
  put(box, !chosen.has(box.value))
  told()
}

/** Select the row one is at and the one beside it, and go there. */
function extend(by) {
  const row = current(), box = boxOf(row), near = rows()[rows().indexOf(row) + by]
  if (!box) return
  put(box, true)
  if (near) { put(boxOf(near), true); near.focus({ preventScroll: true }); near.scrollIntoView({ block: 'nearest' }) }
  told()
}

/** Everything that is loaded. */
function all() {
  picks().forEach(b => chosen.add(b.value))
  told()
}

/** Escape: nothing. */
function key(event) {
  if (event.key === 'Escape' && chosen.size && !typing(event.target) && !$('details.menu[open]') && !$('dialog[open]')) clear()
}

export function start() {
  const some = () => !!$('#bulk')
  act('select', toggle, some)
  act('select_next', () => extend(1), some)
  act('select_previous', () => extend(-1), some)
  act('select_all', all, some)
  document.addEventListener('change', change)
  document.addEventListener('click', click)
  document.addEventListener('keydown', key, true)
  document.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || !event.target.matches('#bulk .pop input')) return
    event.preventDefault()
    event.target.closest('.pop').querySelector('.btn-p')?.click()
  })
  addEventListener('submit', event => {
    if (!event.target.matches('#bulk')) return
    event.preventDefault()
    send(event.target, event.submitter)
  }, true)
  const list = $('#rows')
  if (list) new MutationObserver(() => {
    const there = new Set(picks().map(b => b.value))
    if (!everything()?.checked) for (const id of [...chosen]) if (!there.has(id)) chosen.delete(id)
    draw()
  }).observe(list, { childList: true, subtree: true })
  for (const box of picks()) if (box.checked) chosen.add(box.value)
  if ($('#bulk')) draw()
}
