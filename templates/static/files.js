// Files of an answer: they go up at once, and the channel's limit is known before.
import { $, $$, tell, textOf } from './dom.js'
import { chosenWay } from './via.js'

const sized = n => n < 1000 ? `${n} B` : n < 1e6 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`
export const copyOf = id => $(id).content.firstElementChild.cloneNode(true)
const takes = (type, box) => { const known = (chosenWay(box)?.dataset.types || '').split(' ').filter(Boolean); return !known.length || known.some(k => (type || '').startsWith(k)) }
const most = box => +(chosenWay(box)?.dataset.bytes || 0)

/** A file that the server has, as the composer shows it. */
export function chip(file) {
  const label = copyOf('#kept-chip')
  $('input', label).value = file.id
  label.dataset.bytes = file.size
  label.dataset.type = file.type
  $('[data-name]', label).textContent = file.name
  $('[data-size]', label).textContent = file.said || sized(file.size)
  return label
}

/** What is to be done when it is sent. */
export function action([value, words]) {
  const label = copyOf('#act-chip')
  $('input', label).value = value
  $('[data-name]', label).textContent = words
  return label
}

/** A message of files alone is one too. */
export function shown(form) { textOf(form).required = !$('[name=file]:checked', form) }

/** Whether the chosen channel takes the file; if not, it is said why. */
function fitting(file, box) {
  const words = !takes(file.type, box) ? box.dataset.kinds : file.size > most(box) ? box.dataset.much : ''
  if (words) tell('hub:trouble', words.replace('{name}', file.name).replace('{size}', sized(most(box))))
  return !words
}

/** Say which files the chosen channel does not take. */
export function fits(box) {
  let all = true
  for (const label of $$('[data-kept] label', box)) {
    const file = { name: $('.trunc', label).textContent, size: +label.dataset.bytes || 0, type: label.dataset.type }
    if ($('input:checked', label) && !fitting(file, box)) all = false
  }
  return all
}

/** Uploads that have not ended, by draft: whoever comes back to a conversation finds them as they are. */
const going = new Map()

function upload(file, draft) {
  if (!fitting(file, draft.box)) return
  const row = copyOf('#file-chip')
  let sent = null
  $('[data-name]', row).textContent = file.name
  going.set(draft.key, (going.get(draft.key) || new Set()).add(row))
  const over = () => { going.get(draft.key).delete(row); row.draft.uploads.delete(row); row.remove() }
  const failed = () => {
    row.dataset.failed = row.draft.box.dataset.failed.replace('{name}', file.name)
    state(true)
    tell('hub:trouble', row.dataset.failed)
  }
  const state = ill => { $('progress', row).hidden = ill; $('[data-retry]', row).hidden = !ill; row.classList.toggle('bad-text', ill) }
  const begin = () => {
    const data = new FormData()
    data.append('file', file, file.name || 'image.png')
    delete row.dataset.failed
    state(false)
    sent = new XMLHttpRequest()
    sent.open('POST', '/api/v1/attachments')
    sent.upload.onprogress = event => { if (event.lengthComputable) $('progress', row).value = event.loaded / event.total }
    sent.onload = () => {
      if (sent.status >= 300) { failed(); return }
      const { draft } = row, { form } = draft
      row.before(chip(JSON.parse(sent.responseText)))
      over()
      shown(form)
      draft.changed()
      if (!form.isConnected) draft.save()
    }
    sent.onerror = failed
    sent.send(data)
  }
  $('[data-cancel]', row).onclick = () => { sent.abort(); over(); tell('hub:trouble', '') }
  $('[data-retry]', row).onclick = () => { tell('hub:trouble', ''); begin(); $('[data-cancel]', row).focus() }
  adopt(row, draft)
  begin()
}

function adopt(row, draft) {
  row.draft = draft
  draft.uploads.add(row)
  $('[data-kept]', draft.form).append(row)
}

/** Why it cannot be sent yet: what is on its way, and what did not arrive. */
export const unready = draft => [...draft.uploads].map(row => row.dataset.failed || draft.box.dataset.wait).sort((a, b) => (a === draft.box.dataset.wait) - (b === draft.box.dataset.wait))[0]

/** Files by button, paste and drop. An upload goes on when another conversation is opened. */
export function takeFiles(draft) {
  const { form, box } = draft, input = $('[type=file]', form)
  const all = files => [...files].forEach(file => upload(file, draft))
  for (const row of going.get(draft.key) || []) adopt(row, draft)
  input.removeAttribute('name')
  input.addEventListener('change', () => { all(input.files); input.value = '' })
  form.addEventListener('change', () => shown(form))
  textOf(form).addEventListener('paste', event => {
    if (event.clipboardData.files.length) { event.preventDefault(); all(event.clipboardData.files) }
  })
  box.addEventListener('dragover', event => { if ([...event.dataTransfer.types].includes('Files')) { event.preventDefault(); box.classList.add('drop') } })
  box.addEventListener('dragleave', () => box.classList.remove('drop'))
  box.addEventListener('drop', event => { event.preventDefault(); box.classList.remove('drop'); all(event.dataTransfer.files) })
}
