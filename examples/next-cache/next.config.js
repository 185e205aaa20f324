// Where Next keeps what it caches: pages and fetches in the one handler, what `use cache` marks in the other.
// Never in Next's own memory beside that, hence the 0; `standalone` and the roots only make the output a folder that runs by itself.
import { join } from 'node:path'

const root = import.meta.dirname

/** @type {import('next').NextConfig} */
export default {
  cacheComponents: true,
  partialPrefetching: true,
  cacheHandler: join(root, 'cache-handler.js'),
  cacheHandlers: { default: join(root, 'use-cache-handler.js') },
  cacheMaxMemorySize: 0,
  serverExternalPackages: ['spillway'],
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
}
