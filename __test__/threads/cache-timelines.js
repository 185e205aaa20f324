// Run as a process of its own, where nobody else has caches: random timelines of the whole JavaScript face of caches, each beside the
// oracle of cache-oracle.js. Owns the comparison. Never says what is right: the oracle does.
'use strict'

const assert = require('node:assert/strict')
const { mock } = require('node:test')
const { spillway } = require('../../index.js')
const { details } = require('../../lib/native.js')
const { NaiveCache } = require('../cache-oracle.js')
const { randomOf } = require('../limiters.js')
const { turn } = require('./crew.js')

const START = 1_700_000_000_000
const TAGS = ['red', 'green', 'blue', '\ud800']
const PREFIXES = ['a', 'a:', 'b', 'none']
const YEAR = 365 * 86_400_000

/** Keys no two of which share a number that tells of changes: what shares one is loaded as if it had been changed, too. */
function keysOf(cache) {
  const slots = new Set()
  const apart = ['a:1', 'b:1', 'a:2', 'b:2', 'a:3', 'b:3'].filter((key) => {
    cache.get(key)
    const [slot] = details
    const alone = !slots.has(slot)
    slots.add(slot)
    return alone
  })
  return apart.slice(0, 3)
}

async function ticks(count) {
  for (let tick = 0; tick < count; tick++) await undefined
}

/** One cache and its oracle, on one clock, asked the same. */
class Pair {
  clock = { now: START }
  pending = []
  #happened = []
  #history = []
  #calls = 0
  #values = 0
  #asking = false

  constructor(random, options) {
    this.random = random
    this.options = options
    this.sp = spillway({ env: false, clock: () => this.clock.now })
    this.real = this.sp.cache('found', options)
    this.keys = keysOf(this.real)
    const ratios = new Map(this.keys.map((key) => [key, this.#ratio(key)]))
    for (const ratio of ratios.values()) assert.ok(Math.abs(ratio - 1) <= options.jitter, `jitter by ${ratio}`)
    this.naive = new NaiveCache(options, (key) => ratios.get(key))
    this.naive.now = this.clock.now
    const { hits, misses, deletes, sets } = this.real.stats()
    this.before = { hits, misses, deletes, sets }
  }

  /** By what jitter multiplies the time to live of a key. */
  #ratio(key) {
    this.real.set(key, 0, { ttl: YEAR })
    const { freshForMs } = this.real.entry(key)
    this.real.delete(key)
    return freshForMs / YEAR
  }

  one(choices) {
    return choices[this.random(choices.length)]
  }

  /** Each tag one time in so many. */
  tags(rarity = 3) {
    return TAGS.filter(() => this.random(rarity) === 0)
  }

  note(...step) {
    this.#history.push([this.clock.now - START, ...step])
  }

  same(real, naive) {
    const [one, other] = [real, naive].map((each) => JSON.stringify(each))
    if (one !== other)
      assert.fail(
        `it is ${one}\nnot ${other}\n${[this.options, ...this.#history].map((step) => JSON.stringify(step)).join('\n')}`,
      )
  }

  /** The same call of both, with the same answer. */
  both(what, ...given) {
    this.note(what, ...given)
    this.same(this.real[what](...given) ?? null, this.naive[what](...given) ?? null)
  }

  entry(key) {
    this.note('entry', key)
    const [one, other] = [this.real.entry(key), this.naive.entry(key)]
    this.same(one && shown(one), other && shown(other))
  }

  /** How a load ends: with a value, with nothing or with an error; and what its loader says of it. */
  outcome() {
    const draw = this.random(10)
    const outcome = draw < 6 ? { value: this.#value() } : draw < 7 ? {} : { error: `down ${this.random(1000)}` }
    if (this.random(3) === 0) outcome.ttl = this.one([1, 20, 50, 300])
    if (this.random(3) === 0) outcome.tags = this.tags()
    return outcome
  }

  /** One that is nowhere else. */
  #value() {
    const number = ++this.#values
    return this.one([number, { number }, [number], `number ${number}`])
  }

  kept() {
    const options = {}
    if (this.random(3) === 0) options.ttl = this.one([1, 20, 50, 300])
    if (this.random(2) === 0) options.tags = this.tags()
    return options
  }

  set() {
    const value = this.options.negativeTtl > 0 && this.random(8) === 0 ? undefined : this.#value()
    this.both('set', this.one(this.keys), value, this.kept())
  }

  setMany() {
    const entries = Array.from({ length: this.random(4) }, () => [this.one(this.keys), this.#value(), this.kept()])
    this.note('setMany', entries)
    this.real.setMany(entries)
    for (const entry of entries) this.naive.set(...entry)
  }

  getMany() {
    const keys = Array.from({ length: this.random(5) }, () => this.one(this.keys))
    this.note('getMany', keys)
    const [one, other] = [this.real.getMany(keys), keys.map((key) => this.naive.get(key))]
    this.same(one, other)
  }

  /** Somebody asks, with a loader that ends at once or later. */
  ask() {
    const call = { id: ++this.#calls, key: this.one(this.keys), ...this.kept() }
    if (this.random(10) === 0) call.reload = true
    if (this.random(2) === 0) call.outcome = this.outcome()
    if (this.random(4) === 0) call.early = this.tags()
    call.entry = this.random(2) === 0
    this.note('ask', call)
    const { id, key, ttl, tags, reload, entry } = call
    const load = (context) => {
      this.#happened.push({ load: id, previous: context.previous })
      if (call.early !== undefined) context.tags(...call.early)
      if (call.outcome !== undefined) {
        if (this.#asking) return this.#ended(context, call.outcome)
        // It takes over: those whose load has just failed are answered first.
        return ticks(30).then(() => this.#ended(context, call.outcome))
      }
      return new Promise((resolve) => this.pending.push({ id, resolve })).then((outcome) =>
        this.#ended(context, outcome),
      )
    }
    this.#asking = true
    const asked = this.real[entry ? 'getOrSetEntry' : 'getOrSet'](key, load, { ttl, tags, reload })
    this.#asking = false
    asked.then(
      (answer) => this.#happened.push({ answer: id, ...(entry ? shown(answer) : { value: answer }) }),
      (error) => this.#happened.push({ answer: id, error: error.code ?? error.message }),
    )
    this.naive.ask(call)
  }

  /** What a loader does at its end. */
  #ended(context, { value, error, ttl, tags }) {
    if (tags !== undefined) context.tags(...tags)
    if (ttl !== undefined) context.ttl(ttl)
    if (error === undefined) return value
    if (error.length % 2 === 0) throw new Error(error)
    return Promise.reject(new Error(error))
  }

  settle() {
    if (this.pending.length === 0) return
    const [{ id, resolve }] = this.pending.splice(this.random(this.pending.length), 1)
    const outcome = this.outcome()
    this.note('settle', id, outcome)
    resolve(outcome)
    this.naive.settle(id, outcome)
  }

  /** What has happened since this was last asked is the same. */
  async compare(seen) {
    await turn()
    if (this.#happened.length + this.naive.happened.length === 0) return
    const order = (one, other) => (one.answer ?? 0) - (other.answer ?? 0) || (one.load ?? 0) - (other.load ?? 0)
    const [one, other] = [this.#happened, this.naive.happened].map((all) => all.map(plain).sort(order))
    this.same(one, other)
    for (const { answer, load, state, error, loadError, negative, previous } of one) {
      count(seen, answer === undefined ? 'load' : (state ?? (error === undefined ? 'value' : 'error')))
      if (negative) count(seen, 'negative')
      if (loadError !== undefined) count(seen, 'loadError')
      if (error === 'E_TIMEOUT' || loadError === 'E_TIMEOUT') count(seen, 'E_TIMEOUT')
      if (load !== undefined && previous !== undefined) count(seen, 'previous')
    }
    this.#happened = []
    this.naive.happened = []
  }

  /** Let time pass, from one thing that is due to the next. */
  async pass(milliseconds, seen) {
    this.note('pass', milliseconds)
    const until = this.clock.now + milliseconds
    while (this.clock.now < until) {
      const next = Math.min(until, this.naive.due)
      const passed = next - this.clock.now
      this.clock.now = next
      mock.timers.tick(passed)
      this.naive.pass(next)
      if (this.naive.tied) return turn()
      await this.compare(seen)
    }
  }

  /** What is written of it is what happened. */
  numbers() {
    const stats = this.real.stats()
    for (const [what, count] of Object.entries(this.before)) stats[what] -= count
    const told = Object.fromEntries(Object.keys(this.naive.counts).map((what) => [what, stats[what]]))
    this.same(told, this.naive.counts)
  }
}

/** What is said of an entry. */
function shown({ value, state, negative, ageMs, freshForMs, loadError }) {
  return { value, state, negative, ageMs, freshForMs: stepped(freshForMs), loadError: said(loadError) }
}

/** Times are kept in steps of ten microseconds; of what is not fresh it is said that it is not, not for how long. */
const stepped = (milliseconds) => milliseconds && Math.max(0, Math.round(milliseconds * 100) / 100)

const said = (error) => (error instanceof Error ? (error.code ?? error.message) : error)

/** Undefined and missing are the same here. */
const plain = (event) => JSON.parse(JSON.stringify({ ...event, freshForMs: stepped(event.freshForMs) }))

function count(seen, what) {
  seen[what] = (seen[what] ?? 0) + 1
}

function optionsOf(random) {
  const one = (choices) => choices[random(choices.length)]
  return {
    ttl: one([50, 100]),
    jitter: one([0, 0, 0.3]),
    stale: one([0, 30, 200]),
    grace: one([0, 40, 300, 300]),
    negativeTtl: one([0, 30, 120]),
    loadTimeout: one([60, 500]),
    softTimeout: one([undefined, 25]),
    version: one([undefined, '1']),
  }
}

/** What may come next, the frequent things more often. */
const STEP = [
  [22, (pair) => pair.ask()],
  [12, (pair, seen) => pair.pass(pair.one([1, 5, 10, 20, 30, 49, 50, 51, 100, 330]), seen)],
  [10, (pair) => pair.settle()],
  [9, (pair) => pair.both('get', pair.one(pair.keys))],
  [9, (pair) => pair.entry(pair.one(pair.keys))],
  [9, (pair) => pair.set()],
  [3, (pair) => pair.getMany()],
  [2, (pair) => pair.setMany()],
  [3, (pair) => pair.both('delete', pair.one(pair.keys))],
  [4, (pair) => pair.both('expire', pair.one(pair.keys))],
  [4, (pair) => pair.both('invalidateTag', ...pair.tags(2))],
  [4, (pair) => pair.both('expireTag', ...pair.tags(2))],
  [1, (pair) => pair.both('deletePrefix', pair.one(PREFIXES))],
  [1, (pair) => pair.both('clear')],
  [1, (pair) => pair.both('setVersion', pair.one(['1', '2']))],
].flatMap(([times, act]) => Array(times).fill(act))

/** Timelines with the numbers from `first` to `last`, and how often each thing was seen in them. */
async function timelines({ first, last, steps }) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START })
  const seen = {}
  for (let timeline = first; timeline < last; timeline++) {
    const random = randomOf(1 + timeline * 7919)
    const pair = new Pair(random, optionsOf(random))
    for (let step = 0; step < steps && !pair.naive.tied; step++) {
      await STEP[random(STEP.length)](pair, seen)
      if (!pair.naive.tied) await pair.compare(seen)
    }
    count(seen, pair.naive.tied ? 'tied' : 'whole')
    if (!pair.naive.tied) pair.numbers()
    await pair.sp.close()
  }
  return seen
}

timelines(JSON.parse(process.argv[2])).then(
  (seen) => process.send({ seen }),
  (error) => process.send({ failure: error.stack }),
)
