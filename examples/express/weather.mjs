// Stands for a service elsewhere: takes its time, and does not know Atlantis.
// Never used outside this example.
import { setTimeout as wait } from 'node:timers/promises'

export async function forecast(city, signal) {
  await wait(300, undefined, { signal })
  if (city === 'Atlantis') throw new Error('the weather service answered 500')
  return { city, degrees: 10 + (city.length % 15), at: new Date().toISOString() }
}
