// The composer of the conversation that is open: drafts, sending, and taking back what was sent. Everything works without it.
import { $, $$, body, fetchPart, tell, textOf } from './dom.js'
import { Draft } from './draft.js'
import { fits, shown, takeFiles } from './files.js'
import { chooseWay, chosenWay, late, unwatchWay, watchWay } from './via.js'
import { mark, next, offerReplies, start as picks } from './picks.js'
import { toast } from './toast.js'

let box = null, number = '', drafts = new Map(), replying = null

function begin(section, opened) {
  box = $('#composer', section)
  number = opened
  drafts = new Map($$('[data-compose]', box).map(form => [form, new Draft(form, box, opened)]))
  replying = $('#reply', box)
  for (const draft of drafts.values()) {
    draft.form.addEventListener('input', () => draft.changed())
    draft.form.addEventListener('change', () => draft.changed())
    textOf(draft.form).addEventListener('blur', () => { if (draft.dirty) draft.save() })
  }
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

function decide(wish) {
  if (!wish) return
  $('#newer', box).hidden = true
  for (const draft of drafts.values()) if (draft.newer) { draft.choose(wish === 'take'); textOf(draft.form).focus() }
}

// ── sending, and second thoughts ─────────────────────────────────────────────────────────────────────────────────
/** Everything is on the server; false when it must not be sent now. */
async function before(form) {
  const draft = drafts.get(form)
  if (draft.uploads.size) { tell('hub:trouble', box.dataset.wait); return false }
  if (form === replying && (late(box, form) || next(form) || doubtful(form))) return false
  draft.sending = true
  clearTimeout(draft.timer)
  await draft.busy
  return true
}

function sent({ form, doc, away }) {
  const draft = drafts.get(form)
  if (away || !draft) { Draft.forget(form); return }
  const area = textOf(form)
  area.defaultValue = area.value = ''
  for (const input of $$('[name=cc],[name=subject]', form)) input.value = input.defaultValue = ''
  $$('[data-kept],[data-acts]', form).forEach(list => list.replaceChildren())
  area.required = true
  if ($('details.rcp', form)) $('details.rcp', form).open = false
  if ($('[data-doubt]', form)) $('[data-doubt]', form).hidden = true
  draft.settled(+($(`[data-compose=${draft.mode}] [name=draft]`, doc)?.value || 0))
  draft.state('')
  $('[data-drop]', form).hidden = true
  draft.had = false
  mark(form)
  toast(doc)
}

function tried(form) {
  const draft = drafts.get(form)
  if (!draft) return
  draft.sending = false
  if (draft.dirty) draft.soon()
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
  bar.hidden = asked || !(noFile || noSubject)
  return !bar.hidden
}

/** A plain form of ours (undo, restore, discard): what the page then shows is put into the boxes. */
async function submit(form) {
  const draft = form.id.startsWith('drop-') ? drafts.get($(`[data-compose=${form.id.slice(5)}]`, box)) : null
  if (draft) { draft.sending = true; clearTimeout(draft.timer); await draft.busy; draft.sending = false }
  try {
    const { answer, doc } = await fetchPart(form.action, { method: 'POST' })
    const there = $('#composer', doc)
    if (!answer.ok || !there) { tell('hub:trouble', $('#failure-words', doc)?.textContent.trim() || body.dataset.lost); $('#toast').replaceChildren(); return }
    if ($('[data-conversation]', doc).dataset.conversation !== number) { tell('hub:go', { url: answer.url }); return }
    const message = /\/messages\/(\d+)\//.exec(form.action)?.[1]
    adopt(there, draft ? [draft] : [...drafts.values()].filter(d => form.action.includes(`/drafts/${d.mode}/`) || (message && d.mode === 'reply')))
    toast(doc)
    tell('hub:trouble', '')
    tell('hub:changed', message)
  } catch { tell('hub:trouble', body.dataset.lost) }
}

function adopt(there, which) {
  for (const draft of which) {
    const fresh = $(`[data-compose=${draft.mode}]`, there), form = draft.form
    textOf(form).value = textOf(fresh).value
    for (const name of ['cc', 'subject']) if ($(`[name=${name}]`, form)) $(`[name=${name}]`, form).value = $(`[name=${name}]`, fresh).value
    for (const name of ['data-kept', 'data-acts']) $(`[${name}]`, form)?.replaceChildren(...$(`[${name}]`, fresh).children)
    if (draft.mode === 'reply') chooseWay(box, chosenWay(there)?.value)
    draft.newer = null
    draft.settled(+$('[name=draft]', fresh).value)
    draft.state($('[data-state]', fresh).textContent)
    $('[data-drop]', form).hidden = draft.had = $('[data-drop]', fresh).hidden
    draft.had = !draft.had
    if (form === replying) { shown(form); mark(form) }
    $(`#mode-${draft.mode}`).checked = true
    textOf(form).focus()
  }
  $('#newer').hidden = ![...drafts.values()].some(d => d.newer)
}

export function start() {
  picks()
  document.addEventListener('hub:opened', event => begin(event.detail.section, event.detail.number))
  document.addEventListener('hub:left', end)
  document.addEventListener('hub:sending', event => { event.detail.ready = before(event.detail.form) })
  document.addEventListener('hub:sent', event => sent(event.detail))
  document.addEventListener('hub:tried', event => tried(event.detail.form))
  addEventListener('pagehide', () => drafts.forEach(draft => draft.leave()))
  document.addEventListener('visibilitychange', () => { if (document.hidden) drafts.forEach(draft => draft.leave()) })
  addEventListener('online', () => drafts.forEach(draft => draft.save()))
  addEventListener('focus', () => drafts.forEach(draft => draft.look()))
  addEventListener('submit', event => {
    if (!box || !event.target.matches('#toast form:not([data-action]), #drop-reply, #drop-note')) return
    event.preventDefault()
    event.stopImmediatePropagation()
    submit(event.target)
  }, true)
}
