// The servers of a test, ended with the test. Owns that end. Never how they are started: server.js, sentinels.js and cluster.js do.
'use strict'

const { connect } = require('./client.js')
const { slotOf, startCluster } = require('./cluster.js')
const { startSentinels } = require('./sentinels.js')
const { startServer } = require('./server.js')
const { until } = require('./until.js')

/** What `start` answers, closed after the test. */
const endedWith = (start) => async (t, options) => {
  const started = await start(options)
  t.after(() => started.close())
  return started
}

/** One server: `const server = await redis(t, { password: 'secret' })`. */
const redis = endedWith(startServer)
/** A master, a replica and three sentinels. */
const sentinels = endedWith(startSentinels)
/** Three masters with a replica each. */
const cluster = endedWith(startCluster)

module.exports = { cluster, connect, redis, sentinels, slotOf, startCluster, startSentinels, startServer, until }
