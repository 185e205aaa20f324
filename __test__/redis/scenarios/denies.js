// Sees one thing as it should be and one as it should not.
'use strict'

module.exports = {
  row: 1,
  fault: 'a | b',
  must: 'two things',
  async run(scene) {
    await scene.server()
    scene.exactly('this', 1, 1)
    scene.most('that', 2500, 1, ' ms')
  },
}
