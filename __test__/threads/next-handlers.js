// One of Next's threads, as a test drives it: both handlers, asked by message. Owns nothing but the answers.
// Never ends by itself.
'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { nextCache } = require('spillway/next-cache')
const { nextUseCache } = require('spillway/next-use-cache')

const Pages = nextCache({ name: workerData.name })
const results = nextUseCache({ name: workerData.name })

parentPort.on('message', async ([method, ...args]) => {
  const handler = method in results ? results : new Pages()
  if (method === 'set')
    await results.set(args[0], Promise.resolve({ ...args[1], value: new Blob([args[1].text]).stream() }))
  else if (method === 'setPage') await new Pages().set(...args)
  else if (method === 'getPage') return parentPort.postMessage(await new Pages().get(...args))
  else await handler[method](...args)
  parentPort.postMessage('done')
})
