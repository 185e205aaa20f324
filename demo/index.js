// Owns the demo: the same load against the same service twice, without Spillway and with it, and what to make of it.
// Never needs anything but Node, Express and this package.
'use strict'

const { writeFileSync } = require('node:fs')
const { availableParallelism, cpus } = require('node:os')
const { parseArgs } = require('node:util')
const { arrivals } = require('./arrivals.js')
const { end, fleet } = require('./fleet/index.js')
const { cautions, checks, reading } = require('./reading.js')
const { run, stopAll } = require('./run.js')
const schedules = require('./schedule.js')
const { durationMs } = schedules
const { screen, stylesOf } = require('./screen.js')
const { table, timeline } = require('./table.js')
const { count } = require('./words.js')
const { version } = require('../package.json')

const USAGE = `usage: npm run demo -- [options]

  --json <file>   writes the whole result there
  --redis         three processes on one limit and one cache in Redis, which is killed meanwhile, instead
  --quick         a schedule of seconds: shows that it works, measures little
  --seed <n>      other arrivals (default 1)
`

/** @param {string[]} args */
function optionsOf(args) {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      redis: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (!/^\d{1,9}$/.test(values.seed)) throw new TypeError(`--seed is ${values.seed}; allowed is a whole number`)
  return { ...values, seed: Number(values.seed) }
}

/** Sentences at the width of the table. @param {string} text */
const wrapped = (text) => `  ${text.replace(/(?=\S)(.{1,76})(?:\s|$)/g, '$1\n  ').trim()}`

/** @param {ReturnType<typeof optionsOf>} options */
async function demo({ json, quick, seed }) {
  const schedule = quick ? schedules.quick : schedules.full
  const requests = arrivals(schedule, seed).length
  const out = process.stdout
  const styles = stylesOf(out)
  const print = (/** @type {string[]} */ ...lines) => out.write(lines.map((line) => `${line}\n`).join(''))

  const title = styles.bold(`Spillway ${version}`)
  print(
    '',
    `  ${title}: one Express 5 service, the same load twice, in ${aboutSeconds(schedule)} s`,
    '',
    ...introduction(schedule, requests),
    '',
  )

  const results = /** @type {import('./table.js').Results} */ ({})
  for (const variant of /** @type {const} */ (['without', 'with'])) {
    const live = screen(out, schedule, `${variant} Spillway`)
    live.begin()
    results[variant] = await run(variant, schedule, seed, live.show)
    live.clear()
  }

  print('  Searches answered, by when they were asked', '', ...timeline(results, schedule, styles), '')
  print(...table(results, schedule, styles), '')
  const checked = checks(results, schedule, requests)
  const says = reading(results)
  const warns = cautions(results, checked)
  const wrong = checked.filter(({ ok, always }) => !ok && always)
  for (const sentence of warns) print(styles.yellow(wrapped(sentence)), '')
  for (const sentence of says) print(wrapped(sentence), '')
  for (const { says: claim } of wrong) print(styles.red(wrapped(`This must not be: it is not so that ${claim}.`)), '')

  if (json !== undefined) {
    const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', threads: availableParallelism() }
    const whole = {
      version,
      machine,
      quick,
      seed,
      requests,
      schedule,
      runs: results,
      reading: says,
      cautions: warns,
      checks: checked,
    }
    writeFileSync(json, `${JSON.stringify(whole, null, 2)}\n`)
    print(`  Written to ${json}`, '')
  }
  return wrong.length === 0
}

/** Many processes on one Redis. */
async function many() {
  const out = process.stdout
  const styles = stylesOf(out)
  const print = (/** @type {string[]} */ ...lines) => out.write(lines.map((line) => `${line}\n`).join(''))
  print('', `  ${styles.bold(`Spillway ${version}`)}`)
  const ok = await fleet(print, ({ says, ok }) => `    ${ok ? styles.green('so ') : styles.red('NOT')} ${says}`)
  print('')
  return ok
}

/** Both runs, the answers that are still awaited at the end of the first, and starting six processes. */
const aboutSeconds = (/** @type {import('./schedule.js').Schedule} */ schedule) =>
  Math.ceil((2 * durationMs(schedule) + schedule.without.timeoutMs) / 1000) + 2

/** @param {import('./schedule.js').Schedule} schedule @param {number} requests */
function introduction(schedule, requests) {
  const { search, chat, phases, upstream } = schedule
  const { othersPerSecond: others, noisyPerSecond: noisy } = chat
  const things = count(search.queries)
  const seconds = (/** @type {number} */ ms) => `${ms / 1000} s`
  return [
    `  load      ${count(requests)} requests, each sent when due, whatever became of the others:`,
    `            ${search.perSecond}/s searches for ${things} things, some far more popular than others;`,
    `            ${others}/s chat messages of ${chat.others} tenants, and ${noisy}/s of a noisy one`,
    `  upstream  ${upstream.searchWorkers} workers for search, ${upstream.chatWorkers} for chat`,
    `            search is ${phases.map(({ name, ms }) => `${name} ${seconds(ms)}`).join(', ')}`,
    `  without   each call to the upstream has a timeout of ${seconds(schedule.without.timeoutMs)}`,
    `  with      chat: limited to 30 per 5 min and tenant; search: cache, breaker,`,
    `            and at most 32 calls at a time with a timeout of ${seconds(schedule.with.timeoutMs)}`,
  ]
}

for (const [signal, status] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])) {
  process.on(signal, () => {
    stopAll()
    end()
    process.stdout.write('\n  Stopped.\n')
    process.exit(status)
  })
}
process.on('exit', stopAll)
process.on('exit', end)
// Whoever was reading has seen enough.
process.stdout.on('error', () => process.exit(0))

let options
try {
  options = optionsOf(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${/** @type {Error} */ (error).message}\n\n${USAGE}`)
  process.exit(2)
}
if (options.help) process.stdout.write(USAGE)
else {
  const shown = options.redis ? many() : demo(options)
  shown.then(
    (ok) => {
      process.exitCode = ok ? 0 : 1
    },
    (error) => {
      stopAll()
      process.stderr.write(`\n${error.stack}\n`)
      process.exitCode = 1
    },
  )
}
