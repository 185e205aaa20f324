// What limiters ought to answer, counted in the plainest way there is: big integers, maps, no words and no tricks.
// Owns the oracle. Never asks the package anything.
'use strict'

const MILLI = 1_000_000n
const SECOND = 1000n * MILLI

/** Nanoseconds of milliseconds, in whole ones as a clock hands them over. */
const nanos = (ms) => BigInt(Math.trunc(ms)) * MILLI + BigInt(Math.trunc((ms - Math.trunc(ms)) * 1e6))
const up = (span, unit) => (span + unit - 1n) / unit
const least = (value) => (value > 0n ? value : 0n)

/** A clock with two faces: the wall's, which jumps, and one for spans, which waits for a second and then goes on. */
class NaiveClock {
  #latest = -Infinity
  #ahead = 0

  read(ms) {
    const now = ms + this.#ahead
    if (this.#latest - now > 1000) this.#ahead += this.#latest - now
    else this.#latest = Math.max(this.#latest, now)
    return { mono: nanos(this.#latest), wall: nanos(Math.max(ms, 0)) }
  }
}

/** A debt that is paid off with time. */
class NaiveBucket {
  static clock = 'mono'
  #owed = 0n
  #at = 0n

  static rule({ limit, windowMs, burst }) {
    const period = up(nanos(windowMs), BigInt(limit))
    return { period, burst, full: BigInt(burst) * period }
  }

  #owes(now) {
    return least(this.#owed - (now - this.#at))
  }

  settle() {}

  ask({ period, burst, full }, cost, now, patience = 0n) {
    const owed = this.#owes(now)
    const held = { remaining: least(full - owed) / period, reset: owed, wait: 0n, retry: 0n }
    if (cost === 0) return { answer: 'allowed', ...held }
    if (cost > burst) return { answer: 'impossible', ...held }
    const debt = owed + BigInt(cost) * period
    if (debt > full + patience) return { answer: 'limited', ...held, retry: debt - full - patience }
    return {
      answer: 'allowed',
      remaining: least(full - debt) / period,
      reset: debt,
      wait: least(debt - full),
      retry: 0n,
    }
  }

  spend({ period }, cost, now) {
    this.#owed = this.#owes(now) + BigInt(cost) * period
    this.#at = now
  }

  /** At once: the whole of it. */
  undo({ period }, cost, now) {
    this.#owed = this.#owes(now) - BigInt(cost) * period
    this.#at = now
  }

  refund({ period }, cost, now, chargedAt) {
    const owed = this.#owes(now)
    this.#owed = least(owed - least(BigInt(cost) * period - (now - chargedAt)))
    this.#at = now
  }
}

/** Counts of the windows of the calendar, by their number. */
class NaiveWindow {
  static clock = 'wall'
  /** The latest that has begun, also if what was charged in it was given back. */
  id = 0n
  current = 0n
  previous = 0n

  static rule({ limit, windowMs }) {
    return { limit: BigInt(limit), width: nanos(windowMs) }
  }

  /** The window that is charged at `now`, what counts in it, and where in it that is. */
  stand({ width }, now) {
    const id = now / width
    const into = now % width
    const ahead = this.id - id
    if (ahead > 0n) {
      const early = ahead * width - into
      const { current, previous } = this
      // A clock just behind another is in that one's window; one far behind has been set back, and takes its counts along.
      return early <= SECOND
        ? { id: this.id, into: 0n, early, current, previous }
        : { id, into, early: 0n, current, previous }
    }
    if (ahead === 0n) return { id, into, early: 0n, current: this.current, previous: this.previous }
    return { id, into, early: 0n, current: 0n, previous: ahead === -1n ? this.current : 0n }
  }

  settle(rule, now) {
    if (this.id > now / rule.width) this.id = this.stand(rule, now).id
  }

  spend(rule, cost, now) {
    const { id, current, previous } = this.stand(rule, now)
    Object.assign(this, { id, previous, current: current + BigInt(cost) })
  }

  undo(_rule, cost) {
    this.current -= BigInt(cost)
  }

  refund({ width }, cost, _now, chargedAt) {
    if (this.id === chargedAt / width) this.current = least(this.current - BigInt(cost))
  }
}

class NaiveFixed extends NaiveWindow {
  ask(rule, cost, now) {
    const { into, early, current } = this.stand(rule, now)
    const left = early + rule.width - into
    const held = { remaining: least(rule.limit - current), reset: current === 0n ? 0n : left, wait: 0n, retry: 0n }
    if (cost === 0) return { answer: 'allowed', ...held }
    if (BigInt(cost) > rule.limit) return { answer: 'impossible', ...held }
    const spent = current + BigInt(cost)
    if (spent > rule.limit) return { answer: 'limited', ...held, retry: left }
    return { answer: 'allowed', remaining: rule.limit - spent, reset: left, wait: 0n, retry: 0n }
  }
}

class NaiveSliding extends NaiveWindow {
  ask(rule, cost, now) {
    const { width, limit } = rule
    const { into, early, current, previous } = this.stand(rule, now)
    const end = early + width - into
    const weighed = (count, at) => up(count * (width - at), width)
    const reset = (one) => (one > 0n ? end + width : previous > 0n ? end : 0n)
    const spent = weighed(previous, into) + current
    const held = { remaining: least(limit - spent), reset: reset(current), wait: 0n, retry: 0n }
    if (cost === 0) return { answer: 'allowed', ...held }
    if (BigInt(cost) > limit) return { answer: 'impossible', ...held }
    const room = limit - BigInt(cost)
    if (spent <= room) {
      const after = spent + BigInt(cost)
      return { answer: 'allowed', remaining: limit - after, reset: reset(current + BigInt(cost)), wait: 0n, retry: 0n }
    }
    /** The first place of a window at which `count` of the one before it weighs at most `free`. */
    const place = (count, free) => {
      let [low, high] = [0n, width]
      while (low < high) {
        const middle = (low + high) / 2n
        if (weighed(count, middle) <= free) high = middle
        else low = middle + 1n
      }
      return low
    }
    const retry = current <= room ? early + place(previous, room - current) - into : end + place(current, room)
    return { answer: 'limited', ...held, retry }
  }
}

const ALGORITHMS = { 'token-bucket': NaiveBucket, 'fixed-window': NaiveFixed, 'sliding-window': NaiveSliding }

/** One limiter of several limits, as `limits` of a handle tell of them. */
class NaiveLimiter {
  #cells = new Map()
  #blocks = new Map()
  counts = { allowed: 0, limited: 0, blocked: 0, shadowed: 0 }

  constructor(name, limits) {
    this.name = name
    this.limits = limits
  }

  /** Each limit with the key's cell and its rate, on the plan if there is one. */
  parts(key, plan) {
    return this.limits.map((own, index) => {
      const Naive = ALGORITHMS[own.algorithm]
      const windowMs = plan?.windowMs ?? own.windowMs
      const burst = plan?.burst ?? plan?.limit ?? own.burst
      const rule = Naive.rule({ limit: plan?.limit ?? own.limit, windowMs, burst })
      const id = JSON.stringify([index, key, windowMs])
      if (!this.#cells.has(id)) this.#cells.set(id, new Naive())
      return { own, limit: plan?.limit ?? own.limit, cell: this.#cells.get(id), rule, clock: Naive.clock }
    })
  }

  blocked(key, now) {
    const left = (this.#blocks.get(key) ?? 0n) - now.mono
    if (left <= 0n) return undefined
    const shadowed = this.limits.every(({ shadow }) => shadow)
    return { ok: shadowed, reason: 'blocked', shadowed, remaining: 0n, retry: left, reset: left, wait: 0n }
  }

  block(key, ms, now) {
    this.#blocks.set(key, now.mono + nanos(ms))
  }

  unblock(key, now) {
    const was = this.blocked(key, now) !== undefined
    this.#blocks.delete(key)
    return was
  }

  reset(key) {
    for (const id of [...this.#cells.keys()]) if (JSON.parse(id)[1] === key) this.#cells.delete(id)
  }

  peek(key, cost, plan, now) {
    const parts = this.parts(key, plan)
    const part = parts.find(({ own }) => !own.shadow) ?? parts[0]
    const blocked = this.blocked(key, now)
    if (blocked !== undefined) return told({ ...blocked, part }, cost)
    const bench = new Bench()
    for (const each of this.parts(key, plan)) {
      const at = now[each.clock]
      const { remaining, reset } = each.cell.ask(each.rule, 0, at)
      bench.note(each, { ...each.cell.ask(each.rule, cost, at), remaining, reset })
    }
    return told(bench.decision(), cost)
  }

  refund(key, { cost, plan, now: charged, shadowed }, now) {
    for (const { own, cell, rule, clock } of this.parts(key, plan)) {
      if (!(shadowed && own.shadow)) cell.refund(rule, cost, now[clock], charged[clock])
    }
  }
}

/** Verdicts, of which the longest denial or else the tightest admission is told. */
class Bench {
  #denial
  #muttered
  #tightest
  #tightestInShadow

  get denies() {
    return this.#denial !== undefined
  }

  note(part, verdict) {
    const said = { part, ...verdict }
    const longer = (one, other) =>
      other === undefined ||
      (one.answer === 'impossible' && other.answer !== 'impossible') ||
      (one.answer === other.answer && one.retry > other.retry)
    const tighter = (one, other) =>
      other === undefined ||
      one.remaining < other.remaining ||
      (one.remaining === other.remaining &&
        (one.wait > other.wait || (one.wait === other.wait && one.reset > other.reset)))
    if (verdict.answer === 'allowed') {
      if (part.own.shadow) {
        if (tighter(said, this.#tightestInShadow)) this.#tightestInShadow = said
      } else if (tighter(said, this.#tightest)) this.#tightest = said
    } else if (part.own.shadow) {
      if (longer(said, this.#muttered)) this.#muttered = said
    } else if (longer(said, this.#denial)) {
      this.#denial = said
    }
  }

  decision() {
    const said = this.#denial ?? this.#muttered ?? this.#tightest ?? this.#tightestInShadow
    const shadowed = this.#denial === undefined && this.#muttered !== undefined
    return { ...said, reason: said.answer, shadowed, ok: said.answer === 'allowed' || shadowed }
  }
}

/** As JavaScript is told. */
function told({ ok, reason, shadowed, part, remaining, retry, reset, wait }, cost, reserved = false) {
  const decision = {
    ok,
    reason,
    limit: part.limit,
    remaining: Number(remaining),
    cost,
    retryAfterMs: reason === 'impossible' ? Infinity : reason === 'allowed' ? 0 : Number(up(retry, MILLI)),
    resetMs: Number(up(reset, MILLI)),
    decidedBy: 'local',
    limiter: part.own.name,
  }
  if (shadowed) decision.shadowed = true
  if (reserved) decision.waitMs = ok ? Number(up(wait, MILLI)) : 0
  return decision
}

/**
 * All or nothing over several limiters.
 * @param {{ limiter: NaiveLimiter, key: string, cost: number, plan?: object }[]} charges
 * @param {number} [maxWait] milliseconds; then it is a reservation
 */
function consumeAll(charges, now, maxWait) {
  const reserved = maxWait !== undefined
  const tell = (decision, index) => {
    const { counts } = charges[index].limiter
    if (decision.shadowed) counts.shadowed++
    else if (decision.reason === 'blocked') counts.blocked++
    else if (decision.reason !== 'allowed') counts.limited++
    if (decision.ok) {
      for (const [each, { limiter }] of charges.entries()) {
        if (!(decision.shadowed && each === index)) limiter.counts.allowed++
      }
    }
    return told(decision, charges[index].cost, reserved)
  }
  let blockedInShadow
  for (const [index, { limiter, key, plan }] of charges.entries()) {
    const blocked = limiter.blocked(key, now)
    if (blocked === undefined) continue
    const parts = limiter.parts(key, plan)
    const decision = { ...blocked, part: parts.find(({ own }) => !own.shadow) ?? parts[0] }
    if (!blocked.shadowed) return tell(decision, index)
    blockedInShadow = [decision, index]
  }
  const bench = new Bench()
  const taken = []
  for (const [index, { limiter, key, cost, plan }] of charges.entries()) {
    for (const part of limiter.parts(key, plan)) {
      const at = now[part.clock]
      if (!bench.denies && cost > 0) part.cell.settle(part.rule, at)
      const verdict = part.cell.ask(part.rule, cost, at, reserved ? nanos(maxWait) : undefined)
      const denied = bench.denies
      bench.note({ ...part, index }, verdict)
      if (!denied && verdict.answer === 'allowed' && cost > 0) {
        part.cell.spend(part.rule, cost, at)
        taken.push([part, cost, at])
      }
      // At once: what is asked after a denial is asked as if nothing had been tried.
      if (bench.denies) for (const each of taken.splice(0)) each[0].cell.undo(each[0].rule, each[1], each[2])
    }
  }
  const decision = bench.decision()
  return blockedInShadow && decision.reason === 'allowed'
    ? tell(...blockedInShadow)
    : tell(decision, decision.part.index)
}

module.exports = { NaiveClock, NaiveLimiter, consumeAll }
