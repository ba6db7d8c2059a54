// Prepared texts: chosen and filled in beside the conversation, with how they will read.
import { $, $$, body, fetchPart, tell } from './dom.js'
import { during, PATIENCE } from './loading.js'
import { chosenWay } from './via.js'

const box = () => $('#choosing')

/** Show those of the chosen way; without script the link leads to the same page. */
async function offer(link) {
  const dialog = box(), way = chosenWay($('#composer'))
  const url = new URL(link.href)
  url.searchParams.set('via', way.value)
  const shown = outline => { $('[data-here]', dialog).replaceChildren(outline); dialog.showModal() }
  const shut = new AbortController()
  dialog.addEventListener('close', () => shut.abort(), { once: true })
  const got = await during(dialog.closest('.pane'), signal => fetchPart(url, { signal, patience: PATIENCE }), { put: shown, stop: shut.signal })
  if (!got) return
  const { answer, doc } = got, found = $('#templates', doc)
  if (!answer.ok || !found) { dialog.close(); tell('hub:trouble', $('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
  $('[data-here]', dialog).replaceChildren(found)
  if (!dialog.open) dialog.showModal()
  ;($('[data-fills]', dialog) || $('button.btn-p', dialog) || dialog).focus()
}

/** How it reads with what has been filled in. */
function preview(input) {
  for (const mark of $$('[data-place]', input.form)) if (mark.dataset.place === input.dataset.fills) mark.textContent = input.value.trim() || `{{${mark.dataset.place}}}`
}

export function start() {
  document.addEventListener('click', event => {
    const link = event.target.closest('a[data-template]')
    if (link && box() && !event.ctrlKey && !event.metaKey) { event.preventDefault(); offer(link) }
    if (event.target.closest('#choosing [data-shut]')) { event.preventDefault(); box().close() }
  })
  document.addEventListener('input', event => { if (event.target.dataset?.fills) preview(event.target) })
  document.addEventListener('hub:answered', event => { if (event.detail.form?.closest('#choosing')) box().close() })
}
