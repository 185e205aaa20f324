// Calls the actions as Convex's Node runtime calls them, text in and text out, and prints what a client would see.
// Never needs a deployment: the one thing of the backend that the actions ask is who is calling.
import { convexToJson, jsonToConvex } from 'convex/values'
import { requestLinkCode, searchWeb } from './convex/tools.js'

globalThis.Convex = { asyncSyscall: async () => JSON.stringify({ subject: 'user-7' }) }

const codes = []
for (let ask = 0; ask < 6; ask += 1) codes.push(await called(requestLinkCode, {}))
const { kind, retryAfter } = codes.pop().error
const sent = codes.filter(({ value }) => /^\d{6}$/.test(value)).length
console.log(`link code  ${sent} of 6 sent, then ${kind}: again in ${Math.ceil(retryAfter / 1000)} s`)

const found = await Promise.all([' Dams', 'dams', 'DAMS'].map((query) => called(searchWeb, { query })))
const searches = new Set(found.map(({ value }) => value.at)).size
console.log(`search     3 asked at the same time, searched ${searches === 1 ? 'once' : `${searches} times`}`)

const failed = []
for (let ask = 0; ask < 4; ask += 1) failed.push(await called(searchWeb, { query: 'outage' }))
const told = failed.map(({ error }) => error.code ?? error)
console.log(`outage     ${told.join(', ')}`)

/** What comes of a call: its value, or the data of its error, or for any other error what production tells a client. */
async function called(action, args) {
  try {
    const text = await action.invokeAction('request', JSON.stringify([convexToJson(args)]))
    return { value: jsonToConvex(JSON.parse(text)) }
  } catch (error) {
    const told = Symbol.for('ConvexError') in error
    return { error: told ? jsonToConvex(JSON.parse(error.data)) : 'Server Error' }
  }
}
