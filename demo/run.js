// Owns one run: starts upstream, service and load as processes, lets them go at one moment, collects their reports.
// Never leaves a process behind, however the run ends.
'use strict'

const { fork } = require('node:child_process')
const { join } = require('node:path')
const { tally } = require('./tally.js')

/**
 * @typedef {import('./schedule.js').Schedule} Schedule
 * @typedef {'without' | 'with'} Variant
 * @typedef {Awaited<ReturnType<typeof run>>} Result
 */

/** Time for all to hear the starting gun. */
const HEAD_START_MS = 200

/** @type {Set<import('node:child_process').ChildProcess>} */
const alive = new Set()

function stopAll() {
  for (const process of alive) process.kill('SIGKILL')
}

/** Starts `file` and gives it its task. */
function start(/** @type {string} */ file, /** @type {object} */ task) {
  const process = fork(join(__dirname, file), { serialization: 'advanced' })
  /** @type {Map<string, (news: any) => void>} */
  const listeners = new Map()
  alive.add(process)
  process.on('message', (/** @type {Record<string, any>} */ message) => {
    for (const [word, news] of Object.entries(message)) listeners.get(word)?.(news)
  })
  const ended = new Promise((_resolve, reject) => {
    process.on('error', reject)
    process.on('exit', (code, signal) => {
      alive.delete(process)
      reject(new Error(`${file} ended early, with ${signal ?? `code ${code}`}`))
    })
  })
  // Whoever waits for a word hears of an early end; when nobody waits, it was not early.
  ended.catch(() => {})
  const child = {
    /** @param {object} message */
    say: (message) => process.send(message),
    /** @param {string} word @param {(news: any) => void} listener */
    on: (word, listener) => listeners.set(word, listener),
    /** @param {string} word @returns {Promise<any>} */
    hear: (word) => Promise.race([new Promise((resolve) => listeners.set(word, resolve)), ended]),
    /** What it has to report; it ends with that. */
    finish: () => {
      const report = child.hear('report')
      process.send({ finish: true })
      return report
    },
    ended,
  }
  const ready = child.hear('ready')
  process.send({ task })
  return ready.then((words) => ({ ...child, ready: words }))
}

/**
 * @param {Variant} variant
 * @param {Schedule} schedule
 * @param {number} seed
 * @param {(news: { ms: number, load: any, breaker?: string }) => void} onNews
 */
async function run(variant, schedule, seed, onNews) {
  const upstream = await start('upstream.js', { schedule })
  const service = await start('service.js', { schedule, variant, upstream: upstream.ready.origin })
  const load = await start('load.js', { schedule, seed, origin: service.ready.origin })

  /** @type {{ ms: number, state: string }[]} */
  const breaker = []
  let ms = 0
  service.on('tick', ({ breaker: state }) => {
    if (state !== undefined) breaker.push({ ms, state })
  })
  const answered = new Promise((resolve) => {
    load.on('tick', (news) => {
      if (news.allAnswered) return resolve(undefined)
      ms = news.ms
      return onNews({ ms, load: news, breaker: breaker.at(-1)?.state })
    })
  })
  const at = Date.now() + HEAD_START_MS
  for (const child of [upstream, service, load]) child.say({ start: { at } })
  await Promise.race([answered, ...[upstream, service, load].map((child) => child.ended)])

  const { answers, lateMs } = await load.finish()
  const [serviceReport, upstreamReport] = [await service.finish(), await upstream.finish()]
  return { ...tally(answers, schedule), service: serviceReport, upstream: upstreamReport, breaker, lateMs }
}

module.exports = { run, stopAll }
