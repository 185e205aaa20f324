// What snapshot() of a breaker has written down, read again. Owns what such data may be, since it comes from wherever it was kept.
// Never changes a breaker: it is read to the end before anything is restored.
'use strict'

const { CALLS } = require('./breaker-shape.js')
const { isKey } = require('./keys.js')
const { Options, DAY } = require('./options.js')

/** @typedef {import('../index').SavedBreaker} SavedBreaker */
/** @typedef {InstanceType<typeof Options>} Fields */

const VERSION = 1
/** What native code can add up without losing a call. */
const COUNT = 2 ** 32
/** Milliseconds, far beyond any open time. */
const SPAN = 2 ** 40
const BUCKETS = 10

/**
 * @param {unknown} data
 * @param {boolean} perKey whether it is for a breaker of keys
 * @returns {{ takenAt: number, circuits: { key: string | undefined, open: boolean, json: string }[] } | undefined} nothing for what
 * another version has saved
 */
function savedBreaker(data, perKey) {
  const of = 'the data of restore()'
  // Of another version of this package, before or after an upgrade: nothing to go on from, and nobody's mistake.
  if (isOfAnotherVersion(data)) return undefined
  const fields = new Options(of, data === undefined ? null : data, ['version', 'takenAt', 'circuit', 'keys'])
  if (fields.get('version') !== VERSION) throw fields.wrong('version', `of ${of} must be ${VERSION}`)
  const takenAt = number(fields, 'takenAt', of, 2 ** 53)
  const [present, absent] = perKey ? ['keys', 'circuit'] : ['circuit', 'keys']
  if (fields.get(absent) !== undefined) {
    throw fields.wrong(
      absent,
      `of ${of} is of a breaker ${perKey ? 'without' : 'with'} \`perKey\`, and this one is not`,
    )
  }
  if (!perKey) return { takenAt, circuits: [{ key: undefined, ...circuitOf(fields, of) }] }
  const keys = fields.get(present)
  if (!Array.isArray(keys)) throw fields.wrong(present, `of ${of} must be an array`)
  const circuits = keys.map((each, index) => {
    const entry = new Options(`${of}, \`keys[${index}]\`,`, each, ['key', 'circuit'])
    const key = entry.get('key')
    if (!isKey(key)) throw entry.wrong('key', `of ${of} must be a non-empty string`)
    return { key, ...circuitOf(entry, of) }
  })
  // Those that refuse first: should there be fewer places than keys, they are what matters.
  return { takenAt, circuits: circuits.sort((one, other) => Number(other.open) - Number(one.open)) }
}

/**
 * How old such data may be, in milliseconds.
 * @param {{ maxAge?: import('../index').Duration } | undefined} options of restore()
 */
function maxAgeOf(options) {
  return new Options('restore()', options, ['maxAge']).duration('maxAge', { max: 365 * DAY, fallback: 3_600_000 })
}

/** @param {any} data */
function isOfAnotherVersion(data) {
  const version = typeof data === 'object' && data !== null ? data.version : undefined
  return Number.isInteger(version) && version > 0 && version !== VERSION
}

/**
 * @param {Fields} fields
 * @param {string} of
 */
function circuitOf(fields, of) {
  const circuit = fields.nested('circuit', ['state', 'openMs', 'failedProbes', 'inARow', 'window'])
  const state = circuit.get('state')
  if (state !== 'closed' && state !== 'open' && state !== 'half-open' && state !== 'isolated') {
    throw circuit.wrong('state', `of ${of} must be 'closed', 'open', 'half-open' or 'isolated'`)
  }
  const saved = {
    state,
    openMs: state === 'open' ? number(circuit, 'openMs', of, SPAN) : undefined,
    failedProbes: circuit.whole('failedProbes', { min: 0, max: COUNT - 1 }),
    inARow: circuit.whole('inARow', { min: 0, max: COUNT - 1 }),
    window: windowOf(circuit.nested('window', ['buckets', 'calls']), of),
  }
  return { open: state !== 'closed', json: JSON.stringify(saved) }
}

/**
 * @param {Fields} window
 * @param {string} of
 */
function windowOf(window, of) {
  const calls = window.get('calls')
  if (calls !== undefined) {
    if (typeof calls !== 'string' || calls.length > CALLS || !/^[0-3]*$/.test(calls)) {
      throw window.wrong('calls', `of ${of} must be a text of digits from 0 to 3, one for each of up to 100,000 calls`)
    }
    return { calls }
  }
  const buckets = window.get('buckets')
  if (!Array.isArray(buckets) || buckets.length > BUCKETS || !buckets.every(isBucket)) {
    throw window.wrong('buckets', `of ${of} must be up to ten of [ageMs, calls, failures, slow]`)
  }
  return { buckets }
}

/** @param {unknown} bucket */
function isBucket(bucket) {
  if (!Array.isArray(bucket) || bucket.length !== 4) return false
  const [ageMs, calls, failures, slow] = bucket
  const counts = [calls, failures, slow].every((count) => Number.isInteger(count) && count >= 0 && count < COUNT)
  return counts && typeof ageMs === 'number' && ageMs >= 0 && ageMs <= SPAN && failures <= calls && slow <= calls
}

/**
 * @param {Fields} fields
 * @param {string} name
 * @param {string} of
 * @param {number} max
 */
function number(fields, name, of, max) {
  const value = fields.get(name)
  if (typeof value !== 'number' || !(value >= 0 && value <= max)) {
    throw fields.wrong(name, `of ${of} must be milliseconds, 0 or more`)
  }
  return value
}

module.exports = { savedBreaker, maxAgeOf, VERSION }
