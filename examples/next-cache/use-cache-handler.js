// What `use cache` marks, in native memory.
// Never more than this much of it.
import { nextUseCache } from 'spillway/next-use-cache'

export default nextUseCache({ maxBytes: '64mb' })
