// Owns the comparison of a hundred keys in one crossing with a hundred crossings.
// Must never miss: every key is set before, and lives longer than the run.
'use strict'

const { duel } = require('../duel.js')
const { seeded } = require('../interleave.js')
const { object, objectKey } = require('../objects.js')
const ours = require('../ours.js')
const sink = require('../sink.js')

const TTL_MS = 3_600_000
const BATCH = 100
/** Far more than there are copies of, so that most reads go for the bytes. */
const MANY = 100_000
const HOT = 1_000

/** @param {import('./index.js').Arena} arena */
module.exports = function many(arena) {
  const { found, missing } = ours.spillway()
  const names = ['get', 'set'].flatMap((verb) => [`100 × ${verb}`, `${verb}Many of 100`])
  return duel(
    {
      name: 'many',
      title: 'a hundred keys at a time, in ns a key',
      contestants: found ? contestants(found.spillway()) : names.map((name) => ({ name, skipped: missing })),
      wanted: [],
    },
    arena,
  )
}

/**
 * @param {any} set
 * @returns {import('../measure.js').Contestant[]}
 */
function contestants(set) {
  const cache = set.cache('many', { ttl: TTL_MS, maxBytes: 2 ** 30 })
  for (let n = 0; n < MANY; n++) cache.set(objectKey(n), object(n))
  const value = object(0)
  const random = seeded(7)
  const draw = (/** @type {number} */ among) =>
    Array.from({ length: BATCH }, () => objectKey(Math.floor(random() * among)))
  const [hot, cold] = [HOT, MANY].map((among) => Array.from({ length: 512 }, () => draw(among)))
  const entries = cold.map((keys) => keys.map((key) => [key, value]))

  /** @type {(name: string, batches: any[][], answer: (batch: any[]) => number) => import('../measure.js').Contestant} */
  const contestant = (name, batches, answer) => {
    let turn = 0
    return {
      name,
      run(calls) {
        let right = 0
        for (let left = calls; left > 0; left -= BATCH) {
          const batch = batches[turn++ % batches.length]
          right += answer(left < BATCH ? batch.slice(0, left) : batch)
        }
        return right
      },
    }
  }
  /** @param {string[]} keys */
  const getEach = (keys) => {
    let hits = 0
    for (const key of keys) {
      const hit = cache.get(key)
      if (hit.active) hits++
      sink.last = hit
    }
    return hits
  }
  /** @param {string[]} keys */
  const getMany = (keys) => {
    let hits = 0
    for (const hit of cache.getMany(keys)) {
      if (hit.active) hits++
      sink.last = hit
    }
    return hits
  }
  return [
    contestant('100 × get, 1,000 hot keys', hot, getEach),
    contestant('getMany of 100, 1,000 hot keys', hot, getMany),
    contestant('100 × get of 100,000 keys', cold, getEach),
    contestant('getMany of 100 of 100,000 keys', cold, getMany),
    contestant('100 × set', entries, (batch) => {
      for (const [key, each] of batch) cache.set(key, each)
      return batch.length
    }),
    contestant('setMany of 100', entries, (batch) => {
      cache.setMany(batch)
      return batch.length
    }),
  ]
}
