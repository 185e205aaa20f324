// Owns one fault: a wrong password, none at all, a user without EVAL: nobody's limit is reached by that.
// Never closes what it has opened: the scene does.
'use strict'

const OPTIONS = { limit: 10, window: '1m', failMode: 'closed' }
const PASSWORD = 'hunter2-of-the-test'

module.exports = {
  row: 11,
  fault: 'NOAUTH, WRONGPASS, ACL without EVAL',
  must: 'told at open by a code of its own; never a plain "limited"; no password in what is said',
  isPatient: true,
  async run(scene) {
    const users = [`scriptless on >${PASSWORD} ~* &* +@all -eval -evalsha -eval_ro -evalsha_ro`]
    const server = await scene.server({ password: PASSWORD, users })
    const at = (user) => `redis://${user}127.0.0.1:${server.port}`
    for (const [what, url, code] of [
      ['NOAUTH', at(''), 'E_REDIS_AUTH'],
      ['WRONGPASS', at(':wrong-hunter3@'), 'E_REDIS_AUTH'],
      ['ACL without EVAL', at(`scriptless:${PASSWORD}@`), 'E_REDIS_DENIED'],
    ]) {
      const client = await scene.client('limit', { redis: url, options: OPTIONS })
      const error = await client.ask('ready').catch((refused) => refused)
      scene.check(error?.code === code, `${what}: ${error?.code}`)
      const { ok, reason } = await client.ask('consume', 'key')
      scene.check(!ok && reason === 'store-unavailable', reason)
      const said = JSON.stringify([error?.message, client.warnings, await client.ask('snapshot')])
      scene.check(!/hunter/.test(said), 'no password told')
      await client.leave()
    }
  },
}
