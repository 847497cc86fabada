// What every driver of Node does: read the calls, make them, say when.

import { readFileSync, writeSync } from 'node:fs'

const revived = (_, value) => (value && typeof value === 'object' && value.$date ? new Date(value.$date) : value)

/** Carry out what standard input says; `opened` makes of the setting a function that makes one call. */
export async function main(opened) {
  const setting = JSON.parse(readFileSync(0, 'utf8'), revived)
  const make = await opened(setting)
  const spans = []
  const answers = []
  for (const call of setting.calls) {
    const begun = Date.now()
    answers.push((await make(call)) ?? null)
    spans.push([begun, Date.now()])
  }
  // When nothing is on its way any more; the SDKs' timers are not waited for by anybody.
  process.once('beforeExit', () => writeSync(1, JSON.stringify({ spans, answers })))
}

/** The arguments of a call, as SDKs of Node take them: one object. */
export function told({ do: _, ...rest }) {
  return rest
}
