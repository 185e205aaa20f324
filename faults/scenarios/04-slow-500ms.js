// Owns one fault: Redis half a second away: ten deadlines.
// Never closes what it has opened: the scene does.
'use strict'

const { slow } = require('../slow.js')

module.exports = slow('+500 ms', (proxy) => proxy.set({ delayMs: 250 }))
