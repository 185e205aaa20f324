// The package's face where native addons cannot load: edge, browser, Convex's default runtime. Owns E_RUNTIME.
// Never throws while it is being imported, and never requires anything of Node or of the native side.
'use strict'

const limits = require('./lib/presets.js')
const { Refusal, isRefusal } = require('./lib/refusals.js')

/**
 * A function in the place of one that needs the native side.
 * @param {string} name
 */
function absent(name) {
  return () => {
    throw Object.assign(
      new Error(
        `${name}() needs Node: this code was bundled for an edge, browser or Convex runtime, where native addons cannot ` +
          "load. In Next.js, export const runtime = 'nodejs' from the route and list 'spillway' in " +
          "serverExternalPackages. In Convex, call it from an action whose file starts with 'use node' and list " +
          "'spillway' under node.externalPackages in convex.json. In Jest, use testEnvironment 'node'.",
      ),
      { code: 'E_RUNTIME' },
    )
  }
}

module.exports = {
  spillway: absent('spillway'),
  limiter: absent('limiter'),
  breaker: absent('breaker'),
  bulkhead: absent('bulkhead'),
  cache: absent('cache'),
  shed: absent('shed'),
  policy: absent('policy'),
  timeout: absent('timeout'),
  retry: absent('retry'),
  hedge: absent('hedge'),
  fallback: absent('fallback'),
  consumeAll: absent('consumeAll'),
  presets: Object.freeze({ ...limits.presets, http: absent('presets.http') }),
  Refusal,
  isRefusal,
}
