// For who tests their own code: time that moves when the test says so, and trouble that comes the same way each time. Owns
// spillway/testing. Never needs the native side.
'use strict'

const { chaos } = require('./testing/chaos.js')
const { manualClock } = require('./testing/manual-clock.js')

module.exports = { manualClock, chaos }
