//! Numbers that tell a reader whether its decoded copy is still current. Owns which number speaks for which key.
//! Never holds the numbers: every environment has its own, in memory its JavaScript can read.

use super::fingerprint::Fingerprint;

/// Numbers in one environment's array.
pub const SLOTS: u32 = 16_384;

/// Of those, the first so many belong to whole caches.
pub const EPOCH_SLOTS: u32 = 256;

/// The next so many belong to one breaker each: see [`Generations::show`].
pub const BREAKER_SLOTS: u32 = 1_024;

/// In the next so many an environment counts for itself: nobody else writes them. The rest belongs to keys.
pub const COUNTER_SLOTS: u32 = 1_024;

/// Where those begin.
pub const FIRST_COUNTER: u32 = EPOCH_SLOTS + BREAKER_SLOTS;

const FIRST_KEY: u32 = FIRST_COUNTER + COUNTER_SLOTS;
const KEY_SLOTS: u32 = SLOTS - FIRST_KEY;

/// Reaches the arrays of all environments.
pub trait Generations: Send + Sync {
    /// Raise the number of `slot` everywhere. When it returns, no environment takes an older copy for current.
    fn bump(&self, slot: u32);

    /// Write `number` into `slot` everywhere. The writer sees to it that the last writing is the latest truth.
    fn show(&self, _slot: u32, _number: i32) {}
}

/// The slot of a key. Two keys in one slot cost each other a needless read, nothing worse.
pub fn slot_of(key: Fingerprint) -> u32 {
    FIRST_KEY + (key.low % u64::from(KEY_SLOTS)) as u32
}

/// Nobody keeps copies: for engines without JavaScript.
pub struct NoCopies;

impl Generations for NoCopies {
    fn bump(&self, _slot: u32) {}
}
