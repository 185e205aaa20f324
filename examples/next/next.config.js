// Native code is required at run time rather than bundled: that is what serverExternalPackages says.
// Never needs more than that line; `standalone` and the roots only make the output a folder that runs by itself.
const root = import.meta.dirname

/** @type {import('next').NextConfig} */
export default {
  serverExternalPackages: ['spillway'],
  output: 'standalone',
  outputFileTracingRoot: root,
  turbopack: { root },
}
