// Variables that begin like the knobs of something opened and are none of them: mistyped, most likely. Owns the warning.
// Never refuses anything: what nobody reads does no harm but to the hope of who set it.
'use strict'

const PREFIX = 'SPILLWAY_'

/**
 * The variables of an environment that may be meant for us and were not warned of, as of when it was first looked at: walking
 * process.env costs too much to do for each opening.
 * @type {WeakMap<object, Set<string>>}
 */
const unwarned = new WeakMap()

/**
 * Warn, once for each variable, of those that begin with `prefix` and end in no option.
 *
 * What ends in one may be for another name: `SPILLWAY_LIMITER_CHAT_EXPORT_LIMIT` is the limit of `chat-export`, not a mistake about
 * `chat`.
 * @param {object} env
 * @param {string} owner such as `the limiter "chat"`
 * @param {string} prefix of its variables
 * @param {readonly string[]} suffixes of all of them
 * @param {readonly (string | undefined)[]} named variables the code asks for by their own names
 */
function warnOfStrays(env, owner, prefix, suffixes, named) {
  const candidates = candidatesOf(env)
  for (const variable of candidates) {
    if (!variable.startsWith(prefix) || named.includes(variable)) continue
    if (suffixes.some((suffix) => variable.endsWith(`_${suffix}`))) continue
    candidates.delete(variable)
    const known = suffixes.map((suffix) => prefix + suffix).join(', ')
    process.emitWarning(`${variable} sets nothing: of ${owner} there are ${known}`, {
      type: 'SpillwayWarning',
      code: 'SPILLWAY_ENV_UNKNOWN',
    })
  }
}

/** @param {object} env */
function candidatesOf(env) {
  let candidates = unwarned.get(env)
  if (candidates === undefined) {
    candidates = new Set(Object.keys(env).filter((variable) => variable.startsWith(PREFIX)))
    unwarned.set(env, candidates)
  }
  return candidates
}

module.exports = { warnOfStrays }
