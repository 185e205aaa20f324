// Owns the proof that an address is read by its bits, from every notation, and written in one way; Node and the URL parser are
// the judges. Never tests whose address counts: that is client-ip.test.js.
'use strict'

const assert = require('node:assert/strict')
const net = require('node:net')
const { test } = require('node:test')
const { parseAddress } = require('spillway/client-ip')
const { Dice, groups, mapped, octets, spoiled, written } = require('./random-addresses.js')

/** The one text of an IPv6 address, as the URL parser has it. */
const canonical = (text) => new URL(`http://[${text}]/`).hostname.slice(1, -1)

test('an address is written in one way, however it came', () => {
  const texts = {
    '192.0.2.7': [
      '192.0.2.7',
      '192.0.2.7:0',
      '192.0.2.7:65535',
      '::ffff:192.0.2.7',
      '::FFFF:192.0.2.7',
      '::ffff:c000:207',
      '::ffff:c000:0207',
      '0:0:0:0:0:ffff:192.0.2.7',
      '0000:0000:0000:0000:0000:ffff:c000:0207',
      '0::ffff:c000:207',
      '::0:ffff:192.0.2.7',
      '[::ffff:192.0.2.7]',
      '[::ffff:c000:207]:443',
      '::ffff:192.0.2.7%eth0',
    ],
    '0.0.0.0': ['0.0.0.0', '::ffff:0:0', '::ffff:0.0.0.0', '0.0.0.0:80'],
    '255.255.255.255': ['255.255.255.255', '::ffff:ffff:ffff'],
    '2001:db8::1': [
      '2001:db8::1',
      '2001:DB8::1',
      '2001:0db8:0000:0000:0000:0000:0000:0001',
      '2001:db8:0:0:0:0:0:1',
      '2001:db8::0:1',
      '2001:db8:0::0:1',
      '2001:db8::0.0.0.1',
      '[2001:db8::1]',
      '[2001:db8::1]:8080',
      '2001:db8::1%1',
      '[2001:db8::1%eth0.100]:8080',
    ],
    '::': ['::', '0::', '::0', '0::0', '0:0:0:0:0:0:0:0', '[::]', '::0.0.0.0', '::%lo'],
    '::1': ['::1', '0:0:0:0:0:0:0:1', '[::1]:443', '::0001', '::0.0.0.1'],
    '1::': ['1::', '1:0:0:0:0:0:0:0', '1::0', '1::0.0.0.0', '1::%25eth0'],
    'fe80::1': ['fe80::1', 'FE80::1%eth0', 'fe80::1%25eth0', '[fe80::1%3]', 'fe80:0::1%br-0_a~b@c'],
    '1:2:3:4:5:6:7:8': ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:0.7.0.8', '0001:2:3:4:5:6:7:8'],
    '1:2:3:4:5:6:7:0': ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    '0:2:3:4:5:6:7:8': ['::2:3:4:5:6:7:8'],
    // The first of the longest runs of zeros, and never a run of one.
    '1::4:0:0:7:8': ['1:0:0:4:0:0:7:8', '1:0:0:4::7:8'],
    '1:0:0:4::8': ['1::4:0:0:0:8', '1:0:0:4:0:0:0:8'],
    '1:0:3:4:5:6:7:8': ['1::3:4:5:6:7:8'],
    // Other addresses than the IPv4 ones in them.
    '::c000:207': ['::192.0.2.7'],
    '::ffff:0:c000:207': ['::ffff:0:192.0.2.7'],
    '64:ff9b::c000:207': ['64:ff9b::192.0.2.7'],
    '2002:c000:207::1': ['2002:c000:207::1'],
    '2001:db8::c000:207': ['2001:db8::192.0.2.7'],
  }
  for (const [text, ways] of Object.entries(texts)) {
    for (const way of ways) assert.equal(parseAddress(way), text, way)
    assert.equal(parseAddress(text), text)
  }
})

test('what programs read differently is no address, and neither is anything else', () => {
  const texts = [
    // Octal, short, hexadecimal and decimal IPv4.
    ...['010.1.1.1', '1.1.1.01', '00.0.0.0', '192.0.2.07', '127.1', '127.0.1', '1', '2130706433'],
    ...['0x7f.1', '0x7f.0.0.1', '0x7f000001', '1.2.3.0x4', '::ffff:010.0.0.1', '::1.2.3'],
    // Out of range, too much and too little.
    ...[
      '256.1.1.1',
      '1.2.3.999',
      '1.2.3.4.5',
      '1.2.3',
      '1.2.3.',
      '.1.2.3',
      '1..2.3',
      '1.2.3.4.',
      '-1.2.3.4',
      '+1.2.3.4',
    ],
    ...['::12345', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2:3:4:5:6:7:8', '::1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8::'],
    ...[
      ':',
      ':::',
      '1:::2',
      '::1::',
      '1::2::3',
      ':1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:',
      '1:',
      ':1',
      'g::',
      '::g',
      '1:2:3:4:5:6:7:1.2.3.4',
    ],
    ...['::1.2.3.4:5', '1.2.3.4::', '1:2:3:4:5:1.2.3.4', '::1.2.3.4.5', '::256.0.0.1', '1.2.3.4:5:6:7:8:9:10:11'],
    // Brackets, ports and zones that are not whole.
    ...[
      '[::1',
      '::1]',
      '[]',
      '[',
      ']',
      '[1.2.3.4]',
      '[1.2.3.4]:80',
      '[[::1]]',
      '[::1]]',
      '[::1]80',
      '[::1]:',
      '[::1]:x',
      '[::1]:65536',
    ],
    ...[
      '1.2.3.4:',
      '1.2.3.4:x',
      '1.2.3.4:65536',
      '1.2.3.4:-1',
      '1.2.3.4:123456',
      '1.2.3.4:80:90',
      '1.2.3.4%eth0',
      '::1%',
      '[::1%]:80',
      '::1%a b',
    ],
    // No text that is read by others as something else.
    ...[
      '',
      ' ',
      ' 1.2.3.4',
      '1.2.3.4 ',
      '1.2.3.4\n',
      '\t::1',
      '1.2.3.4\0',
      '1.2.\u00003.4',
      '\u0001',
      '::1\r\n',
      '1.2.3.4/32',
      '::/0',
    ],
    ...[
      '١.٢.٣.٤',
      '１.２.３.４',
      '1。2。3。4',
      '：：１',
      '²·1.1.1',
      '𝟏.1.1.1',
      '\ud835',
      '1.2.3.4\ud800',
      'ⅰ::',
      '::\u0430',
    ],
    ...[
      'unknown',
      '_hidden',
      'localhost',
      'null',
      'undefined',
      '1.2.3.4, 5.6.7.8',
      '1.2.3.4,',
      '"1.2.3.4"',
      "'::1'",
      '__proto__',
      'constructor',
    ],
    ...[
      '1e1.1.1.1',
      '1_0.1.1.1',
      '1n.1.1.1',
      'for=1.2.3.4',
      '<1.2.3.4>',
      '::ffff:1.2.3.4:80',
      '1.2.3.4@5.6.7.8',
      '::1%<x>',
    ],
  ]
  for (const text of texts) assert.equal(parseAddress(text), null, JSON.stringify(text))
  for (const value of [undefined, null, 0, 2130706433, 1n, true, {}, [], ['1.2.3.4'], Symbol('::1'), () => '::1']) {
    assert.equal(parseAddress(value), null)
  }
  const talking = { toString: () => '1.2.3.4', length: 7, charCodeAt: () => 49 }
  assert.equal(parseAddress(talking), null)
})

test('a text too long for an address is not looked at', () => {
  const longest = `[0000:0000:0000:0000:0000:ffff:255.255.255.255%${'z'.repeat(17)}]:65535`
  assert.equal(longest.length, 71)
  assert.equal(parseAddress(longest), '255.255.255.255')
  assert.equal(parseAddress(longest.replace('%', '%zzzz')), null)
  assert.equal(parseAddress(`${'0'.repeat(1e6)}1.2.3.4`), null)
  assert.equal(parseAddress(`1.2.3.4${' '.repeat(1e6)}`), null)
})

test('100,000 random IPv6 addresses in random notations are what the URL parser makes of them', () => {
  const dice = new Dice(1)
  let mappedOnes = 0
  for (let i = 0; i < 100_000; i++) {
    const text = written(dice, dice.once(8) ? mapped(octets(dice)) : groups(dice))
    assert.equal(net.isIPv6(text), true, `${text} should be one`)
    const wanted = canonical(text)
    const four = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(wanted)
    const address = four
      ? [four[1], four[2]]
          .map((hex) => parseInt(hex, 16))
          .flatMap((two) => [two >> 8, two & 255])
          .join('.')
      : wanted
    if (four) mappedOnes++
    const around = dice.pick([text, `[${text}]`, `[${text}]:${dice.below(65_536)}`, `${text}%eth${dice.below(9)}`])
    assert.equal(parseAddress(around), address, around)
  }
  assert.ok(mappedOnes > 5_000, String(mappedOnes))
})

test('50,000 random IPv4 addresses are the same in all of their notations', () => {
  const dice = new Dice(2)
  for (let i = 0; i < 50_000; i++) {
    const four = octets(dice)
    const text = four.join('.')
    assert.equal(new URL(`http://${text}/`).hostname, text)
    assert.equal(parseAddress(text), text)
    assert.equal(parseAddress(`${text}:${dice.below(65_536)}`), text)
    const six = written(dice, mapped(four))
    assert.equal(parseAddress(six), text, six)
  }
})

test('of 200,000 spoiled addresses, those are read that Node calls addresses, and no others', () => {
  const dice = new Dice(3)
  const counts = { read: 0, refused: 0 }
  for (let i = 0; i < 200_000; i++) {
    let text = dice.once(2) ? octets(dice).join('.') : written(dice, groups(dice))
    for (let times = dice.below(3); times >= 0; times--)
      text = spoiled(dice, text, '0123456789abcdefABCDEFgxX:::...% -+/,')
    const address = parseAddress(text)
    // The one notation Node does not have: a port behind IPv4.
    const bare = /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
    assert.equal(address !== null, net.isIP(bare) !== 0, text)
    if (address === null) counts.refused++
    else {
      counts.read++
      assert.ok(net.isIP(address) !== 0 && address.length <= 39)
      assert.equal(parseAddress(address), address)
    }
  }
  assert.ok(counts.read > 20_000 && counts.refused > 20_000, JSON.stringify(counts))
})

test('200,000 texts of anything at all throw nothing', () => {
  const dice = new Dice(4)
  const signs = '0123456789abcdef:.[]%/,"\\ \t\r\n\0\u0660\uff11\ud800\u200b☃'
  for (let i = 0; i < 200_000; i++) {
    const text = Array.from({ length: dice.below(24) }, () => dice.pick(signs)).join('')
    const address = parseAddress(text)
    assert.ok(address === null || net.isIP(address) !== 0, JSON.stringify(text))
  }
})
