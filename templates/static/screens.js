// What single screens need: a customer's page, a simulation that runs, tables sorted by hand, menus, copying.
import { $, $$, fetchPart } from './dom.js'
import { frames } from './mail.js'
import { keep, place } from './timeline.js'

// ── a customer's page ────────────────────────────────────────────────────────────────────────────────────────────
let soon = 0

async function reloadPerson() {
  soon = 0
  const { answer, doc } = await fetchPart(location.pathname)
  const tl = $('.tl'), fresh = $('.tl', doc)
  if (!answer.ok || !fresh || $('[data-past]')) return
  keep(() => {
    for (const node of $$(':scope > .li', fresh)) {
      const old = document.getElementById(node.id)
      if (!old) place(node)
      else if (old.outerHTML !== node.outerHTML && !$('iframe', old) && !old.contains(document.activeElement)) old.replaceWith(node)
    }
  })
  frames(tl)
}

function person(event) {
  const page = $('[data-person]')
  if (page && event.detail.customer === page.dataset.person) soon ||= setTimeout(reloadPerson, 500)
}

// ── a simulation that runs ───────────────────────────────────────────────────────────────────────────────────────
async function follow() {
  const old = $('[data-progress]')
  if (!old) return
  try {
    const { answer, doc } = await fetchPart(old.dataset.progress), fresh = $('#progress', doc)
    if (answer.ok && fresh && !fresh.dataset.progress) { location.reload(); return }
    if (answer.ok && fresh && !old.contains(document.activeElement)) old.replaceWith(fresh)
    else if (answer.ok && fresh) $('progress', old)?.replaceWith($('progress', fresh))
  } catch { /* asked again in a second */ }
  setTimeout(follow, 1000)
}

// ── a table sorted by hand ───────────────────────────────────────────────────────────────────────────────────────
function sortable(order) {
  let held = null
  for (const line of order.children) {
    line.draggable = true
    line.addEventListener('dragstart', event => { held = line; event.dataTransfer.effectAllowed = 'move' })
    line.addEventListener('dragover', event => { if (held && held !== line) { event.preventDefault(); line.classList.add('over') } })
    line.addEventListener('dragleave', () => line.classList.remove('over'))
    line.addEventListener('drop', event => {
      event.preventDefault()
      const form = $('form[action$="/move"]', held), places = [...order.children].filter(l => l !== held)
      $('[name=to]', form).value = places.indexOf(line) + 1
      form.submit()
    })
    line.addEventListener('dragend', () => { held = null; for (const l of order.children) l.classList.remove('over') })
  }
}

// ── menus ────────────────────────────────────────────────────────────────────────────────────────────────────────
function escape() {
  for (const box of $$('.whybox')) {
    box.dataset.quiet = ''
    const loud = () => delete box.dataset.quiet
    box.addEventListener('mouseleave', loud, { once: true })
    box.addEventListener('focusout', loud, { once: true })
  }
  const menu = $('details.menu[open]')
  if (menu) { menu.open = false; $('summary', menu).focus() }
}

export function start() {
  document.addEventListener('hub:hint', person)
  document.addEventListener('keydown', event => {
    if (event.key === 'Escape') escape()
  })
  document.addEventListener('click', event => {
    for (const menu of $$('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false
    const copy = event.target.closest('[data-copy]')
    if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = copy.dataset.done })
  })
  follow()
  const order = $('[data-order]')
  if (order && matchMedia('(hover: hover)').matches) sortable(order)
  $('#summary')?.focus()
  $('.views [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
  const today = $('.gantt thead .td')
  if (today) today.closest('.tw').scrollLeft = today.offsetLeft - 160
  $$('[data-copy]').forEach(b => { b.hidden = false })
}
