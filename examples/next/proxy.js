// Answers 429 before a route is reached: two reports at once for each tenant, then one every thirty seconds.
// Never for every path: what `matcher` names is all this is asked about, and Next reads it while it builds.
import { NextResponse } from 'next/server'
import { proxyLimit } from 'spillway/next'
import { reports, tenantOf } from './limits.js'

export const proxy = proxyLimit(reports, { key: tenantOf, next: NextResponse.next })

export const config = { matcher: '/api/reports/:path*' }
