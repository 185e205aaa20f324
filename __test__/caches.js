// A cache on a clock that a test moves, and loads that it settles by hand. Owns these stand-ins.
// Never asserts anything, and never waits for real.
'use strict'

const { spillway } = require('../index.js')
const { fate, turn } = require('./staged.js')

/** A cache on a clock that stands still until it is told. Its expiries do not vary. */
function opened(t, options = {}) {
  const clock = { now: 1_700_000_000_000 }
  const sp = spillway({ clock: () => clock.now })
  t.after(() => sp.close())
  return { sp, clock, cache: sp.cache('found', { jitter: 0, ...options }) }
}

/** The same with faked timers, which move the clock of the cache as well. */
function faked(t, options = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 })
  const sp = spillway({ clock: () => Date.now() })
  t.after(() => sp.close())
  return { sp, pass: (ms) => t.mock.timers.tick(ms), cache: sp.cache('found', { jitter: 0, ...options }) }
}

/** Two handles of one cache, as two threads have them. */
function twice(t, options = {}) {
  const prefix = `twice-${++pairs}`
  const both = [spillway({ prefix }), spillway({ prefix })]
  t.after(() => Promise.all(both.map((sp) => sp.close())))
  return both.map((sp) => sp.cache('shared', { jitter: 0, ...options }))
}
let pairs = 0

/** A loader whose calls a test settles, by their number, and the last one by itself. */
function loader() {
  const all = { calls: 0, contexts: [], settles: [] }
  all.load = (context) => {
    all.calls++
    all.contexts.push(context)
    return new Promise((...settle) => {
      all.settles.push(settle)
      ;[all.resolve, all.reject] = settle
    })
  }
  return all
}

/** A loader that must not be called. */
const never = () => {
  throw new Error('it was loaded')
}

const thrower = (error) => () => {
  throw error
}

module.exports = { opened, faked, twice, loader, turn, never, thrower, fate }
