// Lets go of a response nobody will read. Owns how: a short body is read to its end, so that its connection can be used again;
// any other is given up. Never waits long, never reads much, and never fails.
'use strict'

const deadlines = require('../../lib/deadlines.js')

/** What is read rather than to open a connection anew; an error page is smaller. */
const SHORT_BYTES = 65_536
const SHORT_MS = 1_000

/** @param {Response} response */
function letGo({ body, headers }) {
  // Somebody reads it after all, a listener of the policy's for instance.
  if (body == null || body.locked) return
  const isLong = Number(headers.get('content-length')) > SHORT_BYTES
  const gone = isLong ? body.cancel() : drained(body.getReader())
  // Broken in the middle: nothing is held any more.
  gone.catch(() => {})
}

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
async function drained(reader) {
  const giveUp = () => reader.cancel()
  const deadline = deadlines.schedule(SHORT_MS, () => giveUp().catch(() => {}))
  try {
    for (let left = SHORT_BYTES; left > 0;) {
      const { done, value } = await reader.read()
      if (done) return
      left -= value.byteLength
    }
    await giveUp()
  } finally {
    deadlines.cancel(deadline)
  }
}

module.exports = { letGo }
