// The traces in data/, the capacities they are played at, and the best hit ratio published policies reach there.
// Never says anything of ours.
'use strict'

/**
 * In percent of the requests, and whose. Of LRU, ARC, LIRS, SIEVE, 2Q, S3-FIFO and W-TinyLFU as libCacheSim 0.3.5 has them by default,
 * quick_cache 0.7 and moka 0.12; with sizes also GDSF, whose ratio in bytes is given second.
 * @typedef {{ ratio: number, bytes?: number, by: string }} Best
 * @type {Record<string, Record<number, Best>>}
 */
const known = {
  gli: {
    250: { ratio: 16.04, by: 'quick_cache' },
    500: { ratio: 33.22, by: 'LIRS' },
    1000: { ratio: 50.72, by: 'LIRS' },
  },
  loop: {
    256: { ratio: 25.07, by: 'LIRS' },
    512: { ratio: 50.5, by: 'moka' },
    1000: { ratio: 97.73, by: 'LIRS' },
  },
  sprite: {
    100: { ratio: 34.77, by: 'moka' },
    400: { ratio: 71.28, by: 'S3-FIFO' },
    1000: { ratio: 90.64, by: 'LRU' },
  },
  '2_pools': {
    100: { ratio: 48.7, by: 'moka' },
    450: { ratio: 51.74, by: 'quick_cache' },
    1000: { ratio: 54.42, by: 'moka' },
  },
  multi2: {
    600: { ratio: 52.46, by: 'LIRS' },
    1600: { ratio: 66.71, by: 'LIRS' },
    3000: { ratio: 78.12, by: 'LIRS' },
  },
  web07: {
    200: { ratio: 43.62, by: 'S3-FIFO' },
    1000: { ratio: 54.12, by: 'S3-FIFO' },
    4000: { ratio: 62.64, by: 'ARC' },
  },
  oltp: {
    1000: { ratio: 40.86, by: 'S3-FIFO' },
    2000: { ratio: 47.03, by: 'S3-FIFO' },
    5000: { ratio: 55.75, by: 'S3-FIFO' },
  },
  'cloudphysics-sized': {
    50_000_000: { ratio: 18.9, bytes: 3.53, by: 'GDSF' },
    150_000_000: { ratio: 27.06, bytes: 11.45, by: 'GDSF' },
    500_000_000: { ratio: 37.23, bytes: 28.76, by: 'LIRS' },
  },
}

module.exports = { known }
