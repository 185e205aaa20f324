// Owns what a page under docs/ quotes: each ```js block that begins with a path, beside the file of that path. Never asserts.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')

/**
 * The quotations in `docs/<page>` of files in `folder`, each with the code of the file, both without comments and blank lines.
 * @param {string} page
 * @param {string} folder
 * @returns {{ name: string, quoted: string, code: string }[]}
 */
function quotations(page, folder) {
  const text = fs.readFileSync(path.join(ROOT, 'docs', page), 'utf8')
  return [...text.matchAll(/^```js\n\/\/ (\S+\.jsx?)\n([^]*?)^```$/gm)].map(([, name, quoted]) => ({
    name,
    quoted: codeOf(quoted),
    code: codeOf(fs.readFileSync(path.join(ROOT, folder, name), 'utf8')),
  }))
}

/** @param {string} text */
function codeOf(text) {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*(?:\/\/|\/\*\*.*\*\/$)/.test(line))
    .join('\n')
}

module.exports = { quotations }
