// Owns how the scoreboard looks in a terminal: sentences and answers broken into lines, a section for each kind of guard.
// Never changes what was observed.
'use strict'

/** @typedef {import('./board.js').Section} Section */
/** @typedef {import('./judge.js').Cell} Cell */

const GAP = '  '
const [TITLE, NARROWEST] = [46, 16]
/** @type {Record<string, string>} */
const HEADS = { breaker: 'breakers', timeout: 'timeouts', retry: 'retries', bulkhead: 'bulkheads', fetch: 'fetch' }

/** @param {Cell} cell */
function told({ verdict, said }) {
  if (verdict === 'none') return `— ${said}`
  return verdict === 'failed' ? said : `${verdict}: ${said}`
}

/**
 * @param {string} text
 * @param {number} width
 * @returns {string[]} at least one line; a word that is longer than a line keeps its length
 */
function broken(text, width) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1]
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines
}

/**
 * @param {string[]} texts one for each column
 * @param {number[]} widths
 */
function row(texts, widths) {
  const cells = texts.map((text, column) => broken(text, widths[column]))
  const height = Math.max(...cells.map((lines) => lines.length))
  return Array.from({ length: height }, (_, at) =>
    cells
      .map((lines, column) => (lines[at] ?? '').padEnd(widths[column]))
      .join(GAP)
      .trimEnd(),
  ).join('\n')
}

/**
 * @param {Section[]} sections
 * @param {number} width of the terminal, in characters
 * @returns {string}
 */
function render(sections, width) {
  return sections.map((section) => renderSection(section, width)).join('\n')
}

/** @param {Section} section @param {number} width */
function renderSection({ about, columns, rows }, width) {
  const each = Math.max(NARROWEST, Math.floor((width - TITLE) / columns.length) - GAP.length)
  const widths = [TITLE, ...columns.map(() => each)]
  const rule = widths.map((length) => '-'.repeat(length)).join(GAP)
  /** @type {string[]} */
  const notes = []
  const lines = rows.map(({ title, but, cells }) => {
    const answers = columns.map(({ name }) => {
      const cell = cells[name]
      if (cell.verdict !== 'wrong' || but[name] === undefined) return told(cell)
      notes.push(`${name}: ${but[name]}`)
      return `${told(cell)} [${notes.length}]`
    })
    return row([title, ...answers], widths)
  })
  const head = row([HEADS[about], ...columns.map(({ name, version }) => `${name}@${version}`)], widths)
  return [head, rule, ...lines, ...notes.map((note, at) => `[${at + 1}] ${note}`), ''].join('\n')
}

module.exports = { render, told, broken }
