// A cache as a list of entries and a list of loads, for one thread: every mutation walks all of them, and nothing is ever compared by
// generation. Owns what is fresh, stale, in grace or gone, who loads, and what everybody is answered. Never shares a line with lib/.
'use strict'

const STATES = ['fresh', 'stale', 'grace']

/** Tags with when each of them was expired last: never. */
const untouched = (tags) => new Map(tags.map((tag) => [tag, Infinity]))

/** Ends are kept in steps of ten microseconds, rounded down. */
const stepped = (milliseconds) => Math.floor(milliseconds * 100 + 1e-6) / 100

/**
 * @typedef {object} Call somebody's `getOrSet`
 * @property {number} id
 * @property {string} key
 * @property {number} [ttl]
 * @property {string[]} [tags]
 * @property {boolean} [reload]
 * @property {boolean} [entry] whether it was `getOrSetEntry`
 * @property {string[]} [early] tags that its loader tells as soon as it runs
 * @property {Outcome} [outcome] how its loader ends, at once; without it, by `settle`
 *
 * @typedef {object} Outcome of a load
 * @property {unknown} [value]
 * @property {string} [error]
 * @property {number} [ttl]
 * @property {string[]} [tags]
 */

class NaiveCache {
  now = 0
  /** Whether two loads of one key came to their deadline at the same time, or two who waited for one: which is first is nobody's promise. */
  tied = false
  /** What happened since it was last emptied: loads that began and answers that were given. */
  happened = []
  counts = { hits: 0, misses: 0, stale: 0, graced: 0, loads: 0, loadFailures: 0, sets: 0, deletes: 0 }
  #options
  #ratioOf
  #entries = new Map()
  /** Loads under way. Of a key at most one is current: the one whose result may be stored. */
  #flights = new Set()
  /** Callers who are answered together, the last ones of each key. */
  #parties = new Map()
  #epoch = 0
  #changes = new Map()
  #timers = []
  #queue = []
  #late = []

  /**
   * @param {{ ttl: number, stale: number, grace: number, negativeTtl: number, softTimeout?: number, loadTimeout: number, version?: string }} options in milliseconds
   * @param {(key: string) => number} ratioOf by what jitter multiplies a key's time to live
   */
  constructor(options, ratioOf) {
    this.#options = options
    this.#ratioOf = ratioOf
    this.version = options.version
  }

  // -------------------------------------------------------------- what is there

  #stateOf({ at, ttl, stale, grace, expiredAt, tags }) {
    const end = at + ttl + stale + grace
    const expired = Math.min(expiredAt, ...tags.values())
    if (expired < Infinity) return this.now < Math.min(end, expired + grace) ? 'grace' : 'gone'
    if (this.now < at + ttl) return 'fresh'
    if (this.now < at + ttl + stale) return 'stale'
    return this.now < end ? 'grace' : 'gone'
  }

  /** The entry of a key as a reader sees it who takes states up to `upTo`. */
  #look(key, upTo) {
    const entry = this.#entries.get(key)
    const state = entry && this.#stateOf(entry)
    if (entry === undefined || state === 'gone' || STATES.indexOf(state) > STATES.indexOf(upTo)) return undefined
    const { value, negative, at, ttl } = entry
    return { value, state, negative, ageMs: this.now - at, freshForMs: state === 'fresh' ? at + ttl - this.now : 0 }
  }

  get(key) {
    const found = this.#look(key, 'fresh')
    this.counts[found === undefined ? 'misses' : 'hits']++
    return found?.value
  }

  entry(key) {
    return this.#look(key, 'grace')
  }

  // -------------------------------------------------------------- what changes it

  #put(key, value, { ttl, tags = [] }) {
    const { negativeTtl, ...usual } = this.#options
    const negative = value === undefined
    const { stale, grace } = negative ? { stale: 0, grace: 0 } : usual
    const life = stepped((negative ? negativeTtl : (ttl ?? usual.ttl)) * this.#ratioOf(key))
    this.#entries.set(key, {
      value,
      negative,
      at: this.now,
      ttl: life,
      stale,
      grace,
      expiredAt: Infinity,
      tags: untouched(tags),
    })
  }

  /** Loads under way for keys of which `concerns` is true store nothing, and nobody who asks from now on waits for them. */
  #detach(concerns) {
    for (const flight of this.#flights) if (concerns(flight.key)) flight.current = false
  }

  /** Who asks from now on shares no promise with who has asked before. */
  #changed(key) {
    this.#changes.set(key, (this.#changes.get(key) ?? 0) + 1)
  }

  set(key, value, options = {}) {
    this.#put(key, value, options)
    this.#detach((other) => other === key)
    this.#changed(key)
    this.counts.sets++
  }

  delete(key) {
    const was = this.#look(key, 'grace') !== undefined
    this.#entries.delete(key)
    this.#detach((other) => other === key)
    this.#changed(key)
    this.counts.deletes++
    return was
  }

  /** Whether it was fresh or stale. */
  #expireEntry(key) {
    const entry = this.#entries.get(key)
    if (entry === undefined || this.#look(key, 'stale') === undefined) return false
    if (entry.negative) this.#entries.delete(key)
    else entry.expiredAt = this.now
    return true
  }

  /** When each tag was expired last, and whether what was born before all that is gone: by one that was more than expired. */
  #expired(events) {
    const expired = new Map()
    let gone = false
    for (const { tag, soft, at } of events) {
      // Grace that has ended is not begun anew.
      gone ||= !soft || expired.get(tag) + this.#options.grace <= at
      expired.set(tag, at)
    }
    return { expired, gone }
  }

  expire(key) {
    const was = this.#expireEntry(key)
    this.#detach((other) => other === key)
    this.#changed(key)
    return was
  }

  deletePrefix(prefix) {
    let count = 0
    for (const key of [...this.#entries.keys()]) {
      if (!key.startsWith(prefix)) continue
      if (this.#look(key, 'grace') !== undefined) count++
      this.#entries.delete(key)
    }
    this.#detach((key) => key.startsWith(prefix))
    this.#epoch++
    this.counts.deletes += count
    return count
  }

  #forgetTagged(tags, soft) {
    for (const [key, entry] of [...this.#entries]) {
      const concerning = tags.filter((tag) => entry.tags.has(tag))
      if (concerning.length === 0) continue
      // Expired twice, grace counts from the later time; but what has gone does not come back.
      if (!soft || entry.negative || this.#stateOf(entry) === 'gone') this.#entries.delete(key)
      else for (const tag of concerning) entry.tags.set(tag, this.now)
    }
    for (const flight of this.#flights) flight.invalidated.push(...tags.map((tag) => ({ tag, soft, at: this.now })))
    if (tags.length > 0) this.#epoch++
  }

  invalidateTag(...tags) {
    this.#forgetTagged(tags, false)
  }

  expireTag(...tags) {
    this.#forgetTagged(tags, true)
  }

  clear() {
    this.#entries.clear()
    this.#detach(() => true)
    this.#epoch++
  }

  setVersion(version) {
    if (version === this.version) return false
    this.version = version
    this.clear()
    return true
  }

  // -------------------------------------------------------------- who loads

  /** @param {Call} call */
  ask(call) {
    const found = call.reload ? undefined : this.#look(call.key, 'stale')
    if (!call.reload) this.counts[found === undefined ? 'misses' : found.state === 'fresh' ? 'hits' : 'stale']++
    if (found !== undefined) this.#answer(call, found)
    if (found === undefined) this.#board(call)
    else if (found.state === 'stale' && this.#currentOf(call.key) === undefined) this.#lead(this.#partyOf(call))
    this.#runQueue()
  }

  #board(call) {
    const last = this.#parties.get(call.key)
    const shared = last?.over === false && last.epoch === this.#epoch && last.changes === this.#changes.get(call.key)
    const party = shared ? last : this.#partyOf(call)
    const caller = { call, answered: false }
    party.callers.push(caller)
    if (!shared) {
      const flight = this.#currentOf(call.key)
      if (flight === undefined) this.#lead(party)
      else this.#wait(party, flight)
    }
    if (this.#options.softTimeout !== undefined) this.#after(this.#options.softTimeout, () => this.#soften(caller))
  }

  #currentOf(key) {
    return [...this.#flights].find((flight) => flight.key === key && flight.current)
  }

  #partyOf(call) {
    const { key } = call
    const party = { call, callers: [], over: false, epoch: this.#epoch, changes: this.#changes.get(key), missed: false }
    this.#parties.set(key, party)
    return party
  }

  /** A party remembers whether anything was invalidated before it came. */
  #wait(party, flight) {
    party.missed = flight.invalidated.length > 0
    flight.waiting.push(party)
  }

  #lead(party, flight = { key: party.call.key, current: true, waiting: [] }, takesOver = false) {
    flight.leader = party
    flight.invalidated = []
    this.#flights.add(flight)
    this.counts.loads++
    this.happened.push({ load: party.call.id, previous: this.#look(flight.key, 'grace')?.value })
    const runs = () => flight.leader === party && !party.over
    const expire = () => {
      if (runs()) this.#fail(flight, 'E_TIMEOUT')
    }
    this.#after(this.#options.loadTimeout, expire, () => runs() && flight)
    const { outcome } = party.call
    if (outcome !== undefined) (takesOver ? this.#late : this.#queue).push(() => this.#end(flight, outcome))
  }

  /** The load that this call's loader began ends now. */
  settle(id, outcome) {
    for (const flight of this.#flights) if (flight.leader.call.id === id) this.#end(flight, outcome)
    this.#runQueue()
  }

  #end(flight, outcome) {
    if (outcome.error !== undefined) this.#fail(flight, outcome.error)
    else this.#land(flight, outcome)
  }

  #land(flight, { value, ttl = flight.leader.call.ttl, tags = [] }) {
    const { key, leader, invalidated, waiting } = flight
    const all = [...(leader.call.tags ?? []), ...(leader.call.early ?? []), ...tags]
    const concerning = invalidated.filter(({ tag }) => all.includes(tag))
    const negative = value === undefined
    // What is not kept is no older than now, and fresh for nobody who asks later.
    let found = { value, state: 'fresh', negative, ageMs: 0, freshForMs: 0 }
    const kept = !negative || this.#options.negativeTtl > 0
    const { expired, gone } = this.#expired(concerning)
    if (flight.current && !(kept && gone)) {
      // That there is nothing is an answer, too: what was there goes.
      this.#entries.delete(key)
      if (kept) this.#put(key, value, { ttl, tags: all })
      // Of what has been expired meanwhile there is only grace, from then on.
      if (negative && expired.size > 0) this.#entries.delete(key)
      for (const [tag, at] of expired) this.#entries.get(key)?.tags.set(tag, at)
      found = this.#look(key, 'grace') ?? found
    }
    if (flight.current) this.#changed(key)
    // Who came after an invalidation must not get what was loaded before it. Which one it was nobody looks into.
    const invalid = concerning.length > 0
    const [again, served] = [[], [leader]]
    for (const party of waiting) (invalid && party.missed ? again : served).push(party)
    for (const party of served) this.#answerAll(party, found)
    flight.waiting = again
    this.#handOver(flight)
  }

  #fail(flight, error) {
    this.counts.loadFailures++
    const { leader } = flight
    leader.over = true
    this.#queue.push(() => this.#answerFailed(leader, error))
    this.#handOver(flight)
  }

  #answerFailed({ call: { key }, callers }, error) {
    for (const caller of callers) {
      if (caller.answered) continue
      caller.answered = true
      const found = this.#old(key)
      if (found === undefined) this.happened.push({ answer: caller.call.id, error })
      else this.#answerOld(caller.call, { ...found, loadError: error })
    }
  }

  /** Who waited longest loads now. */
  #handOver(flight) {
    const [next, ...others] = flight.waiting
    this.#flights.delete(flight)
    if (next === undefined) return
    flight.waiting = others
    for (const party of others) party.missed = false
    flight.current ||= this.#currentOf(flight.key) === undefined
    this.#lead(next, flight, true)
  }

  #answerAll(party, found) {
    party.over = true
    for (const caller of party.callers) {
      if (!caller.answered) this.#answer(caller.call, found)
      caller.answered = true
    }
  }

  /** A load takes long: who has something in grace has waited long enough. */
  #soften(caller) {
    const found = caller.answered ? undefined : this.#old(caller.call.key)
    if (found === undefined) return
    caller.answered = true
    this.#answerOld(caller.call, found)
  }

  /** What is answered in place of a failure, or of waiting longer: only a cache with grace has any. */
  #old(key) {
    return this.#options.grace > 0 ? this.#look(key, 'grace') : undefined
  }

  #answerOld(call, found) {
    if (found.state === 'grace') this.counts.graced++
    this.#answer(call, found)
  }

  #answer({ id, entry }, { value, state, negative, ageMs, freshForMs, loadError }) {
    this.happened.push({ answer: id, value, ...(entry && { state, negative, ageMs, freshForMs, loadError }) })
  }

  // -------------------------------------------------------------- time

  /** `ends` answers which load it would end. */
  #after(milliseconds, act, ends = () => false) {
    this.#timers.push({ at: this.now + milliseconds, act, ends })
  }

  /** When something is due next. */
  get due() {
    return Math.min(Infinity, ...this.#timers.map(({ at }) => at))
  }

  /** Time has come to `now`, and nothing was due on the way. */
  pass(now) {
    this.now = now
    const due = this.#timers.filter(({ at }) => at <= now)
    this.#timers = this.#timers.filter(({ at }) => at > now)
    const ended = due.map(({ ends }) => ends()).filter(Boolean)
    const keys = new Set(ended.map(({ key }) => key))
    this.tied ||= keys.size < ended.length || ended.some(({ waiting }) => waiting.length > 1)
    for (const { act } of due) act()
    this.#runQueue()
  }

  /** What needs no time happens in its order, each thing after what caused it, and what takes over a load last. */
  #runQueue() {
    while (this.#queue.length + this.#late.length > 0) (this.#queue.shift() ?? this.#late.shift())()
  }
}

module.exports = { NaiveCache }
