// How the weather of a storm changes: phases one after another, by time or by calls. Owns which one it is now.
// Never looks at a clock: how far it has come is said by who calls.
'use strict'

const { Options } = require('../../lib/options.js')
const { WEATHER, weatherOf } = require('./weather.js')

/** @typedef {InstanceType<typeof Options>} Given */
/** @typedef {import('./weather.js').Weather} Weather */
/** @typedef {{ until: number, weather: Weather }} Phase `until`, from the beginning, in milliseconds or calls */

const MILLION = 1_000_000

class Schedule {
  /** @type {Phase[]} */
  #phases = []
  /** After this it begins again. */
  #length = 0
  #byCalls = false

  /**
   * @param {Given} options
   * @param {Weather} outside what phases do not say
   */
  constructor(options, outside) {
    const given = options.get('schedule')
    if (given === undefined) return
    const rule = "of chaos() must be an array of one or more phases, like [{ for: '10s', failure: 1 }, { for: '30s' }]"
    if (!Array.isArray(given) || given.length === 0) throw options.wrong('schedule', rule)
    given.forEach((phase, index) => {
      const own = new Options('chaos()', phase, ['for', ...WEATHER], `schedule[${index}].`)
      const isLast = index === given.length - 1
      this.#length += lengthOf(own, isLast)
      const byCalls = typeof own.get('for') === 'object'
      if (own.get('for') !== undefined && index > 0 && byCalls !== this.#byCalls) {
        throw own.wrong('for', 'of chaos() must be of one kind in all phases: durations, or { calls }')
      }
      if (index === 0) this.#byCalls = byCalls
      this.#phases.push({ until: this.#length, weather: weatherOf(own, outside) })
    })
  }

  /**
   * The number of the phase, and its weather; nothing without phases.
   * @param {number} call
   * @param {number} elapsedMs
   * @returns {{ phase: number, weather: Weather } | undefined}
   */
  at(call, elapsedMs) {
    const position = (this.#byCalls ? call : elapsedMs) % this.#length
    const phase = this.#phases.findIndex(({ until }) => position < until)
    return phase < 0 ? undefined : { phase, weather: this.#phases[phase].weather }
  }
}

/**
 * @param {Given} phase
 * @param {boolean} isLast
 */
function lengthOf(phase, isLast) {
  const value = phase.get('for')
  if (value === undefined && isLast) return Infinity
  if (typeof value === 'object') return phase.nested('for', ['calls']).whole('calls', { min: 1, max: MILLION })
  return phase.duration('for', {})
}

module.exports = { Schedule }
