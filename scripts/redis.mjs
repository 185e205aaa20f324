// Sees to it that there is a Redis (or Valkey) server to test with: the system's own, or one from its packages. Owns that question and
// the commands that answer it. Never starts a server, and never replaces one that is there.
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { CommandFailed, main, run } from './run.mjs'

/** Either will do; the first that is there is used. */
const SERVERS = ['redis-server', 'valkey-server']
/** What the tests speak needs RESP3 and commands of 6.2. */
const OLDEST = [6, 2]

/**
 * How each package manager is asked. `refresh` is run when it does not know the package; the packages are tried in turn.
 * @type {{ manager: string, root: boolean, refresh?: string[], add: string[], servers: string[] }[]}
 */
const MANAGERS = [
  {
    manager: 'apt-get',
    root: true,
    refresh: ['update'],
    add: ['install', '-y', '--no-install-recommends'],
    servers: ['redis-server', 'valkey-server'],
  },
  { manager: 'apk', root: true, refresh: ['update'], add: ['add'], servers: ['redis', 'valkey'] },
  { manager: 'dnf', root: true, add: ['install', '-y'], servers: ['valkey', 'redis'] },
  {
    manager: 'pacman',
    root: true,
    refresh: ['-Sy'],
    add: ['-S', '--noconfirm', '--needed'],
    servers: ['valkey', 'redis'],
  },
  { manager: 'brew', root: false, add: ['install'], servers: ['redis', 'valkey'] },
]

/** No questions; and where the system would start what it installs, it is asked not to. */
const QUIETLY = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }

/** @param {string} command @param {string[]} args */
function answers(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout : undefined
}

/**
 * The server that is here, if any, and its version.
 * @returns {{ name: string, version: string } | undefined}
 */
export function serverHere() {
  for (const name of SERVERS) {
    const version = /\bv=(\d+\.\d+[.\d]*)/.exec(answers(name, '--version') ?? '')?.[1]
    if (version !== undefined) return { name, version }
  }
  return undefined
}

/** @param {string} version */
export function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** A server and openssl, which makes the certificates of the tests; installed if there is a way to. */
export async function redis() {
  if (serverHere() === undefined) await add(({ servers }) => servers, `neither ${SERVERS.join(' nor ')}`)
  if (answers('openssl', 'version') === undefined) await add(() => ['openssl'], 'no openssl')
  const { name, version } = serverHere() ?? { name: SERVERS[0], version: '0.0' }
  if (isNewEnough(version)) return
  throw new CommandFailed(
    name,
    `is version ${version}; the tests take ${OLDEST.join('.')} or newer, or any valkey-server`,
  )
}

/**
 * @param {(manager: (typeof MANAGERS)[number]) => string[]} packagesOf
 * @param {string} missing
 */
async function add(packagesOf, missing) {
  const found = MANAGERS.find(({ manager }) => answers(manager, '--version') !== undefined)
  const before = found && asRoot(found.root)
  if (found === undefined || before === undefined) {
    const how = found
      ? `sudo ${[found.manager, ...found.add, packagesOf(found)[0]].join(' ')}`
      : 'https://valkey.io/download'
    throw new CommandFailed(
      'the tests',
      `there is ${missing} here, and no way to install without asking you. Please: ${how}`,
    )
  }
  console.log(`${missing} here: asking ${found.manager}`)
  /** @param {string[]} args */
  const ask = (args) => run(before[0] ?? found.manager, [...before, found.manager, ...args].slice(1), { env: QUIETLY })
  for (const refreshed of [false, true]) {
    if (refreshed && found.refresh) await ask(found.refresh).catch(() => {})
    for (const name of packagesOf(found)) {
      try {
        return await ask([...found.add, name])
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error
      }
    }
  }
  throw new CommandFailed(found.manager, `could not install ${packagesOf(found).join(' or ')}; what it said is above`)
}

/**
 * What to put before a command that root must run; undefined where it cannot be done without a password.
 * @param {boolean} needed
 */
function asRoot(needed) {
  if (!needed || process.getuid?.() === 0) return []
  // The environment does not pass through sudo by itself.
  const settings = Object.entries(QUIETLY).map(([name, value]) => `${name}=${value}`)
  return answers('sudo', '-n', 'true') === undefined ? undefined : ['sudo', '-n', 'env', ...settings]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(redis)
