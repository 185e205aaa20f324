// One scenario in a process of its own: `node cell.js FILE [--short]`. Owns how it is run and told, in one line of JSON at the end.
// Never runs two, and never longer than it may.
'use strict'

const { Scene } = require('./scene.js')

async function main([file, form]) {
  const scenario = require(file)
  const scene = new Scene({ short: form === '--short' })
  let broken
  const began = performance.now()
  try {
    await scenario.run(scene)
    if (scene.checks.length === 0) throw new Error('it has checked nothing')
  } catch (error) {
    broken = error.stack ?? String(error)
  }
  await scene.close()
  const seconds = (performance.now() - began) / 1000
  process.stdout.write(`${JSON.stringify({ checks: scene.checks, broken, seconds })}\n`)
}

main(process.argv.slice(2))
