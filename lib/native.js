'use strict'
// Loads the native binary at first use and gives it what it needs of this environment. Never loads it at import, so that
// importing the package is safe anywhere.

const { misuse } = require('./misuse.js')
const { deliver } = require('./mailbox.js')

/** @typedef {typeof import('../native/index.js')} Cold */
/**
 * The callbacks of the hot path, as src/hot.rs describes them. Each answers `undefined` in trouble.
 * @typedef {object} Hot
 * @property {() => void} noop
 * @property {(details: Float64Array, slots: Int32Array, onMail: () => void) => boolean} attach
 * @property {(id: number, key: unknown, cost?: unknown) => boolean | undefined} limiterConsume
 * @property {(id: number, key: unknown, cost: unknown) => boolean | undefined} limiterPeek
 * @property {(id: number, key: unknown, cost: number, date: number) => boolean | undefined} limiterRefund
 * @property {(id: number, key: unknown) => boolean | undefined} limiterReset
 * @property {(id: number) => number | undefined} breakerEnter
 * @property {(id: number, generation: number, outcome: number, tookMs: number) => boolean | undefined} breakerExit
 * @property {(id: number) => number | undefined} breakerState
 * @property {(id: number) => number | undefined} bulkheadTryAcquire
 * @property {(id: number) => number | undefined} bulkheadAcquire
 * @property {(id: number) => boolean | undefined} bulkheadArrived
 * @property {(receipt: number) => boolean} giveBack
 * @property {(receipt: number) => boolean} leave
 * @property {(id: number, key: unknown) => string | null | undefined} cacheGet
 * @property {(id: number, key: unknown, hits: number) => boolean | undefined} cacheTouch
 * @property {(id: number, key: unknown, text: string, ttlMs: number | undefined) => boolean | undefined} cacheSet
 * @property {(id: number, key: unknown) => boolean | undefined} cacheDelete
 * @property {(id: number) => boolean | undefined} cacheClear
 * @property {(id: number, key: unknown) => number | string | null | undefined} cacheBoard
 * @property {(id: number, receipt: number, key: string, text: string, ttlMs: number | undefined) => boolean | undefined} cacheLand
 * @property {(id: number, receipt: number) => boolean | undefined} cacheFail
 * @property {(id: number) => boolean | undefined} cacheLeads
 * @property {() => number | string} mail
 */
/** @typedef {Cold & Hot} Native */

/** What a call left behind, to be read before anything else is called. The last number says what the trouble was. */
const details = new Float64Array(8)

/** Generation numbers: one slot of many keys each, raised by every thread that changes what a reader may see. */
const slots = new Int32Array(new SharedArrayBuffer(16_384 * 4))

/** The numbers of `Trouble` in src/hot.rs. */
const TROUBLE = /** @type {const} */ ({ KEY: 1, COST: 2, DISPOSED: 3, VALUE_TOO_LARGE: 4, INTERNAL: 5 })

/** @type {Native | undefined} */
let loaded

/** @returns {Native} */
function native() {
  return loaded ?? load()
}

/** @returns {Native} */
function load() {
  if (typeof process === 'undefined' || !process.versions?.node) {
    throw misuse('E_RUNTIME', 'spillway needs Node.js with native addons; run this handler in the Node.js runtime', { Base: Error })
  }
  /** @type {Native} */
  let binary
  try {
    binary = /** @type {any} */ (require('../native/index.js'))
  } catch (cause) {
    const name = `@spillway/binding-${platform()}`
    throw misuse(
      'E_BINARY',
      `the native binary for ${platform()} is missing: it comes in the package ${name}, which npm installs beside spillway ` +
        `unless optional dependencies are left out. Run \`npm install --include=optional ${name}\`, or \`npm install\` again on ` +
        'this platform; in a clone of the repository, `npm run build`',
      { Base: Error, cause },
    )
  }
  if (!binary.attach(details, slots, () => deliver(binary, details))) {
    throw misuse('E_INTERNAL', 'the native binary refuses this environment', { Base: Error })
  }
  loaded = binary
  return binary
}

/** The platform as the packages of the binaries are named. */
function platform() {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  /** @type {any} */
  const report = process.report?.getReport?.() ?? {}
  return `linux-${arch}-${report.header?.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

/**
 * What to throw for the trouble the last call left.
 * @param {string} kind
 * @param {string} name
 * @returns {Error}
 */
function troubleOf(kind, name) {
  if (details[7] === TROUBLE.DISPOSED) {
    return misuse('E_DISPOSED', `the ${kind} "${name}" has been disposed of or its spillway closed; open it again`, { Base: Error })
  }
  return misuse('E_INTERNAL', `a defect in spillway: the ${kind} "${name}" could not answer; please report it`, { Base: Error })
}

module.exports = { native, details, slots, TROUBLE, troubleOf }
