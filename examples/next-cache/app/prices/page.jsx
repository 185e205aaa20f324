// GET /prices: a page that is made for each request, with a part that is made once; and the action that changes it.
// Never shows the old one to who asks after that: updateTag has the next one wait.
import { connection } from 'next/server'
import { cacheLife, cacheTag, updateTag } from 'next/cache'
import { Suspense } from 'react'
import { price } from '../../shop.js'

async function Prices() {
  'use cache'
  cacheTag('prices')
  cacheLife('hours')
  const { asked } = await price('7')
  return <p>Prices, asked for {asked}</p>
}

async function Now() {
  await connection()
  return <i>{Date.now()}</i>
}

async function raise() {
  'use server'
  updateTag('prices')
}

export default function Page() {
  return (
    <form action={raise}>
      <Prices />
      <button>Raise</button>
      <Suspense>
        <Now />
      </Suspense>
    </form>
  )
}
