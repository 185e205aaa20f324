// A process that uses Spillway, driven by a scenario over a channel. Owns the channel and the way such a process ends: by itself, with
// nothing closed. Never knows what is broken around it.
'use strict'

const { Health } = require('./health.js')

const [job] = process.argv.slice(2)

async function main() {
  const health = new Health()
  const open = require(`./jobs/${job}.js`)
  /** What the job can be asked for, by name, once it was opened. */
  let doings = {}
  const own = {
    open: async (data) => {
      doings = await open(data)
    },
    reset: () => health.reset(),
    health: () => health.read(),
    /** The last piece of work is done: from here on nothing but Spillway could keep the process. */
    leave: () => {
      health.end()
      setImmediate(() => process.disconnect())
    },
  }
  process.on('message', async ({ id, doing, given }) => {
    try {
      const value = await (own[doing] ?? doings[doing])(...given)
      process.send({ id, value })
    } catch (error) {
      process.send({ id, error: { message: error.stack, code: error.code } })
    }
  })
  process.on(
    'warning',
    ({ name, code, message }) => process.connected && process.send({ warning: { name, code, message } }),
  )
  process.send({ ready: true })
}

main()
