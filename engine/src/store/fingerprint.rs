//! A key as 128 keyed bits. Never keeps the key, and never hashes without the process's secret.

use ahash::RandomState;
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// Two aHashes under independent random secrets, so that nobody outside the process can make two keys meet. Good for this
/// process only: the function may differ from build to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Picks the bucket.
    pub low: u64,
    /// Picks the shard.
    pub high: u64,
}

/// A key and its text, for who stores both.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// What it is found by.
    pub fingerprint: Fingerprint,
    /// As 16-bit units.
    pub units: &'a [u16],
}

impl Fingerprint {
    /// The fingerprint of a key given as bytes, in whatever encoding keeps every two keys apart.
    pub fn of(key: &[u8]) -> Self {
        static SECRETS: OnceLock<[RandomState; 2]> = OnceLock::new();
        let [low, high] = SECRETS.get_or_init(|| [secret(), secret()]);
        let hash = |secret: &RandomState| {
            let mut hasher = secret.build_hasher();
            hasher.write(key);
            hasher.finish()
        };
        Fingerprint { low: hash(low), high: hash(high) }
    }

    /// The fingerprint of a key given as UTF-16 units.
    pub fn of_units(units: &[u16]) -> Self {
        let bytes: SmallVec<[u8; 256]> = units.iter().flat_map(|unit| unit.to_ne_bytes()).collect();
        Fingerprint::of(&bytes)
    }

    /// One of `count` places, evenly.
    pub fn place(self, count: usize) -> usize {
        ((u128::from(self.high) * count as u128) >> 64) as usize
    }
}

/// Seeds nobody can guess.
pub(super) fn secret() -> RandomState {
    RandomState::with_seeds(random_word(), random_word(), random_word(), random_word())
}

/// A word nobody can guess; without an entropy source, one that at least differs from process to process.
pub fn random_word() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let address = &raw const SECRETLESS as u64;
        crate::clock::monotonic() ^ address.rotate_left(32) ^ u64::from(std::process::id())
    })
}
static SECRETLESS: u8 = 0;
