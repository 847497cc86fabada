// Drives @rudderstack/rudder-sdk-node.

import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { main, told } from './common.mjs'

await main(({ url, key, gzip = true }) => {
  const failures = []
  const errorHandler = (error) => void failures.push(String(error))
  const client = new RudderAnalytics(key, { dataPlaneUrl: url, gzip, errorHandler, logLevel: 'none' })
  return async (call) => {
    if (call.do === 'flush') {
      // One flush sends one batch.
      do await client.flush()
      while (client.queue.length)
    } else client[call.do](told(call))
    return [...failures]
  }
})
