// Owns one fault: answers of a cache that are cut off, doubled, lost, swapped, late or no answers at all, and turned bits in them.
// Never closes what it has opened: the scene does.
'use strict'

const { garbled } = require('../garbled.js')

module.exports = {
  row: 6,
  fault: 'cache: the same, and flipped bits',
  must: 'reconnect; no answer ever reaches another caller',
  isPatient: true,
  run: (scene) => garbled(scene, { kind: 'cache', calls: scene.length(5_000_000, 5000), flip: 0.00002 }),
}
