// What an operator sets of a cache from outside. Owns what docs/knobs.md says of caches.
// Never tests how variables are named or warned of: knobs.test.js does.
'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { TABLES } = require('../lib/knob-table.js')

/** A cache opened under these variables, and what its snapshot says. */
function opened(t, env, options, name = 'web-search') {
  const sp = spillway({ isolated: true, env })
  t.after(() => sp.close())
  const cache = sp.cache(name, options)
  return { cache, ...sp.snapshot().caches[name] }
}

test('every knob of a cache is overridden by its own variable, and the snapshot says by which', (t) => {
  const { config, provenance } = opened(
    t,
    {
      SPILLWAY_CACHE_WEB_SEARCH_TTL: '600000',
      SPILLWAY_CACHE_WEB_SEARCH_STALE: '1m',
      SPILLWAY_CACHE_WEB_SEARCH_GRACE: '2h',
      SPILLWAY_CACHE_WEB_SEARCH_NEGATIVE_TTL: '0',
      SPILLWAY_CACHE_WEB_SEARCH_MAX_BYTES: '1mb',
      SPILLWAY_CACHE_WEB_SEARCH_MAX_VALUE_BYTES: '65536',
      SPILLWAY_CACHE_WEB_SEARCH_LOAD_TIMEOUT: '5s',
      SPILLWAY_CACHE_WEB_SEARCH_SOFT_TIMEOUT: '200ms',
      SPILLWAY_CACHE_WEB_SEARCH_VERSION: ' 2026-11 ',
    },
    { ttl: '5m', jitter: 0.2, negativeTtl: '1m', version: 1 },
  )
  assert.deepEqual(config, {
    ttlMs: 600_000,
    jitter: 0.2,
    staleMs: 60_000,
    graceMs: 7_200_000,
    negativeTtlMs: 0,
    loadTimeoutMs: 5000,
    maxBytes: 1_048_576,
    maxValueBytes: 65_536,
    codec: 'json',
    version: '2026-11',
  })
  assert.deepEqual(provenance, {
    ttl: 'env SPILLWAY_CACHE_WEB_SEARCH_TTL',
    jitter: 'option',
    stale: 'env SPILLWAY_CACHE_WEB_SEARCH_STALE',
    grace: 'env SPILLWAY_CACHE_WEB_SEARCH_GRACE',
    negativeTtl: 'env SPILLWAY_CACHE_WEB_SEARCH_NEGATIVE_TTL',
    maxBytes: 'env SPILLWAY_CACHE_WEB_SEARCH_MAX_BYTES',
    maxValueBytes: 'env SPILLWAY_CACHE_WEB_SEARCH_MAX_VALUE_BYTES',
    loadTimeout: 'env SPILLWAY_CACHE_WEB_SEARCH_LOAD_TIMEOUT',
    softTimeout: 'env SPILLWAY_CACHE_WEB_SEARCH_SOFT_TIMEOUT',
    version: 'env SPILLWAY_CACHE_WEB_SEARCH_VERSION',
    codec: 'default',
  })
})

test('variables there are already are named in the code, and win over the generated ones', (t) => {
  const { cache, config, provenance } = opened(
    t,
    {
      TOOL_CACHE_WEB_SEARCH_TTL_MS: '120000',
      TOOL_CACHE_WEB_SEARCH_NAMESPACE_VERSION: '3',
      SPILLWAY_CACHE_WEB_SEARCH_TTL: '1s',
    },
    { ttl: '5m', env: { ttl: 'TOOL_CACHE_WEB_SEARCH_TTL_MS', version: 'TOOL_CACHE_WEB_SEARCH_NAMESPACE_VERSION' } },
  )
  assert.equal(config.ttlMs, 120_000)
  assert.equal(cache.version, '3')
  assert.equal(provenance.version, 'env TOOL_CACHE_WEB_SEARCH_NAMESPACE_VERSION')
  const products = opened(
    t,
    { TOOL_CACHE_PRODUCT_SEARCH_TTL_MS: '600000', TOOL_CACHE_PRODUCTS_NS_VER: 'v7' },
    { env: { ttl: 'TOOL_CACHE_PRODUCT_SEARCH_TTL_MS', version: 'TOOL_CACHE_PRODUCTS_NS_VER' } },
    'products',
  )
  assert.deepEqual([products.config.ttlMs, products.version], [600_000, 'v7'])
})

test('a cache without options has knobs, and `env: false` keeps them out', (t) => {
  const env = { SPILLWAY_CACHE_WEB_SEARCH_TTL: '1m' }
  assert.equal(opened(t, env, undefined).config.ttlMs, 60_000)
  assert.equal(opened(t, env, { env: false }).config.ttlMs, 300_000)
  assert.equal(opened(t, { SPILLWAY_CACHE_WEB_SEARCH_TTL: '' }, undefined).provenance.ttl, 'default')
})

test('a variable that is no fitting value is E_ENV, and names what it may be', (t) => {
  for (const [suffix, values, Base, rule] of [
    ['TTL', ['soon', '1e3', '-1'], TypeError, 'milliseconds in digits'],
    ['TTL', ['0', '3651d'], RangeError, 'from 1 to 315,360,000,000 ms'],
    ['STALE', ['3651d'], RangeError, 'from 0 to 315,360,000,000 ms'],
    ['MAX_BYTES', ['64 MB', '1_000'], TypeError, 'bytes in digits, or a number with b, kb, mb or gb'],
    ['MAX_BYTES', ['1kb', '2000gb'], RangeError, 'from 65,536 to 1,099,511,627,776 bytes'],
    ['LOAD_TIMEOUT', ['2d'], RangeError, 'from 1 to 86,400,000 ms'],
    ['VERSION', ['x'.repeat(129)], TypeError, 'up to 128 characters'],
  ]) {
    for (const value of values) {
      const variable = `SPILLWAY_CACHE_WEB_SEARCH_${suffix}`
      assert.throws(
        () => opened(t, { [variable]: value }, undefined),
        (error) => {
          assert.ok(error instanceof Base, `${variable}=${value}`)
          assert.equal(error.code, 'E_ENV')
          assert.ok(error.message.startsWith(`${variable}, which overrides \``), error.message)
          assert.ok(error.message.includes(rule), error.message)
          return true
        },
      )
    }
  }
})

test('values that do not go together are E_ENV, whichever of them is from outside', (t) => {
  for (const [env, options, option] of [
    [{ SPILLWAY_CACHE_WEB_SEARCH_MAX_VALUE_BYTES: '1mb' }, { maxBytes: '1mb' }, 'maxValueBytes'],
    [{ SPILLWAY_CACHE_WEB_SEARCH_MAX_BYTES: '1mb' }, { maxValueBytes: '1mb' }, 'maxBytes'],
  ]) {
    assert.throws(
      () => opened(t, env, options),
      (error) => {
        assert.equal(error.code, 'E_ENV')
        assert.equal(error.option, option)
        assert.equal(error.cause.code, 'E_SIZE')
        return error.message.includes(Object.keys(env)[0])
      },
    )
  }
})

test('docs/knobs.md has every knob of a cache, with its range', () => {
  const page = fs.readFileSync(path.join(__dirname, '..', 'docs', 'knobs.md'), 'utf8')
  for (const option of Object.keys(TABLES.cache.knobs)) {
    const variable = `SPILLWAY_CACHE_<NAME>_${option.replace(/[A-Z]/g, '_$&').toUpperCase()}`
    assert.match(page, new RegExp(`^\\| \`${variable}\` \\| \`${option}\``, 'm'))
  }
})
