// Who wants to know when a primitive says no: listeners of one handle, and Node's diagnostics channels for the whole process.
// Never lets a listener's error reach the call that was answered, and never costs a call that was admitted anything.
'use strict'

const { assertFunction } = require('./call.js')
const { misuse, shown } = require('./misuse.js')

/** @typedef {import('node:diagnostics_channel').Channel} Channel */
/** @typedef {{ listener: (message: any) => void, on: boolean }} Registration */

/** Not every environment that can load this has diagnostics channels; without them there are listeners only. */
const diagnostics = (() => {
  try {
    return require('node:diagnostics_channel')
  } catch {
    return undefined
  }
})()

// As it was at the start: fake timers may replace it, and an error must not wait for a test to move its clock.
const later = globalThis.process?.nextTick ?? globalThis.queueMicrotask

/** By their names, and held here: Node itself lets go of a channel that nobody holds. @type {Map<string, Channel>} */
const channels = new Map()

/**
 * @param {string} kind
 * @param {string} event
 */
function channelOf(kind, event) {
  if (diagnostics === undefined) return undefined
  const name = `spillway:${kind}:${event}`
  let channel = channels.get(name)
  if (channel === undefined) channels.set(name, (channel = diagnostics.channel(name)))
  return channel
}

/** The events of one handle. What is emitted also goes to the channel `spillway:<kind>:<event>`. */
class Events {
  #kind
  /** Never changed in place, so that a listener may add and remove while an event is on its way. @type {Map<string, { channel: Channel | undefined, listeners: readonly Registration[] }>} */
  #events

  /**
   * @param {string} kind
   * @param {readonly string[]} names
   */
  constructor(kind, names) {
    this.#kind = kind
    this.#events = new Map(names.map((name) => [name, { channel: channelOf(kind, name), listeners: [] }]))
  }

  /**
   * @param {string} name
   * @param {(message: any) => void} listener
   * @returns {() => void} takes the listener off; from then on it is not called any more, not even by the event on its way
   */
  on(name, listener) {
    const event = this.#events.get(name)
    if (event === undefined) {
      const names = [...this.#events.keys()].map((known) => `'${known}'`).join(', ')
      throw misuse('E_OPTION', `\`event\` of on() of a ${this.#kind} must be one of ${names}; got ${shown(name)}`, {
        option: 'event',
      })
    }
    assertFunction(`on('${name}') of a ${this.#kind}`, listener)
    const registration = { listener, on: true }
    event.listeners = [...event.listeners, registration]
    return () => {
      registration.on = false
      event.listeners = event.listeners.filter((other) => other !== registration)
    }
  }

  /**
   * Whether anybody would hear of it: to be asked before a message is made.
   * @param {string} name
   */
  wanted(name) {
    const event = this.#events.get(name)
    return event !== undefined && (event.listeners.length > 0 || event.channel?.hasSubscribers === true)
  }

  /**
   * @param {string} name
   * @param {object} message
   */
  emit(name, message) {
    const event = this.#events.get(name)
    if (event === undefined) return
    for (const registration of event.listeners) {
      if (!registration.on) continue
      try {
        registration.listener(message)
      } catch (error) {
        // As Node treats the subscribers of a channel: an uncaught exception, and not the fault of who was refused.
        later(() => {
          throw error
        })
      }
    }
    if (event.channel?.hasSubscribers === true) event.channel.publish(message)
  }
}

module.exports = { Events }
