// Working on the open conversation: what words of a snooze mean, the known tags, marking unread, the link to it.
import { $, $$, fetchPart, replace, tell } from './dom.js'
import { open, refreshConversation } from './convo.js'
import { act } from './keys.js'
import { note } from './toast.js'

let asked = 0, asking = 0

/** Say below the field what its words mean. */
function preview(input) {
  clearTimeout(asking)
  asking = setTimeout(async () => {
    const turn = ++asked, says = $('[data-says]', input.closest('.says, form, .pop')), text = input.value.trim()
    if (!text) { says.replaceChildren(); return }
    try {
      const { answer, doc } = await fetchPart(`/snooze?words=${encodeURIComponent(text)}`), fresh = $('[data-says]', doc)
      if (turn !== asked || !answer.ok || !fresh) return
      says.className = fresh.className
      says.replaceChildren(...fresh.childNodes)
    } catch { /* the form says it when it is sent */ }
  }, 150)
}

/** Fill the list that a field for tags suggests from. */
async function suggest(menu) {
  const list = $('datalist', menu)
  if (!list || list.children.length) return
  try {
    const { answer, doc } = await fetchPart('/tags')
    if (answer.ok) list.replaceChildren(...$$('option', doc))
  } catch { /* a tag can be written without */ }
}

function opened(menu) {
  if (!menu.open) return
  if ('tags' in menu.dataset) suggest(menu)
  $('input:not([type=hidden]):not([type=checkbox]), .choice', menu)?.focus()
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(location.origin + button.dataset.link)
    note(button.dataset.done)
  } catch { note(location.origin + button.dataset.link) }
  button.closest('details')?.removeAttribute('open')
}

/** Give the conversation, or all that are selected, to somebody ("e7"), a team ("t3") or nobody, with the forms that do it. */
export function give(to, select = $('#bulk.on select[name=to]') || $('#head select[name=to]')) {
  select.value = to
  select.form.requestSubmit($('[value=assign]', select.form))
}

/** Somebody has changed something about the customer: the panel shows it, unless one works in it. */
async function about(here) {
  try {
    const { answer, doc } = await fetchPart(`/c/${here.number}?${here.section.dataset.in}`, { headers: { 'X-Hub': 'panes' } })
    if (!answer.ok || open() !== here || $('#about details[open]')) return
    replace($('#about'), $('#about', doc))
    for (const line of $$('.noted')) replace(line, $(`#${line.closest('.li').id} .noted`, doc))
  } catch { /* the next look brings it */ }
}

export function start() {
  document.documentElement.dataset.js = ''
  document.addEventListener('input', event => { if (event.target.matches('[data-snooze-words]')) preview(event.target) })
  document.addEventListener('toggle', event => { if (event.target.matches?.('details[data-tags],details[data-snooze]')) opened(event.target) }, true)
  document.addEventListener('click', event => {
    const link = event.target.closest('[data-link]')
    if (link) copy(link)
  })
  document.addEventListener('hub:hint', event => {
    const here = open()
    if (here && event.detail.kind?.startsWith('customer.') && event.detail.customer === here.section.dataset.customer) about(here)
    const gone = event.detail.kind === 'conversation.deleted'
    if (gone) tell('hub:deleted', event.detail.conversation)
    const back = $('#composer[data-erased]') && ['message.received', 'conversation.status'].includes(event.detail.kind)
    const writing = $$('#composer textarea').some(t => t.value)
    if (here && event.detail.conversation === here.number && (gone || back || (event.detail.kind === 'conversation.merged' && !writing))) tell('hub:go', { url: `${location.origin}/c/${here.number}?${here.section.dataset.in}` })
  })
  document.addEventListener('hub:again', () => { if (open()) refreshConversation() })
  act('unread', () => $('#head [data-unread]')?.requestSubmit(), () => !!$('#head [data-unread]'))
  act('copy', () => copy($('#head [data-link]')), () => !!$('#head [data-link]'))
  act('unassign', () => give(''), () => !!$('#head select[name=to]'))
}
