// A wall clock for servers that a scenario moves. Owns the compiled piece they are started with and the file it reads.
// Never moves the clock of this machine.
'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { watchFolder } = require('../../__test__/redis/reaper.js')

/** What a server is started with so that `move` moves its clock. */
function wallClock() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-clock-'))
  watchFolder(folder)
  const library = path.join(folder, 'wall.so')
  const file = path.join(folder, 'moved')
  // The compiler is there: Rust links with it.
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, path.join(__dirname, 'wall.c')])
  const move = (ms) => fs.writeFileSync(file, String(ms).padEnd(31))
  move(0)
  return { env: { LD_PRELOAD: library, WALL_CLOCK_MOVED_MS: file }, move }
}

module.exports = { wallClock }
