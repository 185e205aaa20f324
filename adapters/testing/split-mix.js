// Random numbers that are asked for by their place in a sequence. Owns the generator.
// Never has a state: a place gives the same number whenever, and in whatever order, it is asked for.
'use strict'

const GOLDEN = 0x9e3779b97f4a7c15n

/**
 * Number `index` of what SplitMix64 makes from `seed`: a counter that goes up by the golden ratio, and a hash of it. (G. Steele,
 * D. Lea, C. Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.) Since the counter can be reckoned, none of the
 * numbers before it is needed.
 * @param {number} seed a whole number
 * @param {number} index from 0
 * @returns {bigint} 64 bits
 */
function splitMix(seed, index) {
  let z = wrapped(BigInt(seed) + (BigInt(index) + 1n) * GOLDEN)
  z = wrapped((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = wrapped((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}

/**
 * The same as a number from 0 up to, not including, 1.
 * @param {number} seed
 * @param {number} index
 */
function share(seed, index) {
  return Number(splitMix(seed, index) >> 11n) * 2 ** -53
}

/** @param {bigint} bits */
function wrapped(bits) {
  return BigInt.asUintN(64, bits)
}

module.exports = { splitMix, share }
