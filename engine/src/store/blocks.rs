//! Keys that are blocked, and until when. Never shares a place between keys, and never drops one early.

use super::cells::Cells;
use super::fingerprint::Fingerprint;
use crate::policy::{Step, Ticks};

/// Key → the time until when it is blocked.
pub struct Blocks(Cells);

/// Block until a time, whatever was before.
struct Block {
    until: Ticks,
}

/// Ask for how much longer.
struct Left;

impl Step for Block {
    type Verdict = ();

    fn apply(&self, _until: u64, _now: Ticks) -> (u64, ()) {
        (self.until, ())
    }

    fn expired(&self, until: u64, now: Ticks) -> bool {
        until <= now
    }
}

impl Step for Left {
    type Verdict = Ticks;

    fn apply(&self, until: u64, now: Ticks) -> (u64, Ticks) {
        (until, until.saturating_sub(now))
    }

    fn expired(&self, until: u64, now: Ticks) -> bool {
        until <= now
    }
}

impl Blocks {
    /// Room for `max_keys` blocks at a time.
    pub fn new(max_keys: usize) -> Self {
        Blocks(Cells::exact(max_keys))
    }

    /// Block a key until a time. Whether there was room.
    pub fn block(&self, key: Fingerprint, until: Ticks, now: Ticks) -> bool {
        self.0.update(key, now, || Block { until }).is_some()
    }

    /// How much longer a key is blocked, if it is.
    pub fn left(&self, key: Fingerprint, now: Ticks) -> Option<Ticks> {
        self.0.look(key, now, || Left).filter(|left| *left > 0)
    }

    /// Lift the block of a key.
    pub fn lift(&self, key: Fingerprint) {
        self.0.remove(key);
    }

    /// Keys that are blocked, or were and have not made room yet.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }
}
