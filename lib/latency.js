// How long calls took, in buckets that grow with the time. Owns the arithmetic of percentiles; costs the same for every call.
// Never keeps a call.
'use strict'

/** Buckets of each power of two: a percentile is told to 12.5 %. */
const SHARE_BITS = 3
const SHARES = 1 << SHARE_BITS
/** Up to 2^31 microseconds, some 35 minutes; what takes longer stands in the last one, which ends with the longest call. */
const BUCKETS = (31 - SHARE_BITS + 1) * SHARES
const LONGEST = 2 ** 31 - 1

class Latency {
  #counts = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #max = 0

  /** @param {number} milliseconds */
  record(milliseconds) {
    const micros = Math.min(LONGEST, Math.max(0, Math.round(milliseconds * 1000)))
    this.#counts[bucketOf(micros)]++
    this.#count++
    this.#sum += milliseconds
    if (milliseconds > this.#max) this.#max = milliseconds
  }

  get count() {
    return this.#count
  }

  /**
   * Milliseconds that so large a share of the calls did not exceed, at most an eighth too many; 0 when there were none.
   * @param {number} share
   */
  percentile(share) {
    let left = Math.ceil(this.#count * share)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket]
      if (left <= 0 && this.#counts[bucket] > 0) return Math.min(upperEdge(bucket) / 1000, this.#max)
    }
    return 0
  }

  /** Half of all is forgotten, so that the present counts for more than the past. */
  halve() {
    this.#count = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = Math.floor(this.#counts[bucket] / 2)
      this.#count += this.#counts[bucket]
    }
    this.#sum /= 2
  }

  report() {
    const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => this.percentile(share))
    const meanMs = this.#count === 0 ? 0 : this.#sum / this.#count
    return { count: this.#count, meanMs, p50Ms, p95Ms, p99Ms, maxMs: this.#max }
  }
}

/**
 * Exact below 8 microseconds; above, the leading bit says which power of two and the next three say where in it.
 * @param {number} micros
 */
function bucketOf(micros) {
  if (micros < SHARES) return micros
  const power = 31 - Math.clz32(micros)
  return (power - SHARE_BITS + 1) * SHARES + ((micros >>> (power - SHARE_BITS)) & (SHARES - 1))
}

/** @param {number} bucket */
function upperEdge(bucket) {
  if (bucket < SHARES) return bucket
  if (bucket === BUCKETS - 1) return Infinity
  const power = Math.floor(bucket / SHARES) + SHARE_BITS - 1
  return 2 ** power + ((bucket % SHARES) + 1) * 2 ** (power - SHARE_BITS) - 1
}

module.exports = { Latency }
