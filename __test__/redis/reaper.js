// Ends what a test process has started when that process ends, however it ends. Owns a process of its own that outlives it for that
// moment. Never ends anything by name, and nothing whose end it was told of.
'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const { createInterface } = require('node:readline')

/** @type {import('node:child_process').ChildProcess | undefined} */
let watchdog

/** Hears, line by line, what there is to end. The end of the lines is the end of the one who wrote them. */
function hear() {
  if (watchdog === undefined) {
    // In a session of its own: what ends the tests from a terminal must not end it before its work.
    watchdog = spawn(process.execPath, [__filename], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    watchdog.unref()
    watchdog.stdin.unref()
    watchdog.stdin.on('error', () => {})
  }
  return watchdog.stdin
}

const say = (verb, what) => hear().write(`${verb} ${what}\n`)

/** From now on this process is killed with ours. */
const watch = (pid) => say('kill', pid)
/** It has ended; its number may be another's soon. */
const unwatch = (pid) => say('ended', pid)
/** From now on this folder is removed with ours. */
const watchFolder = (folder) => say('remove', folder)

/** The watchdog itself. */
function main() {
  const pids = new Set()
  const folders = new Set()
  const verbs = {
    kill: (pid) => pids.add(Number(pid)),
    ended: (pid) => pids.delete(Number(pid)),
    remove: (folder) => folders.add(folder),
  }
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => {
    const space = line.indexOf(' ')
    verbs[line.slice(0, space)](line.slice(space + 1))
  })
  lines.on('close', () => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It was quicker.
      }
    }
    for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
}

/** Whether there is a process of this number that has not ended. One that nobody has buried yet has. */
function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) Z/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch (error) {
    // Where there is no /proc, the signal has told.
    return error.code === 'ENOENT' && !fs.existsSync('/proc/self')
  }
}

module.exports = { isAlive, unwatch, watch, watchFolder }

if (require.main === module) main()
