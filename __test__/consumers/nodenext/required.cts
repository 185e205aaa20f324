// The half of that guest that is CommonJS. Owns one question, to the limiter that the other half opened.
// Never opens anything of its own.
import spillway = require('spillway')
import type { Decision } from 'spillway'

export function ask(key: string): Decision {
  return spillway.limiter('door', { limit: 2, window: '365d' }).consume(key)
}
