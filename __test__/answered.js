// A second tier that a test answers by hand: what a cache asks of Redis is listed, and answered when and as the test says. Owns this
// stand-in. Never decides anything, and never opens a connection.
'use strict'

const { cacheFunctions, cacheShape } = require('../lib/cache-shape.js')
const { details, native } = require('../lib/native.js')
const { RemoteCache } = require('../lib/remote-cache.js')

/** The calls that ask Redis, and what each is given, behind the cache it is of. */
const ASKING = [
  'cacheFetch',
  'cacheClaim',
  'cacheSetFar',
  'cacheSetManyFar',
  'cacheDeleteFar',
  'cacheExpireFar',
  'cacheDeletePrefixFar',
  'cacheTagsFar',
  'cacheClearFar',
  'cacheVersionFar',
  'cacheScan',
]

const CODE = { MISS: 0, HIT: 1, LEAD: 3, ALONE: 4, FOREIGN: 5, GONE: 6, OWED: 7 }
let opened = 0

/**
 * A cache over such a tier. `asked` lists what waits for an answer: `{ call, given, answer(code, { numbers, payload }) }`.
 * With `down`, all is answered at once, as native code does once it knows that Redis is not there.
 */
function answered(t, options = {}) {
  const binary = native()
  const registry = binary.newRegistry()
  const opening = { registry, prefix: '', name: `answered-${++opened}`, replace: false }
  const shape = cacheShape({ jitter: 0, ...options }, 'answered', false)
  const id = binary.openCache(opening, shape)
  t.after(() => {
    binary.letGo(id, true)
    binary.closeRegistry(registry)
  })
  const tier = { asked: [], down: false, id, binary }
  let asks = 0
  let payload
  const reads = new Map()
  const far = Object.create(binary)
  for (const call of ASKING) {
    far[call] = (_id, ...given) => {
      if (tier.down) return downAnswer(call)
      const ask = asks++
      const answer = (code, { numbers = {}, payload: carried } = {}) => {
        tier.asked.splice(tier.asked.indexOf(one), 1)
        const read = reads.get(ask)
        for (const [at, number] of Object.entries(numbers)) details[at] = number
        payload = carried
        read(code)
      }
      const one = { call, given, answer }
      tier.asked.push(one)
      return ask
    }
  }
  const place = {
    kind: 'cache',
    name: 'answered',
    native: far,
    now: () => performance.now(),
    wall: () => Date.now(),
    isManual: false,
    cold: (call) => call(far),
    dispose: (id) => binary.letGo(id, true),
    asks: {
      settled: (ask, read) =>
        new Promise((resolve, reject) => {
          reads.set(ask, (code) => {
            try {
              resolve(read(code))
            } catch (error) {
              reject(error)
            }
          })
        }),
      payload: () => payload,
    },
  }
  const cache = new RemoteCache(place, id, shape)
  RemoteCache.setFunctions(cache, cacheFunctions(options))
  return { cache, tier, calls: () => tier.asked.map(({ call }) => call) }
}

function downAnswer(call) {
  details[0] = 0
  if (call === 'cacheFetch' || call === 'cacheScan') return null
  return true
}

/** The numbers of something found: fresh for so long, in this state, so old. */
const found = ({ freshForMs = 1000, stamp = 0, state = 0, ageMs = 5, flags = 0 } = {}) => {
  return { 4: freshForMs, 5: stamp, 6: state, 8: ageMs, 9: flags }
}

/** Has native code land what is found on the receipt of a claim, as the tier does, and answers that. */
function landed(tier, one, payload, numbers = {}) {
  const [, receipt] = one.given
  tier.binary.cacheLand(tier.id, receipt, payload, undefined, undefined)
  const stamp = details[5]
  one.answer(CODE.HIT, { numbers: found({ stamp, ...numbers }), payload })
}

module.exports = { answered, found, landed, CODE }
