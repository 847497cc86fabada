// Drives @dittofeed/sdk-node. A request that fails ends the process: the SDK tells nobody.

import { DittofeedSdk } from '@dittofeed/sdk-node'
import { main, told } from './common.mjs'

await main(async ({ url, key }) => {
  await DittofeedSdk.init({ writeKey: key, host: url })
  return async (call) => {
    await DittofeedSdk[call.do](call.do === 'flush' ? undefined : told(call))
    return []
  }
})
