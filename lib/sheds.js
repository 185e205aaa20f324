// The sheds of one spillway by their names. Owns their end.
// Never shares one with another thread: each thread has an event loop of its own.
'use strict'

const { misuse } = require('./misuse.js')
const { nameOf } = require('./options.js')
const { Shed, shedMeasure, shedShape } = require('./shed.js')

/** @typedef {ReturnType<typeof shedShape>} Shape */

/** What a value of the shape is called among the options. @type {[keyof Shape, string][]} */
const OPTION_OF = [
  ['delayMs', 'delay'],
  ['utilization', 'utilization'],
  ['intervalMs', 'interval'],
]

class Sheds {
  #now
  #over
  #replace
  /** @type {Map<string, { shed: InstanceType<typeof Shed>, shape: Shape }>} */
  #named = new Map()

  /**
   * @param {() => number} now milliseconds, on the spillway's clock
   * @param {typeof import('./loop.js').over} over how the event loop was in the last so many milliseconds
   * @param {boolean} replace what is open with other options, instead of an error
   */
  constructor(now, over, replace) {
    this.#now = now
    this.#over = over
    this.#replace = replace
  }

  /**
   * A name opened twice is one handle.
   * @param {unknown} given
   * @param {unknown} [options]
   */
  open(given, options) {
    const name = nameOf('shed', given)
    const shape = shedShape(options)
    const measure = shedMeasure(options)
    let present = this.#named.get(name)
    const other = present && OPTION_OF.find(([key]) => present?.shape[key] !== shape[key])
    if (present !== undefined && other !== undefined) {
      if (!this.#replace) throw mismatch(name, other, present.shape, shape)
      present.shed.dispose()
      present = undefined
    }
    if (present === undefined) {
      const dispose = () => {
        if (this.#named.get(name)?.shed === shed) this.#named.delete(name)
      }
      const shed = new Shed({ name, now: this.#now, over: this.#over, dispose }, shape)
      present = { shed, shape }
      this.#named.set(name, present)
    }
    if (measure !== undefined) Shed.setMeasure(present.shed, measure)
    return present.shed
  }

  report() {
    return Object.fromEntries([...this.#named].map(([name, { shed }]) => [name, shed.report()]))
  }

  close() {
    for (const { shed } of [...this.#named.values()]) shed.dispose()
  }
}

/**
 * @param {string} name
 * @param {[keyof Shape, string]} other
 * @param {Shape} there
 * @param {Shape} here
 */
function mismatch(name, [key, option], there, here) {
  const differs = `\`${option}\` is ${there[key] ?? 'off'} there and ${here[key] ?? 'off'} here`
  const advice = "open it with the same ones, under another name, or with `onMismatch: 'replace'`"
  return misuse('E_MISMATCH', `the shed "${name}" is open with other options: ${differs}; ${advice}`)
}

module.exports = { Sheds }
