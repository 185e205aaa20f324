// Owns one fault: Redis fifty milliseconds away: every answer comes a little after the deadline.
// Never closes what it has opened: the scene does.
'use strict'

const { slow } = require('../slow.js')

module.exports = slow('+50 ms', (proxy) => proxy.down.set({ delayMs: 50 }))
