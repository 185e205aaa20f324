// What scripts/redis.mjs does on machines that are not this one: which package manager it asks, and what it says where there is none.
// Owns those machines: folders with programs that only say they are. Never installs anything.
'use strict'

const assert = require('node:assert/strict')
const { execFile } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { test } = require('node:test')

const SCRIPT = path.join(__dirname, '..', '..', 'scripts', 'redis.mjs')
const SERVER = 'echo "Redis server v=7.2.4 sha=00000000:0"'

/** A machine with these programs, each a line of shell. `$0` is the program, its folder is `$HERE`. */
function machine(t, programs) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'spillway-machine-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  for (const [name, line] of Object.entries(programs)) {
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  }
  return new Promise((resolve) => {
    const env = { PATH: folder, HERE: folder }
    execFile(process.execPath, [SCRIPT], { env }, (error, stdout, stderr) => {
      const asked = path.join(folder, 'asked')
      const list = fs.existsSync(asked) ? fs.readFileSync(asked, 'utf8').trim().split('\n') : []
      resolve({ code: error ? error.code : 0, stdout, stderr, asked: list })
    })
  })
}

/** A package manager that has these packages, and notes what it is asked for. */
const manager = (...packages) => `
  [ "$1" = --version ] && exit 0
  echo "$*" >> "$HERE/asked"
  for last; do :; done
  case " ${packages.join(' ')} " in *" $last "*) ;; *) exit 1 ;; esac
  printf '#!/bin/sh\\necho v=8.0.1' > "$HERE/valkey-server"
  /bin/chmod +x "$HERE/valkey-server"`

const openssl = 'exit 0'

test('a server that is there is left alone', async (t) => {
  const { code, asked } = await machine(t, { openssl, 'redis-server': SERVER, 'apt-get': manager() })
  assert.deepEqual([code, asked], [0, []])
})

test('valkey does as well', async (t) => {
  const { code, asked } = await machine(t, { openssl, 'valkey-server': 'echo "Valkey server v=8.0.1"', apk: manager() })
  assert.deepEqual([code, asked], [0, []])
})

test('a server too old is not good enough, and it says what is', async (t) => {
  const { code, stderr } = await machine(t, { openssl, 'redis-server': 'echo "Redis server v=5.0.3"' })
  assert.equal(code, 1)
  assert.match(stderr, /redis-server: is version 5\.0\.3; the tests take 6\.2 or newer/)
})

test('the package manager that is there is asked for one server after the other, and asked to refresh itself in between', async (t) => {
  const sudo =
    'shift; while case "$1" in *=* | env) true ;; *) false ;; esac; do shift; done; [ "$1" = true ] || exec "$@"'
  const { code, asked } = await machine(t, { openssl, sudo, 'apt-get': manager('valkey-server', 'update') })
  assert.equal(code, 0)
  assert.deepEqual(asked, [
    'install -y --no-install-recommends redis-server',
    'install -y --no-install-recommends valkey-server',
  ])
})

test('what no manager has is told by its name', async (t) => {
  const { code, stderr, asked } = await machine(t, { openssl, brew: manager('update') })
  assert.equal(code, 1)
  assert.deepEqual(asked.slice(0, 2), ['install redis', 'install valkey'])
  assert.match(stderr, /brew: could not install redis or valkey/)
})

test('where there is no way to install, it says what is missing and how to get it', async (t) => {
  const { code, stderr } = await machine(t, { openssl })
  assert.equal(code, 1)
  assert.match(stderr, /neither redis-server nor valkey-server here, and no way to install without asking you/)
})
