// Percentiles of how long calls took, against a sorted list. Owns lib/latency.js; needs no time and no native side.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { Latency } = require('../lib/latency.js')

/** The share as a list of all calls tells it. */
const exact = (sorted, share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]

function numbers(seed) {
  return () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return (seed + 0.5) / 2 ** 32
  }
}

test('a percentile is never too short, and at most an eighth too long', () => {
  const random = numbers(7)
  const shapes = {
    even: () => random() * 1000,
    exponential: () => -Math.log(random()) * 50,
    heavy: () => random() ** -2,
    tiny: () => random() * 0.05,
    huge: () => 60_000 + random() * 1_800_000,
  }
  for (const [shape, draw] of Object.entries(shapes)) {
    for (const count of [1, 2, 19, 20, 1000, 5000]) {
      const latency = new Latency()
      const all = Array.from({ length: count }, draw)
      for (const each of all) latency.record(each)
      all.sort((a, b) => a - b)
      for (const share of [0.01, 0.5, 0.95, 0.99, 1]) {
        const [told, true_] = [latency.percentile(share), exact(all, share)]
        // Times are kept to a whole microsecond.
        assert.ok(told >= true_ - 0.0006, `${shape}: p${share * 100} of ${count} is ${true_}, not ${told}`)
        assert.ok(told <= true_ * 1.125 + 0.0006, `${shape}: p${share * 100} of ${count} is ${true_}, not ${told}`)
      }
    }
  }
})

test('every microsecond up to a second is told to an eighth, also at the edges of buckets', () => {
  for (let micros = 0; micros < 1_000_000; micros = micros < 2000 ? micros + 1 : Math.floor(micros * 1.01)) {
    const latency = new Latency()
    latency.record(micros / 1000)
    latency.record(3_600_000)
    const told = latency.percentile(0.5) * 1000
    assert.ok(told >= micros - 0.001 && told <= micros * 1.125 + 0.001, `${micros} is told as ${told}`)
  }
})

test('no percentile is longer than the longest call', () => {
  const latency = new Latency()
  latency.record(100)
  assert.deepEqual(latency.report(), { count: 1, meanMs: 100, p50Ms: 100, p95Ms: 100, p99Ms: 100, maxMs: 100 })
})

test('without calls all is nothing', () => {
  assert.deepEqual(new Latency().report(), { count: 0, meanMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 })
  assert.equal(new Latency().percentile(0.95), 0)
})

test('the mean and the longest are exact', () => {
  const latency = new Latency()
  for (const each of [1, 2, 3, 10]) latency.record(each)
  const { count, meanMs, maxMs } = latency.report()
  assert.deepEqual({ count, meanMs, maxMs }, { count: 4, meanMs: 4, maxMs: 10 })
})

test('what takes longer than the last bucket reaches, or less than nothing, is still counted', () => {
  const latency = new Latency()
  for (const each of [86_400_000, 3_000_000, 2 ** 31, Infinity]) latency.record(each)
  assert.equal(latency.count, 4)
  assert.ok(latency.percentile(0.5) >= 2_147_000)
  const none = new Latency()
  none.record(-1)
  none.record(0)
  assert.equal(none.count, 2)
  assert.equal(none.percentile(0.99), 0)
})

test('when half is forgotten the shape stays, and new calls outweigh old ones twice', () => {
  const latency = new Latency()
  for (let call = 0; call < 1000; call++) latency.record(call < 950 ? 10 : 100)
  const before = latency.percentile(0.9)
  latency.halve()
  assert.equal(latency.count, 500)
  assert.equal(latency.percentile(0.9), before)
  assert.ok(latency.percentile(0.99) >= 100)
  for (let call = 0; call < 600; call++) latency.record(1000)
  assert.ok(latency.percentile(0.5) > 900)
})

test('halving to nothing leaves nothing', () => {
  const latency = new Latency()
  for (let call = 0; call < 5; call++) latency.record(7 ** call)
  latency.halve()
  assert.equal(latency.count, 0)
  assert.equal(latency.percentile(0.95), 0)
  assert.equal(latency.report().meanMs, 0)
})
