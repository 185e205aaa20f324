// Limits to start from, by what they guard. Owns the figures and their reasons.
// Never opens anything: a preset is plain data, to be spread and changed.
'use strict'

/** Under this key a preset says its name, so that a spread of it can still be told from figures of one's own. */
const PRESET = Symbol.for('spillway.preset')

/** @typedef {'token-bucket' | 'fixed-window' | 'sliding-window'} Algorithm */
/** @typedef {{ limit: number, window: import('../index').Duration, algorithm: Algorithm, burst?: number }} Figures */

/** @type {Record<string, Figures>} */
const FIGURES = {
  // Whoever forgot a password tries a few times; whoever guesses tries for ever. A sliding window has no turn to wait for, at
  // which five old tries become five fresh ones.
  auth: { limit: 5, window: '15m', algorithm: 'sliding-window' },
  // Six digits are a million codes: at five tries in ten minutes, half of them take two years. Sliding for the reason above.
  otp: { limit: 5, window: '10m', algorithm: 'sliding-window' },
  // Starts work that runs for minutes and that only one run at a time may do: asking again is impatience.
  syncStart: { limit: 3, window: '10m', algorithm: 'sliding-window' },
  // A person clicking through reports. Rests buy a burst, and one query comes back every two seconds.
  query: { limit: 30, window: '1m', algorithm: 'token-bucket' },
  // Scans that cost money each. Not a minute's worth at once, as a rested bucket would let through, but a third of it.
  heavyQuery: { limit: 10, window: '1m', burst: 3, algorithm: 'token-bucket' },
  // A daily ration that people plan with: it turns at 00:00 UTC, and "tomorrow" is the whole explanation.
  recognition: { limit: 10, window: '1d', algorithm: 'fixed-window' },
  // As above. Five exports of everything are enough for any honest day.
  export: { limit: 5, window: '1d', algorithm: 'fixed-window' },
  // Files come in batches: ten at once after a rest, then one every six minutes.
  upload: { limit: 10, window: '1h', algorithm: 'token-bucket' },
  // What leaves the house is counted over the hour that has just passed: no rest is saved up, no turn gives it back at once.
  download: { limit: 20, window: '1h', algorithm: 'sliding-window' },
  // A conversation comes in bursts. After them a message comes back every ten seconds, so nobody is silent for minutes.
  chat: { limit: 30, window: '5m', algorithm: 'token-bucket' },
  // A sender that keeps to 100 in any minute is never refused, however they fall; one that repeats them all at once is slowed.
  webhook: { limit: 100, window: '1m', algorithm: 'token-bucket' },
}

/** @type {typeof FIGURES} */
const presets = {}
for (const [name, figures] of Object.entries(FIGURES)) {
  presets[name] = Object.freeze(Object.assign({ ...figures }, { [PRESET]: name }))
}
Object.freeze(presets)

module.exports = { presets, PRESET }
