// What a URL of a Redis or Valkey says. Owns its grammar and the errors about it. Never shows any part of one: where a password with
// a `/` or an `@` was not written as %2F or %40, any part may be a piece of it.
'use strict'

const { misuse } = require('./misuse.js')

/**
 * @typedef {object} Place
 * @property {{ host: string, port: number } | { path: string }} node
 * @property {boolean} tls
 * @property {string | undefined} username
 * @property {string | undefined} password
 * @property {number | undefined} database
 */

/** Scheme → whether it is encrypted. @type {Record<string, boolean>} */
const SCHEMES = { 'redis:': false, 'valkey:': false, 'rediss:': true, 'valkeys:': true, 'unix:': false }

/** As a name server has them, also those of a compose file with underscores, and the two notations of addresses. */
const HOST = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])$/
const MOST_DATABASES = 1_000_000

const FORM = "like 'redis://user:password@host:6379/0', 'rediss://…' for TLS, or 'unix:///run/redis.sock'"
const ENCODED = 'in a user or password write : / ? # @ and % as %3A %2F %3F %23 %40 and %25'

/**
 * @param {unknown} given
 * @param {string} option where it was given, as messages name it
 * @param {number} port where none is said
 * @returns {Place}
 */
function placeOf(given, option, port) {
  const wrong = (/** @type {string} */ rule) =>
    misuse('E_REDIS_URL', `\`${option}\` of spillway() ${rule}; ${got(given)}`, { option })
  if (typeof given !== 'string') throw wrong(`must be a URL ${FORM}`)
  if (given === '') throw wrong(`must be a URL ${FORM}: is the environment variable set`)
  // The parser of URLs drops some of them in silence, and what is left is another password.
  if (/[\s\p{Cc}]/u.test(given))
    throw wrong('must not have a space or a line break in it: one from a file may end in one')
  if (given.startsWith('/')) return { node: { path: given }, tls: false, ...NOBODY, database: undefined }
  const scheme = /^[a-z0-9+.-]+:/i.exec(given)?.[0].toLowerCase() ?? ''
  if (!Object.hasOwn(SCHEMES, scheme))
    throw wrong(`must begin with redis://, rediss://, valkey://, valkeys:// or unix://`)
  if (!given.slice(scheme.length).startsWith('//')) throw wrong(`must have two slashes after ${scheme}`)
  const url = parsed(given)
  if (url === undefined) throw wrong(`cannot be read as a URL: write it ${FORM}; ${ENCODED}`)
  if (url.hash !== '') throw wrong(`must not have a # in it; ${ENCODED}`)
  const credentials = credentialsOf(url)
  if (credentials === undefined) throw wrong(`has a % that encodes nothing; ${ENCODED}`)
  if (credentials.username !== undefined && credentials.password === undefined) {
    throw wrong('has a user without a password: a password alone is written as redis://:password@host')
  }
  if (scheme === 'unix:')
    return { node: { path: socketOf(url, wrong) }, tls: false, ...credentials, database: databaseOf(url, wrong) }
  if (url.search !== '')
    throw wrong(`must not have a ? in it: what else there is to say stands beside it, as { url, … }; ${ENCODED}`)
  if (!HOST.test(url.hostname)) throw wrong(`must name a host ${FORM}; ${ENCODED}`)
  if (url.port === '0') throw wrong('must have a port from 1 to 65,535')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const node = { host, port: url.port === '' ? port : Number(url.port) }
  const database = url.pathname === '' || url.pathname === '/' ? undefined : numberOf(url.pathname.slice(1), wrong)
  return { node, tls: SCHEMES[scheme], ...credentials, database }
}

const NOBODY = { username: undefined, password: undefined }

/** @param {string} text */
function parsed(text) {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/**
 * @param {URL} url
 * @returns {{ username: string | undefined, password: string | undefined } | undefined}
 */
function credentialsOf({ username, password }) {
  const read = (/** @type {string} */ text) => (text === '' ? undefined : decodeURIComponent(text))
  try {
    return { username: read(username), password: read(password) }
  } catch {
    return undefined
  }
}

/**
 * @param {URL} url
 * @param {(rule: string) => Error} wrong
 */
function socketOf(url, wrong) {
  if (url.hostname !== '' || url.pathname.length < 2)
    throw wrong('must have a whole path after unix://, so three slashes in all')
  try {
    return decodeURIComponent(url.pathname)
  } catch {
    throw wrong('has a % in its path that encodes nothing; write % itself as %25')
  }
}

/**
 * The database of a socket, which has no room for it in its path.
 * @param {URL} url
 * @param {(rule: string) => Error} wrong
 */
function databaseOf(url, wrong) {
  const said = [...url.searchParams]
  if (said.length === 0) return undefined
  if (said.length > 1 || said[0][0] !== 'db') throw wrong('of a socket takes ?db= and nothing else')
  return numberOf(said[0][1], wrong)
}

/**
 * @param {string} text
 * @param {(rule: string) => Error} wrong
 */
function numberOf(text, wrong) {
  const database = /^\d{1,7}$/.test(text) ? Number(text) : Infinity
  if (database > MOST_DATABASES) {
    throw wrong(`must have the number of a database after the host, as in redis://host:6379/0, or nothing; ${ENCODED}`)
  }
  return database
}

/** What may be said of what was given: its kind and its length. @param {unknown} given */
function got(given) {
  if (typeof given === 'string')
    return given === '' ? 'got an empty string' : `got a string of ${given.length} characters`
  return `got ${given === null ? 'null' : typeof given}`
}

module.exports = { placeOf, MOST_DATABASES }
