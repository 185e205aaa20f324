// Owns what the types promise of presets and knobs, and which mistakes they catch. Each @ts-expect-error fails by compiling.
// Never runs.

import {
  limiter,
  presets,
  spillway,
  type Duration,
  type Limiter,
  type LimiterOptions,
  type LimiterPreset,
} from 'spillway'
import { same, type Equal } from './equal.mjs'

// Presets are options as they are, and spread
same<Equal<ReturnType<typeof limiter>, Limiter<'sync'>>>()
limiter('link-code', presets.otp)
limiter('link-code', { ...presets.otp, limit: 3 })
limiter('portfolio', { ...presets.heavyQuery, burst: undefined, maxKeys: 10_000 })
limiter('chat', [presets.chat, { limit: 500, window: '1d' }])
const _options: LimiterOptions = presets.webhook
same<Equal<typeof presets.otp, LimiterPreset>>()
same<Equal<LimiterPreset['limit'], number>>()
same<Equal<LimiterPreset['window'], Duration>>()
same<Equal<LimiterPreset['algorithm'], 'token-bucket' | 'fixed-window' | 'sliding-window'>>()
same<Equal<LimiterPreset['burst'], number | undefined>>()

const _all: LimiterPreset[] = [
  presets.auth,
  presets.otp,
  presets.syncStart,
  presets.query,
  presets.heavyQuery,
  presets.recognition,
  presets.export,
  presets.upload,
  presets.download,
  presets.chat,
  presets.webhook,
]
// @ts-expect-error there is no such preset
presets.otps
// @ts-expect-error a preset is everybody's, and stays so
presets.otp.limit = 3
// @ts-expect-error neither is the list a place for others
presets.mine = { limit: 1, window: '1s', algorithm: 'token-bucket' }

// Knobs
limiter('link-code', {
  ...presets.otp,
  env: { limit: 'RATE_LIMIT_WA_LINK_CODE_MAX', window: 'RATE_LIMIT_WA_LINK_CODE_WINDOW_MS' },
})
limiter('link-code', { ...presets.otp, env: false })
// @ts-expect-error what is named is a variable, not its value
limiter('link-code', { ...presets.otp, env: { limit: 5 } })
// @ts-expect-error there is no knob for it
limiter('link-code', { ...presets.otp, env: { maxKeys: 'MAX_KEYS' } })
// @ts-expect-error which environment, the spillway says
limiter('link-code', { ...presets.otp, env: true })
spillway({ env: process.env })
spillway({ env: { SPILLWAY_LIMITER_CHAT_LIMIT: '60', OTHER: undefined } })
spillway({ env: false })
// @ts-expect-error variables hold text
spillway({ env: { SPILLWAY_LIMITER_CHAT_LIMIT: 60 } })
