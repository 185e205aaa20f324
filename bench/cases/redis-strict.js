// Owns the comparison of strict limiters over Redis under load, 64 decisions at a time: throughput, the client's processor, the tail.
// Must never call Redis itself slow: with a script it is the bound, and its own benchmark stands beside.
'use strict'

const { execFile } = require('node:child_process')
const { promisify } = require('node:util')
const { judged, row } = require('../duel.js')
const { againstRedis, rows } = require('../redis.js')
const { sent } = require('../sent.js')
const { ratios } = require('../verdict.js')

const AT_ONCE = 64
const AUTO = { AUTO_PIPELINING: '1' }

/** @param {import('./index.js').Arena} arena */
module.exports = async function redisStrict(arena) {
  /** @type {number[]} */
  let bound = []
  const measured = await againstRedis(
    {
      atOnce: AT_ONCE,
      clients: async (server) => {
        bound = await benchmark(server.port, await sent(server), arena.plan.runs)
        return [
          { name: 'spillway', kind: 'bucket', note: 'token bucket, a script' },
          { name: 'spillway, fixed window', kind: 'window', note: 'plain commands' },
          { name: 'rate-limiter-flexible', kind: 'flexible', note: 'fixed window, a script, over ioredis' },
          { name: 'the same, auto-pipelining', kind: 'flexible', env: AUTO },
        ]
      },
    },
    arena,
  )
  const { figures } = measured
  const of = (/** @type {string} */ name, /** @type {import('../redis.js').Figure} */ figure) =>
    figures.get(name)?.[figure] ?? []
  const against = (/** @type {string} */ ours, /** @type {import('../redis.js').Figure} */ figure) =>
    ratios(of(ours, figure), of('rate-limiter-flexible', figure))
  return {
    name: 'redisStrict',
    title: `strict limiters on one Redis, ${AT_ONCE} decisions at a time, 1,000 hot keys, all admitted`,
    unit: 'ns/decision',
    rows: [
      ...rows(measured, 'ns', 'wall'),
      row({ name: 'redis-benchmark, our script', note: 'what this Redis does at most, one key a script' }, bound),
      ...rows(measured, 'cpuNs', 'processor'),
      ...rows(measured, 'p99', 'p99'),
      ...rows(measured, 'loopP99Ms', 'loop delay p99, ms'),
    ],
    targets: [
      judged('token bucket / rate-limiter-flexible, wall', against('spillway', 'ns'), 1 / 1.2),
      judged('the same, processor of the client', against('spillway', 'cpuNs'), 1 / 3),
      judged('the same, p99', against('spillway', 'p99'), 1 / 2),
      judged('fixed window / rate-limiter-flexible, wall', against('spillway, fixed window', 'ns'), 1 / 2.5),
      judged('loop delay p99 in ms', of('spillway', 'loopP99Ms'), 5),
    ],
    notes: [
      'processor: of the client process, all its threads; the server has a process of its own, and so has each client',
    ],
  }
}

/**
 * Nanoseconds a call of what our client sends takes Redis, as its own benchmark sees it.
 * @param {number} port
 * @param {string[]} command
 * @param {number} runs
 */
async function benchmark(port, command, runs) {
  const args = ['-p', String(port), '-c', String(AT_ONCE), '-n', '50000', '--csv', ...command]
  const found = []
  for (let run = 0; run < runs; run++) {
    const { stdout } = await promisify(execFile)('redis-benchmark', args)
    const line = stdout.trim().split('\n').at(-1) ?? ''
    found.push(1e9 / Number(line.split('","')[1]))
  }
  return found
}
