// The fallback: what to answer when nothing else could. Owns which failures it answers for. Never answers for a caller who has gone.
'use strict'

const { assertFunction } = require('./call.js')
const { Options, yesOrNo } = require('./options.js')
const { shownError } = require('./refused.js')
const { Scope } = require('./scope.js')
const { STRATEGY } = require('./strategy.js')

/** @typedef {InstanceType<typeof Scope>} Call */
/** @typedef {import('./strategy.js').Next} Next */
/** @typedef {import('./strategy.js').Site} Site */

class Fallback {
  /** @type {'fallback'} */
  kind = 'fallback'
  #answer
  #when

  /**
   * @param {(error: unknown) => unknown} answer
   * @param {unknown} given
   */
  constructor(answer, given) {
    assertFunction('fallback()', answer)
    this.#answer = answer
    this.#when = new Options('fallback()', given, ['when']).callback('when')
    Object.freeze(this)
  }

  /** @param {Site} site */
  [STRATEGY](site) {
    return (/** @type {Call} */ scope, /** @type {Next} */ next) =>
      next(scope).then(undefined, (error) => this.#instead(site, scope, error))
  }

  /** @param {unknown} error */
  #isNotFor(error) {
    return this.#when !== undefined && !yesOrNo('`when` of fallback()', this.#when(error), error)
  }

  /**
   * @param {Site} site
   * @param {Call} scope
   * @param {unknown} thrown
   */
  #instead(site, scope, thrown) {
    const error = shownError(thrown)
    if (Scope.abortedBy(scope) !== undefined || this.#isNotFor(error)) throw thrown
    site.note('fallback', () => ({ error }))
    return this.#answer(error)
  }
}

/**
 * @param {(error: unknown) => unknown} answer
 * @param {{ when?: (error: unknown) => boolean }} [options]
 */
function fallback(answer, options) {
  return new Fallback(answer, options)
}

module.exports = { fallback }
