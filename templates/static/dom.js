// What every module needs: finding, saying, fetching a part of a page, and putting new markup in without disturbing anybody.
export const $ = (s, r = document) => r.querySelector(s)
export const $$ = (s, r = document) => [...r.querySelectorAll(s)]
export const body = document.body
export const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }))
export const textOf = form => $('textarea', form)
export const typing = target => !!target.closest?.('input:not([type=checkbox]),textarea,select,[contenteditable]')

/** A part of a page: {answer, doc}, waited for 15 s or `patience` (ms). Whoever is not signed in any more sees the sign-in. */
export async function fetchPart(url, options = {}) {
  const signal = AbortSignal.any([AbortSignal.timeout(options.patience || 15000), ...(options.signal ? [options.signal] : [])])
  const answer = await fetch(url, { ...options, headers: { 'X-Hub': 'part', ...options.headers }, signal })
  if (answer.status === 401) { location.reload(); throw new Error('signed out') }
  const doc = new DOMParser().parseFromString(await answer.text(), 'text/html')
  return { answer, doc }
}

/** Is somebody at work in it? Then it is left alone. */
export const busy = old => old.contains(document.activeElement) || $('details.menu[open], .ask', old) || old.matches('details.menu[open]')

export function replace(old, fresh, force) {
  if (!old || !fresh || old.outerHTML === fresh.outerHTML || (!force && busy(old))) return
  old.replaceWith(fresh)
  tell('hub:drawn', fresh)
}

/** What went wrong, above the box where one writes. */
export function trouble(text) {
  const box = $('#trouble')
  if (!box) return
  box.replaceChildren()
  if (!text) return
  const p = document.createElement('p')
  p.className = 'alert'
  p.textContent = text
  box.append(p)
}
