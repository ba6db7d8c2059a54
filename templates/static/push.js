// The service worker: shows what Web Push brings, and opens what it is about. It answers no requests and keeps nothing.
self.addEventListener('push', event => {
  const said = event.data ? event.data.json() : {}
  if (!said.title) return
  event.waitUntil(Promise.all([
    self.registration.showNotification(said.title, { body: said.text, tag: said.tag, data: { path: said.path } }),
    said.n > 0 ? self.navigator.setAppBadge?.(said.n) : undefined,
  ]))
})

self.addEventListener('notificationclick', event => {
  event.notification.close()
  const url = new URL(event.notification.data?.path || '/', self.location.origin)
  if (url.origin !== self.location.origin) return
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
    const same = open.find(client => new URL(client.url).pathname === url.pathname)
    if (same) { same.postMessage({ go: url.href }); return same.focus() }
    return self.clients.openWindow(url.href)
  })())
})
