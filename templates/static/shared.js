// The shared worker: one connection, however many tabs.
import { Exchange } from './line.js'

const exchange = new Exchange()

self.onconnect = event => {
  const port = event.ports[0]
  let id = ''
  const post = said => port.postMessage(said)
  port.onmessage = ({ data }) => {
    if (data.hi !== undefined && id !== data.tab) {
      id = data.tab
      // a tab holds the lock that bears its name: when it is free, the tab is gone, whatever became of it
      self.navigator.locks?.request(`hub-tab-${id}`, () => exchange.hear(id, post, { bye: true }))
    }
    exchange.hear(data.tab, post, data)
  }
}
