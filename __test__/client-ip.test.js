// Owns the proof that a client is charged under one key, its own, whatever it writes into its headers; on real servers too.
// Never tests the notations of addresses or what a list holds: addresses.test.js and ip-list.test.js do.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')
const { promisify } = require('node:util')
const vm = require('node:vm')
const express = require('express')
const { spillway } = require('spillway')
const { clientIp, clientKey, ipList, parseAddress } = require('spillway/client-ip')
const { limit } = require('spillway/express')
const { limited } = require('spillway/fetch')
const { Dice, groups, mapped, octets, written } = require('./random-addresses.js')
const { served } = require('./served.js')

const ROOT = path.join(__dirname, '..')

/** A request of node:http: from whom it comes, and what is in X-Forwarded-For. */
const from = (remoteAddress, forwardedFor) => ({
  socket: { remoteAddress },
  headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
})

// The first 'unknown' of a process is a warning, which would end up in the output of every run.
process.removeAllListeners('warning')

test('IPv4-mapped clients have a bucket each, in every notation (CVE-2026-30827)', () => {
  const key = clientKey()
  const keys = new Set()
  for (let i = 0; i < 256; i++) {
    const four = `192.0.2.${i}`
    for (const address of [
      four,
      `::ffff:${four}`,
      `::FFFF:${four}`,
      `::ffff:c000:2${i.toString(16).padStart(2, '0')}`,
    ]) {
      assert.equal(key(from(address)), four, address)
    }
    keys.add(key(from(`::ffff:${four}`)))
  }
  assert.equal(keys.size, 256)
})

test('an IPv6 address that is written with a dotted end is keyed by its network like any other', () => {
  const key = clientKey()
  assert.equal(key(from('2001:db8:1:2::1.2.3.4')), '2001:db8:1:2::/64')
  assert.equal(key(from('2001:db8:1:2::102:304')), '2001:db8:1:2::/64')
})

test('IPv6 clients are keyed by their network, /64 unless told otherwise', () => {
  const address = '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff'
  assert.equal(clientIp(from(address)), '2001:db8:aaaa:bbbb::/64')
  const networks = [
    [1, '::/1'],
    [32, '2001:db8::/32'],
    [47, '2001:db8:aaaa::/47'],
    [48, '2001:db8:aaaa::/48'],
    [49, '2001:db8:aaaa:8000::/49'],
    [56, '2001:db8:aaaa:bb00::/56'],
    [65, '2001:db8:aaaa:bbbb:8000::/65'],
    [127, '2001:db8:aaaa:bbbb:cccc:dddd:eeee:fffe/127'],
    [128, address],
  ]
  for (const [ipv6Prefix, key] of networks) {
    assert.equal(clientIp(from(address), { ipv6Prefix }), key)
    assert.equal(clientIp(from('192.0.2.7'), { ipv6Prefix }), '192.0.2.7')
  }
})

test('addresses whose network says nothing about who it is are keyed as a whole', () => {
  const whole = [
    '::1',
    '::',
    '::192.0.2.7',
    '::ffff:0:192.0.2.7',
    '64:ff9b::192.0.2.7',
    '64:ff9b:1::192.0.2.7',
    '64:ff9b:1:fffe:c0::',
  ]
  for (const address of whole) assert.equal(clientIp(from(address)), parseAddress(address))
  assert.equal(clientIp(from('64:ff9b::1:c000:207')), '64:ff9b::/64', 'not in the /96')
  assert.equal(clientIp(from('64:ff9b:2::1')), '64:ff9b:2::/64')
  assert.equal(clientIp(from('64:ff9c::1')), '64:ff9c::/64')
  assert.equal(clientIp(from('65:ff9b::1')), '65:ff9b::/64')
  assert.equal(clientIp(from('2002:c000:207:1::1')), '2002:c000:207:1::/64')
  assert.equal(clientIp(from('0:0:0:1::1')), '0:0:0:1::/64')
})

test('who trusts nobody reads no header', () => {
  const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.2', 'x-real-ip': '192.0.2.3' }
  for (const options of [undefined, {}, { trust: 0 }, { trust: [] }, { trust: undefined }, { trust: ipList([]) }]) {
    const read = new Proxy(headers, { get: (_, name) => assert.fail(`read ${String(name)}`) })
    assert.equal(clientIp({ socket: { remoteAddress: '198.51.100.9' }, headers: read }, options), '198.51.100.9')
  }
})

test('a number of proxies is counted from the right, whatever stands on the left', () => {
  const hops = [
    [1, '203.0.113.5', '203.0.113.5'],
    [1, '1.1.1.1, 203.0.113.5', '203.0.113.5'],
    [1, '1.1.1.1,203.0.113.5', '203.0.113.5'],
    [1, '1.1.1.1 ,\t203.0.113.5\t ', '203.0.113.5'],
    [1, '"\\, 203.0.113.5', '203.0.113.5'],
    [1, ',,,, 203.0.113.5:4711', '203.0.113.5'],
    [1, '1.1.1.1, [2001:db8::5]:4711', '2001:db8::/64'],
    [2, '1.1.1.1, 203.0.113.5, 10.0.0.2', '203.0.113.5'],
    [3, '1.1.1.1, 203.0.113.5, 10.0.0.2, 10.0.0.3', '203.0.113.5'],
    // Fewer entries than there should be: the outermost one there is.
    [2, '203.0.113.5', '203.0.113.5'],
    [16, '203.0.113.5, 10.0.0.2', '203.0.113.5'],
    [1, undefined, '10.0.0.1'],
    [1, '', '10.0.0.1'],
  ]
  for (const [trust, header, key] of hops)
    assert.equal(clientIp(from('10.0.0.1', header), { trust }), key, `${trust} of ${header}`)
})

test('of a list of proxies each vouches for the next one to the left, and the first stranger is the client', () => {
  const trust = ['10.0.0.0/8', '192.0.2.7', '2001:db8:ffff::/48']
  const ways = [
    ['10.0.0.1', '203.0.113.5', '203.0.113.5'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.5', '203.0.113.5'],
    ['::ffff:10.0.0.1', '1.1.1.1, 203.0.113.5', '203.0.113.5'],
    ['2001:db8:ffff::1', '10.0.0.9, 203.0.113.5, 192.0.2.7, ::ffff:10.0.0.2', '203.0.113.5'],
    // A stranger on the wire vouches for nothing, nor does one further on.
    ['203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 10.0.0.3, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    // Who comes from within: the outermost one there is.
    ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['10.0.0.1', undefined, '10.0.0.1'],
  ]
  for (const [remote, header, key] of ways) {
    assert.equal(clientIp(from(remote, header), { trust }), key)
    assert.equal(clientIp(from(remote, header), { trust: ipList(trust) }), key)
  }
  assert.equal(clientIp(from('10.0.0.1', Array(5_000).fill('10.0.0.2').join()), { trust }), '10.0.0.2')
})

test('reading ends right of what is no address, and never leaps over it', () => {
  for (const garbage of [
    'unknown',
    '',
    ' ',
    '_hidden',
    '010.0.0.1',
    '127.1',
    '10.0.0.256',
    '10.0.0.2 10.0.0.3',
    '\0',
    '::fffff',
    '"10.0.0.2"',
  ]) {
    assert.equal(clientIp(from('10.0.0.1', `1.1.1.1, ${garbage}`), { trust: 1 }), '10.0.0.1')
    assert.equal(clientIp(from('10.0.0.1', `1.1.1.1, ${garbage}, 10.0.0.2`), { trust: 2 }), '10.0.0.2')
    assert.equal(clientIp(from('10.0.0.1', `1.1.1.1, ${garbage}, 10.0.0.2`), { trust: 3 }), '10.0.0.2')
    assert.equal(clientIp(from('10.0.0.1', `1.1.1.1, ${garbage}, 10.0.0.2`), { trust: ['10.0.0.0/8'] }), '10.0.0.2')
  }
})

test('several lines of a header are one list, in their order', () => {
  const lines = {
    socket: { remoteAddress: '10.0.0.1' },
    headers: { 'x-forwarded-for': ['1.1.1.1', '2.2.2.2, 203.0.113.5', '10.0.0.2'] },
  }
  assert.equal(clientIp(lines, { trust: 2 }), '203.0.113.5')
  const web = new Headers([
    ['X-Forwarded-For', '1.1.1.1'],
    ['x-forwarded-for', '203.0.113.5'],
  ])
  assert.equal(clientIp({ headers: web }, { trust: 1 }), '203.0.113.5')
  for (const odd of [[], [1], [null, '203.0.113.5'], [{ toString: () => '203.0.113.5' }], 5, {}, () => '203.0.113.5']) {
    assert.equal(clientIp(from('10.0.0.1', odd), { trust: 1 }), '10.0.0.1')
  }
})

test('a header that the platform overwrites is one address, and is read from nobody but a trusted peer', () => {
  const request = (remoteAddress, value) => ({
    socket: { remoteAddress },
    headers: { 'cf-connecting-ip': value, 'x-forwarded-for': '1.1.1.1' },
  })
  const header = 'CF-Connecting-IP'
  const key = clientKey({ trust: ['173.245.48.0/20'], header })
  assert.equal(key(request('173.245.48.1', '203.0.113.5')), '203.0.113.5')
  assert.equal(key(request('173.245.48.1', ' 2001:db8::5 ')), '2001:db8::/64')
  assert.equal(key(request('198.51.100.9', '203.0.113.5')), '198.51.100.9', 'past the platform')
  assert.equal(key(request('173.245.48.1', '173.245.48.2')), '173.245.48.2', 'nobody is asked further')
  assert.equal(clientIp(request('10.0.0.1', '203.0.113.5'), { trust: 1, header }), '203.0.113.5')
  // Two of them: one is the client's own, and which one cannot be told.
  for (const odd of ['1.1.1.1, 203.0.113.5', ['1.1.1.1', '203.0.113.5'], 'unknown', '', undefined]) {
    assert.equal(key(request('173.245.48.1', odd)), '173.245.48.1')
  }
  assert.equal(
    clientIp({ headers: new Headers({ 'x-real-ip': '203.0.113.5' }) }, { trust: 1, header: 'x-real-ip' }),
    '203.0.113.5',
  )
  for (const name of ['__proto__', 'constructor', 'toString', 'get']) {
    assert.equal(clientIp(from('10.0.0.1', '1.1.1.1'), { trust: 1, header: name }), '10.0.0.1')
  }
})

test('Forwarded is read as RFC 7239 has it, from the right', () => {
  const read = (forwarded, trust) =>
    clientIp({ socket: { remoteAddress: '10.0.0.1' }, headers: { forwarded } }, { trust, header: 'Forwarded' })
  const first = [
    ['for=203.0.113.5', '203.0.113.5'],
    ['For=203.0.113.5;Proto=https;By=10.0.0.1', '203.0.113.5'],
    ['proto=https ; for="203.0.113.5:4711" ; host="a,b;for=1.1.1.1"', '203.0.113.5'],
    ['for=1.1.1.1, for="[2001:DB8:1:2::5]:4711";proto=https', '2001:db8:1:2::/64'],
    ['for=1.1.1.1, FOR="[2001:db8::5]"', '2001:db8::/64'],
    ['for="_x\\", for=1.1.1.1", for=203.0.113.5', '203.0.113.5'],
    ['for=203.0.113.5;host="\\", for=1.1.1.1;x=\\""', '203.0.113.5'],
    ['for=203.0.113.5;host="\\\\"', '203.0.113.5'],
    // A client's open quote does not reach what was added behind it.
    ['for="1.1.1.1, for=203.0.113.5', '203.0.113.5'],
    ['for="1.1.1.1, for="[2001:db8::5]"', '2001:db8::/64'],
    ['"""";;;,,, =, for=203.0.113.5', '203.0.113.5'],
    // No hop: none is named, it hides, or two are.
    ...[
      'for=unknown',
      'for=_hidden',
      'for="_hidden"',
      'for=',
      'for=""',
      'for="',
      'proto=https',
      'xfor=1.1.1.1',
      'for =1.1.1.1',
      '203.0.113.5',
    ].map(none),
    ...[
      'for=1.1.1.1;for=2.2.2.2',
      'for=1.1.1.1;for=unknown',
      'for="1.1.1.1',
      'for=1.1.1.1"',
      'for="1.1.1\\.1"',
      'x="y;for=1.1.1.1',
      'for=1.1.1.1,',
      ',',
      ';',
      '',
    ].map(none),
    ['for=1.1.1.1, by=10.0.0.1', '10.0.0.1'],
  ]
  for (const [header, key] of first) assert.equal(read(header, 1), key, header)
  assert.equal(read('for=1.1.1.1, for=203.0.113.5, for=10.0.0.2', 2), '203.0.113.5')
  assert.equal(read(['for=1.1.1.1', 'for=203.0.113.5, for="10.0.0.2:80"'], ['10.0.0.0/8']), '203.0.113.5')
  assert.equal(read('for=1.1.1.1, for=unknown, for=10.0.0.2', 3), '10.0.0.2')

  function none(header) {
    return [header, '10.0.0.1']
  }
})

test('a header that is made to be slow is read at once', () => {
  const long = 100_000
  const shapes = [
    ' '.repeat(long),
    ','.repeat(long),
    `for=${' '.repeat(long)}"x`,
    '\\'.repeat(long) + '"',
    '"\\'.repeat(long / 2),
    ';for='.repeat(long / 5),
  ]
  const options = [
    { trust: 16 },
    { trust: ['10.0.0.0/8'] },
    { trust: 16, header: 'forwarded' },
    { trust: 1, header: 'x-real-ip' },
  ]
  const before = process.cpuUsage()
  for (const shape of shapes) {
    for (const terms of options) {
      const headers = { 'x-forwarded-for': shape, forwarded: shape, 'x-real-ip': shape }
      assert.equal(clientIp({ socket: { remoteAddress: '10.0.0.1' }, headers }, terms), '10.0.0.1')
    }
  }
  // Twenty-four of them take some 50 ms; looking at every sign once for each other one would take minutes.
  assert.ok(process.cpuUsage(before).user < 5_000_000)
})

test('the address of the connection may be given, where the request does not say it', () => {
  const request = new Request('http://localhost', { headers: { 'x-forwarded-for': '203.0.113.5' } })
  assert.equal(clientIp(request, { address: '198.51.100.9' }), '198.51.100.9')
  assert.equal(clientIp(request, { address: '::ffff:198.51.100.9', trust: ['198.51.100.0/24'] }), '203.0.113.5')
  assert.equal(clientIp(request, { address: '198.51.100.9', trust: ['10.0.0.0/8'] }), '198.51.100.9')
  const server = { requestIP: () => ({ address: '2001:db8::9' }) }
  const key = clientKey({ address: (asked, context) => (asked === request ? context.requestIP(asked).address : null) })
  assert.equal(key(request, server), '2001:db8::/64')
  assert.equal(clientIp(request, { address: (_, context) => context }, '192.0.2.7'), '192.0.2.7')
  // It counts before the socket, which may be another one.
  assert.equal(clientIp(from('10.0.0.1'), { address: () => '192.0.2.7' }), '192.0.2.7')
  assert.equal(clientIp(from('10.0.0.1'), { address: null }), '10.0.0.1')
  for (const odd of [undefined, null, 7, {}, Promise.resolve('192.0.2.7')])
    assert.equal(clientIp(request, { address: () => odd }), 'unknown')
})

test('without an address everybody has one and the same key, which is none, and nothing throws', (t) => {
  for (const request of [
    undefined,
    null,
    {},
    7,
    { headers: {} },
    { socket: null, headers: null },
    from(undefined),
    from(''),
    from('/run/app.sock'),
    from('010.0.0.1'),
  ]) {
    for (const options of [undefined, { trust: 1 }, { trust: ['10.0.0.0/8'] }, { trust: 1, header: 'forwarded' }]) {
      assert.equal(clientIp(request, options), 'unknown')
    }
  }
  assert.equal(
    clientIp(from(undefined, '203.0.113.5'), { trust: ['10.0.0.0/8'] }),
    'unknown',
    'who is no proxy of ours',
  )
  assert.equal(clientIp(from(undefined, '203.0.113.5'), { trust: 1 }), '203.0.113.5')
  assert.equal(parseAddress('unknown'), null)

  const sp = spillway({ clock: () => 1_000_000 })
  t.after(() => sp.close())
  const chat = sp.limiter('chat', { limit: 1, window: '1m' })
  assert.equal(chat.consume(clientIp({})).ok, true)
  assert.equal(chat.consume(clientIp(from('1.1.1.1.1'))).ok, false, 'to hide gains nobody a bucket of their own')
})

test('the first request without an address is a warning, and the others are silent', async () => {
  const script = `
    const { clientIp } = require('spillway/client-ip')
    process.on('warning', ({ code, message }) => console.log(code, message))
    for (let i = 0; i < 5; i++) clientIp({ headers: { 'x-forwarded-for': 'secret' } }, { trust: 1 })
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '-e', script], { cwd: ROOT })
  assert.match(stdout, /^SPILLWAY_NO_ADDRESS [^\n]+'unknown'[^\n]+`trust`[^\n]+\n$/)
  assert.doesNotMatch(stdout, /secret/)
})

test('it loads and works where there is nothing of Node', () => {
  const world = vm.createContext({})
  const loaded = new Map()
  const load = (file) => {
    if (!loaded.has(file)) {
      const module = { exports: {} }
      loaded.set(file, module)
      const wrapped = vm.runInContext(`(function (module, require) {${fs.readFileSync(file, 'utf8')}\n})`, world, {
        filename: file,
      })
      wrapped(module, (name) => {
        assert.match(name, /^\.\.?\//, `${file} requires ${name}`)
        return load(path.join(path.dirname(file), name))
      })
    }
    return loaded.get(file).exports
  }
  const elsewhere = load(path.join(ROOT, 'adapters', 'client-ip.js'))
  assert.equal(elsewhere.clientIp(from('10.0.0.1', '1.1.1.1, ::ffff:203.0.113.5'), { trust: 1 }), '203.0.113.5')
  assert.equal(elsewhere.clientIp({}), 'unknown')
  assert.throws(() => elsewhere.clientKey({ trust: true }), { code: 'E_OPTION' })
})

test('to trust everybody is refused, in every way to say it', () => {
  const everybody = [
    true,
    Infinity,
    17,
    1e9,
    ['0.0.0.0/0'],
    ['::/0'],
    ['10.0.0.0/8', '::/0'],
    ['::ffff:0:0/96'],
    ['::ffff:0.0.0.0/96'],
    ['0.0.0.0/1', '128.0.0.0/1'],
    ['::/1', '8000::/1'],
    ['2000::/3'],
    ['::/2'],
    ['224.0.0.0/3'],
    Array.from({ length: 256 }, (_, first) => `${first}.0.0.0/8`),
    Array.from({ length: 32 }, (_, first) => `${first + 40}.0.0.0/8`),
    Array.from({ length: 16 }, (_, i) => `2${i.toString(16)}00::/8`),
    ipList(['0.0.0.0/0']),
  ]
  for (const trust of everybody) {
    assert.throws(
      () => clientKey({ trust }),
      (error) => {
        assert.equal(error.code, 'E_OPTION')
        assert.equal(error.option, 'trust')
        assert.match(
          error.message,
          typeof trust === 'number' && trust !== Infinity
            ? /from 0 to 16/
            : /each client choose the address it is charged to/,
        )
        return true
      },
    )
    assert.throws(() => clientIp(from('10.0.0.1'), { trust }), { code: 'E_OPTION' })
  }
  // All that is private, a large provider's own, and the very first of each family: that is not everybody.
  const many = [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '100.64.0.0/10',
    '127.0.0.0/8',
    'fc00::/7',
    'fe80::/10',
    '::1',
    '2400:cb00::/32',
    '0.0.0.0/8',
    '2000::/16',
  ]
  assert.equal(clientIp(from('10.0.0.1', '203.0.113.5'), { trust: many }), '203.0.113.5')
})

test('wrong options throw where they are written, and say what may be there', () => {
  const wrong = [
    [
      { trust: false },
      'trust',
      /number of proxies in front, from 0 to 16, or a list of their addresses and ranges; got false/,
    ],
    [{ trust: -1 }, 'trust', /got -1/],
    [{ trust: 1.5 }, 'trust', /got 1.5/],
    [{ trust: NaN }, 'trust', /got NaN/],
    [{ trust: '1' }, 'trust', /got "1"/],
    [{ trust: null }, 'trust', /got null/],
    [{ trust: 'loopback' }, 'trust', /got "loopback"/],
    [{ trust: () => true }, 'trust', /got function trust/],
    [{ trust: new Set() }, 'trust', /got an object \(Set\)/],
    [{ trust: ['10.0.0.0/8', '10.0.0.300'] }, 'trust', /^`trust\[1\]` must be .+; got "10\.0\.0\.300"/],
    [
      { trust: ['10.0.0.1/8'] },
      'trust',
      /^`trust\[0\]` has bits set after its prefix: write '10\.0\.0\.0\/8' for the range/,
    ],
    [{ header: 'x-real-ip' }, 'trust', /^`header` of .+ is read only from proxies that `trust` names/],
    [{ header: '', trust: 1 }, 'header', /must be the name of a header, like 'cf-connecting-ip'; got ""/],
    [{ header: 'x real ip', trust: 1 }, 'header', /got "x real ip"/],
    [{ header: ['x-real-ip'], trust: 1 }, 'header', /got an array/],
    [{ ipv6Prefix: 0 }, 'ipv6Prefix', /must be a whole number from 1 to 128; got 0/],
    [{ ipv6Prefix: 129 }, 'ipv6Prefix', /got 129/],
    [{ ipv6Prefix: '64' }, 'ipv6Prefix', /got "64"/],
    [
      { address: 7 },
      'address',
      /must be the connection's address, or a function of the request that answers it; got 7/,
    ],
    [{ trustProxy: 1 }, 'trustProxy', /is not an option of .+; there are trust, header, ipv6Prefix and address/],
  ]
  for (const [options, option, message] of wrong) {
    assert.throws(() => clientKey(options), { code: 'E_OPTION', option, message })
    assert.throws(() => clientIp(from('10.0.0.1'), options), { code: 'E_OPTION' })
  }
  assert.throws(() => clientKey(7), { code: 'E_OPTION', message: /must be an object with trust, .+; got 7/ })
})

test('an option of a polluted prototype is none', (t) => {
  Reflect.set(Object.prototype, 'trust', 1)
  t.after(() => Reflect.deleteProperty(Object.prototype, 'trust'))
  assert.equal(clientIp(from('10.0.0.1', '1.1.1.1'), {}), '10.0.0.1')
})

test('whatever a client writes to the left of what the proxies add, its key stays the same', () => {
  const dice = new Dice(6)
  const signs = '0123456789abcdef:.,,, ;="\\[]%/\t\0for'
  for (let i = 0; i < 60_000; i++) {
    const header = dice.pick(['x-forwarded-for', 'forwarded'])
    const isList = header === 'x-forwarded-for'
    const proxies = Array.from({ length: dice.below(4) }, () => `10.${octets(dice).slice(1).join('.')}`)
    const client = dice.once(2)
      ? ['172', ...octets(dice).slice(1)].join('.')
      : written(dice, [0x2001, 0xdb8, ...groups(dice).slice(2)])
    const added = [client, ...proxies].map((address) => {
      if (isList) return address
      return address.includes(':')
        ? `for="[${address}]"`
        : dice.pick([`for=${address};proto=http`, `by=x;for="${address}"`])
    })
    const noise = Array.from({ length: dice.below(40) }, () => dice.pick(signs)).join('')
    const spoof = dice.pick([
      noise,
      '10.0.0.1',
      'for=10.0.0.1',
      `${noise},10.0.0.1`,
      '"',
      '1.1.1.1, 10.0.0.1',
      'for="',
      `for="10.0.0.1`,
    ])
    const request = (text) => ({ socket: { remoteAddress: '10.9.9.9' }, headers: { [header]: text } })
    const key = clientKey({ trust: dice.once(2) ? proxies.length + 1 : ['10.0.0.0/8'], header })
    const honest = key(request(added.join(', ')))
    assert.equal(honest, clientIp(from(client)))
    const sent = `${spoof}, ${added.join(', ')}`
    assert.equal(key(request(sent)), honest, JSON.stringify(sent))
  }
})

test('of 100,000 headers of anything at all the key is an address in a trusted place, or none', () => {
  const dice = new Dice(7)
  const signs = '0123456789abcdefABCDEF:.%[], ;="\\\t\0\r\nx☃\ud800'
  const counts = { unknown: 0, connection: 0, header: 0 }
  for (let i = 0; i < 100_000; i++) {
    const entry = () =>
      dice.pick([
        () => octets(dice).join('.'),
        () => written(dice, groups(dice)),
        () => written(dice, mapped(octets(dice))),
        () => Array.from({ length: dice.below(20) }, () => dice.pick(signs)).join(''),
      ])()
    const entries = Array.from({ length: dice.below(6) }, entry)
    const lines = entries.join(',')
    const remote = dice.once(4) ? undefined : entry()
    const trust = dice.below(5)
    const key = clientIp(from(remote, dice.once(3) ? entries : lines), { trust })
    assert.ok(key.length > 0 && key.length <= 43, key)
    // What an entry may hold is taken apart again as a proxy would have it: at the commas.
    const places = [
      ...lines.split(',').slice(lines === '' ? 1 : -trust || Infinity),
      ...(remote === undefined ? [] : [remote]),
    ]
    const keys = places.map((place) => place.replace(/^[ \t]+|[ \t]+$/g, '')).map((place) => clientIp(from(place)))
    assert.ok(key === 'unknown' || keys.includes(key), `${key} of ${JSON.stringify([remote, lines, trust])}`)
    if (key === 'unknown') counts.unknown++
    else if (key === clientIp(from(remote))) counts.connection++
    else counts.header++
  }
  assert.ok(Math.min(...Object.values(counts)) > 5_000, JSON.stringify(counts))
})

test('over real HTTP behind a proxy, a client cannot write itself another bucket, whatever Express trusts', async (t) => {
  const sp = spillway({ clock: () => 1_000_000 })
  t.after(() => sp.close())
  const app = express()
  // What Express itself believes is another matter: its req.ip would be the client's choice here.
  app.set('trust proxy', true)
  const chat = sp.limiter('chat', { limit: 3, window: '1m' })
  app.get('/', limit(chat, { key: clientKey({ trust: ['127.0.0.1'] }) }), (req, res) => res.json({ ip: req.ip }))
  const origin = await served(t, app)
  // A proxy as nginx is with $proxy_add_x_forwarded_for; who comes to it is said in a header of the test's.
  const proxy = await served(t, (req, res) => {
    const { 'x-forwarded-for': before, 'x-test-client': client } = req.headers
    const headers = { 'x-forwarded-for': before === undefined ? client : `${before}, ${client}` }
    http.get(origin, { headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers)
      answer.pipe(res)
    })
  })
  const get = (client, spoof) =>
    fetch(proxy, { headers: { 'x-test-client': client, ...(spoof === undefined ? {} : { 'x-forwarded-for': spoof }) } })

  const statuses = []
  for (const spoof of [
    undefined,
    '1.1.1.1',
    '127.0.0.1',
    '::1, 8.8.8.8',
    'unknown',
    '127.0.0.1, 127.0.0.1',
    ', ,',
    '"',
  ]) {
    const answer = await get('203.0.113.5', spoof)
    statuses.push(answer.status)
    if (spoof === '1.1.1.1') assert.equal((await answer.json()).ip, '1.1.1.1', 'as Express was told to')
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 429, 429, 429, 429])
  assert.equal((await get('203.0.113.6', '203.0.113.5')).status, 200, 'and cannot use up that of another')
  // One network is one client.
  const six = []
  for (let i = 1; i <= 4; i++) six.push((await get(`2001:db8:1:2::${i}`)).status)
  assert.deepEqual(six, [200, 200, 200, 429])
  assert.equal((await get('2001:db8:1:3::1')).status, 200)
})

test('over real HTTP and without a proxy, the header of a client is not looked at', async (t) => {
  const sp = spillway({ clock: () => 1_000_000 })
  t.after(() => sp.close())
  const app = express()
  const keys = []
  const key = (req) => {
    keys.push(clientIp(req))
    return keys.at(-1)
  }
  app.get('/', limit(sp.limiter('chat', { limit: 2, window: '1m' }), { key }), (_req, res) => res.end())
  const origin = await served(t, app)
  const statuses = []
  for (const spoof of ['1.1.1.1', '2.2.2.2', '3.3.3.3']) {
    statuses.push((await fetch(origin, { headers: { 'x-forwarded-for': spoof, forwarded: `for=${spoof}` } })).status)
  }
  assert.deepEqual(statuses, [200, 200, 429])
  assert.deepEqual([...new Set(keys)], ['127.0.0.1'])
})

test('behind a unix socket there is no address of the connection, and a number of proxies still counts', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-socket-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const socketPath = path.join(folder, 'app.sock')
  const byNumber = clientKey({ trust: 1 })
  const byList = clientKey({ trust: ['127.0.0.1'] })
  const server = http.createServer((req, res) => res.end(`${byNumber(req)} ${byList(req)}`)).listen(socketPath)
  t.after(() => server.close())
  await once(server, 'listening')
  const [answer] = await once(
    http.get({ socketPath, headers: { 'x-forwarded-for': '1.1.1.1, 203.0.113.5' } }),
    'response',
  )
  assert.equal((await answer.toArray()).join(''), '203.0.113.5 unknown')
})

test('on Hono the context is a request, and getConnInfo says the address', async (t) => {
  const { Hono } = require('hono')
  const { getRequestListener } = require('@hono/node-server')
  const { getConnInfo } = require('@hono/node-server/conninfo')
  const app = new Hono()
  const direct = clientKey({ address: (c) => getConnInfo(c).remote.address })
  const behind = clientKey({ trust: ['127.0.0.1'], address: (c) => getConnInfo(c).remote.address })
  const counted = clientKey({ trust: 1 })
  app.get('/', (c) => c.json([direct(c), behind(c), counted(c), counted(c.req.raw)]))
  const origin = await served(t, getRequestListener(app.fetch))
  const answer = await fetch(origin, { headers: { 'x-forwarded-for': '1.1.1.1, 203.0.113.5' } })
  assert.deepEqual(await answer.json(), ['127.0.0.1', '203.0.113.5', '203.0.113.5', '203.0.113.5'])
})

test('a Web handler is limited by what its platform wrote', async (t) => {
  const sp = spillway({ clock: () => 1_000_000 })
  t.after(() => sp.close())
  const GET = limited(() => new Response('done'), sp.limiter('chat', { limit: 1, window: '1m' }), {
    key: clientKey({ trust: 1 }),
  })
  const get = (header) => GET(new Request('http://localhost', { headers: { 'x-forwarded-for': header } }))
  assert.equal((await get('203.0.113.5')).status, 200)
  assert.equal((await get('1.1.1.1, 203.0.113.5')).status, 429)
  assert.equal((await get('203.0.113.6')).status, 200)
})

test('the options on the page about keys are options', () => {
  const page = fs.readFileSync(path.join(ROOT, 'docs', 'keys.md'), 'utf8')
  const [, table] = /\| where it runs \| options \|\n([^]*?)\n\n/.exec(page)
  const options = [...table.matchAll(/`(\{.*\})` \|$/gm)].map(([, text]) => vm.runInNewContext(`(${text})`))
  assert.equal(options.length, 9)
  for (const given of options) assert.equal(clientIp(from('192.0.2.7'), { ...given }), '192.0.2.7')
  for (const [, address] of page.matchAll(/clientKey\(\{ address: (.+) \}\) {2}/g))
    assert.equal(typeof vm.runInNewContext(address), 'function')
})
