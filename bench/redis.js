// Owns a comparison of clients of one and the same Redis: each a process of its own, taking turns. Starts that Redis and ends it.
// Must never let two of them run at once, nor know who is being compared.
'use strict'

const { startServer } = require('../__test__/redis/servers.js')
const { start } = require('./children/start.js')
const { row } = require('./duel.js')
const { turns } = require('./interleave.js')

/** @typedef {{ name: string, kind: string, note?: string, about?: object, env?: Record<string, string> }} Client */
/** @typedef {'ns' | 'cpuNs' | 'p50' | 'p99' | 'loopP99Ms'} Figure */
/** @typedef {Record<Figure, number[]>} Figures one of each a round */

/** @type {Figure[]} */
const FIGURES = ['ns', 'cpuNs', 'p50', 'p99', 'loopP99Ms']
const WARM_TURNS = 3

/**
 * What each client took, round by round.
 * @param {object} about
 * @param {(server: Awaited<ReturnType<typeof startServer>>) => Promise<Client[]>} about.clients
 * @param {number} about.atOnce calls in flight
 * @param {(round: (name: string) => Promise<void>, server: any) => Promise<void>} [about.beside]
 * @param {import('./cases/index.js').Arena} arena
 */
async function againstRedis({ clients: clientsOf, atOnce }, { plan, random }) {
  const server = await startServer({})
  /** @type {ReturnType<typeof start>[]} */
  const children = []
  try {
    const clients = await clientsOf(server)
    for (const { kind, about, env } of clients) {
      const child = start('redis.js', { env })
      children.push(child)
      await child.ask({ open: { kind, url: server.url, ...about } })
    }
    const calls = []
    for (const [place, child] of children.entries()) {
      let many = 200 * atOnce
      for (let turn = 0; turn < WARM_TURNS; turn++) {
        const { ns } = await asked(child, clients[place].name, many, atOnce)
        many = Math.max(20 * atOnce, Math.round((plan.batchMs * 10 * 1e6) / ns))
      }
      calls.push(many)
    }
    /** @type {Map<string, Figures>} */
    const figures = new Map(clients.map(({ name }) => [name, blank()]))
    for (let round = 0; round < plan.rounds; round++) {
      const sums = clients.map(() => blank())
      for (let slice = 0; slice < plan.slices; slice++) {
        for (const place of turns(clients.length, random)) {
          const answer = await asked(children[place], clients[place].name, calls[place], atOnce)
          for (const figure of FIGURES) sums[place][figure].push(answer[figure])
        }
      }
      clients.forEach(({ name }, place) => {
        for (const figure of FIGURES) figures.get(name)?.[figure].push(mean(sums[place][figure]))
      })
    }
    return { clients, figures }
  } finally {
    for (const child of children) child.end()
    await server.close()
  }
}

/** @returns {Figures} */
function blank() {
  return { ns: [], cpuNs: [], p50: [], p99: [], loopP99Ms: [] }
}

/** @param {number[]} numbers */
function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length
}

/**
 * @param {ReturnType<typeof start>} child
 * @param {string} name
 * @param {number} calls
 * @param {number} atOnce
 */
async function asked(child, name, calls, atOnce) {
  const answer = await child.ask({ calls, atOnce })
  if (answer.right !== calls) throw new Error(`${name}: ${answer.right} of ${calls} calls ended as they should`)
  return answer
}

/**
 * Rows of one figure.
 * @param {{ clients: Client[], figures: Map<string, Figures> }} measured
 * @param {Figure} figure
 * @param {string} said
 */
function rows({ clients, figures }, figure, said) {
  return clients.map(({ name, note }) =>
    row({ name: `${name}, ${said}`, note: figure === 'ns' ? note : undefined }, figures.get(name)?.[figure]),
  )
}

module.exports = { againstRedis, rows }
