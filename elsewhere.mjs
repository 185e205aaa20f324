// The same face for ES modules. Owns the names only.
// Never decides anything: elsewhere.js does.
import elsewhere from './elsewhere.js'

export const { spillway, limiter, breaker, bulkhead, cache, shed, consumeAll, presets, Refusal, isRefusal } = elsewhere
