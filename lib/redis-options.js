// Which Redis a spillway goes over, from the option `redis`. Owns its options, their ranges and defaults, and what may not be said
// twice. Never shows a URL, a user or a password.
'use strict'

const { misuse } = require('./misuse.js')
const { Options } = require('./options.js')
const { placeOf, MOST_DATABASES } = require('./redis-url.js')

/** @typedef {import('./redis-url.js').Place} Place */
/** @typedef {InstanceType<typeof Options>} Given */

/**
 * A target, as native code takes it.
 * @typedef {object} Target
 * @property {Place['node'][]} nodes
 * @property {'single' | 'sentinel' | 'cluster'} mode
 * @property {string} [master]
 * @property {string} [username]
 * @property {string} [password]
 * @property {string} [sentinelUsername]
 * @property {string} [sentinelPassword]
 * @property {number} database
 * @property {Tls} [tls]
 * @property {number} deadlineMs
 * @property {number} connectTimeoutMs
 * @property {number} maxInFlight
 * @property {string} clientName
 */
/** @typedef {{ ca?: string, cert?: string, key?: string, servername?: string, rejectUnauthorized: boolean }} Tls */

const OPTIONS = [
  'url',
  'urls',
  'cluster',
  'sentinel',
  'username',
  'password',
  'database',
  'tls',
  'deadline',
  'connectTimeout',
  'maxInFlight',
  'clientName',
]
const TLS = ['ca', 'cert', 'key', 'servername', 'rejectUnauthorized']
const SENTINEL = ['master', 'username', 'password']
const MOST_NODES = 64
const PORT = 6379
const SENTINEL_PORT = 26_379

/**
 * @param {unknown} given
 * @returns {Target}
 */
function targetOf(given) {
  const options = optionsOf(isPlain(given) ? given : {}, OPTIONS, '')
  const mode = modeOf(options, given)
  const places = placesOf(options, given, mode === 'sentinel' ? SENTINEL_PORT : PORT)
  if (mode === 'single' && places.length > 1) {
    throw wrong('urls', 'has several: say `cluster: true`, or `sentinel: { master }`')
  }
  if (mode !== 'single' && places.some(({ node }) => 'path' in node)) {
    throw wrong('urls', `of a ${mode} must name hosts and ports: its nodes tell each other’s by them`)
  }
  const database = oneOf(places, 'database', wholeOf(options)) ?? 0
  if (mode === 'cluster' && database !== 0)
    throw wrong('database', 'of a cluster can only be 0: a cluster has no other')
  const sentinel = mode === 'sentinel' ? optionsOf(options.get('sentinel'), SENTINEL, 'sentinel') : undefined
  const told = {
    nodes: places.map(({ node }) => node),
    mode,
    master: sentinel && textOf(sentinel, 'master', 'sentinel.master'),
    ...credentialsOf(options, sentinel, places),
    database,
    tls: tlsOf(options, places),
    deadlineMs: options.duration('deadline', { min: 1, max: 60_000, fallback: 50 }),
    connectTimeoutMs: options.duration('connectTimeout', { min: 10, max: 60_000, fallback: 2000 }),
    maxInFlight: options.whole('maxInFlight', { min: 1, max: 1_000_000, fallback: 10_000 }),
    clientName: nameOf(options),
  }
  return /** @type {Target} */ (told)
}

/**
 * The options of an object. What is in it may be a password under a mistyped name, so of a wrong one only names are shown.
 * @param {unknown} given
 * @param {readonly string[]} known
 * @param {string} of '' for `redis` itself, else the name in it
 */
function optionsOf(given, known, of) {
  const names = `${known.slice(0, -1).join(', ')} and ${known.at(-1)}`
  if (!isPlain(given))
    throw wrong(of, `must be an object with ${names}; got ${Array.isArray(given) ? 'an array' : typeof given}`)
  const stray = Object.keys(given).find((name) => !known.includes(name))
  const path = of === '' ? '' : `${of}.`
  if (stray !== undefined) throw wrong(path + stray, `is no option; there are ${names}`)
  return new Options('spillway()', given, known, `redis.${path}`)
}

/**
 * @param {unknown} given
 * @returns {given is object}
 */
function isPlain(given) {
  // An object of class URL has none of these options; what it lacks would be told as if it were meant for them.
  return typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof URL)
}

/**
 * @param {Given} options
 * @param {unknown} given
 */
function modeOf(options, given) {
  const isCluster = options.flag('cluster') || Array.isArray(given)
  const hasSentinel = options.get('sentinel') !== undefined
  if (isCluster && hasSentinel) throw wrong('sentinel', 'and `cluster` exclude each other: a Redis is one or the other')
  return isCluster ? 'cluster' : hasSentinel ? 'sentinel' : 'single'
}

/**
 * @param {Given} options
 * @param {unknown} given a URL, an array of them, or the options
 * @param {number} port
 * @returns {Place[]}
 */
function placesOf(options, given, port) {
  const listed = Array.isArray(given) ? given : options.get('urls')
  const option = Array.isArray(given) ? 'redis' : 'redis.urls'
  if (listed === undefined) {
    const [url, name] = isPlain(given) ? [options.get('url'), 'redis.url'] : [given, 'redis']
    return [placeOf(url, name, port)]
  }
  if (options.get('url') !== undefined) throw wrong('url', 'and `urls` say the same thing: give one of them')
  if (!Array.isArray(listed) || listed.length < 1 || listed.length > MOST_NODES) {
    const got = Array.isArray(listed) ? `${listed.length} of them` : typeof listed
    throw misuse('E_OPTION', `\`${option}\` of spillway() must be an array of 1 to ${MOST_NODES} URLs; got ${got}`, {
      option,
    })
  }
  return listed.map((url, index) => placeOf(url, `${option}[${index}]`, port))
}

/**
 * Users and passwords: of the servers, and of the sentinels before them. URLs of sentinels name the sentinels' own.
 * @param {Given} options
 * @param {Given | undefined} sentinel
 * @param {Place[]} places
 */
function credentialsOf(options, sentinel, places) {
  const own = [secretOf(options, 'username'), secretOf(options, 'password')]
  if (sentinel === undefined) {
    const username = oneOf(places, 'username', own[0])
    const password = oneOf(places, 'password', own[1])
    if (username !== undefined && password === undefined) throw wrong('username', 'needs a `password` beside it')
    return { username, password }
  }
  const sentinelUsername = oneOf(
    places,
    'username',
    secretOf(sentinel, 'username', 'sentinel.username'),
    'sentinel.username',
  )
  const sentinelPassword = oneOf(
    places,
    'password',
    secretOf(sentinel, 'password', 'sentinel.password'),
    'sentinel.password',
  )
  for (const [username, password, option] of /** @type {const} */ ([
    [own[0], own[1], 'username'],
    [sentinelUsername, sentinelPassword, 'sentinel.username'],
  ])) {
    if (username !== undefined && password === undefined) throw wrong(option, 'needs a `password` beside it')
  }
  return { username: own[0], password: own[1], sentinelUsername, sentinelPassword }
}

/**
 * What all URLs and the option of the same meaning say, where they say it alike.
 * @template {'username' | 'password' | 'database'} K
 * @param {Place[]} places
 * @param {K} what
 * @param {Place[K]} [own]
 * @param {string} [option]
 * @returns {Place[K]}
 */
function oneOf(places, what, own, option = what) {
  const said = new Set([own, ...places.map((place) => place[what])].filter((each) => each !== undefined))
  if (said.size > 1) throw wrong(option, 'is said twice and not alike: say it in the URLs or beside them')
  return /** @type {Place[K]} */ ([...said][0])
}

/** @param {Given} options */
function wholeOf(options) {
  return options.get('database') === undefined ? undefined : options.whole('database', { min: 0, max: MOST_DATABASES })
}

/**
 * @param {Given} options
 * @param {Place[]} places
 * @returns {Tls | undefined}
 */
function tlsOf(options, places) {
  const given = options.get('tls')
  const urls = places.map(({ tls }) => tls)
  if (new Set(urls).size > 1) throw wrong('tls', 'must be alike for all URLs: rediss: encrypts, redis: does not')
  const isAsked = urls[0] || given === true || (given !== undefined && given !== false)
  if (!isAsked) return undefined
  if (given === false)
    throw wrong('tls', 'is false, and the URL says rediss: write redis: for a connection without TLS')
  if (places.some(({ node }) => 'path' in node))
    throw wrong('tls', 'is for hosts: what goes through a socket stays in the machine')
  const tls = given === undefined || given === true ? optionsOf({}, TLS, 'tls') : optionsOf(given, TLS, 'tls')
  const [cert, key] = [pemOf(tls, 'cert'), pemOf(tls, 'key')]
  if ((cert === undefined) !== (key === undefined))
    throw wrong('tls.cert', 'and `tls.key` go together: a certificate needs its key')
  const servername = tls.get('servername') === undefined ? undefined : textOf(tls, 'servername', 'tls.servername')
  const rejectUnauthorized = tls.get('rejectUnauthorized') === undefined || tls.flag('rejectUnauthorized')
  return { ca: pemOf(tls, 'ca'), cert, key, servername, rejectUnauthorized }
}

/**
 * @param {Given} tls
 * @param {string} name
 */
function pemOf(tls, name) {
  const given = tls.get(name)
  if (given === undefined) return undefined
  const texts = (Array.isArray(given) ? given : [given]).map((each) =>
    each instanceof Uint8Array ? Buffer.from(each).toString('latin1') : each,
  )
  if (texts.some((text) => typeof text !== 'string' || !text.includes('-----BEGIN '))) {
    throw wrong(`tls.${name}`, 'must be what stands in a PEM file, a string or a Buffer that has a line "-----BEGIN …"')
  }
  return texts.join('\n')
}

/**
 * A user or a password. Of a wrong one nothing is shown.
 * @param {Given} options
 * @param {string} name
 * @param {string} [option]
 */
function secretOf(options, name, option = name) {
  const given = options.get(name)
  if (given === undefined) return undefined
  if (typeof given !== 'string' || given === '') {
    throw wrong(option, `must be a non-empty string; got ${given === '' ? 'an empty one' : typeof given}`)
  }
  return given
}

/**
 * @param {Given} options
 * @param {string} name
 * @param {string} option
 */
function textOf(options, name, option) {
  const given = options.get(name)
  if (typeof given === 'string' && given !== '' && given.length <= 256) return given
  throw wrong(option, `must be a string of 1 to 256 characters; got ${given === undefined ? 'nothing' : typeof given}`)
}

/** @param {Given} options */
function nameOf(options) {
  const given = options.get('clientName')
  if (given === undefined) return 'spillway'
  // Redis itself takes no other.
  if (typeof given === 'string' && /^[!-~]{1,64}$/.test(given)) return given
  throw wrong('clientName', 'must be 1 to 64 characters of ASCII without spaces')
}

/**
 * @param {string} name
 * @param {string} rule
 */
function wrong(name, rule) {
  const option = `redis.${name}`
  return misuse('E_OPTION', `\`${option}\` of spillway() ${rule}`, { option })
}

module.exports = { targetOf }
