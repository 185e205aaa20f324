// GET /products/…: a page that is made once and then served from the cache, until its time or a tag is over.
// Never made while it is asked for, but for the first time: those below are made when the application is built.
import { product } from '../../../shop.js'

export const generateStaticParams = () => [{ id: '1' }]

export default async function Page({ params }) {
  const { id } = await params
  const { name, asked } = await product(id)
  return (
    <p>
      {name}, asked for {asked}
    </p>
  )
}
