// Drives @segment/analytics-node, and @customerio/cdp-analytics-node, which is made from it.

import { main, told } from './common.mjs'

await main(async ({ package: name, url, key, calls }) => {
  const { Analytics } = await import(name)
  const client = new Analytics({ writeKey: key, host: url, path: '/v1/batch', flushInterval: 200 })
  const failures = []
  client.on('error', (error) => failures.push(String(error.reason ?? error)))
  return async (call) => {
    if (call === calls.at(-1)) await client.closeAndFlush()
    else if (call.do === 'flush') await client.flush?.()
    else client[call.do](told(call))
    return [...failures]
  }
})
