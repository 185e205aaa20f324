// Whose asynchronous context a function runs in. Owns that there may be none to speak of, where Node's is not to be had.
// Never keeps the context of whoever comes by first.
'use strict'

/** Resources as Node has them. @type {typeof import('node:async_hooks').AsyncResource | undefined} */
const AsyncResource = (() => {
  try {
    return require('node:async_hooks').AsyncResource
  } catch {
    return undefined
  }
})()

/** For what is set up once for all calls: the context of nobody. */
const nobody = AsyncResource && new AsyncResource('spillway')

/**
 * A function as one that runs in the context of now, wherever it is called.
 * @template {(...args: any[]) => any} F
 * @param {F} fn
 * @returns {F}
 */
function inThisContext(fn) {
  return AsyncResource === undefined ? fn : /** @type {any} */ (AsyncResource.bind(fn, 'spillway'))
}

module.exports = { nobody, inThisContext }
