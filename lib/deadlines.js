// All deadlines of an environment in one heap on one timer, that of setTimeout at the moment, so that fake timers work.
// Never sets a timer per call, and never keeps the process alive once nothing is due.
'use strict'

/**
 * @typedef {object} Deadline
 * @property {number} at on the clock of performance.now()
 * @property {() => void} onDue
 * @property {number} index where it stands in the heap; -1 when it does not
 */

/** @type {Deadline[]} a binary heap, the earliest first */
const heap = []

/** @type {{ handle: any, at: number, setTimeout: typeof setTimeout, clearTimeout: typeof clearTimeout } | null} */
let armed = null

/**
 * Call `onDue` in so many milliseconds, unless cancelled.
 * @param {number} milliseconds
 * @param {() => void} onDue
 * @returns {Deadline}
 */
function schedule(milliseconds, onDue) {
  const deadline = { at: performance.now() + milliseconds, onDue, index: heap.length }
  heap.push(deadline)
  rise(deadline)
  // Another setTimeout than the one that armed: a test has begun, or ended, to fake it.
  if (armed === null || heap[0].at < armed.at || armed.setTimeout !== globalThis.setTimeout) arm(performance.now())
  else armed.handle.ref?.()
  return deadline
}

/** @param {Deadline} deadline */
function cancel(deadline) {
  remove(deadline)
  // The timer stays for the next deadline: arming one anew for every call would cost more than a timer that fires for nothing.
  if (heap.length === 0) armed?.handle.unref?.()
}

/** @param {number} now */
function arm(now) {
  armed?.clearTimeout(armed.handle)
  const at = heap[0].at
  const { setTimeout, clearTimeout } = globalThis
  armed = { handle: setTimeout(fire, Math.max(1, Math.ceil(at - now)), at), at, setTimeout, clearTimeout }
}

/** @param {number} armedFor */
function fire(armedFor) {
  armed = null
  // Fake timers may fire without moving the clock: what the timer was armed for is due.
  const now = Math.max(performance.now(), armedFor)
  while (heap.length > 0 && heap[0].at <= now) {
    const due = heap[0]
    remove(due)
    due.onDue()
  }
  if (heap.length > 0 && armed === null) arm(now)
}

/** @param {Deadline} deadline */
function remove(deadline) {
  const { index } = deadline
  if (index < 0) return
  deadline.index = -1
  const last = /** @type {Deadline} */ (heap.pop())
  if (last === deadline) return
  heap[index] = last
  last.index = index
  rise(last)
  sink(last)
}

/** @param {Deadline} deadline */
function rise(deadline) {
  while (deadline.index > 0) {
    const parent = heap[(deadline.index - 1) >> 1]
    if (parent.at <= deadline.at) return
    swap(parent, deadline)
  }
}

/** @param {Deadline} deadline */
function sink(deadline) {
  for (;;) {
    const left = heap[2 * deadline.index + 1]
    const right = heap[2 * deadline.index + 2]
    const child = right !== undefined && right.at < left.at ? right : left
    if (child === undefined || deadline.at <= child.at) return
    swap(deadline, child)
  }
}

/**
 * @param {Deadline} above
 * @param {Deadline} below
 */
function swap(above, below) {
  const index = above.index
  above.index = below.index
  below.index = index
  heap[above.index] = above
  heap[below.index] = below
}

module.exports = { schedule, cancel }
