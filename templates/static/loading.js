// While a part of the page is being asked for: nothing for a moment, then a line on its pane, then its outline, then words and another try.
import { $ } from './dom.js'

/** Milliseconds until each is shown, and until an answer is not waited for any more. */
const LINE = 150, OUTLINE = 1000, LATE = 10000, AGAIN = Symbol('again')
export const PATIENCE = 60000

/**
 * What `ask(signal)` answers; meanwhile `pane` shows that it takes time. "Try again" breaks off what runs and asks once more; what has failed
 * waits for that, or for the connection to come back. `put` places the outline, over the pane if nothing else is said. Null: it was given up,
 * because `stop` was aborted.
 */
export async function during(pane, ask, { put = outline => pane.append(outline), stop } = {}) {
  const [line, outline] = $('#loading').content.cloneNode(true).children
  const before = document.activeElement, words = $('p', outline)
  const say = why => {
    if (!outline.isConnected) put(outline)
    for (const n of words.querySelectorAll('[data-why]')) n.hidden = n.dataset.why !== why
    words.hidden = false
  }
  const timers = [setTimeout(() => pane.append(line), LINE), setTimeout(() => put(outline), OUTLINE), setTimeout(say, LATE, 'late')]
  const stopped = new Promise(resolve => stop?.addEventListener('abort', () => resolve(null)))
  let asked
  try {
    for (; ;) {
      const { signal } = asked = new AbortController()
      const again = new Promise(resolve => { $('button', outline).onclick = () => resolve(AGAIN) })
      const failed = () => {
        if (signal.aborted) return null
        say('lost')
        return Promise.race([again, new Promise(resolve => document.addEventListener('hub:online', () => resolve(AGAIN), { signal }))])
      }
      const answer = await Promise.race([ask(signal).catch(failed), again, stopped])
      if (answer !== AGAIN) return answer
      asked.abort()
      if (!words.hidden) say('late')
    }
  } finally {
    asked.abort()
    timers.forEach(clearTimeout)
    const held = outline.contains(document.activeElement)
    line.remove()
    outline.remove()
    if (held && before.isConnected) before.focus({ preventScroll: true })
  }
}
