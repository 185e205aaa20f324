// All deadlines of an environment in one heap on one timer, that of setTimeout at the moment, so that fake timers work.
// Never sets a timer per call, and never keeps the process alive once nothing is due.
'use strict'

const { nobody } = require('./async-context.js')

/**
 * @typedef {object} Deadline
 * @property {number} at on the clock of now()
 * @property {(lateMs: number) => void} onDue told how late it is, since a busy loop lets nobody be in time
 * @property {number} index where it stands in the heap; -1 when it does not
 */

/** @type {Deadline[]} a binary heap, the earliest first */
const heap = []

/** @typedef {{ handle: any, at: number, setTimeout: typeof setTimeout, clearTimeout: typeof clearTimeout }} Timer */
/** @type {Timer | null} */
let armed = null

/** setTimeout as it was when this was loaded: any other is a fake. */
const { setTimeout: real } = globalThis
let current = real
let lastRead = 0

/**
 * Call `onDue` in so many milliseconds, unless cancelled.
 * @param {number} milliseconds
 * @param {(lateMs: number) => void} onDue
 * @returns {Deadline}
 */
function schedule(milliseconds, onDue) {
  const time = now()
  const deadline = { at: time + milliseconds, onDue, index: heap.length }
  heap.push(deadline)
  rise(deadline)
  if (armed === null || heap[0].at < armed.at || armed.setTimeout !== current) arm(time)
  else armed.handle.ref?.()
  return deadline
}

/** @param {Deadline} deadline */
function cancel(deadline) {
  remove(deadline)
  // The timer stays for the next deadline: arming one anew for every call would cost more than a timer that fires for nothing.
  if (heap.length === 0) armed?.handle.unref?.()
}

/** Milliseconds on the clock that goes with the setTimeout of the moment: all fake timers move Date, not all performance. */
function now() {
  const faked = globalThis.setTimeout !== real
  const time = faked ? Date.now() : performance.now()
  if (globalThis.setTimeout !== current) {
    // A test has begun, or ended, to fake time: what is pending keeps the time it had left.
    const shift = time - (current === real ? performance.now() : lastRead)
    for (const deadline of heap) deadline.at += shift
    if (armed !== null) armed.at += shift
    current = globalThis.setTimeout
  }
  lastRead = time
  return time
}

/** @param {number} time */
function arm(time) {
  armed?.clearTimeout(armed.handle)
  const { setTimeout, clearTimeout } = globalThis
  /** @type {Timer} */
  const timer = { handle: undefined, at: heap[0].at, setTimeout, clearTimeout }
  const set = () => setTimeout(fire, Math.max(1, Math.ceil(timer.at - time)), timer)
  // In nobody's context, since one timer is for all calls, and would keep the context of whoever came first.
  timer.handle = nobody === undefined ? set() : nobody.runInAsyncScope(set)
  armed = timer
}

/** @param {Timer} timer */
function fire(timer) {
  // Fake timers may fire without moving any clock: what the timer was armed for is due.
  const time = Math.max(now(), timer.at)
  armed = null
  while (heap.length > 0 && heap[0].at <= time) {
    const due = heap[0]
    remove(due)
    due.onDue(time - due.at)
  }
  if (heap.length > 0 && armed === null) arm(time)
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

module.exports = { schedule, cancel, now }
