// Settings, notifications: trying each out, what the browser allows, and where Web Push goes.
import { $, body } from './dom.js'
import { desktop, play } from './notify.js'

const words = () => $('#notices').dataset
const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0))

function state(name, text) {
  const place = $(`[data-state-of=${name}]`)
  if (place) place.textContent = text
}

async function show() {
  const can = 'Notification' in window
  state('desktop', can ? words()[Notification.permission] : words().never)
  const push = 'serviceWorker' in navigator && 'PushManager' in window
  const found = push && await (await navigator.serviceWorker.getRegistration('/'))?.pushManager.getSubscription()
  state('push', !push ? words().never : found ? words().here : words().nowhere)
  const toggle = $('[data-try=push-on]'), off = $('[data-try=push-off]')
  if (toggle) { toggle.hidden = !push || !!found; off.hidden = !found }
}

async function allowed() {
  if (!('Notification' in window)) return false
  return (Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission) === 'granted'
}

async function subscribe() {
  if (!await allowed()) return
  const registration = await navigator.serviceWorker.register('/push.js', { scope: '/' })
  await navigator.serviceWorker.ready
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(words().key) })
  const answer = await fetch('/settings/notifications/devices', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(made) })
  if (!answer.ok) { await made.unsubscribe(); throw new Error(String(answer.status)) }
}

async function unsubscribe() {
  const found = await (await navigator.serviceWorker.getRegistration('/'))?.pushManager.getSubscription()
  if (!found) return
  await fetch('/settings/notifications/devices/gone', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ endpoint: found.endpoint }) })
  await found.unsubscribe()
}

async function attempt(what) {
  const form = $('#notices')
  if (what === 'sound') { if (!await play($('[name=tone]', form).value, +$('[name=volume]', form).value)) state('sound', words().blocked) }
  else if (what === 'call') await play('call', +$('[name=volume]', form).value)
  else if (what === 'desktop') { if (await allowed() && !desktop({ title: words().test, text: words().works, path: location.pathname })) state('desktop', words().never) }
  else if (what === 'push-on') await subscribe()
  else if (what === 'push-off') await unsubscribe()
  await show()
}

export function start() {
  if (!$('#notices') || !body.dataset.me) return
  for (const button of document.querySelectorAll('[data-try]')) button.hidden = false
  show()
  document.addEventListener('click', event => {
    const what = event.target.closest('[data-try]')?.dataset.try
    if (what) attempt(what).catch(() => state(what.split('-')[0], words().failed))
  })
}
