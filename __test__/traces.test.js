// Traces played from end to end: figures one can work out by hand, figures others have published, and how far ours may be behind.
// Never judges a peer: of lru-cache it is known what it must find, so it shows that requests are counted right.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, test } = require('node:test')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-traces-'))
after(() => fs.rmSync(folder, { recursive: true }))

/**
 * The command as a user runs it.
 * @param {string[]} words
 * @returns {Promise<{ rows: Record<string, string[]>, gaps: { mean: number, worst: number }[] }>} cells by trace and capacity
 */
function traces(...words) {
  const options = { cwd: path.join(__dirname, '..'), maxBuffer: 1 << 24 }
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['scripts/traces.mjs', ...words], options, (error, stdout, stderr) => {
      if (error) return reject(new Error(`${stderr}\n${stdout}`, { cause: error }))
      const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
      const rows = lines.filter(([title]) => / @ [\d,]+$/.test(title)).map(([title, ...cells]) => [title, cells])
      const gaps = [...stdout.matchAll(/mean (\S+), .* worst (\S+)$/gm)]
      return resolve({
        rows: Object.fromEntries(rows),
        gaps: gaps.map(([, mean, worst]) => ({ mean: Number(mean), worst: Number(worst) })),
      })
    })
  })
}

test('the example of the textbooks: with three places LRU finds two of twelve, with four four, with five seven', async () => {
  const file = path.join(folder, 'belady.txt')
  fs.writeFileSync(file, '1\n2\n3\n4\n1\n2\n5\n1\n2\n3\n4\n5\n')
  const { rows, gaps } = await traces(file, '3', '4', '5')
  const lru = [3, 4, 5].map((entries) => rows[`belady @ ${entries}`][0])
  assert.deepEqual(lru, ['16.67', '33.33', '58.33'])
  assert.equal(rows['belady @ 5'][3], '58.33', 'where everything fits, ours finds whatever came before')
  assert.deepEqual(gaps, [], 'nothing is published of it')
})

test('with sizes, bytes are counted as well as requests', async () => {
  const file = path.join(folder, 'sized.txt')
  fs.writeFileSync(file, 'a 10\nb 20\na 10\n')
  const { rows } = await traces(file, '30')
  assert.deepEqual([rows['sized @ 30'][0], rows['sized @ 30'][3]], ['33.33 / 25.00', '33.33 / 25.00'])
})

test('the traces that come with it: LRU as published, ours close to the best of nine, and with sizes no worse than GDSF', async () => {
  const { rows, gaps } = await traces()
  assert.equal(Object.keys(rows).length, 24)
  const lru = Object.fromEntries(Object.entries(rows).map(([title, [found]]) => [title, found]))
  assert.equal(lru['gli @ 1,000'], '11.21')
  assert.equal(lru['sprite @ 1,000'], '90.64')
  assert.equal(lru['web07 @ 4,000'], '60.82')
  assert.equal(lru['oltp @ 5,000'], '53.65')
  assert.equal(lru['cloudphysics-sized @ 500,000,000'], '28.08 / 13.92')

  const [unit] = gaps
  assert.ok(unit.mean <= 1, `mean gap ${unit.mean}`)
  assert.ok(unit.worst <= 4, `worst gap ${unit.worst}`)
  const gdsf = { '50,000,000': 18.9, '150,000,000': 27.06, '500,000,000': 36.96 }
  for (const [bytes, ratio] of Object.entries(gdsf)) {
    const found = Number.parseFloat(rows[`cloudphysics-sized @ ${bytes}`][3])
    assert.ok(found >= ratio, `${found} of ${ratio} at ${bytes} bytes`)
  }
})
