// Drives customerio-node: the Track API, and of the App API what sends a message.

import { APIClient, SendEmailRequest, TrackClient } from 'customerio-node'
import { main } from './common.mjs'

await main(({ key, port }) => {
  const url = 'https://127.0.0.1'
  const track = new TrackClient('site', key, { url: `${url}/api/v1`, port })
  const app = new APIClient(key, { url: `${url}/v1`, port })
  return async ({ do: method, with: given }) => {
    try {
      if (method === 'sendEmail') return await app.sendEmail(new SendEmailRequest(...given))
      return await track[method](...given)
    } catch (error) {
      return `${error.statusCode}: ${error.message}`
    }
  }
})
