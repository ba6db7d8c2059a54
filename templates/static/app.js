// The whole client: hears the live stream, fetches what changed, puts it in without losing what somebody types.
// Everything works without it, by plain forms and links.
const $ = (s, r = document) => r.querySelector(s)
const $$ = (s, r = document) => [...r.querySelectorAll(s)]
const body = document.body
const convo = $('[data-conversation]')
const number = convo?.dataset.conversation
const say = text => { const box = $('#said'); if (box) box.textContent = text }

async function fetchPart(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { 'X-Hub': 'part', ...options.headers }, signal: AbortSignal.timeout(15000) })
  if (answer.status === 401) { location.reload(); throw new Error('signed out') }
  const doc = new DOMParser().parseFromString(await answer.text(), 'text/html')
  return { answer, doc }
}

// ── putting new markup in ────────────────────────────────────────────────────────────────────────────────────────
const busy = old => old.contains(document.activeElement) || $('details.menu[open], .ask', old) || old.matches('details.menu[open]')

function replace(old, fresh, force) {
  if (!old || !fresh || old.outerHTML === fresh.outerHTML || (!force && busy(old))) return
  old.replaceWith(fresh)
}

/** Make the children of `old` those of `fresh`, by id. While `still`, nothing changes its place. */
function morph(old, fresh, still) {
  const wanted = [...fresh.children], ids = new Set(wanted.map(n => n.id))
  for (const node of [...old.children]) if (!ids.has(node.id) && !(still && node.matches(':hover'))) node.remove()
  let at = old.firstElementChild
  for (const node of wanted) {
    let mine = [...old.children].find(n => n.id === node.id)
    if (mine && mine.outerHTML !== node.outerHTML) {
      const focused = mine.contains(document.activeElement)
      mine.replaceWith(node)
      if (mine === at) at = node
      if (focused) $('a,button', node)?.focus()
      mine = node
    }
    if (still && mine) { at = mine.nextElementSibling; continue }
    mine ??= node
    if (mine === at) at = at.nextElementSibling
    else old.insertBefore(mine, at)
  }
}

// ── the list ─────────────────────────────────────────────────────────────────────────────────────────────────────
const hovers = matchMedia('(hover: hover)').matches
let listTimer = 0, listAgain = false, pastFirst = new URLSearchParams(location.search).has('cursor')

function refreshList() {
  listAgain = true
  listTimer ||= setTimeout(async () => {
    listAgain = false
    try { await loadList() } catch { /* the stream tells when the connection is back, then it is loaded again */ }
    listTimer = setTimeout(() => { listTimer = 0; if (listAgain) refreshList() }, 700)
  }, 60)
}

async function loadList() {
  const rows = $('#rows')
  if (!rows || pastFirst) return
  const { answer, doc } = await fetchPart(rows.dataset.rows)
  if (!answer.ok) return
  const fresh = $('#rows', doc), scroll = $('#listscroll')
  const still = hovers && scroll.matches(':hover')
  morph(rows, fresh, still)
  if (still) scroll.addEventListener('mouseleave', refreshList, { once: true })
  for (const id of ['views', 'me', 'tabs', 'nothing', 'pager']) replace($('#' + id), $('#' + id, doc), id === 'nothing')
  const count = $$('.un', $('#rows')).length
  document.title = (count ? `(${count}) ` : '') + document.title.replace(/^\(\d+\) /, '')
}

// ── the conversation ─────────────────────────────────────────────────────────────────────────────────────────────
const timeline = $('#timeline'), tl = timeline && $('.tl', timeline)
const past = convo?.hasAttribute('data-past')
const atEnd = () => Math.abs(timeline.scrollTop) < 100
const newest = () => Math.max(0, ...$$('.li', tl).map(n => +n.dataset.id))
let changed = new Set(), turn = Promise.resolve()

function refreshConversation(message) {
  if (message) changed.add(message)
  turn = turn.then(async () => {
    const wanted = [...changed].slice(0, 50)
    wanted.forEach(m => changed.delete(m))
    try {
      const { answer, doc } = await fetchPart(`/c/${number}/items?after=${newest()}&message=${wanted}&${convo.dataset.in}`)
      if (answer.ok) apply(doc, false, wanted)
      else if (answer.status === 404) refreshList()
    } catch { wanted.forEach(m => changed.add(m)) }
  })
  return turn
}

function apply(doc, mine, wanted = []) {
  const items = $('#items', doc) || $('.tl', doc)
  const end = mine || atEnd(), distance = timeline.scrollTop
  const gone = wanted.filter(m => !$(`[data-message="${m}"]`, items))
  let heard = ''
  for (const node of $$(':scope > .li', items)) {
    const old = document.getElementById(node.id)
    if (old) {
      const open = $$('details', old).map(d => d.open)
      if (!busy(old)) { $$('details', node).forEach((d, i) => { if (open[i]) d.open = true }); replace(old, node, true) }
    } else if (!past) {
      node.classList.add('fresh')
      const after = $$('.li', tl).filter(n => +n.dataset.id < +node.dataset.id).at(-1)
      after ? after.after(node) : tl.append(node)
      heard = $('article', node)?.getAttribute('aria-label') || heard
    }
    frames(document.getElementById(node.id))
  }
  for (const m of gone) $(`[data-message="${m}"]`, tl)?.remove()
  replace($('#head'), $('#head', doc))
  const seen = items.dataset.seen || $('[name=seen]', doc)?.value, field = $('#composer [name=seen]')
  if (seen && field && +seen > +field.value) field.value = seen
  if (heard) say(heard)
  if (end) timeline.scrollTop = 0
  else if (heard) { timeline.scrollTop = distance; $('#jumpnew').hidden = false }
  if ('more' in items.dataset || changed.size) refreshConversation()
  markSeen()
}

let seenTimer = 0
function markSeen() {
  if (!convo || past || document.visibilityState !== 'visible' || !document.hasFocus()) return
  clearTimeout(seenTimer)
  seenTimer = setTimeout(() => fetch(`/c/${number}/seen`, { method: 'POST', headers: { 'X-Hub': 'part' } }).catch(() => {}), 400)
}

/** A frame is as high as the mail in it. */
function frames(root) {
  for (const frame of $$('iframe.frame', root)) {
    const fit = () => { const inner = frame.contentDocument?.documentElement; if (inner) frame.style.height = Math.min(inner.scrollHeight + 4, 20000) + 'px' }
    frame.addEventListener('load', fit)
    if (frame.contentDocument?.readyState === 'complete') fit()
  }
}

async function loadOlder(event) {
  const link = event.target.closest('#older')
  if (!link || !number) return
  event.preventDefault()
  const { doc } = await fetchPart(`/c/${number}/items?before=${link.dataset.before}&${convo.dataset.in}`)
  const from = timeline.scrollTop
  link.replaceWith(...($('#older', doc) ? [$('#older', doc)] : []), ...$('#items', doc).children)
  timeline.scrollTop = from
}

// ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────
const textOf = form => $('textarea', form)

function trouble(text) {
  const box = $('#trouble')
  box.replaceChildren()
  if (!text) return
  const p = document.createElement('p')
  p.className = 'alert'
  p.textContent = text
  box.append(p)
}

async function send(form, event) {
  event.preventDefault()
  const button = $('button:not([type=button]):not([form])', form), compose = form.dataset.compose
  if (button.disabled) return
  button.disabled = true
  try {
    if (compose && !await window.composer.before(form)) return
    const { answer, doc } = await fetchPart(form.action, { method: 'POST', body: form.enctype.startsWith('multipart') ? new FormData(form) : new URLSearchParams(new FormData(form)) })
    if (!compose) form.closest('details.menu')?.removeAttribute('open')
    form.closest('.ask')?.remove()
    if (!answer.ok && !$('#composer', doc)) { trouble($('#failure-words', doc)?.textContent.trim() || body.dataset.lost); return }
    if (!$('#composer', doc)) { location.href = answer.url; return }
    document.activeElement?.closest('#head')?.querySelector('h1')?.focus()
    apply(doc, answer.ok && compose)
    replace($('#trouble'), $('#trouble', doc), true)
    if (compose) {
      const kept = $(`[data-compose=${compose}]`, doc)
      if (answer.ok) window.composer.sent(form, doc)
      if (kept) $('[name=client_id]', form).value = $('[name=client_id]', kept).value
      textOf(form).focus()
    }
    refreshList()
  } catch (error) { trouble(error.message === 'signed out' ? '' : body.dataset.lost) }
  finally { button.disabled = false; if (compose) window.composer.done(form) }
}

document.addEventListener('submit', event => {
  if (number && event.target.matches('[data-compose],[data-send]')) send(event.target, event)
})
document.addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.target.closest('[data-compose]')?.requestSubmit()
  if (event.key === 'Escape') {
    for (const box of $$('.whybox')) { box.dataset.quiet = ''; box.addEventListener('mouseleave', () => delete box.dataset.quiet, { once: true }); box.addEventListener('focusout', () => delete box.dataset.quiet, { once: true }) } const open = $('details.menu[open]'); if (open) { open.open = false; $('summary', open).focus() } }
})
document.addEventListener('click', event => {
  for (const menu of $$('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false
  const copy = event.target.closest('[data-copy]')
  if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = copy.dataset.done })
  if (event.target.closest('#jumpnew')) timeline.scrollTop = 0
  loadOlder(event)
})
document.addEventListener('hub:changed', event => { refreshList(); if (event.detail) refreshConversation(event.detail) })
document.addEventListener('hub:trouble', event => trouble(event.detail))

// ── the stream ───────────────────────────────────────────────────────────────────────────────────────────────────
let last = body.dataset.live, wait = 1, offlineTimer = 0

function offline(yes) {
  const bar = $('#connection')
  if (!yes) { clearTimeout(offlineTimer); offlineTimer = 0; bar.hidden = true; return }
  offlineTimer ||= setTimeout(() => { $('span', bar).textContent = body.dataset.offline; bar.hidden = false }, 3000)
}

// ── the live board ───────────────────────────────────────────────────────────────────────────────────────────────
const board = $('#board')
let boardTimer = 0, boardAgain = false

function refreshBoard() {
  boardAgain = true
  boardTimer ||= setTimeout(async () => {
    boardAgain = false
    try { await loadBoard() } catch { /* the next event or beat tries again */ }
    boardTimer = setTimeout(() => { boardTimer = 0; if (boardAgain) refreshBoard() }, 800)
  }, 100)
}

async function loadBoard() {
  const { answer, doc } = await fetchPart(board.dataset.board)
  const old = $('#figures'), fresh = $('#figures', doc)
  if (!answer.ok || !fresh || old.outerHTML === fresh.outerHTML) return
  const before = new Map($$('[data-n]', old).map(n => [n.dataset.n, n.textContent]))
  const focused = document.activeElement?.closest('[data-n]')?.dataset.n
  old.replaceWith(fresh)
  for (const n of $$('[data-n]', fresh)) {
    if (before.has(n.dataset.n) && before.get(n.dataset.n) !== n.textContent) n.classList.add('flash')
    if (n.dataset.n === focused) n.focus()
  }
}

if (board) {
  setInterval(refreshBoard, 10000)
  const awake = () => { if ($('[data-tv]') && document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {}) }
  document.addEventListener('visibilitychange', awake)
  awake()
}

// ── a simulation that runs, and the table of questions by hand ───────────────────────────────────────────────────
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
follow()

const order = $('[data-order]')
if (order && matchMedia('(hover: hover)').matches) {
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

function hear(hint) {
  if (board) refreshBoard()
  if (hint.kind !== 'people' && hint.kind !== 'presence.changed') refreshList()
  const person = $('[data-person]')
  if (number && (hint.conversation === number || hint.kind === 'lists')) refreshConversation(hint.message)
  if (person && hint.customer === person.dataset.person) reloadSoon()
}

let soon = 0
const reloadSoon = () => { soon ||= setTimeout(async () => { soon = 0; const { answer, doc } = await fetchPart(location.href); if (answer.ok) morph(tl, $('.tl', doc)) }, 500) }

function connect() {
  const source = new EventSource(`/stream?after=${last}`)
  const again = () => {
    source.close()
    offline(true)
    setTimeout(connect, (wait + Math.random() * wait) * 500)
    wait = Math.min(wait * 2, 30)
  }
  source.onopen = () => { wait = 1; offline(false) }
  source.onmessage = event => { last = event.lastEventId || last; hear(JSON.parse(event.data)) }
  source.addEventListener('reload', event => {
    last = event.lastEventId || last
    refreshList()
    if (number) { $$('.li', tl).forEach(n => n.dataset.message && changed.add(n.dataset.message)); refreshConversation() }
  })
  source.onerror = again
  return source
}

// ── beginning ────────────────────────────────────────────────────────────────────────────────────────────────────
if (convo) {
  frames(timeline)
  if (+convo.dataset.unread) markSeen()
  addEventListener('focus', () => markSeen())
  timeline.addEventListener('scroll', () => { if (atEnd()) $('#jumpnew').hidden = true }, { passive: true })
  const key = $('[data-key]')
  if (key) { key.textContent = /Mac|iP/.test(navigator.platform) ? '⌘ ↵' : document.documentElement.lang === 'de' ? 'Strg ↵' : 'Ctrl ↵'; key.hidden = false }
}
$('#summary')?.focus()
$('.views [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
const today = $('.gantt thead .td')
if (today) today.closest('.tw').scrollLeft = today.offsetLeft - 160
const theme = $('#theme')
if (theme) {
  theme.hidden = false
  const now = document.documentElement.dataset.theme || ''
  for (const input of $$('input', theme)) {
    input.checked = input.value === now
    input.onchange = () => {
      input.value ? localStorage.setItem('theme', input.value) : localStorage.removeItem('theme')
      input.value ? document.documentElement.dataset.theme = input.value : delete document.documentElement.dataset.theme
    }
  }
}
$$('[data-copy]').forEach(b => { b.hidden = false })
if (last !== undefined) connect()
