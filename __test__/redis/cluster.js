// Six nodes that are one cluster: three masters, each with a replica. Owns their start, failovers and the moving of slots.
// Never tells a client where a slot is: the nodes do.
'use strict'

const { startServer } = require('./server.js')
const { until } = require('./until.js')

const MASTERS = 3
const SLOTS = 16_384

/** CRC-16/XMODEM of the key, or of what stands in its first braces. */
function slotOf(key) {
  const bytes = Buffer.from(key)
  const open = bytes.indexOf(0x7b)
  const close = open < 0 ? -1 : bytes.indexOf(0x7d, open + 1)
  const hashed = close > open + 1 ? bytes.subarray(open + 1, close) : bytes
  let crc = 0
  for (const byte of hashed) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % SLOTS
}

class Cluster {
  constructor(nodes) {
    this.nodes = nodes
  }

  get urls() {
    return this.nodes.map(({ url }) => url)
  }

  /** What every node says of every node, as one of them sees it. */
  async seen(node = this.nodes.find(({ isRunning }) => isRunning)) {
    const text = await node.call('CLUSTER', 'NODES')
    return text
      .trim()
      .split('\n')
      .map((row) => {
        const [id, at, flags, master, , , , link, ...slots] = row.split(' ')
        const port = Number(/:(\d+)@/.exec(at)?.[1])
        const ranges = slots.filter((slot) => !slot.startsWith('[')).map((slot) => slot.split('-').map(Number))
        const server = this.nodes.find((each) => each.port === port)
        return { id, port, server, flags: flags.split(','), master, link, ranges }
      })
  }

  /** The node that answers for a key now. */
  ownerOf(key) {
    return this.#holderOf(slotOf(key))
  }

  slotOf(key) {
    return slotOf(key)
  }

  async #holderOf(slot) {
    const holds = ({ ranges }) => ranges.some(([from, to = from]) => slot >= from && slot <= to)
    const lives = ({ flags }) => flags.includes('master') && !flags.includes('fail')
    return (await this.seen()).find((node) => lives(node) && holds(node)).server
  }

  /** A replica of this node. */
  async replicaOf(server) {
    const seen = await this.seen(server)
    const { id } = seen.find((each) => each.server === server)
    return seen.find((each) => each.master === id && !each.flags.includes('fail')).server
  }

  /** Every slot is served, and every master that lives has its replica in step, as every node sees it. */
  settled() {
    return until('a whole cluster', async () => {
      for (const node of this.nodes.filter(({ isRunning }) => isRunning)) {
        const { cluster_state: state } = Object.fromEntries(
          (await node.call('CLUSTER', 'INFO')).split('\r\n').map((row) => row.split(':')),
        )
        if (state !== 'ok') return false
        const seen = await this.seen(node)
        if (
          seen.length !== this.nodes.length ||
          seen.some(({ flags }) => flags.some((flag) => /handshake|noaddr|fail/.test(flag)))
        ) {
          return false
        }
        const masters = seen.filter(({ flags }) => flags.includes('master'))
        if (masters.length !== MASTERS || !masters.every(({ id }) => seen.some(({ master }) => master === id)))
          return false
        const info = await node.info('replication')
        if (info.role === 'slave' && info.master_link_status !== 'up') return false
        if (info.role === 'master' && info.connected_slaves === '0') return false
      }
      return true
    })
  }

  /**
   * The replica of a key's master takes over: asked for (the old one lives on), or because its master was killed.
   * Resolves with the new master; the killed one is back by then.
   * @param {string} key
   * @param {'asked' | 'killed'} [how]
   */
  async failover(key, how = 'asked') {
    await this.settled()
    const before = await this.ownerOf(key)
    const replica = await this.replicaOf(before)
    if (how === 'killed') await before.kill9()
    else await replica.call('CLUSTER', 'FAILOVER')
    await until('the replica as master', async () => (await replica.info('replication')).role === 'master')
    if (how === 'killed') await before.start()
    return replica
  }

  /**
   * Begins to move the slot of a key to another master: keys that are not there yet are answered with ASK until `finish`.
   * @param {string} key
   */
  migrate(key) {
    return this.migrateSlot(slotOf(key))
  }

  /** @param {number} slot */
  async migrateSlot(slot) {
    await this.settled()
    const from = await this.#holderOf(slot)
    const seen = await this.seen()
    const other = seen.find(
      ({ flags, server }) => flags.includes('master') && !flags.includes('fail') && server !== from,
    )
    const own = seen.find(({ server }) => server === from)
    const to = other.server
    await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', own.id)
    await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', other.id)
    /** Moves what is there now; new keys go to the other at once. */
    const move = async () => {
      for (;;) {
        const keys = await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)
        if (keys.length === 0) return
        await from.call('MIGRATE', to.host, to.port, '', 0, 5000, 'REPLACE', 'KEYS', ...keys)
      }
    }
    /** Everybody is told: from now on MOVED. */
    const finish = async () => {
      await move()
      for (const server of [to, from]) await server.call('CLUSTER', 'SETSLOT', slot, 'NODE', other.id)
      const masters = (await this.seen()).filter(({ flags }) => flags.includes('master') && !flags.includes('fail'))
      for (const { server } of masters) await server.call('CLUSTER', 'SETSLOT', slot, 'NODE', other.id)
    }
    return { slot, from, to, move, finish }
  }

  async close() {
    await Promise.all(this.nodes.map((node) => node.close()))
  }
}

/** @param {{ nodeTimeoutMs?: number, password?: string, config?: Record<string, string | number> }} [options] */
async function startCluster({ nodeTimeoutMs = 1000, password, config = {} } = {}) {
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-node-timeout': nodeTimeoutMs,
    'cluster-replica-validity-factor': 0,
    'repl-diskless-sync-delay': 0,
    'repl-backlog-size': '1mb',
    ...config,
  }
  const starting = Array.from({ length: 2 * MASTERS }, () => startServer({ password, config: settings }))
  const nodes = (await Promise.allSettled(starting)).flatMap(({ value }) => value ?? [])
  const cluster = new Cluster(nodes)
  try {
    await Promise.all(starting)
    for (const [i, node] of nodes.entries()) {
      // One after the other, so that none has to give way to another.
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
      if (i >= MASTERS) continue
      const slots = Array.from({ length: SLOTS }, (_, slot) => slot).filter(
        (slot) => Math.floor((slot * MASTERS) / SLOTS) === i,
      )
      await node.call('CLUSTER', 'ADDSLOTS', ...slots)
    }
    for (const node of nodes.slice(1)) await node.call('CLUSTER', 'MEET', nodes[0].host, nodes[0].port)
    const known = async (node) => {
      const seen = await cluster.seen(node)
      return seen.length === nodes.length && !seen.some(({ flags }) => flags.includes('handshake'))
    }
    for (const node of nodes) await until('six nodes that know each other', () => known(node))
    for (const [i, node] of nodes.entries()) {
      if (i < MASTERS) continue
      const id = await nodes[i - MASTERS].call('CLUSTER', 'MYID')
      await node.call('CLUSTER', 'REPLICATE', id)
    }
    await cluster.settled()
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}

module.exports = { slotOf, startCluster }
