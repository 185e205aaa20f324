// Owns ky as a scenario asks for it. Never sends anything by itself.
'use strict'

/** @type {import('./index.js').Contestant} */
module.exports = {
  name: 'ky',
  about: ['fetch'],
  lacks: {},
  async load() {
    const { default: ky } = await import('ky')
    return {
      client({ max, waitMs }) {
        const client = ky.create({ retry: { limit: max, delay: () => waitMs } })
        return (url, init) => client(url, init)
      },
    }
  },
}
