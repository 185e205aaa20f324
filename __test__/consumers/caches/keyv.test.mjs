// A guest that puts Keyv, cache-manager and cacheable on spillway/keyv. Owns what their users see, and Keyv's own suite.
// Never looks beneath Keyv.
import { createCache } from 'cache-manager'
import { Cacheable } from 'cacheable'
import Keyv from 'keyv'
import Keyv6 from 'keyv-6'
import keyvTestSuite from '@keyv/test-suite'
import * as vitest from 'vitest'
import { KeyvSpillway } from 'spillway/keyv'

const { describe, expect, test } = vitest

describe("Keyv's own suite", () => {
  keyvTestSuite(vitest, Keyv, () => new KeyvSpillway({ name: 'suite' }))
})

let names = 0
const fresh = () => `keyv-${++names}`

for (const [version, Kind] of [
  ['5', Keyv],
  ['6', Keyv6],
]) {
  describe(`Keyv ${version}`, () => {
    test('two of one name and namespace are one; another namespace is another', async () => {
      const name = fresh()
      const [one, two, other] = ['web', 'web', 'api'].map(
        (namespace) => new Kind({ store: new KeyvSpillway({ name }), namespace }),
      )
      await one.set('key', { at: [1, null] })
      await other.set('key', 'other')
      expect(await two.get('key')).toEqual({ at: [1, null] })
      await two.clear()
      expect(await one.get('key')).toBeUndefined()
      expect(await other.get('key')).toBe('other')
    })

    test('many keys at once', async () => {
      const keyv = new Kind({ store: new KeyvSpillway({ name: fresh() }), namespace: 'web' })
      await keyv.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: [2], ttl: 60_000 },
      ])
      expect(await keyv.getMany(['a', 'absent', 'b'])).toEqual([1, undefined, [2]])
      expect(await keyv.has('a')).toBe(true)
      expect(await keyv.has('absent')).toBe(false)
      expect([await keyv.deleteMany(['a', 'b'])].flat()).not.toContain(false)
      expect(await keyv.getMany(['a', 'b'])).toEqual([undefined, undefined])
    })

    test('the cache itself forgets what has expired', async () => {
      const store = new KeyvSpillway({ name: fresh() })
      const keyv = new Kind({ store, ttl: 20 })
      await keyv.set('short', 'text')
      await keyv.set('long', 'text', 60_000)
      await new Promise((resolve) => setTimeout(resolve, 40))
      expect(await keyv.get('short')).toBeUndefined()
      expect(await keyv.get('long')).toBe('text')
    })

    test('what is too large is an error of Keyv', async () => {
      const keyv = new Kind({ store: new KeyvSpillway({ name: fresh(), maxBytes: '1mb', maxValueBytes: '10kb' }) })
      const errors = []
      keyv.on('error', (error) => errors.push(error))
      expect(await keyv.set('key', 'x'.repeat(20_000))).toBe(false)
      expect(errors.map(({ code }) => code)).toEqual(['E_VALUE_TOO_LARGE'])
    })
  })
}

test('values that Keyv does not make text of come back as they went in', async () => {
  const value = { at: new Date(7), map: new Map([[1, new Set(['a'])]]), bytes: Buffer.from([255]), big: 7n }
  const keyv = new Keyv({ store: new KeyvSpillway({ name: fresh() }), serialize: undefined, deserialize: undefined })
  await keyv.set('key', value)
  expect(await keyv.get('key')).toEqual(value)
})

test('cache-manager stores, wraps and forgets', async () => {
  const cache = createCache({ stores: [new Keyv({ store: new KeyvSpillway({ name: fresh() }) })], ttl: 60_000 })
  await cache.set('key', { id: 7 })
  expect(await cache.get('key')).toEqual({ id: 7 })
  let loads = 0
  const load = async () => ({ loads: ++loads })
  expect(await Promise.all([cache.wrap('wrapped', load), cache.wrap('wrapped', load)])).toEqual([
    { loads: 1 },
    { loads: 1 },
  ])
  expect(await cache.wrap('wrapped', load)).toEqual({ loads: 1 })
  await cache.mset([
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ])
  expect(await cache.mget(['a', 'b', 'c'])).toEqual([1, 2, undefined])
  expect(await cache.del('a')).toBe(true)
  await cache.clear()
  expect(await cache.mget(['b', 'key'])).toEqual([undefined, undefined])
})

test('cacheable has it as its second layer, and as its first', async () => {
  const name = fresh()
  const keyv = () => new Keyv({ store: new KeyvSpillway({ name }) })
  const [one, two] = [new Cacheable({ secondary: keyv() }), new Cacheable({ primary: keyv() })]
  await one.set('key', { id: 7 }, '1h')
  expect(await two.get('key')).toEqual({ id: 7 })
  expect(await two.getOrSet('loaded', async () => 'once', { ttl: '1h' })).toBe('once')
  expect(await one.get('loaded')).toBe('once')
  await one.delete('key')
  expect(await two.get('key')).toBeUndefined()
})
