// The live board: its figures are loaded again when something happens, and every ten seconds.
import { $, $$, fetchPart } from './dom.js'

let timer = 0, again = false

function refresh() {
  again = true
  timer ||= setTimeout(async () => {
    again = false
    try { await load() } catch { /* the next event or beat tries again */ }
    timer = setTimeout(() => { timer = 0; if (again) refresh() }, 800)
  }, 100)
}

async function load() {
  const { answer, doc } = await fetchPart($('#board').dataset.board)
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

export function start() {
  if (!$('#board')) return
  setInterval(refresh, 10000)
  document.addEventListener('hub:hint', refresh)
  const awake = () => { if ($('[data-tv]') && document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {}) }
  document.addEventListener('visibilitychange', awake)
  awake()
}
