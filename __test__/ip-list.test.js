// Owns the proof that a list of addresses and ranges holds what it says and nothing else; net.BlockList is the judge.
// Never tests what is done to who is in it: that is the adapters'.
'use strict'

const assert = require('node:assert/strict')
const net = require('node:net')
const { test } = require('node:test')
const { clientIp, ipList, parseAddress } = require('spillway/client-ip')
const { Dice, groups, mapped, octets, written } = require('./random-addresses.js')

test('a list holds its addresses and all of its ranges, in whatever notation they are asked for', () => {
  const list = ipList([
    '192.0.2.7',
    '10.0.0.0/8',
    '2001:db8::/32',
    '::ffff:198.51.100.0/120',
    '::1',
    'FE80::/10',
    '203.0.113.4/31',
  ])
  const inside = [
    '192.0.2.7',
    '192.0.2.7:80',
    '::ffff:c000:207',
    '10.0.0.0',
    '10.255.255.255',
    '::ffff:10.1.2.3',
    '198.51.100.255',
  ]
  const six = [
    '2001:db8::',
    '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    '[2001:DB8::1]:443',
    '::1',
    'fe80::1%eth0',
    'febf::',
    '203.0.113.5',
  ]
  for (const address of [...inside, ...six]) assert.equal(list.has(address), true, address)
  const outside = [
    '192.0.2.6',
    '192.0.2.8',
    '9.255.255.255',
    '11.0.0.0',
    '198.51.101.0',
    '198.51.99.255',
    '203.0.113.6',
    '203.0.113.3',
  ]
  const others = [
    '2001:db7:ffff::',
    '2001:db9::',
    '::2',
    '::',
    'fec0::',
    '::192.0.2.7',
    '64:ff9b::10.0.0.1',
    '2002:a00:1::',
  ]
  for (const address of [...outside, ...others]) assert.equal(list.has(address), false, address)
})

test('what is no address is in no list', () => {
  const list = ipList(['0.0.0.0/0', '::/0'])
  for (const text of [
    '',
    'unknown',
    '010.0.0.1',
    '10.1',
    ' 10.0.0.1',
    '10.0.0.1/33',
    '10.0.0.1/',
    '/8',
    '10.0.0.1/8',
    '::/129',
    '[::]/8',
    '::/0x1',
  ]) {
    assert.equal(list.has(text), false, text)
  }
  for (const value of [undefined, null, 167772161, {}, ['10.0.0.1'], Symbol('10.0.0.1')])
    assert.equal(list.has(value), false)
})

test('IPv4 is not in ranges of IPv6, unless they are the IPv4-mapped ones', () => {
  assert.equal(ipList(['::/0']).has('192.0.2.7'), false)
  assert.equal(ipList(['::/0']).has('::ffff:192.0.2.7'), false)
  assert.equal(ipList(['::/80']).has('::ffff:192.0.2.7'), false)
  assert.equal(ipList(['::/0']).has('::192.0.2.7'), true)
  assert.equal(ipList(['::ffff:0:0/96']).has('192.0.2.7'), true)
  assert.equal(ipList(['0.0.0.0/0']).has('::'), false)
})

test('a range is in the list when one entry holds all of it, as the key of an IPv6 client wants it', () => {
  const list = ipList(['2001:db8::/32', '2001:db9::1', '10.0.0.0/8'])
  const key = clientIp({ headers: {}, socket: { remoteAddress: '2001:db8:1:2:3:4:5:6' } })
  assert.equal(key, '2001:db8:1:2::/64')
  assert.equal(list.has(key), true)
  for (const range of ['2001:db8::/32', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', '::ffff:10.0.0.0/104'])
    assert.equal(list.has(range), true)
  for (const range of ['2001:db8::/31', '2001:db9::/64', '10.0.0.0/7', '0.0.0.0/0', '::/0'])
    assert.equal(list.has(range), false)
})

test('a list may be empty, and one that is made is taken as it is', () => {
  assert.equal(ipList([]).has('10.0.0.1'), false)
  const list = ipList(['10.0.0.0/8'])
  assert.equal(ipList(list), list)
  assert.equal(list.kind, 'ip-list')
})

test('an entry that cannot be read is named, with what may stand there', () => {
  const bad = [
    '',
    '10.0.0',
    '010.0.0.0/8',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
  ]
  const worse = [
    '::/129',
    '2001:db8::/32 ',
    '10.0.0.1:80',
    '[::1]',
    'fe80::1%eth0',
    'loopback',
    '10.0.0.1-10.0.0.9',
    '10.*',
    '/8',
    '::ffff:1.2.3.4/129',
  ]
  for (const entry of [...bad, ...worse, undefined, null, 10, {}, ['10.0.0.1']]) {
    assert.throws(
      () => ipList(['192.0.2.7', entry]),
      (error) => {
        assert.ok(error instanceof TypeError)
        assert.equal(error.code, 'E_OPTION')
        assert.match(error.message, /^`entries\[1\]` must be an IP address or a range, like .+; got /)
        if (typeof entry === 'string') assert.ok(error.message.includes(`got ${JSON.stringify(entry)}`))
        return true
      },
    )
  }
  for (const entries of [undefined, null, '10.0.0.0/8', new Set(['10.0.0.1']), { has: () => true }, 7]) {
    assert.throws(() => ipList(entries), {
      code: 'E_OPTION',
      message: /^`entries` must be an array of addresses and ranges/,
    })
  }
  // eslint-disable-next-line no-sparse-arrays
  assert.throws(() => ipList(['10.0.0.1', , '10.0.0.2']), { message: /^`entries\[1\]` .+; got undefined/ })
})

test('a range with bits after its prefix is refused, and both things it can mean are said', () => {
  const meant = [
    ['10.0.0.1/8', '10.0.0.0/8', '10.0.0.1'],
    ['203.0.113.7/3', '192.0.0.0/3', '203.0.113.7'],
    ['192.0.2.7/0', '0.0.0.0/0', '192.0.2.7'],
    ['2001:DB8::1/64', '2001:db8::/64', '2001:db8::1'],
    ['2001:db8:0:0:8000::/64', '2001:db8::/64', '2001:db8:0:0:8000::'],
    ['::ffff:10.0.0.1/104', '10.0.0.0/8', '10.0.0.1'],
  ]
  for (const [entry, range, address] of meant) {
    assert.throws(() => ipList([entry]), {
      code: 'E_OPTION',
      option: 'entries',
      message: `\`entries[0]\` has bits set after its prefix: write '${range}' for the range or '${address}' for the one address; got "${entry}" [E_OPTION]`,
    })
    assert.equal(ipList([range]).has(address), true)
    assert.equal(ipList([address]).has(address), true)
  }
})

/** A random range of one family, with a prefix as a list may have it. @param {Dice} dice */
function rangeOf(dice) {
  const isFour = dice.once(2)
  const bits = isFour ? mapped(octets(dice)) : groups(dice)
  const prefix = isFour ? 1 + dice.below(32) : 9 + dice.below(120)
  const whole = BigInt(`0x${bits.map((group) => group.toString(16).padStart(4, '0')).join('')}`)
  const rest = BigInt(isFour ? 32 - prefix : 128 - prefix)
  return { isFour, prefix, base: (whole >> rest) << rest, rest }
}

const textOf = (whole) => parseAddress(whole.toString(16).padStart(32, '0').match(/.{4}/g).join(':'))

test('random lists hold what net.BlockList holds, at their edges and elsewhere', () => {
  const dice = new Dice(5)
  const counts = { in: 0, out: 0 }
  for (let round = 0; round < 300; round++) {
    // One for each family: in a single one IPv4 would be in IPv6 ranges such as ::/8.
    const judges = { ipv4: new net.BlockList(), ipv6: new net.BlockList() }
    const ranges = Array.from({ length: 1 + dice.below(round % 20 === 0 ? 300 : 12) }, () => rangeOf(dice))
    const entries = ranges.map(({ isFour, prefix, base }) => {
      const family = isFour ? 'ipv4' : 'ipv6'
      judges[family].addSubnet(textOf(base), prefix, family)
      return `${textOf(base)}/${prefix}`
    })
    const list = ipList(entries)
    for (const { base, rest } of ranges) {
      const end = base + (1n << rest)
      const random = dice.once(2) ? mapped(octets(dice)) : groups(dice)
      const within = base + (BigInt(dice.below(2 ** 32)) % (1n << rest))
      for (const whole of [base - 1n, base, within, end - 1n, end]) ask(textOf(BigInt.asUintN(128, whole)))
      ask(parseAddress(written(dice, random)))
    }

    function ask(address) {
      const family = net.isIPv4(address) ? 'ipv4' : 'ipv6'
      const wanted = judges[family].check(address, family)
      assert.equal(list.has(address), wanted, `${address} in ${entries}`)
      if (wanted) counts.in++
      else counts.out++
    }
  }
  assert.ok(counts.in > 5_000 && counts.out > 3_000, JSON.stringify(counts))
})
