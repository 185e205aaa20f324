// GET /api/caches: what the two caches have counted since the server was started.
// Never prerendered: the figures are of now.
import { connection } from 'next/server'
import pages from '../../../cache-handler.js'
import results from '../../../use-cache-handler.js'

export async function GET() {
  await connection()
  return Response.json({ pages: pages.cache.stats(), results: results.cache.stats() })
}
