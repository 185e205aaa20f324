// Which Redis an option means, and what is said of one that means none. Owns the grammar of URLs and that nothing secret is shown.
// Never connects to anything.
'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { spillway } = require('../index.js')
const { targetOf } = require('../lib/redis-options.js')

const SECRET = 'hunter2'

/** What only differs from the defaults. */
function differing(given) {
  const { deadlineMs, connectTimeoutMs, maxInFlight, clientName, ...told } = JSON.parse(JSON.stringify(targetOf(given)))
  assert.deepEqual([deadlineMs, connectTimeoutMs, maxInFlight, clientName], [50, 2000, 10_000, 'spillway'])
  return told
}

/** @param {unknown} given */
function refused(given, code, option) {
  try {
    targetOf(given)
  } catch (error) {
    assert.equal(error.code, code, error.message)
    assert.equal(error.option, option, error.message)
    assert.ok(!error.message.includes(SECRET) && !JSON.stringify(error).includes(SECRET), error.message)
    return error.message
  }
  return assert.fail(`taken: ${JSON.stringify(given)}`)
}

test('a URL says host, port, database, user, password and TLS', () => {
  const node = { host: '127.0.0.1', port: 6379 }
  assert.deepEqual(differing('redis://127.0.0.1'), { nodes: [node], mode: 'single', database: 0 })
  assert.deepEqual(differing('valkey://127.0.0.1:6379/'), { nodes: [node], mode: 'single', database: 0 })
  assert.deepEqual(differing('redis://ada:p%40ss%2Fw%3Ard@cache_1.internal:7001/3'), {
    nodes: [{ host: 'cache_1.internal', port: 7001 }],
    mode: 'single',
    username: 'ada',
    password: 'p@ss/w:rd',
    database: 3,
  })
  assert.deepEqual(differing('rediss://:x@h'), {
    nodes: [{ host: 'h', port: 6379 }],
    mode: 'single',
    password: 'x',
    database: 0,
    tls: { rejectUnauthorized: true },
  })
  assert.equal(differing('valkeys://h').tls.rejectUnauthorized, true)
  assert.deepEqual(differing('redis://[::1]:7000').nodes, [{ host: '::1', port: 7000 }])
})

test('a socket is named by its path, with or without a scheme', () => {
  for (const given of ['/run/redis.sock', 'unix:///run/redis.sock']) {
    assert.deepEqual(differing(given), { nodes: [{ path: '/run/redis.sock' }], mode: 'single', database: 0 })
  }
  assert.equal(differing('unix:///run/redis.sock?db=4').database, 4)
  refused('unix://run/redis.sock', 'E_REDIS_URL', 'redis')
  refused('unix:///run/redis.sock?timeout=4', 'E_REDIS_URL', 'redis')
})

test('an array of URLs is a cluster, and so is `cluster`', () => {
  const nodes = [
    { host: 'a', port: 1 },
    { host: 'b', port: 6379 },
  ]
  for (const given of [['redis://a:1', 'redis://b'], { urls: ['redis://a:1', 'redis://b'], cluster: true }]) {
    assert.deepEqual(differing(given), { nodes, mode: 'cluster', database: 0 })
  }
  assert.equal(differing({ url: 'redis://a', cluster: true }).mode, 'cluster')
  refused(['redis://a/1'], 'E_OPTION', 'redis.database')
  refused({ urls: ['redis://a', 'redis://b'] }, 'E_OPTION', 'redis.urls')
  refused({ urls: ['redis://a', '/b.sock'], cluster: true }, 'E_OPTION', 'redis.urls')
  refused([], 'E_OPTION', 'redis')
})

test('URLs of sentinels name the sentinels’ own credentials, and the options those of the servers', () => {
  const urls = [`redis://:${SECRET}@a`, 'redis://b:5000']
  assert.deepEqual(differing({ urls, sentinel: { master: 'main' }, username: 'ada', password: 'p' }), {
    nodes: [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 5000 },
    ],
    mode: 'sentinel',
    master: 'main',
    username: 'ada',
    password: 'p',
    sentinelPassword: SECRET,
    database: 0,
  })
  refused({ urls, sentinel: { master: '' } }, 'E_OPTION', 'redis.sentinel.master')
  refused({ urls, sentinel: {} }, 'E_OPTION', 'redis.sentinel.master')
  refused({ urls, sentinel: { master: 'm' }, cluster: true }, 'E_OPTION', 'redis.sentinel')
})

test('what is no URL of a Redis is told without any part of it', () => {
  for (const given of [
    '',
    ' redis://h',
    `redis://:${SECRET}@h\n`,
    `http://:${SECRET}@h`,
    `redis:/:${SECRET}@h`,
    `redis//:${SECRET}@h`,
    `${SECRET}@h:6379`,
    `redis://${SECRET}@h`,
    `redis://:${SECRET}/x@h`,
    `redis://:1/${SECRET}@h`,
    `redis://user:12/34${SECRET}@h`,
    `redis://:x#${SECRET}@h`,
    `redis://h#${SECRET}`,
    `redis://h?password=${SECRET}`,
    `redis://:%zz${SECRET}@h`,
    `redis://h/${SECRET}`,
    'redis://h/-1',
    'redis://h/99999999',
    'redis://h:0',
    'redis://h:70000',
    'redis://',
    'redis:///1',
    `redis://${SECRET}%20x`,
    5,
    null,
    undefined,
    Symbol(SECRET),
    new URL(`redis://:${SECRET}@h`),
  ]) {
    const message = refused(given, 'E_REDIS_URL', 'redis')
    assert.match(
      message,
      /; got (?:an empty string|a string of \d+ characters|number|null|undefined|symbol|object) \[E_REDIS_URL\]$/,
    )
  }
  refused({}, 'E_REDIS_URL', 'redis.url')
  refused({ urls: ['redis://a', `http://${SECRET}`], cluster: true }, 'E_REDIS_URL', 'redis.urls[1]')
})

test('a variable of the environment that is not set is no silent way into memory', () => {
  assert.throws(() => spillway({ redis: undefined }), { code: 'E_REDIS_URL', option: 'redis' })
  assert.throws(() => spillway({ redis: '' }), { code: 'E_REDIS_URL', message: /is the environment variable set/ })
})

test('what is mistyped is told by its name alone', () => {
  for (const [given, option] of [
    [{ url: 'redis://h', passwort: SECRET }, 'redis.passwort'],
    [{ url: 'redis://h', tls: SECRET }, 'redis.tls'],
    [{ url: 'redis://h', tls: { ca: SECRET } }, 'redis.tls.ca'],
    [{ url: 'redis://h', tls: { keyy: SECRET } }, 'redis.tls.keyy'],
    [{ url: 'redis://h', sentinel: SECRET }, 'redis.sentinel'],
    [{ url: 'redis://h', sentinel: { master: 'm', pasword: SECRET } }, 'redis.sentinel.pasword'],
    [{ url: 'redis://h', password: [SECRET] }, 'redis.password'],
    [{ url: 'redis://h', password: '' }, 'redis.password'],
    [{ url: 'redis://h', username: SECRET }, 'redis.username'],
    [{ url: `redis://:${SECRET}@h`, password: 'other' }, 'redis.password'],
    [{ url: 'redis://h/1', database: 2 }, 'redis.database'],
    [{ url: 'redis://h', database: 1.5 }, 'redis.database'],
    [{ url: 'redis://h', cluster: 'yes' }, 'redis.cluster'],
    [{ url: 'rediss://h', tls: false }, 'redis.tls'],
    [{ url: '/x.sock', tls: true }, 'redis.tls'],
    [{ url: 'redis://h', tls: { cert: '-----BEGIN CERTIFICATE-----' } }, 'redis.tls.cert'],
    [{ urls: ['redis://a', 'rediss://b'], cluster: true }, 'redis.tls'],
    [{ url: 'redis://h', urls: ['redis://h'] }, 'redis.url'],
    [{ url: 'redis://h', urls: `redis://:${SECRET}@h` }, 'redis.url'],
    [{ urls: `redis://:${SECRET}@h` }, 'redis.urls'],
    [{ url: 'redis://h', clientName: 'two words' }, 'redis.clientName'],
    [{ url: 'redis://h', maxInFlight: 0 }, 'redis.maxInFlight'],
  ]) {
    refused(given, 'E_OPTION', option)
  }
  refused({ url: 'redis://h', deadline: '5 minutes' }, 'E_DURATION', 'redis.deadline')
  refused({ url: 'redis://h', connectTimeout: '2m' }, 'E_DURATION', 'redis.connectTimeout')
})

test('a URL with a user in it is shown by no error, under whatever name it was given', () => {
  for (const given of [{ password: SECRET }, { redis: ['redis://h'], passwort: SECRET }, { authToken: SECRET }]) {
    assert.throws(
      () => spillway(given),
      (error) => error.code === 'E_OPTION' && !error.message.includes(SECRET),
    )
  }
  for (const given of [{ rediss: `redis://:${SECRET}@h` }, { prefix: `redis://:${SECRET}@h` }]) {
    assert.throws(
      () => spillway(given),
      (error) => error.code === 'E_OPTION' && !error.message.includes(SECRET),
    )
  }
  const sp = spillway({ isolated: true })
  assert.throws(
    () => sp.limiter('a', { limit: `redis://:${SECRET}@h` }),
    (error) => !error.message.includes(SECRET),
  )
})

test('time over Redis is that of Redis', () => {
  assert.throws(() => spillway({ redis: 'redis://h', clock: () => 0 }), { code: 'E_OPTION', option: 'clock' })
})

test('certificates may be texts, buffers or several', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  const { tls } = targetOf({
    url: 'redis://h',
    tls: { ca: [pem, Buffer.from(pem)], cert: pem, key: Buffer.from(pem), servername: 's', rejectUnauthorized: false },
  })
  assert.deepEqual(tls, { ca: `${pem}\n${pem}`, cert: pem, key: pem, servername: 's', rejectUnauthorized: false })
})

test('what is said beside a URL has its ranges', () => {
  const target = targetOf({
    url: 'redis://h',
    deadline: '20ms',
    connectTimeout: 500,
    maxInFlight: 7,
    clientName: 'api-1',
    database: 2,
    username: 'ada',
    password: 'x',
  })
  assert.deepEqual(
    [target.deadlineMs, target.connectTimeoutMs, target.maxInFlight, target.clientName, target.database],
    [20, 500, 7, 'api-1', 2],
  )
  assert.deepEqual([target.username, target.password], ['ada', 'x'])
})
