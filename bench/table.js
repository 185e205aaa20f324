// Owns how a table looks in a terminal: columns aligned, numbers to the right, three significant digits.
// Must never compute a figure that is not in the report already.
'use strict'

/**
 * @param {string[][]} rows the first is the head
 * @param {('left' | 'right')[]} sides one per column
 * @returns {string}
 */
function table(rows, sides) {
  const widths = sides.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, column) => (sides[column] === 'left' ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].map((text) => `  ${text}`).join('\n')
}

/**
 * Three significant digits, whole above a hundred, thousands set apart.
 * @param {number} value
 * @returns {string}
 */
function figure(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '–' : value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/**
 * @param {import('./spread.js').Spread} of
 * @returns {string}
 */
function range({ p10, p90 }) {
  return `[${figure(p10)} – ${figure(p90)}]`
}

/**
 * A report as text: who took how much, then each target with its verdict.
 * @param {import('./duel.js').Report} report
 * @returns {string}
 */
function render(report) {
  const lines = [`${report.name}: ${report.title}`]
  const rows = report.rows.map((row) =>
    row.skipped
      ? [row.name, '–', '', `skipped: ${row.skipped}`]
      : [row.name, figure(row.median), range(row), row.note ?? ''],
  )
  lines.push(table([['', report.unit, 'p10 – p90', ''], ...rows], ['left', 'right', 'right', 'left']))
  if (report.targets.length > 0) {
    const judged = report.targets.map((target) =>
      target.skipped
        ? [target.text, '–', '', `≤ ${figure(target.atMost)}`, 'skipped']
        : [target.text, figure(target.median), range(target), `≤ ${figure(target.atMost)}`, target.verdict],
    )
    const head = ['target', 'median', 'p10 – p90', 'wanted', 'verdict']
    lines.push('', table([head, ...judged], ['left', 'right', 'right', 'right', 'left']))
  }
  for (const note of report.notes) lines.push(`  ${note}`)
  return lines.join('\n')
}

module.exports = { table, figure, range, render }
