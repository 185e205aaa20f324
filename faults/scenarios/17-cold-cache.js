// Owns one fault: a cold cache: ten thousand callers in eight processes want one key at once.
// Never closes what it has opened: the scene does.
'use strict'

const { PATIENT } = require('../budgets.js')

const PROCESSES = 8

module.exports = {
  row: 17,
  fault: `cold cache, callers in ${PROCESSES} processes`,
  must: 'one load in all; a loader that hangs does not wedge the others',
  isPatient: true,
  async run(scene) {
    const callers = scene.length(10_000, 2000) / PROCESSES
    const server = await scene.server()
    const options = { ttl: '1h', loadTimeout: '1s' }
    const hire = () => scene.client('cache', { redis: { url: server.url, deadline: PATIENT }, options })
    const crew = await Promise.all(Array.from({ length: PROCESSES }, hire))
    await Promise.all(crew.map((client) => client.ask('ready')))
    const rounds = scene.length(10, 2)
    let [loads, makers, slowest] = [0, 0, 0]
    for (let round = 0; round < rounds; round++) {
      const answers = await Promise.all(crew.map((client) => client.ask('ask', { key: `cold ${round}`, callers })))
      loads += answers.reduce((sum, each) => sum + each.loads, 0)
      makers += new Set(answers.flatMap(({ by }) => by)).size
      slowest = Math.max(slowest, ...answers.map(({ tookMs }) => tookMs))
    }
    scene.exactly(`loads for ${callers * PROCESSES} callers, ${rounds} times:`, loads, rounds)
    scene.exactly('different values', makers, rounds)
    scene.most('slowest caller', slowest, 1000, ' ms')

    const [first, second, ...others] = crew
    await first.ask('begin', { key: 'hangs', loader: 'hang' })
    await scene.until(
      'the load that hangs',
      async () => (await first.ask('loads')) > 0 && (await server.call('DBSIZE')) > 0,
    )
    const answers = await Promise.all(others.map((client) => client.ask('ask', { key: 'hangs', callers: 10 })))
    scene.exactly(
      'loads after one that hangs',
      answers.reduce((sum, each) => sum + each.loads, 0),
      1,
    )
    scene.most('they waited', Math.max(...answers.map(({ tookMs }) => tookMs)), 2000, ' ms')

    await second.ask('begin', { key: 'killed', loader: 'value', ms: 5000 })
    await scene.sleep(100)
    second.kill()
    const after = await others[0].ask('ask', { key: 'killed', callers: 10 })
    scene.exactly('loads after a killed one', after.loads, 1)
    scene.most('they waited', after.tookMs, 2000, ' ms')
    await scene.leaves(others[0])
  },
}
