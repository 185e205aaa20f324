// Every fault on the scoreboard, asked of ours, and of guards that have them all. Owns the proof that the table tells right from wrong.
// Never needs a peer: those are for `npm run scoreboard`.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { ownFaults, tally, unasked } = require('../scoreboard/board.js')
const { contestants } = require('../scoreboard/contestants/index.js')
const { faults } = require('../scoreboard/faults/index.js')
const { judge } = require('../scoreboard/judge.js')
const { broken, render } = require('../scoreboard/table.js')

const FOLDER = path.join(__dirname, '..', 'scoreboard')
const OURS = path.join(FOLDER, 'contestants', 'spillway.js')
const NAIVE = path.join(__dirname, 'naive-guards.js')

test('ours', { concurrency: 2 }, async (t) => {
  await Promise.all(
    Object.keys(faults).map((name) =>
      t.test(faults[name]().title, async () => {
        const { verdict, said } = await judge(name, OURS)
        assert.equal(verdict, 'right', said)
      }),
    ),
  )
})

test('guards that have every fault', { concurrency: 2 }, async (t) => {
  await Promise.all(
    Object.keys(faults).map((name) =>
      t.test(`are told so: ${name}`, async () => {
        const { verdict, said } = await judge(name, NAIVE)
        assert.equal(verdict, 'wrong', said)
      }),
    ),
  )
})

test('a contestant that cannot even be loaded is not called wrong: it could not be asked, and why', async () => {
  const { verdict, said } = await judge('stale-success', path.join(__dirname, 'no-such-guards.js'))
  assert.equal(verdict, 'failed')
  assert.match(said, /^could not be run: .*no-such-guards/)
})

test('one fault of ours is enough for the run to fail, and so is a question that was not answered', () => {
  const row = (name, verdict) => ({ name, title: name, rule: '', but: {}, cells: { spillway: { verdict, said: '' } } })
  const section = (...rows) => ({ about: 'breaker', columns: [], rows })
  assert.deepEqual(ownFaults([section(row('a', 'right')), section(row('b', 'right'))]), [])
  assert.deepEqual(ownFaults([section(row('a', 'right'), row('b', 'wrong')), section(row('c', 'none'))]), ['b', 'c'])
  assert.deepEqual(unasked([section(row('a', 'right'), row('b', 'failed')), section(row('c', 'none'))]), ['b'])
})

test('the tally is of what was asked: what somebody does not have counts for nothing', () => {
  const cells = (ours, peer) => ({
    cells: { spillway: { verdict: ours, said: '' }, opossum: { verdict: peer, said: '' } },
  })
  const rows = [cells('right', 'wrong'), cells('right', 'none'), cells('right', 'right')]
  assert.deepEqual(tally([{ about: 'breaker', columns: [], rows }]), [
    { name: 'spillway', right: 3, asked: 3 },
    { name: 'opossum', right: 1, asked: 2 },
  ])
})

test('the table shows what was seen, and what speaks for who is wrong only where it is', () => {
  const columns = [
    { name: 'spillway', version: '1.0.0' },
    { name: 'peer', version: '2.0.0' },
  ]
  const row = (title, said, verdict) => ({
    name: title,
    title,
    rule: '',
    but: { peer: 'an option turns it off' },
    cells: { spillway: { verdict: 'right', said: 'one' }, peer: { verdict, said } },
  })
  const rows = [row('First', 'two', 'wrong'), row('Second', 'three', 'right'), row('Third', 'has none', 'none')]
  const text = render([{ about: 'retry', columns, rows }], 120)
  assert.match(text, /^retries +spillway@1\.0\.0 +peer@2\.0\.0\n/)
  assert.match(text, /^First +right: one +wrong: two \[1\]$/m)
  assert.match(text, /^Second +right: one +right: three$/m)
  assert.match(text, /^Third +right: one +— has none$/m)
  assert.deepEqual(text.match(/an option turns it off/g)?.length, 1)
})

test('a line of the table is broken between words, never within one', () => {
  assert.deepEqual(broken('a call that was queued', 10), ['a call', 'that was', 'queued'])
  assert.deepEqual(broken('bottleneck@2.19.5', 10), ['bottleneck@2.19.5'])
})

test('each fault has a file of its own, says where its rule stands, and asks for what contestants know', () => {
  const listed = Object.keys(faults).map((name) => `${name}.js`)
  const files = fs.readdirSync(path.join(FOLDER, 'faults')).filter((file) => file !== 'index.js')
  assert.deepEqual(files.sort(), listed.sort())
  for (const [name, load] of Object.entries(faults)) {
    const { title, rule, needs, but = {} } = load()
    assert.ok(title.length > 20 && rule.length > 20 && needs.length > 0, name)
    for (const peer of Object.keys(but)) assert.ok(Object.hasOwn(contestants, peer), `${name}: ${peer}`)
  }
  assert.equal(new Set(Object.values(faults).map((load) => load().title)).size, listed.length)
})

test('the peers are pinned to one version each, in the scoreboard’s own package alone', () => {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(FOLDER, 'package.json'), 'utf8'))
  const peers = Object.keys(contestants).filter((name) => name !== 'spillway')
  assert.deepEqual(Object.keys(dependencies).sort(), peers.sort())
  for (const version of Object.values(dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/)
})
