// Owns one fault: of the processes that want one lease, whoever has it is killed or frozen at its work, again and again.
// Never closes what it has opened: the scene does.
'use strict'

const TTL_MS = 250
const CREW = 4
/** A look of the waiting at the lease, a turn of a busy machine. */
const SLACK_MS = 400

module.exports = {
  row: 1,
  fault: 'kill -9 the holder of a lease',
  must: 'another has it within its ttl; only the last holder’s writes are accepted',
  async run(scene) {
    const kills = scene.length(1000, 8)
    const data = { redis: (await scene.server()).url, options: { ttl: TTL_MS } }
    const hire = () => scene.client('fenced', data)
    const crew = await Promise.all(Array.from({ length: CREW }, hire))
    /** What the lease guards takes a write whose fence is no smaller than the largest it has seen. */
    let largest = 0
    const accepted = (fence) => fence >= largest && ((largest = fence), true)
    const wanting = new Map()
    const want = (client) => {
      // Once killed it never answers.
      const never = () => new Promise(() => {})
      wanting.set(
        client,
        client.ask('acquire').then((fence) => ({ client, fence, at: scene.now() }), never),
      )
    }
    crew.forEach(want)
    const seen = { refusedOfHolders: 0, acceptedOfOthers: 0, frozen: 0, worstMs: 0 }
    let began = Infinity
    for (let kill = 0; kill < kills; kill++) {
      const { client, fence, at } = await Promise.race(wanting.values())
      wanting.delete(client)
      seen.worstMs = Math.max(seen.worstMs, at - began)
      if (!accepted(fence) || !accepted(await client.ask('write'))) seen.refusedOfHolders++
      began = scene.now()
      if (kill % 10 === 5) {
        client.kill('SIGSTOP')
        const next = await Promise.race(wanting.values())
        accepted(next.fence)
        client.kill('SIGCONT')
        if (accepted(await client.ask('write'))) seen.acceptedOfOthers++
        seen.frozen++
        want(client)
      } else {
        client.kill('SIGKILL')
        want(await hire())
        await client.close()
      }
    }
    scene.exactly(`writes of ${kills} holders refused`, seen.refusedOfHolders, 0)
    scene.exactly(`writes accepted of ${seen.frozen} that woke up too late`, seen.acceptedOfOthers, 0)
    scene.most('another has it after', seen.worstMs, TTL_MS + SLACK_MS, ' ms')
  },
}
