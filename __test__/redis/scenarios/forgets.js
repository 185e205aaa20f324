// Checks nothing at all.
'use strict'

module.exports = { row: 3, fault: 'none', must: 'something', run: async () => {} }
