// Owns what a ratio is and when a target counts as met or missed.
// Must never know who is being measured: it is given numbers and answers with numbers and a word.
'use strict'

const { spread } = require('./spread.js')

/** @typedef {'met' | 'missed' | 'unclear'} Verdict */
/** @typedef {{ p10: number, median: number, p90: number, atMost: number, verdict: Verdict }} Judgement */

/**
 * One ratio per round. Figures are only ever divided within their own round, where both sides met the same weather.
 *
 * With `bare`, what is compared is the time each side adds to it. A round in which the peer added nothing says nothing good
 * about ours, so it counts as infinitely bad instead of being left out.
 * @param {number[]} ours per round
 * @param {number[]} peer per round
 * @param {number[]} [bare] per round
 * @returns {number[]}
 */
function ratios(ours, peer, bare) {
  return ours.map((mine, round) => {
    const floor = bare ? bare[round] : 0
    const theirs = peer[round] - floor
    return theirs > 0 ? (mine - floor) / theirs : Infinity
  })
}

/**
 * A target is missed only when the spread of the samples lies wholly above it, and met only when it lies wholly at or below.
 * @param {number[]} samples
 * @param {number} atMost
 * @returns {Judgement}
 */
function judge(samples, atMost) {
  const { p10, median, p90 } = spread(samples)
  const verdict = p90 <= atMost ? 'met' : p10 > atMost ? 'missed' : 'unclear'
  return { p10, median, p90, atMost, verdict }
}

module.exports = { ratios, judge }
