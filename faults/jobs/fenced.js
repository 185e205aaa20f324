// A lease, wanted by many processes, and writes that carry its fence. Owns what is held. Never looks whether it still is before it
// writes: the resource sees to that.
'use strict'

const { spillway } = require('../../index.js')
const { lease } = require('../../kit/lease.js')

/** @param {{ redis: string, options: object }} data */
module.exports = async function fenced({ redis, options }) {
  const sp = spillway({ redis, prefix: 'faults', env: false })
  await sp.ready()
  const job = lease(sp, 'fenced', options)
  let held

  return {
    /** Its fence, once it has it. An answer that is late on a busy machine is asked for again. */
    acquire: async () => {
      do held = await job.acquire({ wait: '60s' }).catch(() => undefined)
      while (held === undefined)
      return held.fence
    },
    /** The fence of what it holds, or believes to. */
    write: () => held.fence,
    isLost: () => held.signal.aborted,
  }
}
