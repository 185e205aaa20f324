// A guest that puts bentocache on spillway/bentocache. Owns what its users see, and bentocache's own suite for each layer.
// Never looks beneath bentocache.
import { test } from '@japa/runner'
import { BentoCache, bentostore } from 'bentocache'
import { registerCacheDriverTestSuite } from 'bentocache/test_suite'
import { spillwayDriver } from 'spillway/bentocache'

for (const layer of ['l1', 'l2']) {
  test.group(`bentocache's own suite, as ${layer}`, (group) => {
    const createDriver = (options) => spillwayDriver({ name: layer, layer }).factory({ prefix: 'japa', ...options })
    registerCacheDriverTestSuite({ test, group, createDriver })
  })
}

const stores = {
  first: (name) => bentostore().useL1Layer(spillwayDriver({ name })),
  'first, values as they are': (name) => bentostore().useL1Layer(spillwayDriver({ name, serialize: false })),
  second: (name) => bentostore().useL2Layer(spillwayDriver({ name, layer: 'l2' })),
  both: (name) =>
    bentostore()
      .useL1Layer(spillwayDriver({ name: `${name}-1` }))
      .useL2Layer(spillwayDriver({ name: `${name}-2`, layer: 'l2' })),
}

for (const [name, store] of Object.entries(stores)) {
  test(`as the layer ${name}: loads once, forgets by key, tag and namespace`, async ({ assert }) => {
    const bento = new BentoCache({ default: 'shop', stores: { shop: store(name) } })
    let loads = 0
    const factory = async () => ({ loads: ++loads })
    const asked = (key, options) => bento.getOrSet({ key, ttl: '1h', factory, ...options })
    assert.deepEqual(await Promise.all([asked('a'), asked('a')]), [{ loads: 1 }, { loads: 1 }])
    assert.deepEqual(await asked('a'), { loads: 1 })
    await bento.delete({ key: 'a' })
    assert.deepEqual(await asked('a', { tags: ['news'] }), { loads: 2 })
    await bento.deleteByTag({ tags: ['news'] })
    assert.deepEqual(await asked('a'), { loads: 3 })

    const users = bento.namespace('users')
    await users.set({ key: 'a', value: 'Ann' })
    await bento.set({ key: 'b', value: 'other' })
    await users.clear()
    assert.isUndefined(await users.get({ key: 'a' }))
    assert.equal(await bento.get({ key: 'b' }), 'other')
    await bento.disconnectAll()
  })
}

test('a value that is too large is not stored, and what was there is gone', async ({ assert }) => {
  const driver = spillwayDriver({ name: 'small', maxBytes: '1mb', maxValueBytes: '10kb' }).factory({ prefix: 'p' })
  assert.isTrue(driver.set('key', 'small'))
  assert.isFalse(driver.set('key', 'x'.repeat(20_000)))
  assert.isUndefined(driver.get('key'))
})

test('drivers of one name and prefix are one', async ({ assert }) => {
  const [one, two] = [1, 2].map(() => spillwayDriver({ name: 'one' }).factory({ prefix: 'p' }))
  one.set('key', 'text', 60_000)
  assert.equal(two.pull('key'), 'text')
  assert.isUndefined(one.pull('key'))
})
