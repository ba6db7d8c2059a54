// The composer: drafts kept on the server, files that go up at once, saved replies, and taking back what was sent.
// Everything works without it, by plain forms. `window.composer` is what app.js asks before and tells after sending.
const $ = (s, r = document) => r.querySelector(s)
const $$ = (s, r = document) => [...r.querySelectorAll(s)]
const box = $('#composer'), convo = $('[data-conversation]'), number = convo.dataset.conversation
const lang = document.documentElement.lang
const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }))
const textOf = form => $('textarea', form)
const api = '/api/v1'
const SOON = 600, LATER = 5000, MOST_KEEPALIVE = 60000

// ── drafts ───────────────────────────────────────────────────────────────────────────────────────────────────────
class Draft {
  constructor(form) {
    this.form = form
    this.mode = form.dataset.compose
    this.key = `draft:${document.body.dataset.me}:${number}:${this.mode}`
    this.version = +$('[name=draft]', form).value
    this.saved = this.content()
    this.uploads = new Set()
    this.begin()
  }

  content() {
    const values = name => $$(`[name=${name}]:checked`, this.form).map(i => i.value)
    const said = { text: textOf(this.form).value, via: null, cc: [], subject: '', attachments: [], actions: [] }
    if (this.mode === 'reply') {
      said.via = $('[name=via]', box)?.value || null
      said.cc = ($('[name=cc]', this.form)?.value || '').split(/[,\n]/).map(s => s.trim()).filter(Boolean)
      said.subject = $('[name=subject]', this.form)?.value || ''
      said.attachments = values('file').sort((a, b) => a - b)
      said.actions = values('act')
    }
    return JSON.stringify(said)
  }

  /** What this device had not got through yet is still here, whatever happened to the page. */
  begin() {
    let local = null
    try { local = JSON.parse(localStorage.getItem(this.key)) } catch { localStorage.removeItem(this.key) }
    if (!local?.content || local.content === this.saved) { localStorage.removeItem(this.key); return }
    const there = JSON.parse(this.saved), mine = JSON.parse(local.content)
    textOf(this.form).value = mine.text
    if ($('[name=subject]', this.form)) { $('[name=subject]', this.form).value = mine.subject || ''; $('[name=cc]', this.form).value = (mine.cc || []).join(', ') }
    if (local.version !== this.version && (there.text || there.attachments.length)) this.conflict({ ...there, version: this.version })
    else this.soon(0)
  }

  get dirty() { return this.content() !== this.saved }

  changed() {
    if (!this.dirty && !this.busy) { localStorage.removeItem(this.key); return }
    localStorage.setItem(this.key, JSON.stringify({ content: this.content(), version: this.version }))
    if (!$('[data-state]', this.form).classList.contains('warn')) this.state(box.dataset.writing)
    this.soon(SOON)
  }

  soon(ms) {
    clearTimeout(this.timer)
    if (!this.newer) this.timer = setTimeout(() => this.save(), ms)
  }

  /** Save until what is on the server is what is in the box; true when it is. */
  async save() {
    clearTimeout(this.timer)
    if (this.busy) { await this.busy; if (!this.dirty) return true }
    if (!this.dirty || this.newer) return !this.newer
    const content = this.content()
    this.busy = this.put(content)
    const done = await this.busy
    this.busy = null
    if (done && this.dirty) this.soon(SOON)
    return done
  }

  async put(content) {
    let answer
    try {
      answer = await fetch(`${api}/conversations/${number}/drafts/${this.mode}`, { ...this.request(content), signal: AbortSignal.timeout(10000) })
    } catch { return this.failed() }
    if (answer.status === 409) { this.conflict((await answer.json()).draft); return false }
    if (!answer.ok) return this.failed()
    const kept = await answer.json()
    this.version = kept.version
    this.saved = content
    $('[name=draft]', this.form).value = kept.version
    const left = JSON.parse(content), empty = !left.text.trim() && !left.attachments.length
    this.state(empty ? '' : box.dataset.saved.replace('{time}', new Date(kept.saved_at).toLocaleTimeString(lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })))
    $('[data-drop]', this.form).hidden = empty
    if (!this.dirty) localStorage.removeItem(this.key)
    if (this.had === undefined || this.had === empty) tell('hub:changed')
    this.had = !empty
    return true
  }

  request(content) {
    const body = JSON.stringify({ ...JSON.parse(content), version: this.version })
    return { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body }
  }

  failed() {
    this.state(box.dataset.local, true)
    this.soon(LATER)
    return false
  }

  /** The page goes away: nobody waits for the answer, and what does not arrive is still on this device. */
  leave() {
    if (!this.dirty || this.newer || this.sending) return
    const wanted = this.request(this.content())
    if (wanted.body.length < MOST_KEEPALIVE) fetch(`${api}/conversations/${number}/drafts/${this.mode}`, { ...wanted, keepalive: true }).catch(() => {})
  }

  state(words, warn) {
    const place = $('[data-state]', this.form)
    place.textContent = words
    place.classList.toggle('warn', !!warn)
  }

  conflict(kept) {
    clearTimeout(this.timer)
    if (!kept.text && !kept.attachments?.length) { this.version = kept.version; this.soon(0); return }
    this.newer = kept
    $('#newer').hidden = false
  }

  choose(take) {
    const kept = this.newer
    this.newer = null
    this.version = kept.version
    if (take) this.fill(kept)
    else this.soon(0)
  }

  /** Put a kept draft into the box, as the server has it. */
  fill(kept) {
    textOf(this.form).value = kept.text
    if (this.mode === 'reply') {
      const via = $('[name=via]', box)
      if (kept.via && via) via.value = kept.via
      if ($('[name=subject]', this.form)) { $('[name=subject]', this.form).value = kept.subject; $('[name=cc]', this.form).value = kept.cc.map(a => a.replace(/^\w+:/, '')).join(', ') }
      const files = kept.attachments.map(f => typeof f === 'object' ? chip(f) : $$('[name=file]', this.form).find(i => i.value === f)?.closest('label')).filter(Boolean)
      $('[data-kept]', this.form).replaceChildren(...files)
      shown(this.form)
    }
    this.settled(kept.version)
  }

  settled(version) {
    this.version = version
    $('[name=draft]', this.form).value = version
    this.saved = this.content()
    localStorage.removeItem(this.key)
  }

  /** Another tab may have gone on; what has not been touched here follows it. */
  async look() {
    if (this.dirty || this.busy || this.newer) return
    const answer = await fetch(`${api}/conversations/${number}/drafts/${this.mode}`, { signal: AbortSignal.timeout(10000) }).catch(() => null)
    if (!answer?.ok) return
    const kept = await answer.json()
    if (kept.version > this.version && !this.dirty) { this.fill(kept); this.state(''); $('[data-drop]', this.form).hidden = false }
  }
}

const drafts = new Map($$('[data-compose]', box).map(form => [form, new Draft(form)]))
const replying = $('#reply')
const reply = replying && drafts.get(replying)

for (const draft of drafts.values()) {
  draft.form.addEventListener('input', () => draft.changed())
  draft.form.addEventListener('change', () => draft.changed())
  textOf(draft.form).addEventListener('blur', () => { if (draft.dirty) draft.save() })
}
$('[name=via]', box)?.addEventListener('change', () => { fits(); reply.changed() })
addEventListener('pagehide', () => drafts.forEach(draft => draft.leave()))
document.addEventListener('visibilitychange', () => { if (document.hidden) drafts.forEach(draft => draft.leave()) })
addEventListener('online', () => drafts.forEach(draft => draft.save()))
addEventListener('focus', () => drafts.forEach(draft => draft.look()))
$('#newer').addEventListener('click', event => {
  const wish = event.target.closest('[data-newer]')?.dataset.newer
  if (!wish) return
  $('#newer').hidden = true
  for (const draft of drafts.values()) if (draft.newer) { draft.choose(wish === 'take'); textOf(draft.form).focus() }
})

// ── sending, and second thoughts ─────────────────────────────────────────────────────────────────────────────────
window.composer = {
  /** Everything is on the server; false when it must not be sent now. */
  async before(form) {
    const draft = drafts.get(form)
    if (draft.uploads.size) { tell('hub:trouble', box.dataset.wait); return false }
    if (form === replying && (next(form) || doubtful(form))) return false
    draft.sending = true
    clearTimeout(draft.timer)
    await draft.busy
    return true
  },
  sent(form, doc) {
    const draft = drafts.get(form), area = textOf(form)
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
  },
  done(form) {
    const draft = drafts.get(form)
    draft.sending = false
    if (draft.dirty) draft.soon(SOON)
  },
}

const ATTACHED = /(^|[^\p{L}])(attach(ed|ments?)|enclosed|anbei|anlage|anhang|angehängt|beigefügt)(?!\p{L})/iu

/** Is something probably forgotten? Asked once: who sends again means it. */
function doubtful(form) {
  const bar = $('[data-doubt]', form), way = $('[name=via]', box)?.selectedOptions[0], subject = $('[name=subject]', form)
  const own = textOf(form).value.split('\n').filter(line => !line.startsWith('>')).join('\n')
  const noFile = ATTACHED.test(own) && !$('[name=file]:checked', form)
  const noSubject = !!subject && 'subject' in (way?.dataset || {}) && !subject.value.trim() && !subject.placeholder
  const asked = !bar.hidden
  $('[data-no-file]', bar).hidden = !noFile
  $('[data-no-subject]', bar).hidden = !noSubject
  bar.hidden = asked || !(noFile || noSubject)
  return !bar.hidden
}

let counting = 0
/** The bar that offers to take it back counts down and goes. */
function toast(doc) {
  if (doc) $('#toast').replaceChildren(...($('#toast', doc)?.children || []))
  clearInterval(counting)
  const form = $('#toast form')
  if (!form) return
  const end = performance.now() + +form.dataset.left
  const count = () => {
    const left = Math.ceil((end - performance.now()) / 1000)
    if (left <= 0) { clearInterval(counting); if (form.contains(document.activeElement)) textOf($$('[data-compose]', box).find(f => f.offsetParent))?.focus(); form.remove() }
    else if ($('[data-count]', form)) $('[data-count]', form).textContent = left
  }
  counting = setInterval(count, 250)
  count()
}

async function part(url, options) {
  const answer = await fetch(url, { ...options, headers: { 'X-Hub': 'part' }, signal: AbortSignal.timeout(15000) })
  if (answer.status === 401) location.reload()
  return { answer, doc: new DOMParser().parseFromString(await answer.text(), 'text/html') }
}

/** A plain form of ours (undo, restore, discard): what the page then shows is put into the boxes. */
async function submit(form) {
  const draft = form.id.startsWith('drop-') ? drafts.get($(`[data-compose=${form.id.slice(5)}]`, box)) : null
  if (draft) { draft.sending = true; clearTimeout(draft.timer); await draft.busy; draft.sending = false }
  try {
    const { answer, doc } = await part(form.action, { method: 'POST' })
    const there = $('#composer', doc)
    if (!answer.ok || !there) { tell('hub:trouble', $('#failure-words', doc)?.textContent.trim() || document.body.dataset.lost); $('#toast').replaceChildren(); return }
    if ($('[data-conversation]', doc).dataset.conversation !== number) { location.href = answer.url; return }
    const message = /\/messages\/(\d+)\//.exec(form.action)?.[1]
    adopt(there, draft ? [draft] : [...drafts.values()].filter(d => form.action.includes(`/drafts/${d.mode}/`) || (message && d.mode === 'reply')))
    toast(doc)
    tell('hub:trouble', '')
    tell('hub:changed', message)
  } catch { tell('hub:trouble', document.body.dataset.lost) }
}

function adopt(there, which) {
  for (const draft of which) {
    const fresh = $(`[data-compose=${draft.mode}]`, there), form = draft.form
    textOf(form).value = textOf(fresh).value
    for (const name of ['cc', 'subject']) if ($(`[name=${name}]`, form)) $(`[name=${name}]`, form).value = $(`[name=${name}]`, fresh).value
    for (const name of ['data-kept', 'data-acts']) $(`[${name}]`, form)?.replaceChildren(...$(`[${name}]`, fresh).children)
    const via = $('[name=via]', there)
    if (via && draft.mode === 'reply' && $('option[selected]', via)) $('[name=via]', box).value = via.value
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

addEventListener('submit', event => {
  if (!event.target.matches('#toast form, #drop-reply, #drop-note')) return
  event.preventDefault()
  event.stopImmediatePropagation()
  submit(event.target)
}, true)
document.addEventListener('keydown', event => {
  if (event.key !== 'z' || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input,textarea,select,[contenteditable]')) return
  const undo = $('#toast form')
  if (undo) { event.preventDefault(); undo.requestSubmit() }
})

// ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────
const sized = n => n < 1000 ? `${n} B` : n < 1e6 ? `${Math.round(n / 1000)} kB` : `${(n / 1e6).toFixed(1)} MB`
const copyOf = id => $(id).content.firstElementChild.cloneNode(true)
const most = () => +($('[name=via]', box)?.selectedOptions[0]?.dataset.bytes || 0)

function chip(file) {
  const label = copyOf('#kept-chip')
  $('input', label).value = file.id
  label.dataset.bytes = file.size
  $('[data-name]', label).textContent = file.name
  $('[data-size]', label).textContent = sized(file.size)
  return label
}

/** A message of files alone is one too. */
function shown(form) { textOf(form).required = !$('[name=file]:checked', form) }

const tooLarge = file => tell('hub:trouble', box.dataset.much.replace('{name}', file.name).replace('{size}', sized(most())))

function fits() {
  for (const label of $$('[data-kept] label', replying)) {
    const bytes = +label.dataset.bytes || 0
    if (most() && bytes > most()) tooLarge({ name: $('.trunc', label).textContent })
  }
}

function upload(file) {
  if (most() && file.size > most()) { tooLarge(file); return }
  const row = copyOf('#file-chip'), sent = new XMLHttpRequest(), data = new FormData()
  $('[data-name]', row).textContent = file.name
  $('[data-kept]', replying).append(row)
  data.append('file', file, file.name || 'image.png')
  reply.uploads.add(row)
  const over = () => { reply.uploads.delete(row); row.remove() }
  sent.open('POST', `${api}/attachments`)
  sent.upload.onprogress = event => { if (event.lengthComputable) $('progress', row).value = event.loaded / event.total }
  sent.onload = () => {
    if (sent.status >= 300) { over(); tell('hub:trouble', box.dataset.failed.replace('{name}', file.name)); return }
    row.before(chip(JSON.parse(sent.responseText)))
    over()
    shown(replying)
    reply.changed()
  }
  sent.onerror = () => { over(); tell('hub:trouble', box.dataset.failed.replace('{name}', file.name)) }
  $('[data-cancel]', row).onclick = () => { sent.abort(); over() }
  sent.send(data)
}

if (replying) {
  $('[data-sure]', replying).addEventListener('click', () => replying.requestSubmit())
  const input = $('[type=file]', replying)
  input.removeAttribute('name')
  input.addEventListener('change', () => { [...input.files].forEach(upload); input.value = '' })
  replying.addEventListener('change', () => shown(replying))
  textOf(replying).addEventListener('paste', event => {
    const files = [...event.clipboardData.files]
    if (files.length) { event.preventDefault(); files.forEach(upload) }
  })
  box.addEventListener('dragover', event => { if ([...event.dataTransfer.types].includes('Files')) { event.preventDefault(); box.classList.add('drop') } })
  box.addEventListener('dragleave', () => box.classList.remove('drop'))
  box.addEventListener('drop', event => { event.preventDefault(); box.classList.remove('drop'); [...event.dataTransfer.files].forEach(upload) })
}

// ── saved replies ────────────────────────────────────────────────────────────────────────────────────────────────
const PLACE = /\{\{\s*(?:customer|agent|conversation)\.\w+\s*\}\}/g
const picks = $('#picks')
let asked = 0, looking = 0

/** Show what still has to be filled in, behind the text and below it. */
function mark(form) {
  const area = textOf(form), wrap = area.closest('.cxw'), found = area.value.match(PLACE) || []
  if (!wrap) return
  let mirror = $('.mirror', wrap)
  if (!found.length) mirror?.remove()
  else {
    if (!mirror) { mirror = document.createElement('div'); mirror.className = 'cx mirror'; mirror.ariaHidden = 'true'; wrap.prepend(mirror) }
    const rest = area.value.split(PLACE)
    mirror.replaceChildren(...rest.flatMap((text, i) => i < found.length ? [text, Object.assign(document.createElement('mark'), { textContent: found[i] })] : [text]), '\n')
    mirror.scrollTop = area.scrollTop
  }
  $('[data-missing]', form).hidden = !found.length
  $('[data-missing] b', form).textContent = [...new Set(found)].join(', ')
}

/** Select the next place that has to be filled in; false when there is none. */
function next(form) {
  const area = textOf(form), found = [...area.value.matchAll(PLACE)]
  if (!found.length) return false
  const place = found.find(m => m.index > area.selectionStart) || found[0]
  area.focus()
  area.setSelectionRange(place.index, place.index + place[0].length)
  return true
}

function insert(option) {
  const area = textOf(replying), words = option.dataset.text
  let start = area.selectionStart, end = area.selectionEnd
  if (picks.slash && area.value.slice(start - 1, start) === '/') start -= 1
  area.setRangeText(words, start, end, 'end')
  const there = $$('[name=act]', replying).map(i => i.value)
  for (const [value, label] of JSON.parse(option.dataset.acts)) {
    if (there.includes(value)) continue
    const act = copyOf('#act-chip')
    $('input', act).value = value
    $('[data-name]', act).textContent = label
    $('[data-acts]', replying).append(act)
  }
  close()
  mark(replying)
  const first = words.search(PLACE)
  if (first >= 0) { area.setSelectionRange(start, start); next(replying) }
  reply.changed()
}

function choose(option) {
  for (const other of $$('[role=option]', picks)) other.ariaSelected = String(other === option)
  const search = $('input', picks)
  option ? search.setAttribute('aria-activedescendant', option.id) : search.removeAttribute('aria-activedescendant')
  option?.scrollIntoView({ block: 'nearest' })
  $('[data-preview]', picks).textContent = option?.dataset.text || ''
}

async function find() {
  const turn = ++asked
  const { answer, doc } = await part(`/c/${number}/saved?q=${encodeURIComponent($('input', picks).value)}`).catch(() => ({}))
  if (turn !== asked || !answer?.ok) return
  $('#found').replaceChildren(...$$('li', doc))
  $('[data-none]', picks).hidden = !!$('#found li')
  choose($('#found li'))
}

function open(slash) {
  picks.slash = slash
  picks.hidden = false
  $('input', picks).value = ''
  $('input', picks).focus()
  find()
}

function close() {
  picks.hidden = true
  textOf(replying).focus()
}

if (picks) {
  const search = $('input', picks), area = textOf(replying), button = $('[data-picker]', replying)
  button.hidden = false
  button.addEventListener('click', () => picks.hidden ? open(false) : close())
  area.addEventListener('input', event => {
    mark(replying)
    const at = area.selectionStart
    if (event.data === '/' && /(^|\n)\/$/.test(area.value.slice(0, at))) open(true)
  })
  area.addEventListener('scroll', () => { const mirror = $('.mirror', replying); if (mirror) mirror.scrollTop = area.scrollTop })
  $('[data-next]', replying).addEventListener('click', () => next(replying))
  search.addEventListener('input', () => { clearTimeout(looking); looking = setTimeout(find, 120) })
  picks.addEventListener('keydown', event => {
    const options = $$('[role=option]', picks), at = options.findIndex(o => o.ariaSelected === 'true')
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && options.length) choose(options[(at + step + options.length) % options.length])
    else if (event.key === 'Enter' && event.target === search) { if (options[at]) insert(options[at]) }
    else if (event.key === 'Escape') close()
    else return
    event.preventDefault()
    event.stopPropagation()
  })
  $('#found').addEventListener('click', event => { const option = event.target.closest('[role=option]'); if (option) insert(option) })
  document.addEventListener('click', event => { if (!picks.hidden && !picks.contains(event.target) && !button.contains(event.target)) picks.hidden = true })
  mark(replying)
}
toast()
