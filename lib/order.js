// What is wrong with the order of a policy's strategies: such as cannot do what they are there for. Owns the reasons.
// Never refuses a policy for it: that is for whoever reads the warning.
'use strict'

/** @typedef {{ kind: string, name?: string, milliseconds?: number, max?: number, baseMs?: number, afterMs?: number | null }} Strategy */

/**
 * @param {readonly Strategy[]} strategies outermost first
 * @returns {string[]} one sentence for each
 */
function faultsOf(strategies) {
  /** @type {string[]} */
  const faults = []
  strategies.forEach((inner, at) => {
    for (const outer of strategies.slice(0, at)) {
      const fault = faultOf(outer, inner)
      if (fault !== undefined) faults.push(fault)
    }
  })
  return faults
}

/**
 * @param {Strategy} outer
 * @param {Strategy} inner
 */
function faultOf(outer, inner) {
  if (outer === inner && outer.kind === 'bulkhead') {
    return `the bulkhead "${outer.name}" stands in it twice: each call takes two permits, and calls that hold one may wait for each other for ever`
  }
  if (inner.kind === 'fallback' && ['retry', 'hedge', 'breaker'].includes(outer.kind)) {
    return `${the(outer)} stands around the fallback: it never sees a failure, since the fallback answers for each; put the fallback outside`
  }
  if (outer.kind === 'retry' && inner.kind === 'retry') {
    const attempts = (1 + (outer.max ?? 0)) * (1 + (inner.max ?? 0))
    return `a retry stands around a retry: together they make up to ${attempts} attempts of one call; keep one`
  }
  if (outer.kind !== 'timeout' || outer.milliseconds === undefined) return undefined
  const total = outer.milliseconds
  if (inner.kind === 'timeout' && inner.milliseconds !== undefined && inner.milliseconds >= total) {
    return `the timeout of ${inner.milliseconds} ms stands inside one of ${total} ms, and so never fires; make it shorter, or leave it out`
  }
  if (inner.kind === 'retry' && inner.baseMs !== undefined && inner.baseMs >= total) {
    return `the retry waits at least ${inner.baseMs} ms inside a timeout of ${total} ms, and so never tries again; put the timeout inside, or make it longer`
  }
  if (inner.kind === 'hedge' && typeof inner.afterMs === 'number' && inner.afterMs >= total) {
    return `the hedge begins after ${inner.afterMs} ms inside a timeout of ${total} ms, and so never does; make it begin sooner`
  }
  return undefined
}

/** @param {Strategy} strategy */
function the({ kind, name }) {
  return name === undefined ? `the ${kind}` : `the ${kind} "${name}"`
}

module.exports = { faultsOf }
