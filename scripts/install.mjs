// Brings node_modules to what the lockfile says. Owns the question whether that is needed.
// Never changes a lockfile.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.mjs'

/**
 * `npm ci` in the package's folder or one beneath it, unless npm finished there since the lockfile last changed.
 * @param {string} [folder]
 */
export async function install(folder = '.') {
  const at = join(root, folder)
  if (writtenAt(join(at, 'node_modules', '.package-lock.json')) >= writtenAt(join(at, 'package-lock.json'))) return
  console.log(`npm ci in ${folder === '.' ? 'the package' : folder}`)
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: at })
}

/** @param {string} file */
function writtenAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity
}
