// Owns one fault: four processes on one strict limit of a thousand in 365 days, while clients are killed and Redis forgets its scripts.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')

const LIMIT = 1000
const PROCESSES = 4
const FLUSH_EVERY_MS = 50
const OPTIONS = { limit: LIMIT, window: '365d', failMode: 'closed' }

/** Flushes until told to stop. */
async function flushing(scene, server, going) {
  while (going.on) {
    await server.flushScripts()
    await scene.sleep(FLUSH_EVERY_MS)
  }
}

module.exports = {
  row: '9',
  fault: `${PROCESSES} processes on one strict limit, clients killed -9, SCRIPT FLUSH every ${FLUSH_EVERY_MS} ms`,
  must: `exactly ${LIMIT} of a '365d' window are admitted; what a killed process was admitted stays spent`,
  isPatient: true,
  async run(scene) {
    const server = await scene.server()
    const going = { on: true }
    const flushed = flushing(scene, server, going)
    const hired = () => scene.client('limit', { redis: { url: server.url, deadline: PATIENT }, options: OPTIONS })

    let [wrong, unavailable] = [0, 0]
    const rounds = scene.length(20, 2)
    for (let round = 0; round < rounds; round++) {
      const crew = await Promise.all(Array.from({ length: PROCESSES }, hired))
      await Promise.all(crew.map((client) => client.ask('ready')))
      const race = { calls: LIMIT, atOnce: 32, key: `round ${round}` }
      const counts = await Promise.all(crew.map((client) => client.ask('race', race)))
      const sum = (name) => counts.reduce((all, each) => all + each[name], 0)
      unavailable += sum('unavailable') + sum('errors')
      if (sum('admitted') !== LIMIT) wrong++
      await Promise.all(crew.map((client) => client.leave()))
    }
    scene.exactly(`of ${rounds} rounds, those that admitted another number than ${LIMIT}:`, wrong, 0)
    scene.exactly('calls without Redis', unavailable, 0)

    // Half of them are killed in the middle; the others go on until nothing is left.
    const crew = await Promise.all(Array.from({ length: PROCESSES }, hired))
    await Promise.all(crew.map((client) => client.ask('ready')))
    const [first, second, ...killed] = crew
    const doomed = killed.map((client) =>
      client.ask('race', { calls: 10 * LIMIT, atOnce: 4, key: 'killed' }).catch(() => {}),
    )
    await scene.until('some spent', async () => (await first.ask('peek', 'killed')).remaining < 900)
    for (const client of killed) client.kill('SIGKILL')
    await Promise.all(doomed)
    const left = (await first.ask('peek', 'killed')).remaining
    const race = { calls: LIMIT, atOnce: 32, key: 'killed' }
    const survivors = await Promise.all([first, second].map((client) => client.ask('race', race)))
    going.on = false
    await flushed
    const late = survivors[0].admitted + survivors[1].admitted
    scene.check(left > 0, `${LIMIT - left} spent by the killed`)
    // What the killed had sent and Redis had not read yet when it was asked what is left.
    scene.check(late <= left && late >= left - 8, `${late} of the ${left} left admitted to the others`)
    const { remaining } = await first.ask('peek', 'killed')
    scene.exactly('left at the end', remaining, 0)
    for (const client of [first, second]) await scene.leaves(client)
  },
}
