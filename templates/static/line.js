// One connection to the hub for all tabs of a browser: hears the stream, remembers what was said lately, never gives up.
// Runs in the shared worker; where there is none, in the one tab that leads. It knows nothing of pages.
const STEPS = [1, 2, 4, 8, 15, 30], SILENT = 45000, FRESH = 25000, KEPT = 500

class Line {
  constructor(last, told) {
    this.last = this.from = last
    this.told = told
    this.kept = []
    this.there = new Map()
    this.tries = this.heard = this.since = this.next = this.caught = 0
    this.online = false
    this.connect()
  }

  async connect() {
    clearTimeout(this.timer)
    if (this.stopper || this.over) return
    const stopper = this.stopper = new AbortController()
    this.caught = this.next = 0
    let wait = 0
    try {
      this.alive(stopper)
      const answer = await fetch(`/stream?after=${this.last}`, { headers: { Accept: 'text/event-stream' }, cache: 'no-store', signal: stopper.signal })
      if (answer.status === 401) { this.over = true; this.told({ left: true }); return }
      if (answer.ok) await this.read(answer, stopper)
      else wait = +answer.headers.get('Retry-After') || 0
    } catch { /* cut off: below it is tried again */ } finally {
      clearTimeout(this.watch)
      if (this.stopper === stopper) { this.stopper = null; if (!this.over) this.down(wait) }
    }
  }

  async read(answer, stopper) {
    const version = answer.headers.get('X-Hub-Version')
    if (version) this.told({ version: this.version = version })
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    for (let rest = ''; ;) {
      const { value, done } = await reader.read()
      if (done || this.stopper !== stopper) return
      this.alive(stopper)
      const parts = (rest + value).split('\n\n')
      rest = parts.pop()
      parts.forEach(part => this.hear(part))
    }
  }

  alive(stopper) {
    this.heard = Date.now()
    clearTimeout(this.watch)
    this.watch = setTimeout(() => stopper.abort(), SILENT)
  }

  hear(block) {
    const field = name => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
    const data = field('data'), kind = field('event') || 'hint', id = field('id')
    if (!data) return
    const said = JSON.parse(data)
    if (id) this.last = +id
    if (kind === 'hint') this.hint(said)
    else if (kind === 'reload') { this.kept = []; this.from = this.last; this.told({ reload: this.last }) }
    else {
      if (kind === 'nearby') this.near(said)
      if (kind === 'number') this.number = said
      this.told({ kind, said })
    }
  }

  hint(said) {
    if (/^(message\.|note\.)/.test(said.kind)) this.caught++
    this.kept.push(said)
    if (this.kept.length > KEPT) this.from = +this.kept.shift().id
    this.told({ hint: said })
  }

  /** Who is where comes whole right after what was missed: from here on we are in step. */
  near(said) {
    if (said.all) this.there.clear()
    for (const home of said.here) home.people.length ? this.there.set(home.conversation, home) : this.there.delete(home.conversation)
    if (!said.all || this.online) return
    this.online = true
    this.tries = 0
    this.told({ online: true, caught: this.since ? this.caught : 0, since: this.since })
    this.since = 0
  }

  down(wait) {
    this.online = false
    this.since ||= Date.now()
    const delay = Math.max(wait, STEPS[Math.min(this.tries++, STEPS.length - 1)] * (0.75 + Math.random() / 2)) * 1000
    this.next = Date.now() + delay
    this.timer = setTimeout(() => this.connect(), delay)
    this.told({ online: false, since: this.since, next: this.next })
  }

  /** Somebody looks: what seems dead is tried at once, and what has been silent too long is not believed. */
  check() {
    if (!this.stopper) this.connect()
    else if (Date.now() - this.heard > FRESH) { this.stopper.abort(); this.stopper = null; this.connect() }
  }

  /** What a page that knows everything up to `after` has not heard. */
  greeting(after) {
    const missed = after < this.from ? [{ reload: this.last }] : this.kept.filter(h => +h.id > after).map(hint => ({ hint }))
    return [
      ...missed,
      { kind: 'nearby', said: { all: true, here: [...this.there.values()] } },
      ...(this.number ? [{ kind: 'number', said: this.number }] : []),
      ...(this.version ? [{ version: this.version }] : []),
      ...(this.online || !this.since ? [] : [{ online: false, since: this.since, next: this.next }]),
    ]
  }
}

/** The tabs that listen. What is said goes to all of them, what rings to one: the last that had the focus. */
export class Exchange {
  constructor() { this.tabs = new Map(); this.line = null }

  hear(id, post, said) {
    if (said.bye) { this.tabs.delete(id); return }
    let tab = this.tabs.get(id)
    if (!tab) this.tabs.set(id, tab = { post, at: 0 })
    if (said.visible !== undefined) { tab.visible = said.visible; tab.focused = said.focused; if (said.focused) tab.at = Date.now() }
    if (said.hi !== undefined) {
      this.line ??= new Line(said.hi, told => this.tell(told))
      this.line.greeting(said.hi).forEach(post)
    }
    if (said.check) this.line?.check()
    if (said.now) this.line?.connect()
  }

  tell(told) {
    if (told.kind === 'notice') this.ring(told)
    else for (const tab of this.tabs.values()) tab.post(told)
  }

  ring(told) {
    const all = [...this.tabs.values()].sort((a, b) => (b.focused - a.focused) || (b.visible - a.visible) || (b.at - a.at))
    all[0]?.post({ ...told, front: all.some(tab => tab.focused) })
  }

  end() { if (this.line) { this.line.over = true; clearTimeout(this.line.timer); this.line.stopper?.abort() } }
}
