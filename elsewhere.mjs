// The same face for ES modules. Owns the names only.
// Never decides anything: elsewhere.js does.
import elsewhere from './elsewhere.js'

export const {
  spillway,
  limiter,
  breaker,
  bulkhead,
  cache,
  shed,
  policy,
  timeout,
  retry,
  hedge,
  fallback,
  consumeAll,
  presets,
  Refusal,
  isRefusal,
} = elsewhere
