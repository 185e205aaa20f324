// Owns what the types promise of the store for express-rate-limit: that it is one. Each @ts-expect-error fails by compiling.
// Never runs.

import { rateLimit, type ClientRateLimitInfo, type Store } from 'express-rate-limit'
import { SpillwayStore, type ClientHits, type SpillwayStoreOptions } from 'spillway/express-rate-limit'
import { same, type Equal } from './equal.mjs'

const store = new SpillwayStore({ name: 'api' })
const _store: Store = store
rateLimit({ windowMs: 60_000, limit: 100, store })
same<Equal<ReturnType<typeof store.increment>, ClientHits>>()
same<Equal<ReturnType<typeof store.get>, ClientHits | undefined>>()
const _hits: ClientRateLimitInfo = store.increment('a')

const _options: SpillwayStoreOptions = { name: 'api', maxKeys: 10_000, clock: () => Date.now() }
// @ts-expect-error which limiters are the same one, only the application knows
new SpillwayStore()
// @ts-expect-error options are an object
new SpillwayStore('api')
// @ts-expect-error the window is rateLimit's
new SpillwayStore({ name: 'api', windowMs: 60_000 })
