// Owns one fault: a cold cache while Redis is away: each process for itself.
// Never closes what it has opened: the scene does.
'use strict'

const PROCESSES = 8

module.exports = {
  row: 17,
  fault: 'cold cache, Redis away',
  must: 'one load per process, and no error',
  async run(scene) {
    const callers = scene.length(10_000, 2000) / PROCESSES
    const server = await scene.server()
    const options = { ttl: '1h', loadTimeout: '1s' }
    const hire = () => scene.client('cache', { redis: server.url, options })
    const crew = await Promise.all(Array.from({ length: PROCESSES }, hire))
    await Promise.all(crew.map((client) => client.ask('ready')))
    await server.kill9()
    const answers = await Promise.all(crew.map((client) => client.ask('ask', { key: 'cold', callers })))
    scene.exactly(
      'loads',
      answers.reduce((sum, { loads }) => sum + loads, 0),
      PROCESSES,
    )
    scene.exactly(
      'answers of others or errors',
      answers.filter(({ by }, at) => by.length !== 1 || by[0] !== crew[at].pid).length,
      0,
    )
    await scene.leaves(crew[0])
  },
}
