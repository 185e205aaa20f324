// Owns the comparison of processor time per request: Express alone, and behind each limiter, one server process each.
// Must never count the client: it is a process of its own, and only servers are asked for their time.
'use strict'

const { start } = require('../children/start.js')
const { row, target } = require('../duel.js')
const { turns } = require('../interleave.js')
const ours = require('../ours.js')

const BARE = 'bare hello'
/** Requests each server answers before any counts. */
const WARM = 12_000

const CONTESTANTS = [
  { kind: 'bare', name: BARE },
  { kind: 'spillway', name: 'spillway', note: 'RateLimit-Policy and RateLimit' },
  { kind: 'map', name: 'JS Map by hand', note: 'the same two fields, written in the route file' },
  { kind: 'expressRateLimit', name: 'express-rate-limit', note: 'defaults: MemoryStore, three X-RateLimit fields' },
]

/** @param {import('./index.js').Arena} arena */
module.exports = async function express({ plan, random }) {
  const missing = ours.spillway().missing ?? ours.expressAdapter().missing
  const playing = CONTESTANTS.filter(({ kind }) => !(kind === 'spillway' && missing))
  const servers = playing.map(({ kind }) => start('server.js', { args: [kind] }))
  const client = start('load.js')
  try {
    /** @type {number[]} */
    const ports = []
    for (const server of servers) ports.push(await server.ask('port'))

    /** Microseconds of the server's processor time for that many requests. */
    const turn = async (/** @type {number} */ place, /** @type {number} */ requests) => {
      const before = await servers[place].ask('cpu')
      const right = await client.ask({ port: ports[place], requests })
      const after = await servers[place].ask('cpu')
      if (right !== requests) throw new Error(`${playing[place].name}: ${right} of ${requests} requests got a 200`)
      return after - before
    }

    for (const place of turns(playing.length, random)) await turn(place, WARM)
    /** @type {number[][]} */
    const figures = playing.map(() => [])
    for (let round = 0; round < plan.requestRounds; round++) {
      const spent = playing.map(() => 0)
      for (let slice = 0; slice < plan.requestSlices; slice++) {
        for (const place of turns(playing.length, random)) spent[place] += await turn(place, plan.requests)
      }
      spent.forEach((us, place) => figures[place].push(us / (plan.requests * plan.requestSlices)))
    }

    const samples = new Map(playing.map(({ name }, place) => [name, figures[place]]))
    return {
      name: 'express',
      title: 'Express 5 hello, one limiter in front, 16 keep-alive connections',
      unit: 'µs CPU/request',
      rows: CONTESTANTS.map(({ name, note }) => row({ name, note, skipped: missing }, samples.get(name))),
      targets: [target({ ours: 'spillway', peer: 'express-rate-limit', atMost: 1 / 4, bare: BARE }, samples)],
      notes: ['user and system time of the server process with all its threads'],
    }
  } finally {
    client.end()
    for (const server of servers) server.end()
  }
}
