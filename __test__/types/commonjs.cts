// Owns the same promises for who requires the package. Each @ts-expect-error fails by compiling.
// Never runs.

import spillway = require('spillway')
import express = require('spillway/express')
import fetch = require('spillway/fetch')

const sp: spillway.Spillway<'sync'> = spillway.spillway({ prefix: 'api' })
const chat: spillway.Limiter = sp.limiter('chat', { limit: 30, window: '5m' })
const decision: spillway.Decision = chat.consume('tenant-7')
if (!decision.ok) throw spillway.Refusal.of(decision)

express.limit(chat, { key: () => 'all' })
fetch.refusals(() => new Response())

// @ts-expect-error the package has no default export
spillway.default
