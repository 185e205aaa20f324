// Permits of a bulkhead over Redis, and a lease, held and let go when told. Owns what is held. Never judges.
'use strict'

const { spillway } = require('../../index.js')
const { lease } = require('../../kit/lease.js')

/** @param {{ redis: string, bulkhead: object, lease: object }} data */
module.exports = async function hold({ redis, bulkhead: bulkheadOptions, lease: leaseOptions }) {
  const sp = spillway({ redis, prefix: 'faults', env: false })
  const bulkhead = sp.bulkhead('slots', bulkheadOptions)
  const job = lease(sp, 'job', leaseOptions)
  const permits = []
  const held = []

  return {
    ready: () => sp.ready(),
    /** Whether there was one to have. */
    permit: async () => {
      const permit = await bulkhead.tryAcquire()
      if (permit) permits.push(permit)
      return Boolean(permit)
    },
    release: async () => {
      await permits.pop()?.release()
    },
    /** Its fence, or undefined when another holds it. */
    lease: async () => {
      const got = await job.tryAcquire('one')
      if (got) held.push(got)
      return got && Number(got.fence)
    },
    /** Whether the last one was told that it is lost. */
    isLost: () => held.at(-1).signal.aborted,
    letGo: async () => {
      await held.pop()?.release()
    },
    block: (ms) => {
      const over = performance.now() + ms
      while (performance.now() < over);
    },
    snapshot: () => JSON.parse(JSON.stringify(sp.snapshot())),
  }
}
