// The composer of the conversation that is open: drafts, sending, and taking back what was sent. Everything works without it.
import { $, $$, body, fetchPart, tell, textOf } from './dom.js'
import { Draft } from './draft.js'
import { fits, shown, takeFiles, unready } from './files.js'
import { act } from './keys.js'
import { counted } from './segments.js'
import { chooseWay, chosenWay, late, typedTo, unwatchWay, watchWay, whom } from './via.js'
import { mark, next, offerReplies, start as picks } from './picks.js'
import { toast } from './toast.js'

let box = null, number = '', drafts = new Map(), replying = null

function begin(section, opened) {
  box = $('#composer', section)
  number = opened
  drafts = new Map($$('[data-compose]', box).map(form => [form, new Draft(form, box, opened)]))
  replying = $('#reply', box)
  if ('erased' in box.dataset) for (const mode of ['reply', 'note']) for (const kept of [localStorage, sessionStorage]) kept.removeItem(`draft:${body.dataset.me}:${opened}:${mode}`)
  for (const draft of drafts.values()) {
    draft.form.addEventListener('input', () => draft.changed())
    draft.form.addEventListener('change', () => draft.changed())
    textOf(draft.form).addEventListener('blur', () => { if (draft.dirty) draft.save() })
  }
  $$('[name=mode]', box).forEach(radio => radio.addEventListener('change', () => chose(radio.id.slice(5))))
  $('#newer', box).addEventListener('click', event => decide(event.target.closest('[data-newer]')?.dataset.newer))
  if (replying) {
    const reply = drafts.get(replying)
    watchWay(box, replying, () => { fits(box); reply.changed() })
    $('[data-sure]', replying).addEventListener('click', () => replying.requestSubmit())
    takeFiles(reply)
    offerReplies(reply, opened)
  }
}

/** Another conversation is opened: what was typed here goes to the server now, or stays on this device. */
function end() {
  for (const draft of drafts.values()) if (!draft.sending) draft.save()
  drafts = new Map()
  box = replying = null
  unwatchWay()
}

/** It stays so for this conversation, on every device. */
function chose(mode) {
  fetch(`/c/${number}/mode`, { method: 'POST', body: new URLSearchParams({ mode }), keepalive: true, headers: { 'X-Hub': 'part' } }).catch(() => {})
}

/** What was said there is gone, so nothing that may quote it is kept, on the server or here. */
function forget(deleted) {
  if (deleted === number) for (const draft of drafts.values()) draft.forget()
}

function decide(wish) {
  if (!wish) return
  $('#newer', box).hidden = true
  for (const draft of drafts.values()) if (draft.newer) { draft.choose(wish === 'take'); textOf(draft.form).focus() }
}

// ── sending, and second thoughts ─────────────────────────────────────────────────────────────────────────────────
/** May it be sent now? Then the draft says so, and how the box is emptied. */
function before(hook) {
  const { form } = hook, draft = drafts.get(form)
  if (!draft) return
  if (draft.uploads.size) { tell('hub:trouble', unready(draft)); return }
  if (form === replying && (!fits(box) || counted(box, form, chosenWay(box)) || late(box, form) || next(form) || doubtful(form))) return
  hook.draft = draft
  hook.clear = () => { const version = draft.cleared(); mark(form); tell('hub:trouble', ''); return version }
}

function sent({ form, doc }) {
  const draft = drafts.get(form)
  if (draft) draft.ended(+($(`[data-compose=${draft.mode}] [name=draft]`, doc)?.value || 0))
}

/** What was not sent stands in its box again. */
function back(entry) {
  const draft = [...drafts.values()].find(d => d.mode === entry.mode)
  if (!draft) return
  draft.restore(entry.content)
  $(`#mode-${draft.mode}`).checked = true
  mark(draft.form)
  textOf(draft.form).focus()
}

const ATTACHED = /(^|[^\p{L}])(attach(ed|ments?)|enclosed|anbei|anlage|anhang|angehängt|beigefügt)(?!\p{L})/iu

/** Is something probably forgotten? Asked once: who sends again means it. */
function doubtful(form) {
  const bar = $('[data-doubt]', form), way = chosenWay(box), subject = $('[name=subject]', form)
  const own = textOf(form).value.split('\n').filter(line => !line.startsWith('>')).join('\n')
  const noFile = ATTACHED.test(own) && !$('[name=file]:checked', form)
  const noSubject = !!subject && 'subject' in (way?.dataset || {}) && !subject.value.trim() && !subject.placeholder
  const asked = !bar.hidden
  $('[data-no-file]', bar).hidden = !noFile
  $('[data-no-subject]', bar).hidden = !noSubject
  const outside = $('[data-outside]', bar), known = outside.dataset.outside.split(' '), near = typedTo(form).split('@').at(-1).toLowerCase()
  const named = 'cc' in (way?.dataset || {}) ? $$('[name=cc],[name=bcc]', form).flatMap(i => i.value.toLowerCase().match(/[^\s,<>]+@[^\s,<>]+/g) || []) : []
  const foreign = named.filter(a => ![...known, near].includes(a.split('@').at(-1)))
  outside.hidden = !foreign.length
  $('b', outside).textContent = foreign.join(', ')
  bar.hidden = asked || !(noFile || noSubject || foreign.length)
  return !bar.hidden
}

/** A plain form of ours (undo, restore, discard): what the page then shows is put into the boxes. */
async function submit(form) {
  const draft = form.id.startsWith('drop-') ? drafts.get($(`[data-compose=${form.id.slice(5)}]`, box)) : null
  if (draft) { draft.sending = true; clearTimeout(draft.timer); await draft.busy; draft.sending = false }
  else await Promise.all([...drafts.values()].map(d => d.save()))  // what has been typed since is not lost to what comes back
  try {
    const { answer, doc } = await fetchPart(form.action, { method: 'POST' })
    const there = $('#composer', doc)
    if (!answer.ok || !there) { tell('hub:trouble', $('#failure-words', doc)?.textContent.trim() || body.dataset.lost); $('#toast').replaceChildren(); return }
    if ($('[data-conversation]', doc).dataset.conversation !== number) { tell('hub:go', { url: answer.url }); return }
    const message = /\/messages\/(\d+)\//.exec(form.action)?.[1]
    adopt(there, draft ? [draft] : [...drafts.values()].filter(d => form.action.includes(`/drafts/${d.mode}/`) || ((message || 'back' in form.dataset) && d.mode === 'reply')))
    toast(doc)
    tell('hub:trouble', '')
    tell('hub:changed', message)
    if ('back' in form.dataset) tell('hub:again')
  } catch { tell('hub:trouble', body.dataset.lost) }
}

function adopt(there, which) {
  for (const draft of which) {
    const fresh = $(`[data-compose=${draft.mode}]`, there), form = draft.form
    textOf(form).value = textOf(fresh).value
    if (draft.mode === 'reply') chooseWay(box, chosenWay(there)?.value)
    for (const name of ['how', 'about', 'theirs', 'was', 'to', 'cc', 'bcc', 'subject']) if ($(`[name=${name}]`, form)) $(`[name=${name}]`, form).value = $(`[name=${name}]`, fresh).value
    if (draft.mode === 'reply') { whom(box, form); const fold = $('.rcp details', form); if (fold) fold.open = $('.rcp details', fresh).open }
    for (const name of ['data-kept', 'data-acts']) $(`[${name}]`, form)?.replaceChildren(...$(`[${name}]`, fresh).children)
    draft.newer = null
    draft.settled(+$('[name=draft]', fresh).value)
    draft.state($('[data-state]', fresh).textContent)
    $('[data-drop]', form).hidden = draft.had = $('[data-drop]', fresh).hidden
    draft.had = !draft.had
    if (form === replying) { shown(form); mark(form) }
    const mode = $(`#mode-${draft.mode}`)
    if (!mode.checked) { mode.checked = true; chose(draft.mode) }
    textOf(form).focus()
  }
  $('#newer').hidden = ![...drafts.values()].some(d => d.newer)
}

// ── taking up an entry: an answer to it, a forward, the same words by another way ──────────────────────────────────
async function take(link) {
  const draft = drafts.get(replying), mine = box
  link.closest('details')?.removeAttribute('open')
  if (!draft) return
  await draft.save()
  try {
    const { answer, doc } = await fetchPart(link.href, { headers: { 'X-Hub': 'panes' } }), there = $('#composer', doc)
    if (box !== mine) return
    if (!answer.ok || !there) { tell('hub:trouble', $('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    adopt(there, [draft])
    draft.saved = ''
    draft.changed()
    if (link.dataset.take === 'forward') { $('[name=to]', draft.form).focus(); textOf(draft.form).setSelectionRange(0, 0) }
  } catch { tell('hub:trouble', body.dataset.lost) }
}

/** The forward of the mail that has the focus, else of the newest. */
const forward = () => $('[data-take=forward]', document.activeElement.closest?.('.card') || undefined) || $$('#timeline [data-take=forward]').at(-1)

export function start() {
  picks()
  act('forward', () => take(forward()), () => !!replying && !!forward())
  addEventListener('click', event => {
    const link = event.target.closest('a[data-take]')
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || new URL(link.href).pathname !== `/c/${number}` || !replying) return
    event.preventDefault()
    take(link)
  }, true)
  document.addEventListener('hub:opened', event => begin(event.detail.section, event.detail.number))
  document.addEventListener('hub:left', end)
  document.addEventListener('hub:deleted', event => forget(event.detail))
  document.addEventListener('hub:sending', event => before(event.detail))
  document.addEventListener('hub:sent', event => sent(event.detail))
  document.addEventListener('hub:back', event => back(event.detail))
  addEventListener('pagehide', () => drafts.forEach(draft => draft.leave()))
  document.addEventListener('visibilitychange', () => { if (document.hidden) drafts.forEach(draft => draft.leave()) })
  addEventListener('online', () => drafts.forEach(draft => draft.save()))
  addEventListener('focus', () => drafts.forEach(draft => draft.look()))
  addEventListener('submit', event => {
    if (!box || !event.target.matches('#toast form:not([data-action]), form[data-back], #drop-reply, #drop-note')) return
    event.preventDefault()
    event.stopImmediatePropagation()
    submit(event.target)
  }, true)
}
