// Can only be tried where there is no such platform.
'use strict'

module.exports = { row: 5, fault: 'none', must: 'something', platform: 'plan9', run: async () => {} }
