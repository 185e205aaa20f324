// Owns the order in which contestants take their turns: every one once per pass, in a random order that a seed repeats.
// Must never measure, nor favour a place in the list.
'use strict'

/**
 * Numbers in [0, 1), the same ones for the same seed: a run that looks odd can be run again in its own order.
 * @param {number} seed
 * @returns {() => number}
 */
function seeded(seed) {
  let state = seed >>> 0 || 1
  return () => {
    // Marsaglia's xorshift over 32 bits. Zero is its only fixed point, hence the `|| 1`.
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/**
 * The places 0 … count − 1, each once, every order equally likely.
 * @param {number} count
 * @param {() => number} random
 * @returns {number[]}
 */
function turns(count, random) {
  const order = Array.from({ length: count }, (_, place) => place)
  for (let last = count - 1; last > 0; last--) {
    const pick = Math.floor(random() * (last + 1))
    const kept = order[last]
    order[last] = order[pick]
    order[pick] = kept
  }
  return order
}

module.exports = { seeded, turns }
