// Errors for what a developer did wrong: a code to test for, and a sentence with what was given and what is allowed.
// Never used for a "no": that is a value, or a Refusal.
'use strict'

/**
 * @param {string} code
 * @param {string} message
 * @param {{ Base?: ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor, option?: string, cause?: unknown }} [more]
 * @returns {Error & { code: string, option?: string }}
 */
function misuse(code, message, { Base = TypeError, option, cause } = {}) {
  const error = new Base(`${message} [${code}]`, cause === undefined ? undefined : { cause })
  return Object.assign(error, option === undefined ? { code } : { code, option })
}

const URL_WITH_USER = /^\s*[a-z][a-z0-9+.-]*:\/\/.*@/is

/**
 * A value as a developer would recognise it in a message: short, and never with what is inside an object.
 * @param {unknown} value
 * @returns {string}
 */
function shown(value) {
  if (typeof value === 'string') {
    // Under a mistyped name it may be the URL of a Redis, with a password in it.
    if (URL_WITH_USER.test(value)) return 'a URL with a user in it'
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  }
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : (handleOf(value) ?? `an object (${kindOf(value)})`)
  return String(value)
}

/**
 * A handle of ours by its name.
 * @param {object} value
 */
function handleOf(value) {
  const [kind, name] = ['kind', 'name'].map((key) => Object.getOwnPropertyDescriptor(value, key)?.value)
  return typeof kind === 'string' && typeof name === 'string'
    ? `the ${shown(kind).slice(1, -1)} ${shown(name)}`
    : undefined
}

/**
 * The class of an object. Reads nothing that could be a getter of the user's.
 * @param {object} value
 */
function kindOf(value) {
  return Object.prototype.toString.call(value).slice(8, -1)
}

module.exports = { misuse, shown }
