// A lease: the right to be the one that does something, over all hosts of a Redis or all threads of a process, which ends by itself
// when its holder dies. Owns the way in from outside; never opens more than one handle for a name.
'use strict'

const { Spillway } = require('../lib/spillway.js')
const { misuse, shown } = require('../lib/misuse.js')

/**
 * @param {import('../index').Spillway<any>} sp
 * @param {string} name
 * @param {import('./lease').LeaseOptions} [options]
 */
function lease(sp, name, options) {
  if (!Spillway.is(sp)) {
    throw misuse('E_OPTION', `lease() takes a spillway, as spillway() makes it, then a name; got ${shown(sp)}`, {
      option: 'spillway',
    })
  }
  return Spillway.openLease(sp, name, options)
}

module.exports = { lease }
