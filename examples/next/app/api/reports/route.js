// GET /api/reports: as heavy as reports are, and not limited here: proxy.js is asked first.
// Never kept by a cache, so that each request is one report.
export const dynamic = 'force-dynamic'

export const GET = () => Response.json({ rows: 5000 })
