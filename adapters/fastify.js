// Owns the Fastify face: a plugin that limits every route, or as its config says; beside it the hooks.
// Never imports Fastify, and never limits by anything that Fastify does not hand over.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { Together } = require('./http/all-or-none.js')
const { hookOf, limit, refusals, shed } = require('./http/fastify-hooks.js')
const { OF_EACH } = require('./http/limit-options.js')

/**
 * @typedef {import('./http/fastify-hooks.js').Request} Request
 * @typedef {import('./http/fastify-hooks.js').Reply} Reply
 * @typedef {import('./http/fastify-hooks.js').Done} Done
 * @typedef {import('./http/fastify-hooks.js').Hook} Hook
 */

/** Where in a request's life a limit may be asked: before its body is read, or after. */
const HOOKS = ['onRequest', 'preValidation', 'preHandler']

/** What Fastify itself gives to a plugin among its options. */
const OF_FASTIFY = ['prefix', 'logLevel', 'logSerializers']

/** Requests whose route says itself what limits it: where a scope within has the plugin again, they are not charged again. */
const seen = new WeakSet()

/**
 * The plugin: limits every request, known route or not, by the options it is registered with, and each route by its
 * `config.limit`.
 *
 * One hook of the whole instance rather than one for each route: it also reaches the routes that were declared before the
 * plugin was loaded, which without an `await` are all of them.
 * @param {any} fastify
 * @param {Record<string, any>} options
 */
async function spillwayFastify(fastify, options) {
  const caller = 'register(spillwayFastify, { limiter, key })'
  const { hook = 'onRequest', ...given } = options
  for (const name of OF_FASTIFY) delete given[name]
  if (!HOOKS.includes(hook)) {
    throw misuse('E_OPTION', `${caller}: hook must be one of ${HOOKS.join(', ')}; got ${shown(hook)}`, {
      option: 'hook',
    })
  }
  const { limiter, ...defaults } = given
  const general = limiter === undefined ? [] : [hookOf(caller, limiter, filled(limiter, defaults, {}))]

  /** What the config of each route asks for, read once. @type {WeakMap<object, Hook[]>} */
  const asked = new WeakMap()
  /** @type {(limits: any) => Hook[]} */
  function hooksOf(limits) {
    if (limits === undefined) return general
    if (limits === false) return []
    let hooks = typeof limits === 'object' && limits !== null ? asked.get(limits) : undefined
    if (hooks === undefined) {
      hooks = [limits].flat().map((one) => {
        // A limiter alone is charged on the terms of the plugin.
        const { limiter, ...terms } = typeof one?.consume === 'function' ? { limiter: one } : (one ?? {})
        return hookOf('config: { limit: { limiter, key } }', limiter, filled(limiter, defaults, terms))
      })
      asked.set(limits, hooks)
    }
    return hooks
  }

  // A mistake shows where the route is declared, not at its first request.
  fastify.addHook('onRoute', (/** @type {any} */ route) => void hooksOf(route.config?.limit))
  fastify.addHook(
    hook,
    /** @type {Hook} */ function spillwayLimits(request, reply, done) {
      const { limit } = request.routeOptions.config
      const again = limit !== undefined && seen.has(request)
      if (limit !== undefined) seen.add(request)
      next(again ? [] : hooksOf(limit), 0, request, reply, done)
    },
  )
}

/**
 * The terms of a limiter, the gaps filled with those of the plugin. Limiters that are charged together have keys of their own.
 * @param {unknown} limiter
 * @param {Record<string, unknown>} defaults
 * @param {Record<string, unknown>} terms
 */
function filled(limiter, defaults, terms) {
  const usual = Object.entries(defaults).filter(([name]) => !(limiter instanceof Together && OF_EACH.includes(name)))
  return { ...Object.fromEntries(usual), ...terms }
}

/** @type {(hooks: Hook[], place: number, request: Request, reply: Reply, done: Done) => void} */
function next(hooks, place, request, reply, done) {
  if (place === hooks.length) done()
  else if (place === hooks.length - 1) hooks[place](request, reply, done)
  else hooks[place](request, reply, (error) => (error ? done(error) : next(hooks, place + 1, request, reply, done)))
}

// A plugin of the instance it is registered on, rather than of a scope of its own.
Object.assign(spillwayFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'spillway',
  [Symbol.for('plugin-meta')]: { name: 'spillway', fastify: '4.x || 5.x' },
})

module.exports = { spillwayFastify, limit, shed, refusals }
