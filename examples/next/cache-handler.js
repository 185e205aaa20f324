// Next's pages, route handlers and fetches, in native memory.
// Never more than this much of it.
import { nextCache } from 'spillway/next-cache'

export default nextCache({ maxBytes: '32mb' })
