// What a file of requests may look like, what is said of one that is no trace, and how the table adds up.
// Never plays one: that takes peers, and is in traces.test.js.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { after, test } = require('node:test')
const zlib = require('node:zlib')
const { known } = require('../traces/known.js')
const { order, render, summary } = require('../traces/index.js')
const { BadTrace, read } = require('../traces/trace.js')

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-traces-'))
after(() => fs.rmSync(folder, { recursive: true }))

/** @param {string} name @param {string | Buffer} content */
function file(name, content) {
  const at = path.join(folder, name)
  fs.writeFileSync(at, content)
  return at
}

/** @param {string | Buffer} content @param {string | RegExp} why */
async function refused(content, why) {
  const at = file('bad', content)
  await assert.rejects(read(at), (error) => {
    assert.ok(error instanceof BadTrace)
    if (typeof why === 'string')
      assert.ok(error.message.startsWith(`${at}${why}; a trace has a key on each line`), error.message)
    else assert.match(error.message, why)
    return true
  })
}

test('keys are words, numbered as they first come; blank lines and a missing last newline do no harm', async () => {
  const { name, keys, sizes, sized, distinct } = await read(file('mine.txt', 'b\n42\r\n\nb\n007\n7\nb'))
  assert.deepEqual({ name, sized, distinct }, { name: 'mine', sized: false, distinct: 4 })
  assert.deepEqual([...keys], [0, 1, 0, 2, 3, 0])
  assert.deepEqual([...sizes], [1, 1, 1, 1, 1, 1])
})

test('a size follows the key', async () => {
  const { keys, sizes, sized } = await read(file('sized', 'a 10\nb\t4294967295\na 12\n'))
  assert.deepEqual([sized, [...keys], [...sizes]], [true, [0, 1, 0], [10, 4294967295, 12]])
})

test('gzip is known by how it begins, not by its name', async () => {
  const packed = zlib.gzipSync('a\nb\na\n')
  assert.deepEqual([...(await read(file('packed', packed))).keys], [0, 1, 0])
  assert.deepEqual([...(await read(file('plain.gz', 'a\nb\na\n'))).keys], [0, 1, 0])
})

test('more requests than fit a piece of the file', async () => {
  const { keys, distinct } = await read(
    file('long', `${Array.from({ length: 200_000 }, (_, i) => i % 3_000).join('\n')}\n`),
  )
  assert.deepEqual([keys.length, distinct, keys[199_999]], [200_000, 3_000, 199_999 % 3_000])
})

test('the line that is wrong is named, and what is wrong with it', async () => {
  await refused('a\nb c d\n', ':2: there are 3 words in "b c d"')
  await refused('a 10\nb 1e3\n', ':2: "1e3" is no size: it must be a whole number from 1 to 4294967295')
  await refused('a 10\nb 0\n', ':2: "0" is no size: it must be a whole number from 1 to 4294967295')
  await refused('a 10\nb 4294967296\n', ':2: "4294967296" is no size: it must be a whole number from 1 to 4294967295')
  await refused('a 10\nb\n', ':2: the key "b" has no size, and those before it have')
  await refused('a\nb 10\n', ':2: the key "b" has a size, and those before it have none')
  await refused('\n\n', ' is empty')
  await refused('', ' is empty')
})

test('a file that is not there, that is a folder, or that ends in the middle of its gzip', async () => {
  await assert.rejects(read(path.join(folder, 'nowhere')), /nowhere cannot be read: ENOENT/)
  await assert.rejects(read(folder), /cannot be read: EISDIR/)
  await refused(zlib.gzipSync('a\n'.repeat(1000)).subarray(0, 20), /cannot be read: unexpected end of file/)
})

test('the command says what is wrong with it in one line, and ends with 2', async () => {
  const said = (...words) =>
    new Promise((resolve) => {
      execFile(process.execPath, [path.join(__dirname, '..', 'traces', 'index.js'), ...words], (error, out, err) => {
        resolve([error?.code, out, err])
      })
    })
  const usage = 'usage: npm run traces [-- file[.gz] [capacity…]]\n'
  const nowhere = path.join(folder, 'nowhere')
  assert.deepEqual(await said(nowhere, '10'), [
    2,
    '',
    `${nowhere} cannot be read: ENOENT: no such file or directory, open '${nowhere}'\n`,
  ])
  assert.deepEqual(await said('--all'), [2, '', `there is no option --all; ${usage}`])
  assert.deepEqual(await said(nowhere, '10', '1.5'), [
    2,
    '',
    `"1.5" is no capacity: it must be a whole number from 1; ${usage}`,
  ])
})

test('capacities are numbers, or nobody says any', () => {
  assert.deepEqual(order([]), {})
  assert.deepEqual(order(['f', '10', '2000']), { file: 'f', capacities: [10, 2000] })
  assert.deepEqual(order(['f']), { file: 'f', capacities: undefined })
  assert.throws(() => order(['f', '0']), BadTrace)
})

test('each file of data/ has something published beside it, and nothing is published of others', () => {
  const files = fs.readdirSync(path.join(__dirname, '..', 'traces', 'data')).filter((name) => name.endsWith('.gz'))
  assert.deepEqual(files.map((name) => name.slice(0, -'.gz'.length)).sort(), Object.keys(known).sort())
})

test('a gap below zero is an advantage; it counts for the mean and, apart, for nothing', () => {
  const row = (title, ours, best) => ({
    title,
    sized: false,
    caches: Object.fromEntries(
      ['lru-cache', 'quick_cache', 'moka', 'spillway'].map((name) => [name, { ratio: ours, bytes: 0 }]),
    ),
    best: best && { ratio: best, by: 'ARC' },
  })
  const rows = [row('a @ 1', 10, 14), row('b @ 2', 30, 28), row('c @ 3', 50)]
  assert.equal(
    summary(rows),
    'gap to the best published, in points: mean 1.00, with 0 where ours is ahead 2.00, worst 4.00\n',
  )
  assert.equal(summary(rows.slice(2)), '')
  const [, , first, second, third] = render(rows).split('\n')
  assert.match(first, /a @ 1 .*10\.00 .*14\.00 +ARC +4\.00$/)
  assert.match(second, /28\.00 +ARC +-2\.00$/)
  assert.match(third, /50\.00 +– +–$/)
})
