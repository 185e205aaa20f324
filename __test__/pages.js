// Owns the reading of pages: their fenced blocks, headings and links. Never runs anything.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..')

/**
 * @typedef {object} Block
 * @property {string} page
 * @property {number} line of its first line of code, from 1
 * @property {string} language
 * @property {string} code
 * @property {string | undefined} notRun why not, as an HTML comment before it says
 */

/** README.md and what is under docs/, by their paths in the repository. */
function pages() {
  const docs = fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', ...docs.sort().map((name) => `docs/${name}`)]
}

/** @param {string} page */
function textOf(page) {
  return fs.readFileSync(path.join(ROOT, page), 'utf8')
}

/**
 * @param {string} page
 * @param {string} [text]
 * @returns {Block[]}
 */
function blocksOf(page, text = textOf(page)) {
  const fences = text.matchAll(/^( *)```(\w*)[^\n]*\n([^]*?)^\1```$/gm)
  return [...fences].map(({ index, 2: language, 3: code }) => {
    const before = text.slice(0, index)
    const notRun = /<!-- not run: (.+?) -->\s*$/.exec(before)?.[1]
    return { page, line: before.split('\n').length + 1, language, code, notRun }
  })
}

/** What is neither code nor a fence. @param {string} text */
function proseOf(text) {
  return text.replace(/^( *)```[^]*?^\1```$/gm, '').replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ''))
}

/**
 * The anchors that GitHub gives the headings of a page.
 * @param {string} text
 * @returns {Set<string>}
 */
function anchorsOf(text) {
  /** @type {Set<string>} */
  const anchors = new Set()
  for (const [, heading] of text.replace(/^( *)```[^]*?^\1```$/gm, '').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = words.replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '').replace(/\s/g, '-')
    let twin = 0
    while (anchors.has(twin === 0 ? anchor : `${anchor}-${twin}`)) twin++
    anchors.add(twin === 0 ? anchor : `${anchor}-${twin}`)
  }
  return anchors
}

/**
 * Where the links of a page lead, but for those to other sites.
 * @param {string} page
 * @param {string} [text]
 * @returns {{ target: string, file: string, anchor: string | undefined }[]}
 */
function linksOf(page, text = textOf(page)) {
  const targets = [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [to, anchor] = target.split('#')
      const file = to === '' ? page : path.posix.join(path.posix.dirname(page), to)
      return { target, file, anchor }
    })
}

module.exports = { ROOT, pages, textOf, blocksOf, linksOf, anchorsOf }
