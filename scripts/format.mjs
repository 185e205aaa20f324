// npm run format: lays out every file the way `npm run lint` wants to see it. Owns nothing but the order.
// Never changes what code means.
import { install } from './install.mjs'
import { main, run } from './run.mjs'

await main(async () => {
  await install()
  await run('node_modules/.bin/prettier', ['--write', '--log-level', 'warn', '.'])
  await run('cargo', ['fmt', '--all'])
})
