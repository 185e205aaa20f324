// Owns the comparison of the limiter's other calls with a plain consume: several at once, and with more to them than a key.
// Must never count a call of several keys as several calls, unless they are answered one by one.
'use strict'

const { duel } = require('../duel.js')
const ours = require('../ours.js')
const sink = require('../sink.js')
const { keys, visits, MASK } = require('../workload.js')

const LIMIT = 1_000_000_000
const WINDOW_MS = 3_600_000
const DAY_MS = 86_400_000
const MANY = 100

/** The visits in hundreds. */
const hundreds = Array.from({ length: Math.floor(visits.length / MANY) }, (_, n) =>
  visits.slice(n * MANY, (n + 1) * MANY),
)

/** @param {import('./index.js').Arena} arena */
module.exports = function together(arena) {
  return duel(
    {
      name: 'together',
      title: 'the calls of a limiter beside consume, 1,000 hot keys',
      contestants: contestants(),
      wanted: [
        { ours: 'consumeAll', peer: 'consume', atMost: 2.2 },
        { ours: 'consumeMany', peer: 'consume', atMost: 1 },
      ],
    },
    arena,
  )
}

/** @returns {import('../measure.js').Contestant[]} */
function contestants() {
  const { found, missing } = ours.spillway()
  if (!found) return ['consume', 'consumeAll', 'consumeMany'].map((name) => ({ name, skipped: missing }))
  const api = found.spillway({ prefix: 'together' })
  const open = (/** @type {string} */ name, more = {}) =>
    api.limiter(name, { limit: LIMIT, window: WINDOW_MS, ...more })

  const [paced, planned, guarded, closed] = [open('paced'), open('planned'), open('guarded'), open('closed')]
  const shadow = open('shadow', { limit: 1, window: DAY_MS, shadow: true })
  const spent = open('spent', { limit: 1, window: DAY_MS })
  for (const key of keys) {
    shadow.consume(key)
    spent.consume(key)
    closed.block(key, '1d')
  }
  guarded.block('somebody else', '1d')
  const plan = { limit: LIMIT / 2 }

  return [
    consume(open('plain')),
    consumeAll(api, open('user'), open('organisation')),
    twoConsumes(open('first'), open('second')),
    consumeMany(open('many')),
    other('reserve', (key) => paced.reserve(key, 1, { maxWait: 1000 })),
    other('consume with a plan', (key) => planned.consume(key, 1, plan)),
    other('consume in shadow', (key) => shadow.consume(key), { note: 'would have been denied' }),
    other('consume beside a block', (key) => guarded.consume(key), { note: "of somebody else's key" }),
    other('denied', (key) => spent.consume(key), { ok: false }),
    other('blocked', (key) => closed.consume(key), { ok: false }),
  ]
}

/** @param {any} limiter @returns {import('../measure.js').Contestant} */
function consume(limiter) {
  return {
    name: 'consume',
    run(calls) {
      let admitted = 0
      for (let call = 0; call < calls; call++) {
        const decision = limiter.consume(visits[call & MASK])
        if (decision.ok) admitted++
        sink.last = decision
      }
      return admitted
    },
  }
}

/**
 * @param {any} api
 * @param {any} user
 * @param {any} organisation
 * @returns {import('../measure.js').Contestant}
 */
function consumeAll(api, user, organisation) {
  return {
    name: 'consumeAll',
    note: 'of two limiters',
    run(calls) {
      let admitted = 0
      for (let call = 0; call < calls; call++) {
        const key = visits[call & MASK]
        const decision = api.consumeAll([
          { limiter: user, key },
          { limiter: organisation, key },
        ])
        if (decision.ok) admitted++
        sink.last = decision
      }
      return admitted
    },
  }
}

/** @param {any} first @param {any} second @returns {import('../measure.js').Contestant} */
function twoConsumes(first, second) {
  return {
    name: 'two consumes',
    note: 'of two limiters, one after the other',
    run(calls) {
      let admitted = 0
      for (let call = 0; call < calls; call++) {
        const key = visits[call & MASK]
        const decision = first.consume(key)
        if (decision.ok && second.consume(key).ok) admitted++
        sink.last = decision
      }
      return admitted
    },
  }
}

/** @param {any} limiter @returns {import('../measure.js').Contestant} */
function consumeMany(limiter) {
  return {
    name: 'consumeMany',
    note: `${MANY} keys a call; the time is for each key`,
    run(calls) {
      let admitted = 0
      for (let call = 0, turn = 0; call < calls; call += MANY, turn++) {
        const batch = hundreds[turn % hundreds.length]
        const decisions = limiter.consumeMany(calls - call < MANY ? batch.slice(0, calls - call) : batch)
        for (const decision of decisions) if (decision.ok) admitted++
        sink.last = decisions
      }
      return admitted
    },
  }
}

/**
 * One of those that are shown and not judged: they share a loop, and pay for it.
 * @param {string} name
 * @param {(key: string) => { ok: boolean }} ask
 * @param {{ note?: string, ok?: boolean }} [more]
 * @returns {import('../measure.js').Contestant}
 */
function other(name, ask, { note, ok = true } = {}) {
  return {
    name,
    note,
    run(calls) {
      let right = 0
      for (let call = 0; call < calls; call++) {
        const decision = ask(visits[call & MASK])
        if (decision.ok === ok) right++
        sink.last = decision
      }
      return right
    },
  }
}
