// Owns the types of spillway/bentocache, written by hand.
// Never imports bentocache's types: structural ones fit what its layers take.

import type { ByteSize, Cache, Mode, RedisOptions } from '../index.js'

export interface SpillwayDriverOptions {
  /** `'l1'` for `useL1Layer`, `'l2'` for `useL2Layer`. Default `'l1'`. */
  layer?: 'l1' | 'l2'
  /** The cache underneath: drivers of one name, in whatever thread, are one. It has knobs like any cache. Default `'bentocache'`. */
  name?: string
  /** As of a cache: all values with what they take beside. Default `'64mb'`. */
  maxBytes?: ByteSize
  /** As of a cache; what is larger is not stored. Up to an eighth of `maxBytes`. Default that, and no more than 4 MB. */
  maxValueBytes?: ByteSize
  /** As bentocache's own drivers have it: before each key. Default: what bentocache says. */
  prefix?: string
  /** As bentocache's memory driver has it: false hands over values as they are, which are then kept as `structuredClone` has them. */
  serialize?: boolean
  /**
   * As of `spillway()`: the values are kept in Redis as well, behind memory, and are those of all processes; so is what is forgotten. Takes `layer: 'l2'`, since bentocache's first layer answers at once: else `E_OPTION`.
   * Default: of this process alone.
   */
  redis?: string | readonly string[] | RedisOptions
  /** As of a cache: what the values were made by, such as the build. Those of another are not read. Default: none. */
  version?: string | number
  /** Where time comes from, for tests: milliseconds since 1970. Such a driver is alone with its clock. Default: the system's clocks. */
  clock?: () => number
}

/** A first layer answers at once, a second one with promises. */
type Answer<Layer, T> = Layer extends 'l1' ? T : Promise<T>

export interface SpillwayDriver<Layer extends 'l1' | 'l2' = 'l1'> {
  type: Layer
  /** The cache itself, for `stats()`, `dump()` and `restore()`. */
  readonly cache: Cache<unknown, Mode>
  namespace(name: string): any
  get(key: string): any
  /** What it was, taken out: of several who ask at once, one has it. */
  pull(key: string): any
  /** False for a value that is too large; what was there is gone then. */
  set(key: string, value: any, ttl?: number): Answer<Layer, boolean>
  /** Of a first layer. */
  getRemainingTtl: Layer extends 'l1' ? (key: string) => number | undefined : any
  delete(key: string): Answer<Layer, boolean>
  deleteMany(keys: string[]): Answer<Layer, boolean>
  /** What is under this prefix, in constant time. */
  clear(): Answer<Layer, void>
  disconnect(): Promise<void>
}

/** What bentocache takes for a layer. */
export interface SpillwayLayer<Layer extends 'l1' | 'l2'> {
  options: Record<string, any>
  factory: (config: any) => SpillwayDriver<Layer>
}

/**
 * A layer of bentocache in native memory: of a bounded size, and one for all threads of the process, so that what one of them
 * deletes is gone for all.
 *
 * @throws `E_OPTION`, `E_NAME`, `E_SIZE` for options that are wrong
 * @example const store = bentostore().useL1Layer(spillwayDriver({ name: 'shop', maxBytes: '256mb' }))
 */
export function spillwayDriver(options?: SpillwayDriverOptions & { layer?: 'l1' }): SpillwayLayer<'l1'>
export function spillwayDriver(options: SpillwayDriverOptions & { layer: 'l2' }): SpillwayLayer<'l2'>
