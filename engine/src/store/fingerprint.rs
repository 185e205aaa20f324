//! A key as 128 keyed bits. Never keeps the key, and never hashes without the process's secret.

use siphasher::sip128::SipHasher13;
use std::sync::OnceLock;

/// 128 bits of SipHash-1-3 under a random secret: nobody outside the process can make two keys meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Picks the bucket.
    pub low: u64,
    /// Picks the shard.
    pub high: u64,
}

/// How a key's text is encoded. Part of the fingerprint, so that one encoding's bytes never stand for another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Well-formed text.
    Utf8,
    /// Text with lone surrogates, which UTF-8 cannot tell apart, as its 16-bit units.
    Utf16,
}

impl Fingerprint {
    /// The fingerprint of a key given as bytes.
    pub fn of(key: &[u8], encoding: Encoding) -> Self {
        static SECRET: OnceLock<(u64, u64)> = OnceLock::new();
        let (low, high) = *SECRET.get_or_init(|| (random_word(), random_word()));
        let domain = match encoding {
            Encoding::Utf8 => 0,
            Encoding::Utf16 => !0,
        };
        let hash = SipHasher13::new_with_keys(low ^ domain, high).hash(key);
        Fingerprint { low: hash.h1, high: hash.h2 }
    }

    /// One of `count` places, evenly.
    pub fn place(self, count: usize) -> usize {
        ((u128::from(self.high) * count as u128) >> 64) as usize
    }
}

/// A word nobody can guess; without an entropy source, one that at least differs from process to process.
pub fn random_word() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let address = &raw const SECRETLESS as u64;
        crate::clock::monotonic() ^ address.rotate_left(32) ^ u64::from(std::process::id())
    })
}
static SECRETLESS: u8 = 0;
