// POST /api/revalidate?tag=…: what has the tag is gone; with `profile` it is stale, and made anew behind whoever comes next.
// Never open to everybody in an application of yours.
import { revalidateTag } from 'next/cache'

export async function POST({ nextUrl: { searchParams } }) {
  revalidateTag(searchParams.get('tag'), searchParams.get('profile') ?? { expire: 0 })
  return Response.json({ revalidated: true })
}
