// Owns the checks of the harness's own arithmetic.
// Must never measure time: every number here is written down.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')

const { cases, alone } = require('../bench/cases/index.js')
const { seeded, turns } = require('../bench/interleave.js')
const { merge } = require('../bench/merge.js')
const { overlap } = require('../bench/overlap.js')
const { order, FULL, QUICK } = require('../bench/plan.js')
const { quantile, spread } = require('../bench/spread.js')
const { figure, render, table } = require('../bench/table.js')
const { judge, ratios } = require('../bench/verdict.js')

test('the median of an even number of samples lies between the two in the middle', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5)
  assert.equal(quantile([9, 1, 5], 0.5), 5)
})

test('samples are sorted as numbers, not as text', () => {
  assert.equal(quantile([10, 9, 100], 0.5), 10)
})

test('quantiles leave the samples in the order they came in', () => {
  const samples = [3, 1, 2]
  spread(samples)
  assert.deepEqual(samples, [3, 1, 2])
})

test('p10 and p90 of eleven samples are the second and the tenth', () => {
  const samples = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
  assert.deepEqual(spread(samples), { p10: 1, median: 5, p90: 9 })
})

test('one sample is its own spread, and none is not a number', () => {
  assert.deepEqual(spread([7]), { p10: 7, median: 7, p90: 7 })
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('an infinite sample spoils only the quantiles that reach it', () => {
  const { p10, median, p90 } = spread([1, 1, 1, 1, Infinity])
  assert.equal(p10, 1)
  assert.equal(median, 1)
  assert.equal(p90, Infinity)
})

test('a ratio is taken within one round', () => {
  assert.deepEqual(ratios([10, 40], [20, 20]), [0.5, 2])
})

test('with a bare figure only what each side adds to it is compared', () => {
  assert.deepEqual(ratios([110, 125], [140, 150], [100, 100]), [0.25, 0.5])
})

test('a round in which the peer added nothing counts against ours', () => {
  assert.deepEqual(ratios([110, 110], [100, 90], [100, 100]), [Infinity, Infinity])
})

test('a target is met when the whole spread lies at or below it', () => {
  assert.equal(judge([0.2, 0.25, 0.3], 0.3).verdict, 'met')
})

test('a target is missed only when the whole spread lies above it', () => {
  assert.equal(judge([0.4, 0.5, 0.6], 0.3).verdict, 'missed')
})

test('a target within the spread is neither met nor missed, whichever side the median is on', () => {
  assert.equal(judge([0.1, 0.2, 0.5], 0.3).verdict, 'unclear')
  assert.equal(judge([0.1, 0.4, 0.5], 0.3).verdict, 'unclear')
})

test('in a pass every contestant takes one turn', () => {
  const random = seeded(1)
  for (let pass = 0; pass < 100; pass++) {
    assert.deepEqual(
      turns(5, random).sort((a, b) => a - b),
      [0, 1, 2, 3, 4],
    )
  }
})

test('over many passes nobody has a place of their own', () => {
  const random = seeded(20)
  const seen = [0, 1, 2].map(() => [0, 0, 0])
  for (let pass = 0; pass < 9000; pass++) turns(3, random).forEach((who, place) => seen[who][place]++)
  for (const places of seen) {
    for (const times of places) assert.ok(times > 2800 && times < 3200, `${times} of 3000 expected`)
  }
})

test('a seed repeats its order, and another seed has another', () => {
  const first = turns(10, seeded(42))
  assert.deepEqual(turns(10, seeded(42)), first)
  assert.notDeepEqual(turns(10, seeded(43)), first)
})

test('zero is a seed like any other', () => {
  const random = seeded(0)
  const first = random()
  assert.notEqual(random(), first)
})

test('with no words on the command line everything runs in full', () => {
  assert.deepEqual(order([], ['a', 'b'], 5), { plan: { ...FULL, seed: 5 }, only: ['a', 'b'], jsonFile: null })
})

test('--rounds holds whether it stands before or after --quick', () => {
  for (const words of [
    ['--quick', '--rounds', '3'],
    ['--rounds', '3', '--quick'],
  ]) {
    assert.deepEqual(order(words, ['a'], 5).plan, { ...QUICK, seed: 5, rounds: 3, requestRounds: 3 })
  }
})

test('--only keeps the order of the list and refuses a name that is not on it', () => {
  assert.deepEqual(order(['--only', 'c,a'], ['a', 'b', 'c'], 5).only, ['a', 'c'])
  assert.throws(() => order(['--only', 'd'], ['a', 'b', 'c'], 5), /a, b, c/)
})

test('a word that is mistyped, a value that is missing and a count that is not whole are refused', () => {
  assert.throws(() => order(['--quik'], ['a'], 5), /unknown: --quik/)
  assert.throws(() => order(['--json'], ['a'], 5), /wants a value/)
  for (const count of ['0', '1.5', '-1', 'ten']) assert.throws(() => order(['--rounds', count], ['a'], 5), /whole/)
})

test('figures have three significant digits and whole numbers set their thousands apart', () => {
  assert.deepEqual([0.25, 1.3, 61.24, 1234.6, NaN, Infinity].map(figure), ['0.250', '1.30', '61.2', '1,235', '–', '∞'])
})

test('columns are as wide as their widest cell and numbers stand to the right', () => {
  const text = table(
    [
      ['who', 'ns'],
      ['spillway', '9'],
    ],
    ['left', 'right'],
  )
  assert.equal(text, '  who       ns\n  --------  --\n  spillway   9')
})

test('a contestant that took no part is in the table with its reason, and its target has no verdict', () => {
  const nothing = { p10: NaN, median: NaN, p90: NaN }
  const text = render({
    name: 'get',
    title: 'a title',
    unit: 'ns/call',
    rows: [{ name: 'spillway', ...nothing, skipped: 'not built' }],
    targets: [{ text: 'spillway / peer', atMost: 1.3, ...nothing, verdict: 'skipped', skipped: true }],
    notes: [],
  })
  assert.match(text, /skipped: not built/)
  assert.match(text, /spillway \/ peer.*≤ 1\.30 {2}skipped/)
})

test('several reports become one from their samples, and the verdict is found anew', () => {
  const report = (/** @type {number[]} */ samples) => ({
    name: 'get',
    title: 'a title',
    unit: 'ns/call',
    rows: [
      { name: 'spillway', ...spread(samples), samples },
      { name: 'absent', p10: NaN, median: NaN, p90: NaN, skipped: 'not built' },
    ],
    targets: [{ text: 'spillway / peer', ...judge(samples, 2), samples }],
    notes: [],
  })
  const [met, missed] = [report([1, 1, 1]), report([3, 3, 3])]
  assert.deepEqual(
    [met, missed].map(({ targets }) => targets[0].verdict),
    ['met', 'missed'],
  )
  const { rows, targets } = merge([met, missed])
  assert.equal(rows[0].median, 2)
  assert.equal(rows[1].skipped, 'not built')
  assert.deepEqual([targets[0].median, targets[0].verdict], [2, 'unclear'])
  assert.deepEqual(targets[0].samples, [1, 1, 1, 3, 3, 3])
})

test('what threads took together goes from the first beginning to the last end', () => {
  const stretches = [
    { began: 1_030n, ended: 2_000n, waitedNs: 0 },
    { began: 1_000n, ended: 2_100n, waitedNs: 55 },
  ]
  assert.deepEqual(overlap(stretches), { ns: 1100, undisturbed: true })
  assert.deepEqual(overlap([{ began: 5n, ended: 25n, waitedNs: 0 }]), { ns: 20, undisturbed: true })
})

test('threads that began apart, or of which one was kept waiting, did not run together', () => {
  const one = { began: 0n, ended: 1_000n, waitedNs: 0 }
  assert.equal(overlap([one, { began: 1_000n, ended: 2_000n, waitedNs: 0 }]).undisturbed, false)
  assert.equal(overlap([one, { began: 60n, ended: 1_000n, waitedNs: 0 }]).undisturbed, false)
  assert.equal(overlap([{ ...one, waitedNs: 60 }, one]).undisturbed, false)
})

test('the page of the bench lists every comparison', () => {
  const page = fs.readFileSync(path.join(__dirname, '..', 'bench', 'README.md'), 'utf8')
  const [, listed] = /`--only name,…` *\| some of `([^`]+)`/.exec(page) ?? []
  assert.deepEqual(listed?.split(' '), Object.keys(cases))
  for (const name of alone) assert.ok(name in cases, name)
})
