// What a policy is made of. Owns the protocol between a policy and its strategies, also those of another copy of the package.
// Never runs anything itself.
'use strict'

/** @typedef {InstanceType<typeof import('./scope.js').Scope>} Scope */
/** @typedef {(scope: Scope) => Promise<unknown>} Next what is within: it never throws, it rejects */
/** @typedef {(scope: Scope, next: Next) => Promise<unknown>} Layer a strategy at work around what is within */

/**
 * Where a strategy works: the policy, as far as a strategy needs to know it.
 * @typedef {object} Site
 * @property {string} name of the policy
 * @property {() => number} now milliseconds, for spans
 * @property {() => Budget} budget the one of this policy, opened at first need
 * @property {(event: PolicyEvent, message: () => object) => void} note counts it, and tells whoever listens
 */
/** @typedef {'retry' | 'hedge' | 'timeout' | 'fallback' | 'exhausted'} PolicyEvent */
/** @typedef {{ ratio: number, floor: number }} BudgetFigures */
/** @typedef {{ deposit(): void, take(): boolean }} Budget */

/**
 * @typedef {object} Strategy
 * @property {string} kind
 */

/** Under it a strategy has the function that puts it to work at a site. */
const STRATEGY = Symbol.for('spillway.strategy')

module.exports = { STRATEGY }
