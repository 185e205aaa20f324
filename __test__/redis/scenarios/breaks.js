// Throws after a check that went well.
'use strict'

module.exports = {
  row: 2,
  fault: 'a mistake of its own',
  must: 'nothing',
  async run(scene) {
    scene.check(true, 'well')
    throw new Error('broken in the middle')
  },
}
