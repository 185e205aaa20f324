// The rows as a table in Markdown. Owns its layout. Never leaves out what has failed.
'use strict'

/** A cell holds one line, and no bars of its own. */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')

/** @param {import('./run.js').Row} row */
function told({ row, fault, must, checks, broken, ok, isTried }) {
  const word = isTried === false ? '–' : ok ? 'ok' : 'NOT'
  const seen = checks.map((check) => (check.ok ? check.seen : `**${check.seen}**`))
  if (broken !== undefined) seen.push(`**${broken.split('\n')[0]}**`)
  return `| ${[row, fault, must, seen.join('; '), word].map(cell).join(' | ')} |`
}

/** @param {import('./run.js').Row[]} rows */
function table(rows) {
  return ['| # | fault | must be seen | seen | |', '| --- | --- | --- | --- | --- |', ...rows.map(told)].join('\n')
}

module.exports = { table }
