// Owns what a figure is worth nothing without: the machine, the runtime, the exact versions of everybody.
// Must never decide anything from it.
'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

/** @returns {{ node: string, v8: string, platform: string, cpu: string, cores: number, load: number, at: string }} */
function machine() {
  return {
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform}-${process.arch}`,
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    load: os.loadavg()[0],
    at: new Date().toISOString(),
  }
}

/**
 * The versions that are installed, which need not be the ones that were asked for.
 * @returns {Record<string, string>}
 */
function versions() {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(__dirname, 'package.json'), 'utf8'))
  /** @type {Record<string, string>} */
  const found = { spillway: versionAt(path.join(__dirname, '..')) }
  for (const name of Object.keys(dependencies)) found[name] = versionAt(path.join(__dirname, 'node_modules', name))
  return found
}

/** @param {string} folder */
function versionAt(folder) {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).version
  } catch {
    return 'not installed'
  }
}

module.exports = { machine, versions }
