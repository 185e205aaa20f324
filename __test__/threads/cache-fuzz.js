// One thread of the stale-read fuzz: writes its own keys, reads everybody's, and holds each value against what had been completed
// before it was asked for. Owns that reckoning. Never judges what was absent, but right after its own set.
//
// A mutator raises the truth of what it concerns, mutates, and when the cache has answered raises the floor to that. Whoever reads
// notes the floor first. What a loader finds is the truth while it runs. So a value older than the noted floor is stale.
'use strict'

const face = require('../../index.js')
const { randomOf } = require('../limiters.js')
const { numbers } = require('./crew.js')

const TAGS_OF_A_WRITER = 8
const COMMON_TAGS = 16
const AT_ONCE = 16
const VERSIONS = ['1', '2', '3']

/** The arrays all threads share. A floor of kind `soft` is of what must not be fresh; of kind `hard`, of what must not be at all. */
function boardOf(keys) {
  const levels = (length) => ({ truth: numbers(length), soft: numbers(length), hard: numbers(length) })
  return { keys: levels(keys), common: levels(COMMON_TAGS), all: levels(1) }
}

/** Raise to `version`, which another writer may have passed already. */
function raise(floor, index, version) {
  for (let seen = Atomics.load(floor, index); seen < version;) {
    const before = Atomics.compareExchange(floor, index, seen, version)
    if (before === seen) return
    seen = before
  }
}

class Fuzz {
  stale = []
  lost = []
  counts = {}
  #cache
  #random
  #board
  #thread
  #mine
  #keys

  constructor({ name, options, thread, threads, board, seed }) {
    this.#cache = face.cache(name, options)
    this.#random = randomOf(seed)
    this.#board = board
    this.#thread = thread
    this.#keys = board.keys.truth.length
    this.#mine = Array.from({ length: this.#keys }, (_, key) => key).filter((key) => key % threads === thread)
    this.names = Array.from({ length: this.#keys }, (_, key) => `${key % threads}/${this.#group(key)}/${key}`)
  }

  /** Which of its writer's tags and prefixes a key has. */
  #group(key) {
    return Math.floor(key / 4) % TAGS_OF_A_WRITER
  }

  #ownTag(key) {
    return `own-${key % 4}-${this.#group(key)}`
  }

  #commonTag(key) {
    return `common-${key % COMMON_TAGS}`
  }

  /** Mutate what concerns `members` of a level; `soft` mutations leave what they concern to grace. */
  #mutate(level, members, mutate, soft = false) {
    const versions = members.map((member) => Atomics.add(level.truth, member, 1) + 1)
    const answer = mutate(versions)
    for (const [index, member] of members.entries()) {
      raise(level.soft, member, versions[index])
      if (!soft) raise(level.hard, member, versions[index])
    }
    return answer
  }

  #count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** What must have been seen, for now. */
  #floors(key, kind) {
    const { keys, common, all } = this.#board
    return {
      v: Atomics.load(keys[kind], key),
      c: Atomics.load(common[kind], key % COMMON_TAGS),
      g: Atomics.load(all[kind], 0),
    }
  }

  #judge(how, key, value, floors) {
    if (value === undefined) return
    this.#count('found')
    // A value that was set says nothing of mutations that other threads make: it was as new as the set.
    const stale =
      value.key !== key ||
      value.v < floors.v ||
      (value.c >= 0 && value.c < floors.c) ||
      (value.g >= 0 && value.g < floors.g)
    if (stale && this.stale.length < 5)
      this.stale.push(JSON.stringify({ how, thread: this.#thread, key, value, floors }))
  }

  /** What a loader finds: the truth of the moment. */
  #source(key) {
    const { keys, common, all } = this.#board
    return {
      key,
      v: Atomics.load(keys.truth, key),
      c: Atomics.load(common.truth, key % COMMON_TAGS),
      g: Atomics.load(all.truth, 0),
    }
  }

  /** A loader that reads the source at once and answers now or some turns later, or fails, and may add its tag itself. */
  #loader(key, addsTag) {
    const turns = this.#random(3)
    const fails = this.#random(16) === 0
    return async (context) => {
      this.#count('loads')
      const found = this.#source(key)
      if (addsTag) context.tags(this.#commonTag(key))
      if (turns > 1) await new Promise((resolve) => setImmediate(resolve))
      if (fails) throw new Error('down')
      if (this.#random(4) === 0) context.ttl(1 + this.#random(3))
      return found
    }
  }

  /** Only the first thread clears, so only it knows for sure what its own sets came after. */
  #valueOf(key, v) {
    const g = this.#thread === 0 ? Atomics.load(this.#board.all.truth, 0) : -1
    return { key, v, c: -1, g, filler: 'x'.repeat(this.#random(40)) }
  }

  #set() {
    const key = this.#mine[this.#random(this.#mine.length)]
    const short = this.#random(4) === 0
    const { truth, hard } = this.#board.all
    const before = Atomics.load(hard, 0)
    // What others invalidate meanwhile keeps it from being stored, but must not leave there what it was to replace.
    const common = this.#random(4) === 0
    const tags = common ? [this.#ownTag(key), this.#commonTag(key)] : [this.#ownTag(key)]
    const options = { tags, ttl: short ? 1 + this.#random(3) : '1h' }
    this.#mutate(this.#board.keys, [key], ([version]) => {
      this.#cache.set(this.names[key], this.#valueOf(key, version), options)
    })
    this.#count('set')
    if (short || common) return
    const found = this.#cache.get(this.names[key])
    // Nobody was clearing it when it began, and nobody has begun to since.
    if (Atomics.load(truth, 0) !== before) return
    const version = Atomics.load(this.#board.keys.truth, key)
    if (found?.v !== version && this.lost.length < 5) this.lost.push(JSON.stringify({ key, found, version }))
  }

  #setMany() {
    const keys = [...new Set([1, 2, 3, 4].map(() => this.#mine[this.#random(this.#mine.length)]))]
    this.#mutate(this.#board.keys, keys, (versions) => {
      this.#cache.setMany(
        keys.map((key, index) => [this.names[key], this.#valueOf(key, versions[index]), { tags: [this.#ownTag(key)] }]),
      )
    })
    this.#count('setMany')
  }

  #forget() {
    const { keys, common, all } = this.#board
    const key = this.#mine[this.#random(this.#mine.length)]
    const group = this.#mine.filter((each) => this.#group(each) === this.#group(key))
    const draw = this.#random(64)
    if (draw < 26) {
      this.#mutate(keys, [key], () => this.#cache.delete(this.names[key]))
      this.#count('delete')
    } else if (draw < 42) {
      this.#mutate(keys, [key], () => this.#cache.expire(this.names[key]), true)
      this.#count('expire')
    } else if (draw < 47) {
      this.#mutate(keys, group, () => this.#cache.invalidateTag(this.#ownTag(key)))
      this.#count('invalidateTag')
    } else if (draw < 51) {
      this.#mutate(keys, group, () => this.#cache.expireTag(this.#ownTag(key)), true)
      this.#count('expireTag')
    } else if (draw < 57) {
      const tag = this.#random(COMMON_TAGS)
      const soft = draw < 53
      this.#mutate(
        common,
        [tag],
        () => this.#cache[soft ? 'expireTag' : 'invalidateTag'](`common-${tag}`, 'a tag of nobody'),
        soft,
      )
      this.#count(soft ? 'common expireTag' : 'common invalidateTag')
    } else if (draw < 60) {
      const prefix = this.names[key].slice(0, this.names[key].lastIndexOf('/') + 1)
      this.#mutate(keys, group, () => this.#cache.deletePrefix(prefix))
      this.#count('deletePrefix')
    } else if (this.#thread === 0 && draw < 62) {
      this.#mutate(all, [0], () => this.#cache.clear())
      this.#count('clear')
    } else if (this.#thread === 0) {
      this.#mutate(all, [0], () => {
        while (!this.#cache.setVersion(VERSIONS[this.#random(VERSIONS.length)]));
      })
      this.#count('setVersion')
    }
  }

  #get() {
    const key = this.#random(this.#keys)
    const floors = this.#floors(key, 'soft')
    this.#judge('get', key, this.#cache.get(this.names[key]), floors)
  }

  #getMany() {
    const keys = [1, 2, 3, 4].map(() => this.#random(this.#keys))
    const floors = keys.map((key) => this.#floors(key, 'soft'))
    const found = this.#cache.getMany(keys.map((key) => this.names[key]))
    for (const [index, key] of keys.entries()) this.#judge('getMany', key, found[index], floors[index])
  }

  #entry() {
    const key = this.#random(this.#keys)
    const floors = { grace: this.#floors(key, 'hard'), other: this.#floors(key, 'soft') }
    const entry = this.#cache.entry(this.names[key])
    if (entry !== undefined) this.#judge('entry', key, entry.value, floors[entry.state === 'grace' ? 'grace' : 'other'])
  }

  async #getOrSet() {
    const key = this.#random(this.#keys)
    const addsTag = this.#random(2) === 0
    const tags = addsTag ? [this.#ownTag(key)] : [this.#ownTag(key), this.#commonTag(key)]
    const floors = { grace: this.#floors(key, 'hard'), other: this.#floors(key, 'soft') }
    try {
      const entry = await this.#cache.getOrSetEntry(this.names[key], this.#loader(key, addsTag), { tags })
      if (entry.state === 'grace') this.#count('graced')
      if (entry.state === 'stale') this.#count('served stale')
      this.#judge('getOrSet', key, entry.value, floors[entry.state === 'grace' ? 'grace' : 'other'])
    } catch (error) {
      if (error.message !== 'down') throw error
      this.#count('failed')
    }
  }

  async run(operations) {
    const waiting = new Set()
    for (let operation = 0; operation < operations; operation++) {
      const draw = this.#random(200)
      if (draw < 12) this.#set()
      else if (draw < 14) this.#setMany()
      else if (draw < 17) this.#forget()
      else if (draw < 32) {
        const asked = this.#getOrSet().finally(() => waiting.delete(asked))
        waiting.add(asked)
        if (waiting.size >= AT_ONCE) await Promise.race(waiting)
      } else if (draw < 40) this.#entry()
      else if (draw < 45) this.#getMany()
      else this.#get()
      // Letters of other threads' loads come between turns.
      if (operation % 256 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(waiting)
    const { stale, lost, counts } = this
    return { stale, lost, counts }
  }
}

/** @param {(gate: Int32Array) => void} start */
function fuzz(data, start) {
  const thread = new Fuzz(data)
  start(data.gate)
  return thread.run(data.operations)
}

module.exports = { boardOf, fuzz }
