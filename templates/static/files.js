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

function upload(file, draft) {
  const { form, box } = draft
  if (!fitting(file, box)) return
  const row = copyOf('#file-chip'), sent = new XMLHttpRequest(), data = new FormData()
  $('[data-name]', row).textContent = file.name
  $('[data-kept]', form).append(row)
  data.append('file', file, file.name || 'image.png')
  draft.uploads.add(row)
  const over = () => { draft.uploads.delete(row); row.remove() }
  const failed = () => { over(); tell('hub:trouble', box.dataset.failed.replace('{name}', file.name)) }
  sent.open('POST', '/api/v1/attachments')
  sent.upload.onprogress = event => { if (event.lengthComputable) $('progress', row).value = event.loaded / event.total }
  sent.onload = () => {
    if (sent.status >= 300) { failed(); return }
    row.before(chip(JSON.parse(sent.responseText)))
    over()
    shown(form)
    draft.changed()
    if (!form.isConnected) draft.save()
  }
  sent.onerror = failed
  $('[data-cancel]', row).onclick = () => { sent.abort(); over() }
  sent.send(data)
}

/** Files by button, paste and drop. An upload goes on when another conversation is opened. */
export function takeFiles(draft) {
  const { form, box } = draft, input = $('[type=file]', form)
  const all = files => [...files].forEach(file => upload(file, draft))
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
