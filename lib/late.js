// What is due late because the event loop was blocked. Owns the rule that input which lies there unread comes first.
// Never keeps anything waiting for longer than one turn of the loop.
'use strict'

/** What is later than this was kept waiting by the event loop, and an answer may lie there unread. */
const BLOCKED_MS = 20

// As it was at the start: under fake timers nobody would fire it.
const { setImmediate } = globalThis

/**
 * Timers come before input in a turn of the loop: after a block let it be read first what has long arrived.
 * @param {number} lateMs as a deadline tells it
 * @param {() => void} act
 */
function onceRead(lateMs, act) {
  if (lateMs > BLOCKED_MS) setImmediate(act)
  else act()
}

module.exports = { onceRead }
