// Owns the run: each comparison in processes of its own, one after the other, tables as they come, everything into a file at the end.
// Must never measure here, and never write a figure that was not measured in this very run.
'use strict'

const { fork } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { cases, alone } = require('./cases/index.js')
const { machine, versions } = require('./machine.js')
const { merge } = require('./merge.js')
const { order } = require('./plan.js')
const { render, table } = require('./table.js')

/**
 * @param {string} name
 * @param {import('./plan.js').Plan} plan
 * @returns {Promise<import('./duel.js').Report>}
 */
function inArena(name, plan) {
  return new Promise((resolve, reject) => {
    const arena = fork(path.join(__dirname, 'arena.js'), { serialization: 'advanced' })
    arena.once('message', (/** @type {any} */ { report, failure }) => (report ? resolve(report) : reject(failure)))
    arena.once('exit', (code, signal) => reject(`the process ended with ${signal ?? code} and no report`))
    arena.send({ name, plan })
  })
}

/**
 * @param {string} name
 * @param {import('./plan.js').Plan} plan
 */
async function compare(name, plan) {
  const arenas = alone.has(name) ? 1 : plan.arenas
  const share = (/** @type {number} */ rounds) => Math.ceil(rounds / arenas)
  const reports = []
  for (let arena = 0; arena < arenas; arena++) {
    const part = { rounds: share(plan.rounds), requestRounds: share(plan.requestRounds), seed: plan.seed + arena }
    reports.push(await inArena(name, { ...plan, ...part }))
  }
  return merge(reports)
}

async function main() {
  const { plan, only, jsonFile } = order(process.argv.slice(2), Object.keys(cases), Date.now() >>> 0)
  const about = { machine: machine(), versions: versions(), plan }
  const { node, v8, platform, cpu, cores, load } = about.machine
  console.log(`Node ${node} (V8 ${v8}), ${platform}, ${cpu}, ${cores} cores, load ${load.toFixed(2)}`)
  console.log(table([['package', 'version'], ...Object.entries(about.versions)], ['left', 'left']))
  console.log(`\nseed ${plan.seed}; a ratio is taken within one round; verdicts come from its p10 – p90\n`)

  const reports = []
  const failures = []
  for (const name of only) {
    try {
      const report = await compare(name, plan)
      reports.push(report)
      console.log(`${render(report)}\n`)
    } catch (failure) {
      failures.push({ name, failure: String(failure) })
      console.log(`${name}: FAILED\n  ${String(failure)}\n`)
    }
  }

  const targets = reports.flatMap((report) => report.targets.map((target) => ({ name: report.name, ...target })))
  const tally = ['met', 'unclear', 'missed', 'skipped'].map(
    (verdict) => `${targets.filter((target) => target.verdict === verdict).length} ${verdict}`,
  )
  console.log(`targets: ${tally.join(', ')}${failures.length > 0 ? `; ${failures.length} comparisons failed` : ''}`)
  for (const target of targets.filter(({ verdict }) => verdict !== 'met')) {
    console.log(`  ${target.verdict}: ${target.name}: ${target.text}`)
  }

  if (jsonFile) fs.writeFileSync(jsonFile, `${JSON.stringify({ ...about, reports, failures }, null, 2)}\n`)
  // A missed target is news; a comparison that could not be made, or one without us in it, is a broken run.
  if (failures.length > 0 || targets.some(({ verdict }) => verdict === 'skipped')) process.exitCode = 1
}

main().catch((error) => {
  console.error(error.message)
  process.exitCode = 2
})
