// GET /api/prices/…: a price as data; the function behind it is cached, the answer is not.
// Never asks the shop while the price is fresh.
import { price } from '../../../../shop.js'

export async function GET(_request, { params }) {
  const { id } = await params
  return Response.json(await price(id))
}
