// POST /api/news: there is news, so whoever asks next for the page waits for a new one.
// Never open to everybody in an application of yours.
import { revalidatePath } from 'next/cache'

export async function POST() {
  revalidatePath('/news')
  return Response.json({ revalidated: '/news' })
}
