// Owns what is seen during a run: three lines rewritten in place on a terminal, a line every two seconds elsewhere.
// Never prints a number the result does not contain.
'use strict'

const { COLUMNS } = require('./tally.js')
const { durationMs, phaseAt } = require('./schedule.js')
const { NOTHING, count, milliseconds, share } = require('./words.js')

const PLAIN_EVERY_MS = 2_000

/** @param {NodeJS.WriteStream} out */
function stylesOf(out) {
  const on = out.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb'
  const style = (/** @type {string} */ code) => (/** @type {string} */ text) =>
    on ? `\x1b[${code}m${text}\x1b[0m` : text
  return {
    bold: style('1'),
    dim: style('2'),
    green: style('32'),
    red: style('31'),
    yellow: style('33'),
    cyan: style('36'),
  }
}

const HEAD = columns(['time', 'upstream', 'answers/s', 'ok', 'refused', 'p99', 'in flight', 'breaker'])

/** @param {string[]} cells */
function columns([time, upstream, answers, ok, refused, p99, inFlight, breaker]) {
  const numbers = [answers.padStart(10), ok.padStart(7), refused.padStart(9), p99.padStart(9), inFlight.padStart(11)]
  return `  ${time.padStart(5)}  ${upstream.padEnd(12)}${numbers.join('')}  ${breaker}`
}

/**
 * @param {NodeJS.WriteStream} out
 * @param {import('./schedule.js').Schedule} schedule
 * @param {string} title
 */
function screen(out, schedule, title) {
  const { bold, dim, cyan } = stylesOf(out)
  const endMs = durationMs(schedule)
  let plainAt = 0
  let drawn = 0

  function draw(/** @type {string[]} */ lines) {
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`
    drawn = lines.length
    out.write(up + lines.map((line) => `\x1b[2K${line}\n`).join(''))
  }

  return {
    begin() {
      if (!out.isTTY) out.write(`  ${title}\n${HEAD}\n`)
    },
    /** @param {{ ms: number, load: any, breaker?: string }} news */
    show({ ms, load, breaker }) {
      const row = columns([
        `${(ms / 1000).toFixed(0)} s`,
        ms < endMs ? phaseAt(schedule, ms) : 'last answers',
        count((load.of * 1000) / load.everyMs),
        share(load.ok, load.of, 0),
        share(load.refused, load.of, 0),
        milliseconds(load.p99),
        count(load.inFlight),
        breaker ?? NOTHING,
      ])
      if (out.isTTY) {
        const filled = Math.min(COLUMNS, Math.round((ms / endMs) * COLUMNS))
        const bar = cyan('━'.repeat(filled)) + dim('─'.repeat(COLUMNS - filled))
        draw([`  ${bold(title.padEnd(17))} ${bar}`, dim(HEAD), row])
      } else if (ms >= plainAt) {
        plainAt = ms + PLAIN_EVERY_MS
        out.write(`${row}\n`)
      }
    },
    /** Takes the live lines away: what they showed is in the result. */
    clear() {
      if (drawn > 0) out.write(`\x1b[${drawn}A\x1b[0J`)
      else out.write('\n')
    },
  }
}

module.exports = { screen, stylesOf }
