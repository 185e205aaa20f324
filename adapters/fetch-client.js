// Owns `fetch` behind a policy: the same arguments, the same answers. What is refused is refused by the policy.
// Never needs undici, nor the native binding: the policy it is given has that.
'use strict'

const { misuse, shown } = require('../lib/misuse.js')
const { callTerms, clientTerms } = require('./http-client/client-options.js')
const { Exchange } = require('./http-client/exchange.js')
const { RequestToSend } = require('./http-client/request.js')

/** @typedef {import('./http-client/client-options.js').Terms} Terms */
/** @typedef {{ run(fn: (call: import('../index').CallContext) => unknown, options: object): Promise<any> }} Guard */

/**
 * @param {Guard} policy
 * @param {unknown} [options]
 */
function fetchClient(policy, options) {
  if (typeof policy?.run !== 'function') {
    const rule = 'must be a policy, or another primitive with run()'
    throw misuse('E_OPTION', `\`policy\` of fetchClient(policy, options) ${rule}; got ${shown(policy)}`, {
      option: 'policy',
    })
  }
  return clientOf(policy, clientTerms(options))
}

/**
 * @param {Guard} policy
 * @param {Terms} terms
 */
function clientOf(policy, terms) {
  /** @type {(input: Parameters<typeof fetch>[0], init?: any) => Promise<any>} */
  async function spillwayFetch(input, init) {
    const request = new RequestToSend(input, init)
    const exchange = new Exchange(terms, request)
    let answer
    try {
      answer = await policy.run(exchange.attempt, { ...terms.call, signal: request.signal })
      return answer
    } finally {
      exchange.end(answer)
    }
  }
  return Object.assign(spillwayFetch, {
    /** @param {unknown} call */
    with: (call) => clientOf(policy, callTerms(terms, call)),
  })
}

module.exports = { fetchClient }
