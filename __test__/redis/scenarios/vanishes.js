// Ends its process without a word, and leaves a server behind.
'use strict'

module.exports = {
  row: 4,
  fault: 'none',
  must: 'something',
  async run(scene) {
    const { pid } = await scene.server()
    process.stderr.write(`server ${pid}`)
    process.exit(0)
  },
}
