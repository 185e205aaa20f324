// Run as a process of its own, which nothing else makes larger: floods a cache and reports what that took. Owns the floods.
// Never judges: cache-hostile-floods.test.js does.
'use strict'

const v8 = require('node:v8')
const vm = require('node:vm')
const face = require('../../index.js')

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

const MIB = 1024 ** 2

/** Megabytes that are resident, without what JavaScript has only not collected yet. */
async function resident() {
  for (let round = 0; round < 3; round++) {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage.rss() / MIB
}

/**
 * What the flood is made of, made and let go before anything is measured: V8 keeps pages that garbage has once taken.
 * @param {number} times
 * @param {(time: number) => unknown} make
 */
function litter(times, make) {
  for (let time = 0; time < times; time++) JSON.stringify(make(time))
}

const floods = {
  /** Two million keys, each value a little different. */
  async keys(report) {
    const cache = face.cache('flooded', { maxBytes: 64 * MIB })
    cache.set('warm', 1)
    litter(200_000, (key) => ({ key, filler: 'x'.repeat(key % 200) }))
    await report()
    for (let key = 0; key < 2_000_000; key++) {
      cache.set(`stranger-${key}`, { key, filler: 'x'.repeat(key % 200) })
      if (key % 500_000 === 499_999) await report(cache.stats())
    }
  },

  /** The same, one crossing for many, with values of all sizes. */
  async sizes(report) {
    const cache = face.cache('flooded', { maxBytes: 64 * MIB })
    const values = Array.from({ length: 17 }, (_, power) => 'x'.repeat(2 ** power))
    cache.set('warm', 1)
    litter(60, (batch) => Array.from({ length: 500 }, (_, key) => JSON.stringify(values[(key * 7 + batch) % 17])))
    await report()
    for (let batch = 0; batch < 240; batch++) {
      cache.setMany(Array.from({ length: 500 }, (_, key) => [`${batch}:${key}`, values[(key * 7 + batch) % 17]]))
      if (batch % 60 === 59) await report(cache.stats())
    }
  },

  /** Five million tags, invalidated or expired a hundred at a time, beside an entry that is written again and again. */
  async tags(report) {
    const cache = face.cache('flooded', { maxBytes: 64 * MIB, grace: '1h' })
    cache.set('warm', 1, { tags: ['warm'] })
    cache.invalidateTag('warm')
    litter(5000, (batch) => Array.from({ length: 100 }, (_, index) => `tag-${batch}-${index}`))
    await report()
    for (let batch = 0; batch < 50_000; batch++) {
      const tags = Array.from({ length: 100 }, (_, index) => `tag-${batch}-${index}`)
      cache.set('tagged', batch, { tags })
      if (cache.get('tagged') !== batch) throw new Error('it is not there')
      if (batch % 2 === 0) cache.invalidateTag(...tags)
      else cache.expireTag(...tags)
      if (cache.get('tagged') !== undefined) throw new Error('it is still there')
      if (batch % 12_500 === 12_499) await report(cache.stats())
    }
  },

  /** Filled and emptied, over and over. */
  async clears(report) {
    const cache = face.cache('flooded', { maxBytes: 512 * MIB })
    cache.set('warm', 1)
    await report()
    for (let round = 0; round < 3; round++) {
      for (let batch = 0; batch < 400; batch++) {
        cache.setMany(
          Array.from({ length: 500 }, (_, key) => [`${batch}:${key}`, { batch, key, filler: 'x'.repeat(500) }]),
        )
      }
      await report(cache.stats())
      cache.clear()
      await report(cache.stats())
    }
  },
}

async function main(flood) {
  const reports = []
  await floods[flood](async (stats) => void reports.push({ residentMiB: await resident(), stats }))
  process.send(reports)
}

if (require.main === module) main(process.argv[2])
