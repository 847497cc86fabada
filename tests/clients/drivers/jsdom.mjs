// Drives the SDKs of browsers in jsdom: one line of standard input is the setting, and its end the end.

import { readFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { JSDOM } from 'jsdom'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const setting = JSON.parse((await lines.next()).value)
const { window } = new JSDOM(setting.html, {
  url: setting.address, referrer: setting.referrer, runScripts: 'outside-only', pretendToBeVisual: true,
})
// What jsdom lacks and every browser has.
Object.assign(window, { fetch, TextEncoder, TextDecoder })
for (const script of setting.scripts) window.eval(readFileSync(script, 'utf8'))
writeSync(1, JSON.stringify(await window.carryOut(setting)) + '\n')
await lines.next()
process.exit()
