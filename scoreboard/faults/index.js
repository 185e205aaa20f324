// Owns the list of faults, in the order they are shown. Never says who has one: that is for the run.
'use strict'

/** @typedef {import('../contestants/index.js').Guards} Guards */
/** @typedef {import('../contestants/index.js').Need} Need */

/**
 * @typedef {object} Fault
 * @property {'breaker' | 'timeout' | 'retry' | 'bulkhead' | 'fetch'} about
 * @property {string} title what is right, as a sentence
 * @property {string} rule where it says so
 * @property {Need[]} needs what a contestant must have to be asked
 * @property {(guards: Required<Guards>, trial: InstanceType<typeof import('../trial.js').Trial>) => Promise<any>} scenario answers what was observed; throws
 *   when it could not be brought about
 * @property {(observed: any) => boolean} isRight
 * @property {(observed: any) => string} tell
 * @property {boolean} [realTime] for what fake timers would not show
 * @property {Record<string, string>} [but] what speaks for a contestant that is wrong, by its name
 */

/** @type {Record<string, () => Fault>} */
const faults = {
  'stale-success': () => require('./stale-success.js'),
  'stale-failure': () => require('./stale-failure.js'),
  'hung-probe': () => require('./hung-probe.js'),
  'old-failures': () => require('./old-failures.js'),
  'own-refusals': () => require('./own-refusals.js'),
  'cache-hits': () => require('./cache-hits.js'),
  'in-flight': () => require('./in-flight.js'),
  forgiven: () => require('./forgiven.js'),
  restored: () => require('./restored.js'),
  'many-samples': () => require('./many-samples.js'),
  'hung-up': () => require('./hung-up.js'),
  'throwing-listener': () => require('./throwing-listener.js'),
  'no-promise': () => require('./no-promise.js'),
  'shared-abort': () => require('./shared-abort.js'),
  'long-timeout': () => require('./long-timeout.js'),
  'timer-left': () => require('./timer-left.js'),
  'aborted-wait': () => require('./aborted-wait.js'),
  'past-deadline': () => require('./past-deadline.js'),
  amplification: () => require('./amplification.js'),
  herd: () => require('./herd.js'),
  'refused-retry': () => require('./refused-retry.js'),
  'undefined-reason': () => require('./undefined-reason.js'),
  'thrown-at-once': () => require('./thrown-at-once.js'),
  'retry-listeners': () => require('./retry-listeners.js'),
  'queued-then-refused': () => require('./queued-then-refused.js'),
  overtaking: () => require('./overtaking.js'),
  'answered-running': () => require('./answered-running.js'),
  'lost-permit': () => require('./lost-permit.js'),
  'aborted-waiter': () => require('./aborted-waiter.js'),
  'foreign-context': () => require('./foreign-context.js'),
  'forgotten-waiter': () => require('./forgotten-waiter.js'),
  'queue-listeners': () => require('./queue-listeners.js'),
  'retry-after': () => require('./retry-after.js'),
  'retry-after-a-day': () => require('./retry-after-a-day.js'),
  'sent-twice': () => require('./sent-twice.js'),
  'unread-bodies': () => require('./unread-bodies.js'),
  'aborted-fetch': () => require('./aborted-fetch.js'),
}

module.exports = { faults }
