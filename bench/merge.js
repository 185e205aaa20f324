// Owns the making of one report out of several of the same comparison, each from a process of its own.
// Must never mix samples of different contestants, nor average what has been averaged: it goes back to the samples.
'use strict'

const { spread } = require('./spread.js')
const { judge } = require('./verdict.js')

/** @typedef {import('./duel.js').Report} Report */

/**
 * Where code and data happen to lie differs from process to process and moves a figure by several per cent, which no number of
 * rounds within one process would show.
 * @param {Report[]} reports at least one, with the same rows and targets in the same order
 * @returns {Report}
 */
function merge(reports) {
  const [first] = reports
  return {
    ...first,
    rows: first.rows.map((row, place) => {
      if (row.skipped) return row
      const samples = reports.flatMap((report) => report.rows[place].samples ?? [])
      return { ...row, ...spread(samples), samples }
    }),
    targets: first.targets.map((target, place) => {
      if (target.skipped) return target
      const samples = reports.flatMap((report) => report.targets[place].samples ?? [])
      return { ...target, ...judge(samples, target.atMost), samples }
    }),
  }
}

module.exports = { merge }
