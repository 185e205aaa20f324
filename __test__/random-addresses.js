// Owns dice, and addresses and texts made with them: in every notation there is, and in some there is not.
// Never the same twice in one run, always the same for one seed.
'use strict'

class Dice {
  #state

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed
  }

  /** @param {number} sides */
  below(sides) {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    // The low bits of such a sequence hardly change.
    return Math.floor((this.#state / 2 ** 32) * sides)
  }

  /** @template T @param {ArrayLike<T>} from @returns {T} */
  pick(from) {
    return from[this.below(from.length)]
  }

  /** True once in so many times. @param {number} times */
  once(times) {
    return this.below(times) === 0
  }
}

/** Four octets, often of the ones at the edges. @param {Dice} dice */
function octets(dice) {
  return Array.from({ length: 4 }, () => (dice.once(3) ? dice.pick([0, 1, 127, 128, 255]) : dice.below(256)))
}

/** Eight groups, with as many zeros as real addresses have. @param {Dice} dice */
function groups(dice) {
  const zeros = dice.below(4)
  return Array.from({ length: 8 }, () => {
    if (dice.below(4) < zeros) return 0
    return dice.once(3) ? dice.pick([1, 0xf, 0xff, 0xfff, 0xffff, 0xff9b, 0x8000]) : dice.below(65_536)
  })
}

/** @param {number[]} of */
const mapped = ([a, b, c, d]) => [0, 0, 0, 0, 0, 0xffff, a * 256 + b, c * 256 + d]

/**
 * One of the ways to write these groups: capitals, leading zeros, `::` for any zeros, a dotted end.
 * @param {Dice} dice
 * @param {number[]} of
 */
function written(dice, of) {
  const isDotted = dice.once(4)
  const words = of.map((group) => {
    const hex = group.toString(16).padStart(dice.once(4) ? dice.below(5) : 1, '0')
    return dice.once(3) ? hex.toUpperCase() : hex
  })
  if (isDotted) words.splice(6, 2, [of[6] >> 8, of[6] & 255, of[7] >> 8, of[7] & 255].join('.'))
  const zeros = words.flatMap((word, i) => (/^0+$/.test(word) ? [i] : []))
  if (zeros.length === 0 || dice.once(4)) return words.join(':')
  const start = dice.pick(zeros)
  let end = start + 1
  while (zeros.includes(end) && !dice.once(5)) end++
  return `${words.slice(0, start).join(':')}::${words.slice(end).join(':')}`
}

/**
 * A text with something in it changed.
 * @param {Dice} dice
 * @param {string} text
 * @param {string} signs
 */
function spoiled(dice, text, signs) {
  const at = dice.below(text.length + 1)
  const sign = dice.pick(signs)
  return dice.pick([
    text.slice(0, at) + sign + text.slice(at),
    text.slice(0, at) + sign + text.slice(at + 1),
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at),
  ])
}

module.exports = { Dice, groups, mapped, octets, spoiled, written }
