// The native binary, and what this environment shares with it. Never throws at import: what is missing is said at first use.
'use strict'

const { misuse } = require('./misuse.js')

/** @typedef {typeof import('../native/index.js')} Cold */
/** @typedef {[limit?: number, windowMs?: number, burst?: number]} PlanArguments */
/**
 * The callbacks of the hot path, as src/hot.rs describes them. Each answers `undefined` in trouble, but where it says otherwise.
 * @typedef {object} Hot
 * @property {() => void} noop
 * @property {(details: Float64Array, slots: Int32Array, onMail: () => void) => boolean} attach
 * @property {(id: number, key: unknown, cost?: unknown) => boolean | undefined} limiterConsume
 * @property {(id: number, key: unknown, cost: unknown, ...plan: PlanArguments) => boolean | undefined} limiterConsumePlan
 * @property {(id: number, key: unknown, cost: unknown, ...plan: PlanArguments) => boolean | undefined} limiterPeek
 * @property {(id: number, key: unknown, cost: unknown, maxWaitMs: number) => boolean | null | undefined} limiterReserve
 * @property {(id: number, key: unknown, cost: number, date: number, wallDate: number, shadowed: number, ...plan: PlanArguments) => boolean | undefined} limiterRefund
 * @property {(id: number, key: unknown, cost: unknown) => boolean | undefined} limiterUncount
 * @property {(id: number, key: unknown) => boolean | undefined} limiterReset
 * @property {(id: number, key: unknown, durationMs: number) => boolean | undefined} limiterBlock
 * @property {(id: number, key: unknown) => boolean | undefined} limiterUnblock
 * @property {(id: number, rows: Float64Array, ...keys: readonly string[]) => boolean | undefined} limiterConsumeMany
 * @property {(id: number, key: unknown, otherId: number, otherKey: unknown) => boolean | undefined} consumeBoth
 * @property {(...charges: (number | string)[]) => boolean | undefined} consumeAll
 * @property {(id: number, key: unknown, cost?: unknown) => FarAnswer} farConsume
 * @property {(id: number, key: unknown, cost: unknown, ...plan: PlanArguments) => FarAnswer} farConsumePlan
 * @property {(id: number, key: unknown, cost: unknown, ...plan: PlanArguments) => FarAnswer} farPeek
 * @property {(id: number, key: unknown, cost: unknown, maxWaitMs: number) => FarAnswer | null} farReserve
 * @property {(id: number, key: unknown, cost: number, date: number, shadowed: number, ...plan: PlanArguments) => FarAnswer} farRefund
 * @property {(id: number, key: unknown) => number | undefined} farReset
 * @property {(id: number, key: unknown, durationMs: number) => number | undefined} farBlock
 * @property {(id: number, key: unknown) => number | undefined} farUnblock
 * @property {(id: number, rows: Float64Array, keys: readonly string[]) => FarAnswer} farConsumeMany
 * @property {(...charges: (number | string)[]) => FarAnswer} farConsumeAll
 * @property {(id: number) => number | undefined} breakerEnter
 * @property {(id: number, key: unknown) => number | undefined} breakerEnterKey
 * @property {(id: number, generation: number, outcome: number, tookMs?: number) => boolean | undefined} breakerExit
 * @property {(id: number, generation: number, outcome: number, tookMs: number, place: number) => boolean | undefined} breakerExitKey
 * @property {(id: number) => number | undefined} breakerTurn
 * @property {(id: number, key?: unknown) => number | undefined} breakerState
 * @property {(id: number, key: unknown) => boolean | undefined} breakerIsolate
 * @property {(id: number, key: unknown) => boolean | undefined} breakerReset
 * @property {(id: number) => string | undefined} breakerSave
 * @property {(id: number, key: unknown, circuit: string, elapsedMs: number) => boolean | undefined} breakerRestore
 * @property {(id: number, calls: number) => boolean | undefined} budgetTake
 * @property {(breakerId: number, bulkheadId: number, bulkheadFirst: 0 | 1) => number | undefined} passIn
 * @property {(breakerId: number, generation: number, outcome: number, tookMs: number, bulkheadId: number) => boolean | undefined} passOut
 * @property {(id: number) => boolean | undefined} bulkheadEnter
 * @property {(id: number) => boolean | undefined} bulkheadExit
 * @property {(id: number, key: string) => number | undefined} bulkheadTryAcquire
 * @property {(id: number, rank: number, key: string) => number | undefined} bulkheadAcquire
 * @property {(id: number, key: string) => boolean | undefined} bulkheadExpire
 * @property {(id: number, key: string, rank: number, waits: 0 | 1) => number | undefined} rightsAcquire
 * @property {(id: number, receipt: number, ticket: number) => number | undefined} rightsRelease
 * @property {(id: number, ticket: number) => number | undefined} rightsRenew
 * @property {(id: number, ticket: number) => number | undefined} rightsLeft microseconds
 * @property {(id: number, ticket: number) => string | undefined} rightsToken
 * @property {() => boolean | undefined} rightsWatchEnd
 * @property {() => void} rightsEnd
 * @property {(receipt: number) => boolean} giveBack
 * @property {(receipt: number) => boolean} leave
 * @property {(id: number, key: unknown, upTo: number, stamp: number) => Found | null | undefined} cacheGet
 * @property {(id: number, key: unknown, upTo: number, stamp: number, tags: string[]) => Found | null | undefined} cacheTagged
 * @property {(id: number, keys: string[], numbers: Float64Array) => (string | Uint8Array | false | null)[] | undefined} cacheGetMany
 * @property {(id: number, key: unknown, hits: number) => boolean | undefined} cacheTouch
 * @property {(id: number, key: unknown, value: Encoded, ttlMs: number | undefined, tags: string[] | undefined, since: number | undefined) => boolean | undefined} cacheSet
 * @property {(id: number, keys: string[], values: Encoded[], ttlsMs: (number | undefined)[], tags: (string[] | undefined)[]) => boolean | undefined} cacheSetMany
 * @property {(id: number, key: unknown) => boolean | undefined} cacheDelete
 * @property {(id: number, key: unknown) => boolean | undefined} cacheExpire
 * @property {(id: number, prefix: string) => number | undefined} cacheDeletePrefix
 * @property {(id: number, tags: string[], soft: boolean | number) => boolean | undefined} cacheTags a number: for how many milliseconds of grace at most
 * @property {(id: number) => boolean | undefined} cacheClear
 * @property {(id: number, version: string) => boolean | undefined} cacheVersion
 * @property {(id: number) => number | undefined} cacheMoment
 * @property {(id: number, key: unknown, purpose: number) => number | Found | null | undefined} cacheBoard
 * @property {(id: number, receipt: number, value: Encoded, ttlMs: number | undefined, tags: string[] | undefined) => boolean | undefined} cacheLand
 * @property {(id: number, receipt: number) => boolean | undefined} cacheFail
 * @property {(id: number, receipt: number) => boolean | undefined} cacheUsurp
 * @property {(id: number) => boolean | undefined} cacheLeads
 * @property {(id: number, key: unknown, upTo: number, tags: string[] | undefined) => number | null | undefined} cacheFetch
 * @property {(id: number, key: unknown, receipt: number, purpose: number) => number | true | undefined} cacheClaim
 * @property {(id: number, key: unknown, value: Encoded, ttlMs: number | undefined, tags: string[] | undefined, since: number | undefined) => number | true | undefined} cacheSetFar
 * @property {(id: number, keys: string[], values: Encoded[], ttlsMs: (number | undefined)[], tags: (string[] | undefined)[]) => number | true | undefined} cacheSetManyFar
 * @property {(id: number, key: unknown) => number | true | undefined} cacheDeleteFar
 * @property {(id: number, key: unknown) => number | true | undefined} cacheExpireFar
 * @property {(id: number, prefix: string) => number | true | undefined} cacheDeletePrefixFar
 * @property {(id: number, tags: string[], soft: boolean | number) => number | true | undefined} cacheTagsFar
 * @property {(id: number) => number | true | undefined} cacheClearFar
 * @property {(id: number, version: string) => number | true | undefined} cacheVersionFar
 * @property {(id: number, cursor: string, prefix: string) => number | null | undefined} cacheScan
 * @property {() => number | string | Uint8Array | false} mail
 * @property {() => string | Uint8Array | false | undefined} payload what came with the answer that is being delivered, once
 * @property {(registry: number) => void} flushRemote
 */
/** Decided at once, or the number of what Redis was asked. @typedef {boolean | number | undefined} FarAnswer */
/** @typedef {string | Uint8Array | undefined} Encoded */
/** @typedef {string | Uint8Array | boolean} Found */
/** @typedef {Cold & Hot} Native */

/**
 * What an environment has once, however often this module is loaded in it: a test runner loads it anew for every file, and gets
 * the same binary each time.
 * @typedef {object} Environment
 * @property {Float64Array} details what a call left behind, to be read before anything else is called; the eighth number says
 * what the trouble was
 * @property {Int32Array} slots generation numbers, one for many keys, raised by every thread that changes what a reader may see
 * @property {Map<number, import('./mailbox.js').Wait>} waits who waits for a letter
 * @property {(Asked | undefined)[]} asks what has been asked of Redis and not been answered, by the number it was given
 * @property {Map<number, Moved>} movers by the ids of breakers, who wants to know that they have moved
 */

/** @typedef {(from: number, to: number, key: string | undefined) => void} Moved */
/** Reads what the answer has left, at once. @typedef {{ settle(code: number): void }} Asked */

const ENVIRONMENT = Symbol.for('spillway.environment')

/** The numbers of `Trouble` in src/hot.rs. */
const TROUBLE = /** @type {const} */ ({
  KEY: 1,
  COST: 2,
  DISPOSED: 3,
  VALUE_TOO_LARGE: 4,
  INTERNAL: 5,
  PLAN: 6,
  TAGS: 7,
})

/** What `mail()` answers with for what was held and has expired. */
const EXPIRED = -2
/** And for a breaker without keys that is in another state. */
const MOVED = -3
/** And for an answer to what was asked of Redis. */
const ANSWERED = -4
/** And for what became of a wait for a right. */
const SETTLED = -5

const { binary, missing } = load()
const { details, slots, waits, asks, movers } = environment()

/** @returns {Native} */
function native() {
  if (binary === undefined) throw missing
  return binary
}

/** @returns {{ binary: Native, missing?: undefined } | { binary?: undefined, missing: Error }} */
function load() {
  if (typeof process === 'undefined' || !process.versions?.node) {
    const message = 'spillway needs Node.js with native addons; run this code in the Node.js runtime'
    return { missing: misuse('E_RUNTIME', message, { Base: Error }) }
  }
  try {
    return { binary: /** @type {any} */ (require('../native/index.js')) }
  } catch (cause) {
    return { missing: binaryMissing(cause) }
  }
}

/** @param {unknown} cause */
function binaryMissing(cause) {
  const name = `@spillway/binding-${platform()}`
  const message =
    `the native binary for ${platform()} is missing: it comes in the package ${name}, which npm installs beside spillway ` +
    `unless optional dependencies are left out. Run \`npm install --include=optional ${name}\`, or \`npm install\` again on ` +
    'this platform; in a clone of the repository, `npm run build`'
  return misuse('E_BINARY', message, { Base: Error, cause })
}

/** @returns {Environment} */
function environment() {
  const home = /** @type {{ [ENVIRONMENT]?: Environment }} */ (binary ?? {})
  if (home[ENVIRONMENT] !== undefined) return home[ENVIRONMENT]
  const made = {
    details: new Float64Array(16),
    slots: new Int32Array(new SharedArrayBuffer(16_384 * 4)),
    waits: new Map(),
    asks: [],
    movers: new Map(),
  }
  if (binary !== undefined) {
    binary.attach(made.details, made.slots, () => deliver(binary, made))
    home[ENVIRONMENT] = made
  }
  return made
}

/**
 * Deliver all letters. Called when native code wakes this environment, and by whoever made a call that says mail waits.
 * @param {Native} binary
 * @param {Pick<Environment, 'details' | 'waits' | 'asks' | 'movers'>} environment
 */
function deliver(binary, { details, waits, asks, movers }) {
  for (;;) {
    const news = binary.mail()
    if (news === -1) return
    if (news === ANSWERED) {
      const ask = details[10]
      const asked = asks[ask]
      asks[ask] = undefined
      asked?.settle(details[11])
      continue
    }
    if (news === MOVED || (typeof news === 'string' && details[3] === 1)) {
      movers.get(details[0])?.(details[1], details[2], news === MOVED ? undefined : news)
      continue
    }
    const receipt = typeof news === 'number' && news >= 0 ? news : details[0]
    const wait = waits.get(receipt)
    waits.delete(receipt)
    if (typeof news !== 'number') wait?.onLanded?.(news)
    else if (news === EXPIRED) wait?.onExpired?.()
    else if (news === SETTLED) wait?.onSettled?.(details[1])
    else wait?.onYours?.(receipt)
  }
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
    const message = `the ${kind} "${name}" has been disposed of or its spillway closed; open it again`
    return misuse('E_DISPOSED', message, { Base: Error })
  }
  const message = `a defect in spillway: the ${kind} "${name}" could not answer; please report it`
  return misuse('E_INTERNAL', message, { Base: Error })
}

module.exports = { native, details, slots, waits, asks, movers, deliver, TROUBLE, troubleOf }
