// Native code is required at run time rather than bundled: that is what serverExternalPackages says.
// Never needs more than that line; the handler keeps Next's pages, `standalone` and the roots make a folder that runs by itself.
import { join } from 'node:path'

const root = import.meta.dirname

/** @type {import('next').NextConfig} */
export default {
  serverExternalPackages: ['spillway'],
  cacheHandler: join(root, 'cache-handler.js'),
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
}
