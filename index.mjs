// The same face for import. Never a second copy: state and classes are those of index.js.

import face from './index.js'

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
} = face
