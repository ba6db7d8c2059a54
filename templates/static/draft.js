// A draft: kept on the server, and on this device until the server has confirmed it.
import { $, $$, body, tell, textOf } from './dom.js'
import { action, chip, shown } from './files.js'
import { chooseWay, chosenWay, typedTo, whom } from './via.js'
import { of } from './waiting.js'

const SOON = 600, LATER = 5000, MOST_KEEPALIVE = 60000
const api = '/api/v1', LISTS = ['to', 'cc', 'bcc']
const keyOf = form => `draft:${body.dataset.me}:${/\d+/.exec(new URL(form.action).pathname)}:${form.dataset.compose}`

const saving = new Map()

/** What is being saved of a conversation, so that its page is not asked for before that is over. */
export const saved = number => Promise.allSettled([...(saving.get(number) || [])])

/** One draft: the text of one mode in one conversation, of the person who is signed in. */
export class Draft {
  constructor(form, box, number) {
    this.form = form
    this.box = box
    this.number = number
    this.mode = form.dataset.compose
    this.key = keyOf(form)
    this.version = +$('[name=draft]', form).value
    this.saved = this.content()
    this.uploads = new Set()
    this.round = 0
    this.begin()
  }

  content() {
    const values = name => $$(`[name=${name}]:checked`, this.form).map(i => i.value)
    const said = { text: textOf(this.form).value, via: null, to: [], cc: [], bcc: [], subject: '', attachments: [], actions: [] }
    if (this.mode === 'reply') {
      said.via = chosenWay(this.box)?.dataset.id || null
      for (const name of LISTS) said[name] = ($(`[name=${name}]`, this.form)?.value || '').split(/[,\n]/).map(s => s.trim()).filter(Boolean)
      said.how = $('[name=how]', this.form).value
      said.about = $('[name=about]', this.form).value || null
      said.sure = said.how === 'reply' && !!said.to.length && ['was', 'theirs'].some(name => $(`[name=${name}]`, this.form).value === typedTo(this.form))
      said.subject = $('[name=subject]', this.form)?.value || ''
      said.attachments = values('file').sort((a, b) => a - b)
      said.actions = values('act')
    }
    return JSON.stringify(said)
  }

  /** What this device had not got through yet is still here, whatever happened to the page. */
  begin() {
    const ours = this.sure()?.version === this.version
    this.recall()
    if (of(this.number).some(e => e.mode === this.mode && e.content.text === textOf(this.form).value)) this.cleared()
    let local = null
    try { local = JSON.parse(localStorage.getItem(this.key)) } catch { localStorage.removeItem(this.key) }
    if (!local?.content || local.content === this.saved) { localStorage.removeItem(this.key); return }
    const there = JSON.parse(this.saved), mine = JSON.parse(local.content)
    textOf(this.form).value = mine.text
    if (this.mode === 'reply') this.address(mine)
    if (local.version !== this.version && !ours && (there.text || there.attachments.length)) this.conflict({ ...there, version: this.version })
    else this.soon(0)
  }

  /** What the server has last confirmed to this tab, whichever page of the conversation it stood on: {content, version}. */
  sure() { return JSON.parse(sessionStorage.getItem(this.key) || 'null') }

  /** The server may have drawn this page a moment before it confirmed what was typed on the last one. */
  recall() {
    const sure = this.sure()
    if (!sure || sure.version <= this.version) { sessionStorage.removeItem(this.key); return }
    textOf(this.form).value = JSON.parse(sure.content).text
    this.saved = this.content()
    this.look()
  }

  /** All of it with the names of what is only known by number, so that it can come back. */
  whole() {
    const chips = name => $$(`[type=checkbox][name=${name}]:checked`, this.form).map(input => [input.value, input.closest('label')])
    return {
      ...JSON.parse(this.content()),
      attachments: chips('file').map(([id, label]) => ({ id, name: $('.trunc', label).textContent, said: $('.t2', label).textContent })),
      actions: chips('act').map(([value, label]) => [value, label.textContent.trim()]),
    }
  }

  /** What stood here is being sent: the box is empty for what comes next. The version the draft had, once that is known. */
  cleared() {
    const { form } = this, busy = this.busy
    clearTimeout(this.timer)
    this.round++
    for (const input of $$('textarea,[name=cc],[name=bcc],[name=subject],[name=about],[name=theirs]', form)) input.value = input.defaultValue = ''
    if (this.mode === 'reply') { $('[name=how]', form).value = 'reply'; $('[name=to]', form).value = $('[name=was]', form).value = ''; whom(this.box, form) }
    $$('[data-kept],[data-acts]', form).forEach(list => list.replaceChildren())
    textOf(form).required = true
    if ($('.rcp details', form)) $('.rcp details', form).open = false
    for (const part of $$('[data-doubt],[data-drop]', form)) part.hidden = true
    this.saved = this.content()
    this.state('')
    this.had = false
    localStorage.removeItem(this.key)
    return Promise.resolve(busy).then(() => this.version)
  }

  /** What was not sent after all, before what has been written here meanwhile. */
  restore(said) {
    const { form } = this, area = textOf(form)
    area.value = [said.text, area.value].filter(text => text.trim()).join('\n\n')
    if (this.mode === 'reply') {
      this.address(said)
      $('[data-kept]', form).append(...said.attachments.map(chip))
      $('[data-acts]', form).append(...said.actions.map(action))
      shown(form)
    }
    this.changed()
  }

  /** Its conversation was deleted: it is saved nowhere any more. */
  forget() {
    clearTimeout(this.timer)
    this.round++
    this.saved = this.content()
    localStorage.removeItem(this.key)
    sessionStorage.removeItem(this.key)
  }

  get dirty() { return this.content() !== this.saved }

  changed() {
    if (!this.dirty && !this.busy) { localStorage.removeItem(this.key); return }
    localStorage.setItem(this.key, JSON.stringify({ content: this.content(), version: this.version }))
    if (!$('[data-state]', this.form).classList.contains('warn')) this.state(this.box.dataset.writing)
    this.soon(SOON)
  }

  soon(ms = SOON) {
    clearTimeout(this.timer)
    if (!this.newer) this.timer = setTimeout(() => this.save(), ms)
  }

  /** Save until what is on the server is what is in the box; true when it is. */
  async save() {
    clearTimeout(this.timer)
    const all = saving.get(this.number) || new Set(), mine = this.after(saved(this.number))
    saving.set(this.number, all.add(mine))
    const done = await mine
    all.delete(mine)
    return done
  }

  /** One after the other: the page of this conversation that stood here before may still be saving. */
  async after(others) {
    await others
    if (!this.dirty || this.newer) return !this.newer
    this.version = Math.max(this.version, this.sure()?.version || 0)
    this.busy = this.put(this.content())
    const done = await this.busy
    this.busy = null
    if (done && this.dirty) this.soon(SOON)
    return done
  }

  async put(content) {
    let answer
    const round = this.round
    try {
      answer = await fetch(`${api}/conversations/${this.number}/drafts/${this.mode}`, { ...this.request(content), signal: AbortSignal.timeout(10000) })
    } catch { return round !== this.round || this.failed() }
    const said = answer.ok || answer.status === 409 ? await answer.json() : null, kept = said?.draft || said
    if (round !== this.round) { if (kept) this.version = kept.version; return true }
    if (answer.status === 409) { this.conflict(kept); return false }
    if (answer.status === 410) { this.forget(); return true }
    if (!kept) return this.failed()
    this.version = kept.version
    this.saved = content
    $('[name=draft]', this.form).value = kept.version
    sessionStorage.setItem(this.key, JSON.stringify({ content, version: kept.version }))
    const left = JSON.parse(content), empty = !left.text.trim() && !left.attachments.length
    this.state(empty ? '' : this.box.dataset.saved.replace('{time}', new Date(kept.saved_at).toLocaleTimeString(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })))
    $('[data-drop]', this.form).hidden = empty
    if (JSON.parse(localStorage.getItem(this.key))?.content === content) localStorage.removeItem(this.key)
    if (this.had === undefined || this.had === empty) tell('hub:changed')
    this.had = !empty
    return true
  }

  request(content) {
    const body = JSON.stringify({ ...JSON.parse(content), version: this.version })
    return { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body }
  }

  failed() {
    this.state(this.box.dataset.local, true)
    if (this.form.isConnected) this.soon(LATER)
    return false
  }

  /** The page goes away: nobody waits for the answer, and what does not arrive is still on this device. */
  leave() {
    if (!this.dirty || this.newer || this.sending) return
    const wanted = this.request(this.content())
    if (wanted.body.length < MOST_KEEPALIVE) fetch(`${api}/conversations/${this.number}/drafts/${this.mode}`, { ...wanted, keepalive: true }).catch(() => {})
  }

  state(words, warn) {
    const place = $('[data-state]', this.form)
    place.textContent = words
    place.classList.toggle('warn', !!warn)
  }

  conflict(kept) {
    clearTimeout(this.timer)
    if (this.same(kept)) { this.settled(kept.version); return }
    if (!kept.text && !kept.attachments?.length) { this.version = kept.version; this.soon(0); return }
    this.newer = kept
    $('#newer', this.box).hidden = false
  }

  /** Is what the server has just what stands here? A save of this very text may have been on its way. */
  same(kept) {
    const mine = JSON.parse(this.content()), id = f => typeof f === 'object' ? f.id : f
    return mine.text === kept.text && mine.subject === (kept.subject || '') && String(mine.attachments) === String((kept.attachments || []).map(id).sort((a, b) => a - b))
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
      this.address(kept)
      const files = kept.attachments.map(f => typeof f === 'object' ? chip(f) : $$('[name=file]', this.form).find(i => i.value === f)?.closest('label')).filter(Boolean)
      $('[data-kept]', this.form).replaceChildren(...files)
      shown(this.form)
    }
    this.settled(kept.version)
  }

  /** Whom it goes to, as a draft has it. */
  address(kept) {
    const plain = (kept.to || []).map(a => a.replace(/^[a-z]\w*:/, ''))
    $('[name=how]', this.form).value = kept.how || 'reply'
    $('[name=about]', this.form).value = kept.about || ''
    chooseWay(this.box, kept.via, plain.join(', '))
    $('[name=theirs]', this.form).value = kept.sure ? plain.join(', ') : ''
    for (const name of LISTS) {
      const field = $(`[name=${name}]`, this.form)
      if (field && (kept[name]?.length || name !== 'to')) field.value = (kept[name] || []).map(a => a.replace(/^[a-z]\w*:/, '')).join(', ')
    }
    if ($('[name=subject]', this.form)) $('[name=subject]', this.form).value = kept.subject || ''
    whom(this.box, this.form)
  }

  settled(version) {
    this.version = version
    $('[name=draft]', this.form).value = version
    this.saved = this.content()
    localStorage.removeItem(this.key)
  }

  /** The server has what was sent; a draft goes on from this version. */
  ended(version) {
    this.version = Math.max(this.version, version)
    $('[name=draft]', this.form).value = this.version
  }

  /** Another tab may have gone on; what has not been touched here follows it. */
  async look() {
    if (this.dirty || this.busy || this.newer) return
    const answer = await fetch(`${api}/conversations/${this.number}/drafts/${this.mode}`, { signal: AbortSignal.timeout(10000) }).catch(() => null)
    if (!answer?.ok) return
    const kept = await answer.json()
    if (kept.version > this.version && !this.dirty) { this.fill(kept); this.state(''); $('[data-drop]', this.form).hidden = false }
  }
}
