//! Plays one trace to each cache at each capacity. Owns what crosses the pipe: a line of numbers and the trace come in, a line for
//! each cache goes out. Never reads a file: whoever calls has read and checked it.
//!
//! In: `requests distinct capacity…` as text and a newline, then the keys, numbered from 0, and then the sizes, each four bytes,
//! little endian. Out: `cache capacity hits bytes`, of the requests that were hits.

mod caches;

use caches::{Cache, Moka, QuickCache, Spillway};
use std::io::{self, BufRead, Read, Write};

fn main() -> io::Result<()> {
    let mut from = io::stdin().lock();
    let mut head = String::new();
    from.read_line(&mut head)?;
    let mut numbers = head.split_ascii_whitespace().map(|word| word.parse::<u64>().map_err(io::Error::other));
    let mut next = || numbers.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    let (requests, distinct) = (next()? as usize, next()? as usize);
    let trace = Trace { distinct, keys: words(&mut from, requests)?, sizes: words(&mut from, requests)? };
    let mut to = io::stdout().lock();
    for capacity in numbers {
        let capacity = capacity?;
        let mean = trace.sizes.iter().map(|size| u64::from(*size)).sum::<u64>() / requests.max(1) as u64;
        let entries = (capacity / mean.max(1)) as usize;
        tell(&mut to, "quick_cache", capacity, trace.play(QuickCache::new(capacity, entries)))?;
        tell(&mut to, "moka", capacity, trace.play(Moka::new(capacity)))?;
        tell(&mut to, "spillway", capacity, trace.play(Spillway::new(capacity, distinct)))?;
    }
    Ok(())
}

struct Trace {
    distinct: usize,
    keys: Vec<u32>,
    sizes: Vec<u32>,
}

/// Of the requests that were hits: how many, and their sizes.
struct Hits {
    requests: u64,
    bytes: u64,
}

impl Trace {
    /// Each request looks the key up, and stores it if it was not there.
    fn play(&self, mut cache: impl Cache) -> Hits {
        let mut hits = Hits { requests: 0, bytes: 0 };
        for (key, size) in self.keys.iter().zip(&self.sizes) {
            debug_assert!((*key as usize) < self.distinct);
            if cache.get(*key) {
                hits.requests += 1;
                hits.bytes += u64::from(*size);
            } else {
                cache.insert(*key, *size);
            }
        }
        hits
    }
}

fn words(from: &mut impl Read, count: usize) -> io::Result<Vec<u32>> {
    let mut bytes = vec![0; count * 4];
    from.read_exact(&mut bytes)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn tell(to: &mut impl Write, cache: &str, capacity: u64, hits: Hits) -> io::Result<()> {
    writeln!(to, "{cache} {capacity} {} {}", hits.requests, hits.bytes)
}
