// Owns the question which versions are installed here, which need not be the ones that were asked for, and whether they say that they
// run on this Node. Never loads a package.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const { OURS } = require('./contestants/index.js')

/**
 * @param {string} name
 * @returns {{ version: string, engines?: { node?: string } }}
 */
function installed(name) {
  const folder = name === OURS ? path.join(__dirname, '..') : path.join(__dirname, 'node_modules', name)
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
}

/** @param {string} name */
const versionOf = (name) => installed(name).version

/**
 * Those that no longer promise to run on a Node this old.
 * @param {string[]} names
 */
function wantsNewer(names) {
  const major = Number(process.versions.node.split('.')[0])
  return names.flatMap((name) => {
    const { version, engines } = installed(name)
    const lowest = Math.min(...(engines?.node?.match(/\d+(?=[. ]|$)/g) ?? ['0']).map(Number))
    return lowest > major ? [{ name, version, wants: engines?.node }] : []
  })
}

module.exports = { versionOf, wantsNewer }
