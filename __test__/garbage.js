// Owns the collection of garbage for tests of what must not be kept, or must be. Never asserts anything.
'use strict'

const { setImmediate: turn } = require('node:timers/promises')
const v8 = require('node:v8')
const vm = require('node:vm')

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

/** All of it: what a weak reference was read of is kept until the end of the turn, and finalizers come in turns of their own. */
async function collectGarbage() {
  for (let round = 0; round < 5; round++) {
    gc()
    await turn()
  }
}

module.exports = { collectGarbage }
