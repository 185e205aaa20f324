// Run as a process of its own: dumps a cache over and over until it is killed. Owns what is in each dump: as many entries as ever, all
// with the number of the dump. Never restores anything.
'use strict'

const face = require('../../index.js')

const ENTRIES = 20_000
const FILLER = 'x'.repeat(500)

async function main(file) {
  const cache = face.cache('dumped', { maxBytes: '256mb', jitter: 0, ttl: '1h', grace: '1h' })
  for (let dump = 1; ; dump++) {
    for (let key = 0; key < ENTRIES; key++) cache.set(`key-${key}`, { dump, key, filler: FILLER })
    process.send(`begun ${dump}`)
    await cache.dump(file)
    process.send(`ended ${dump}`)
  }
}

module.exports = { ENTRIES }

if (require.main === module) main(process.argv[2])
