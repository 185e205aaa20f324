// Owns one fault: Redis at a distance that changes all the time: some answers come in time, most do not.
// Never closes what it has opened: the scene does.
'use strict'

const { slow } = require('../slow.js')

module.exports = slow('jitter of 0–300 ms', (proxy) => proxy.set({ jitterMs: 150 }), { fitful: true })
