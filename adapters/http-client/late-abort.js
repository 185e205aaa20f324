// The caller's signal while an answer is read. Owns that it still breaks off the body, as with plain fetch.
// Never keeps a body alive, and never puts more than one listener on a signal: thousands of calls may share one that lives as long as
// the process, and to add a listener takes a look at each that is there.
'use strict'

/** What is being read under each signal. @type {WeakMap<AbortSignal, Readings>} */
const readings = new WeakMap()

/** What aborts a body lives as long as the body. @type {WeakMap<ReadableStream, AbortController>} */
const controllers = new WeakMap()

/** @type {FinalizationRegistry<{ of: Readings, controller: WeakRef<AbortController> }>} */
const collected = new FinalizationRegistry(({ of, controller }) => of.delete(controller))

class Readings {
  #signal
  /** @type {Set<WeakRef<AbortController>>} */
  #controllers = new Set()

  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
    readings.set(signal, this)
  }

  #onAbort = () => {
    for (const controller of this.#controllers) controller.deref()?.abort(this.#signal.reason)
    this.#end()
  }

  /** @param {WeakRef<AbortController>} controller */
  add(controller) {
    this.#controllers.add(controller)
  }

  /** @param {WeakRef<AbortController>} controller */
  delete(controller) {
    this.#controllers.delete(controller)
    if (this.#controllers.size === 0) this.#end()
  }

  #end() {
    this.#signal.removeEventListener('abort', this.#onAbort)
    if (readings.get(this.#signal) === this) readings.delete(this.#signal)
  }
}

/**
 * @param {AbortSignal} signal
 * @param {AbortController} controller of the request
 * @param {ReadableStream} body of the answer
 */
function abortLate(signal, controller, body) {
  if (signal.aborted) return controller.abort(signal.reason)
  const of = readings.get(signal) ?? new Readings(signal)
  const weak = new WeakRef(controller)
  of.add(weak)
  controllers.set(body, controller)
  collected.register(body, { of, controller: weak })
}

module.exports = { abortLate }
