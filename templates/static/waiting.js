// What waits to be sent, on this device: one entry for each, by person and conversation, until the server has answered.
import { body } from './dom.js'

/** Messages of one conversation that may wait at once. */
const MOST = 20
const prefix = `out:${body.dataset.me}:`
/** What the device would not keep; it waits as long as the page lives. */
const held = new Map()

const keyOf = entry => `${prefix}${entry.number}:${entry.id}`
const read = key => { try { return JSON.parse(localStorage.getItem(key)) } catch { return null } }

/** Everything that waits, the oldest first. */
export function all() {
  const keys = new Set([...held.keys(), ...Object.keys(localStorage).filter(key => key.startsWith(prefix))])
  return [...keys].map(key => held.get(key) || read(key)).filter(Boolean).sort((a, b) => a.at - b.at)
}

export const of = number => all().filter(entry => entry.number === number)
export const isOurs = key => !!key?.startsWith(prefix)

/** Keep it, or what is known of it now; false when too much waits in its conversation. */
export function keep(entry) {
  const key = keyOf(entry)
  if (!held.has(key) && !localStorage.getItem(key) && of(entry.number).length >= MOST) return false
  try { localStorage.setItem(key, JSON.stringify(entry)); held.delete(key) } catch { held.set(key, entry) }
  return true
}

export function drop(entry) {
  held.delete(keyOf(entry))
  localStorage.removeItem(keyOf(entry))
}
