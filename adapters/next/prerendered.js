// What the application's build has made, as its own Next reads it. Owns where that reader is found.
// Never writes, and never knows how the files lie: that is another matter in each version of Next.
'use strict'

const { createRequire } = require('node:module')
const path = require('node:path')

/**
 * @typedef {{ get(key: string, asked: object): Promise<any> }} Reader
 * @typedef {new (context: object) => Reader} ReaderClass
 */

const READER = 'next/dist/server/lib/incremental-cache/file-system-cache.js'

/** By the folder of the build. @type {Map<string, ReaderClass | undefined>} */
const classes = new Map()

/**
 * @param {any} context what Next makes a handler with
 * @returns {Reader | undefined} nothing where there is no such folder, or a Next that has no such reader
 */
function prerenderedOf(context) {
  const folder = context?.serverDistDir
  if (typeof folder !== 'string' || context.fs === undefined) return undefined
  if (!classes.has(folder)) classes.set(folder, classFrom(folder))
  const Reader = classes.get(folder)
  // What is kept beside the files is kept by the handler that asks, and by nobody else.
  return Reader && new Reader({ ...context, flushToDisk: false, maxMemoryCacheSize: 0 })
}

/**
 * @param {string} folder
 * @returns {ReaderClass | undefined}
 */
function classFrom(folder) {
  try {
    const found = createRequire(path.join(folder, 'index.js'))(READER)
    return found.default ?? found
  } catch {
    return undefined
  }
}

module.exports = { prerenderedOf }
