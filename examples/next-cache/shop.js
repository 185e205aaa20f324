// The shop behind the pages, slow and expensive to ask. Owns what is cached of it, for how long and under which tags.
// Never asked twice for what has not changed: that is what is to be seen here.
import { cacheLife, cacheTag } from 'next/cache'

let asked = 0

/** A product: kept for hours, or until the tag of it, or of all products, is revalidated. */
export async function product(id) {
  'use cache'
  cacheTag('products', `product:${id}`)
  cacheLife('hours')
  return { id, name: `Product ${id}`, text: 'Made to last. '.repeat(100), asked: ++asked }
}

/** What it costs: as long, and under tags of its own. */
export async function price(id) {
  'use cache'
  cacheTag('prices', `price:${id}`)
  cacheLife('hours')
  return { id, history: Array.from({ length: 365 }, (_, day) => 100 + (day % 7)), asked: ++asked }
}
