// Owns one fault: what a failure costs. Never knows whom it asks.
'use strict'

const { WISH, answer, fail, repeat } = require('../upstream.js')

const ROUNDS = 15

/** @type {import('./index.js').Fault} */
module.exports = {
  about: 'breaker',
  title: 'A failure costs the same with 20,000 samples in the window as with 100',
  rule: 'a rolling window keeps sums, not samples (Hystrix, HystrixRollingNumber)',
  needs: ['breaker'],
  realTime: true,
  but: { opossum: 'without rollingPercentilesEnabled it does not' },
  async scenario({ breaker: make }) {
    const [few, many] = await Promise.all([100, 20_000].map((samples) => filled(make(WISH), samples)))
    const ratios = []
    for (let round = 0; round < ROUNDS; round++) ratios.push((await timeOf(many)) / (await timeOf(few)))
    return ratios.sort((a, b) => a - b)[ROUNDS >> 1]
  },
  // Loose, so that a busy machine says nothing wrong: whoever looks at all samples is two orders away.
  isRight: (ratio) => ratio < 10,
  tell: (ratio) => `${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)} × the time`,
}

/**
 * @param {import('../contestants/index.js').BreakerGuard} breaker
 * @param {number} samples
 */
async function filled(breaker, samples) {
  await repeat(breaker, samples, answer)
  return breaker
}

/** @param {import('../contestants/index.js').BreakerGuard} breaker */
async function timeOf(breaker) {
  const began = process.hrtime.bigint()
  await repeat(breaker, 1, fail)
  return Number(process.hrtime.bigint() - began)
}
