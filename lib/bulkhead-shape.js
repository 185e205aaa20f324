// What a bulkhead is made of, read once where it comes in. Owns ranges and defaults, in this process and over hosts.
// Never asks anything native.
'use strict'

const { blamed, knobsOf } = require('./knobs.js')
const { Options, DAY } = require('./options.js')

const OPTIONS = ['limit', 'queue', 'queueTimeout', 'perKey', 'lease', 'env']
/** And over Redis. */
const REMOTE_OPTIONS = [...OPTIONS, 'maxStall', 'failMode']
/** Under this, what a renewal takes on a slow network would be a good part of a lease over hosts. */
const LEAST_LEASE_MS = 100
const MILLION = 1_000_000

/**
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 */
function bulkheadShape(given, name, env) {
  return overridden(given, name, env, OPTIONS, shapeOf)
}

/**
 * The same of a bulkhead over hosts, whose permits always have a lease.
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 */
function remoteBulkheadShape(given, name, env) {
  return overridden(given, name, env, REMOTE_OPTIONS, remoteShapeOf)
}

/**
 * @template S
 * @param {unknown} given
 * @param {string} name
 * @param {Record<string, string | undefined> | false} env
 * @param {readonly string[]} known
 * @param {(options: InstanceType<typeof Options>, provenance: string) => S} read
 * @returns {S}
 */
function overridden(given, name, env, known, read) {
  // First as they were given, so that what is wrong in them is told before what is wrong in the environment.
  new Options('a bulkhead', given, known)
  const { options, provenance } = knobsOf('bulkhead', name, given, env)
  try {
    const shape = read(new Options('a bulkhead', options, known), JSON.stringify(provenance))
    // Out of sight of who compares two openings: the same values from elsewhere are the same bulkhead, and one handle.
    return Object.defineProperty(shape, 'provenance', { enumerable: false })
  } catch (fault) {
    throw blamed(fault, provenance)
  }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} provenance
 */
function shapeOf(options, provenance) {
  return {
    limit: options.whole('limit', { min: 1, max: MILLION }),
    queue: options.whole('queue', { min: 0, max: MILLION, fallback: 0 }),
    queueTimeoutMs: options.duration('queueTimeout', { max: DAY, fallback: 30_000 }),
    perKey: options.flag('perKey'),
    leaseMs: options.get('lease') === undefined ? undefined : options.duration('lease', { max: DAY }),
    provenance,
  }
}

/**
 * @param {InstanceType<typeof Options>} options
 * @param {string} provenance
 */
function remoteShapeOf(options, provenance) {
  const leaseMs = options.duration('lease', { min: LEAST_LEASE_MS, max: DAY, fallback: 30_000 })
  return {
    ...shapeOf(options, provenance),
    leaseMs,
    maxStallMs: options.duration('maxStall', { min: LEAST_LEASE_MS, max: DAY, fallback: 60_000 }),
    failMode: options.word('failMode', ['open', 'closed', 'local'], 'local'),
  }
}

module.exports = { bulkheadShape, remoteBulkheadShape }
