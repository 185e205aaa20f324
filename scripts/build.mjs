// Builds the native side into native/: the loader, its types and the binary of this platform. Owns how, not when: Cargo
// knows what is up to date. Never writes outside of native/ and target/.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { install } from './install.mjs'
import { CommandFailed, main, root, run } from './run.mjs'

export async function build() {
  const napi = join(root, 'node_modules', '.bin', 'napi')
  const files = ['--output-dir', 'native', '--js', 'index.js', '--dts', 'index.d.ts']
  await run(napi, ['build', '--platform', '--release', ...files])

  const built = join(root, 'native')
  const binaries = readdirSync(built).filter((name) => name.endsWith('.node'))
  if (binaries.length === 0 || !existsSync(join(built, 'index.js'))) {
    throw new CommandFailed('napi build', 'ended well and left no loader or no binary in native/')
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    await install()
    await build()
  })
}
