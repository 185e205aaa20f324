// Owns the reading of how long this thread has been ready to run and was not let, because others had the processors.
// Must never count what it waits for by itself, such as a lock.
'use strict'

const fs = require('node:fs')

/** Of the thread that opens it. Undefined where the system does not say. */
const file = (() => {
  try {
    return fs.openSync('/proc/thread-self/schedstat', 'r')
  } catch {
    return undefined
  }
})()
const text = Buffer.alloc(64)

/** Nanoseconds this thread has waited for a processor since it began; 0 where the system does not say. */
function waitedNs() {
  if (file === undefined) return 0
  const length = fs.readSync(file, text, 0, text.length, 0)
  return Number(text.toString('latin1', 0, length).split(' ')[1])
}

module.exports = { waitedNs }
