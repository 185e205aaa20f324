// Owns one fault: answers of a limiter that are cut off, doubled, lost, swapped, late or no answers at all.
// Never closes what it has opened: the scene does.
'use strict'

const { garbled } = require('../garbled.js')

module.exports = {
  row: 6,
  fault: 'limiter: garbage, truncated, swapped, added, lost and late replies',
  must: 'reconnect; no answer ever reaches another caller',
  isPatient: true,
  run: (scene) => garbled(scene, { kind: 'limiter', calls: scene.length(5_000_000, 5000) }),
}
