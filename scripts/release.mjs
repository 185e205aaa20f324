// Lays out what is published: `spillway` without binaries, and a package for each binary. Owns what differs between a clone
// and a release. Never publishes, and never changes a file of the clone.
//
//   node scripts/release.mjs <empty folder> [--partial]
//
// A release needs the binary of every platform in native/, gathered from wherever each was built; --partial makes do with
// those that are there.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CommandFailed, main, root } from './run.mjs'

await main(async () => {
  const [folder, flag] = process.argv.slice(2)
  if (!folder || (flag !== undefined && flag !== '--partial')) {
    throw new CommandFailed('release', 'usage: node scripts/release.mjs <empty folder> [--partial]')
  }
  const to = resolve(folder)
  if (existsSync(to) && readdirSync(to).length > 0) throw new CommandFailed('release', `${folder} is not empty`)

  const own = read(join(root, 'package.json'))
  const bindings = platforms().flatMap((platform) => lay(platform, to, own, flag === '--partial'))

  const { '//': _, devDependencies: _tools, overrides: _pins, scripts: _scripts, ...face } = own
  face.files = own.files.filter((/** @type {string} */ pattern) => pattern !== 'native/*.node')
  face.optionalDependencies = Object.fromEntries(bindings.map((name) => [name, own.version]))
  const main = join(to, 'spillway')
  for (const part of [...face.files, 'README.md', 'LICENSE']) {
    cpSync(join(root, part), join(main, part), { recursive: true })
  }
  write(join(main, 'package.json'), face)
  console.log(`laid out spillway ${own.version} with ${bindings.join(', ')}`)
})

function platforms() {
  return readdirSync(join(root, 'npm'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
}

/**
 * One platform's package. Answers its name, or none when a partial release does without it.
 * @param {string} platform
 * @param {string} to
 * @param {{ version: string }} own
 * @param {boolean} partial
 * @returns {string[]}
 */
function lay(platform, to, own, partial) {
  const about = read(join(root, 'npm', platform, 'package.json'))
  if (about.version !== own.version) {
    throw new CommandFailed('release', `${about.name} is at ${about.version} and spillway at ${own.version}`)
  }
  const [binary] = about.files
  if (!existsSync(join(root, 'native', binary))) {
    if (partial) return []
    throw new CommandFailed('release', `native/${binary} is missing`)
  }
  const at = join(to, platform)
  mkdirSync(at, { recursive: true })
  cpSync(join(root, 'native', binary), join(at, binary))
  cpSync(join(root, 'LICENSE'), join(at, 'LICENSE'))
  cpSync(join(root, 'npm', platform, 'README.md'), join(at, 'README.md'))
  write(join(at, 'package.json'), about)
  return [about.name]
}

/** @param {string} file */
function read(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** @param {string} file @param {object} content */
function write(file, content) {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
}
