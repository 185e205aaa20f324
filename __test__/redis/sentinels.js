// A master, a replica and three sentinels that watch them. Owns their start, and failovers. Never decides who is master: they do.
'use strict'

const { startServer } = require('./server.js')
const { until } = require('./until.js')

const MASTER = 'main'
/** How often sentinels look, in milliseconds: theirs are seconds, which a test would wait for. Redis 7 lets it be told. */
const PERIODS = ['info-period', 200, 'publish-period', 200, 'ping-period', 100, 'ask-period', 200]

/** A failover is asked for again after so long; and on a machine that is busy it may take several. */
const AGAIN_MS = 3000
const SLOWEST_MS = 60_000

class Sentinels {
  master = MASTER

  constructor(servers, sentinels) {
    /** The two that hold data; which of them is master changes. */
    this.servers = servers
    this.sentinels = sentinels
  }

  /** What a client is given: where the sentinels are. */
  get nodes() {
    return this.sentinels.map(({ host, port }) => ({ host, port }))
  }

  get urls() {
    return this.sentinels.map(({ url }) => url)
  }

  /** Who is master, as most sentinels see it. */
  async current() {
    const votes = await Promise.all(
      this.sentinels.map(async (sentinel) => {
        const [, port] = await sentinel.call('SENTINEL', 'get-master-addr-by-name', MASTER)
        return Number(port)
      }),
    )
    const port = votes.find((vote) => votes.filter((other) => other === vote).length >= 2)
    const server = this.servers.find((each) => each.port === port)
    if (server === undefined) throw new Error('the sentinels do not agree')
    return server
  }

  /** The other one. */
  async replica() {
    const master = await this.current()
    return this.servers.find((server) => server !== master)
  }

  /** Both have the same, and the sentinels would promote the replica. */
  async settled() {
    return until('a replica in step, known to every sentinel', async () => {
      const master = await this.current()
      const info = await master.info('replication')
      if (info.role !== 'master' || !/state=online/.test(info.slave0 ?? '')) return undefined
      for (const sentinel of this.sentinels) {
        const [found] = await sentinel.call('SENTINEL', 'replicas', MASTER)
        const told = Object.fromEntries(found.flatMap((name, i) => (i % 2 === 0 ? [[name, found[i + 1]]] : [])))
        if (told['master-link-status'] !== 'ok' || told.flags !== 'slave') return undefined
        if ((await sentinel.call('SENTINEL', 'ckquorum', MASTER).catch(() => '')).startsWith('OK 3') === false)
          return undefined
      }
      return master
    })
  }

  /**
   * The replica becomes master: asked for ('asked': the old one lives on as replica, and says READONLY), or because the master
   * was killed ('killed'), or frozen ('frozen': it comes back as a master that is none). The old one is back when it resolves.
   * @param {'asked' | 'killed' | 'frozen'} [how]
   */
  async failover(how = 'asked') {
    const before = await this.settled()
    if (how === 'killed') await before.kill9()
    else if (how === 'frozen') before.freeze()
    let askedAt = -Infinity
    const after = await until(
      'another master',
      async () => {
        const now = await this.current()
        if (how === 'asked' && now === before && performance.now() - askedAt > AGAIN_MS) {
          askedAt = performance.now()
          // Refused while one is under way; and one that took too long was given up.
          await this.sentinels[0].call('SENTINEL', 'failover', MASTER).catch(() => {})
        }
        return now !== before && (await now.info('replication')).role === 'master' && now
      },
      SLOWEST_MS,
    )
    if (how === 'killed') await before.start()
    else if (how === 'frozen') before.thaw()
    return after
  }

  async close() {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.close()))
  }
}

/**
 * @param {{ downAfterMs?: number, failoverTimeoutMs?: number, password?: string, sentinelPassword?: string, config?: Record<string, string | number> }} [options]
 */
async function startSentinels({
  downAfterMs = 300,
  failoverTimeoutMs = 1000,
  password,
  sentinelPassword,
  config = {},
} = {}) {
  const shared = { 'repl-backlog-size': '1mb', 'repl-timeout': 5, ...config }
  const master = await startServer({ password, config: shared })
  const follows = { ...shared, replicaof: `${master.host} ${master.port}` }
  const started = [master]
  try {
    started.push(await startServer({ password, config: follows }))
    for (let i = 0; i < 3; i++) {
      const lines = [
        `sentinel monitor ${MASTER} ${master.host} ${master.port} 2`,
        `sentinel down-after-milliseconds ${MASTER} ${downAfterMs}`,
        `sentinel failover-timeout ${MASTER} ${failoverTimeoutMs}`,
        `sentinel parallel-syncs ${MASTER} 1`,
        ...(password === undefined ? [] : [`sentinel auth-pass ${MASTER} ${password}`]),
        ...(sentinelPassword === undefined ? [] : [`sentinel sentinel-pass ${sentinelPassword}`]),
      ]
      const sentinel = await startServer({ sentinel: true, password: sentinelPassword, lines })
      started.push(sentinel)
      await sentinel.call('SENTINEL', 'DEBUG', ...PERIODS).catch(() => {})
    }
    const set = new Sentinels(started.slice(0, 2), started.slice(2))
    await set.settled()
    return set
  } catch (error) {
    await Promise.all(started.map((server) => server.close()))
    throw error
  }
}

module.exports = { startSentinels }
