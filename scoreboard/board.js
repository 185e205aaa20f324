// Owns the questions: which contestant is asked about which fault, and what it means that ours is wrong. Never prints.
'use strict'

const os = require('node:os')
const path = require('node:path')
const { contestants, OURS } = require('./contestants/index.js')
const { faults } = require('./faults/index.js')
const { judge } = require('./judge.js')
const { versionOf } = require('./versions.js')

/** @typedef {import('./judge.js').Cell} Cell */
/** @typedef {{ name: string, version: string }} Column */
/** @typedef {{ name: string, title: string, rule: string, but: Record<string, string>, cells: Record<string, Cell> }} Row */
/** @typedef {{ about: string, columns: Column[], rows: Row[] }} Section */

/** @type {import('./faults/index.js').Fault['about'][]} */
const SECTIONS = ['breaker', 'timeout', 'retry', 'bulkhead', 'fetch']

/**
 * Asks all questions, as many at a time as there are processors.
 * @param {string[]} only the faults asked about, by their names
 * @returns {Promise<Section[]>}
 */
async function ask(only) {
  const sections = SECTIONS.map((about) => section(about, only)).filter(({ rows }) => rows.length > 0)
  const questions = sections.flatMap(({ columns, rows }) =>
    rows.flatMap((row) => columns.map(({ name }) => ({ row, name }))),
  )
  const worker = async () => {
    for (let next = questions.shift(); next !== undefined; next = questions.shift()) {
      const { row, name } = next
      row.cells[name] = await judge(row.name, path.join(__dirname, 'contestants', `${name}.js`))
    }
  }
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker))
  return sections
}

/**
 * @param {import('./faults/index.js').Fault['about']} about
 * @param {string[]} only
 * @returns {Section}
 */
function section(about, only) {
  const names = Object.keys(contestants).filter((name) => contestants[name]().about.includes(about))
  const rows = only.map((name) => ({ name, ...faults[name]() })).filter((fault) => fault.about === about)
  return {
    about,
    columns: names.map((name) => ({ name, version: versionOf(name) })),
    rows: rows.map(({ name, title, rule, but = {} }) => ({ name, title, rule, but, cells: {} })),
  }
}

/**
 * The faults of ours. A question that ours does not answer is one: there is nothing here it may lack.
 * @param {Section[]} sections
 * @returns {string[]} by their names
 */
function ownFaults(sections) {
  return rowsWhere(sections, ({ cells }) => cells[OURS].verdict !== 'right')
}

/**
 * Questions that could not be put to somebody: of those the run says nothing.
 * @param {Section[]} sections
 * @returns {string[]} by their names
 */
function unasked(sections) {
  return rowsWhere(sections, ({ cells }) => Object.values(cells).some(({ verdict }) => verdict === 'failed'))
}

/**
 * How often each contestant was right, of the times it was asked.
 * @param {Section[]} sections
 * @returns {{ name: string, right: number, asked: number }[]} in the order they are shown
 */
function tally(sections) {
  return Object.keys(contestants).flatMap((name) => {
    const cells = sections.flatMap(({ rows }) => rows.flatMap(({ cells }) => cells[name] ?? []))
    const asked = cells.filter(({ verdict }) => verdict !== 'none').length
    return asked === 0 ? [] : [{ name, right: cells.filter(({ verdict }) => verdict === 'right').length, asked }]
  })
}

/**
 * @param {Section[]} sections
 * @param {(row: Row) => boolean} isWanted
 */
function rowsWhere(sections, isWanted) {
  return sections.flatMap(({ rows }) => rows.filter(isWanted).map(({ name }) => name))
}

module.exports = { ask, ownFaults, unasked, tally }
