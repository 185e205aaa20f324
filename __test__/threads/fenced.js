// A process that wants one lease again and again and writes along its fence what the lease guards. Never asks whether it still holds
// it before it writes: the resource has to see to that.
'use strict'

const { spillway } = require('../../index.js')
const { lease } = require('../../kit/lease.js')

async function main({ redis, prefix, name, options }) {
  const sp = spillway({ redis, prefix, env: false })
  await sp.ready()
  const job = lease(sp, name, options)
  process.send({ ready: process.pid })
  for (;;) {
    const held = await job.acquire({ wait: '1m' }).catch(() => undefined)
    if (held === undefined) continue
    for (let write = 0; write < 20 && !held.signal.aborted; write++) {
      process.send({ pid: process.pid, fence: held.fence })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await held.release()
  }
}

main(JSON.parse(process.argv[2]))
