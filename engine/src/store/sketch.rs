//! Words shared by the keys that found no cell of their own: two rows, after the count-min sketch (Cormode and
//! Muthukrishnan, 2005) with conservative update. May limit a key early, through its neighbours; never late. Never shrinks a word.

use super::fingerprint::Fingerprint;
use crate::policy::{Step, Ticks};
use crate::sync::{AtomicU64, Ordering};

/// Two rows of words. A key's state is the smaller of its two.
///
/// It holds words for which a larger one means "more spent".
pub struct Sketch {
    first: Box<[AtomicU64]>,
    second: Box<[AtomicU64]>,
}

impl Sketch {
    /// Two rows of `width` words each.
    pub fn new(width: usize) -> Self {
        let row = || (0..width.max(1)).map(|_| AtomicU64::new(0)).collect();
        Sketch { first: row(), second: row() }
    }

    fn words(&self, key: Fingerprint) -> Option<(&AtomicU64, &AtomicU64)> {
        // The halves of a fingerprint are independent, so two keys that meet in one row rarely meet in the other.
        let other = Fingerprint { low: key.high, high: key.low };
        Some((self.first.get(key.place(self.first.len()))?, self.second.get(other.place(self.second.len()))?))
    }

    /// The word `key` would start from.
    pub fn word(&self, key: Fingerprint) -> u64 {
        self.words(key).map_or(0, |(first, second)| first.load(Ordering::Acquire).min(second.load(Ordering::Acquire)))
    }

    /// Apply `step` to the key's state and raise both words to the result. A step that lowers the state changes nothing.
    ///
    /// The larger word is raised first and the smaller swapped last, so at the moment a charge goes through both words carry it:
    /// whoever reads either, in any order, sees it, or loses the swap and looks again.
    pub fn update<S: Step>(&self, key: Fingerprint, now: Ticks, step: &S) -> Option<S::Verdict> {
        let (first, second) = self.words(key)?;
        loop {
            let (one, two) = (first.load(Ordering::Acquire), second.load(Ordering::Acquire));
            let (smaller, state, larger) = if one <= two { (first, one, second) } else { (second, two, first) };
            let (next, verdict) = step.apply(state, now);
            if next <= state {
                return Some(verdict);
            }
            larger.fetch_max(next, Ordering::AcqRel);
            if smaller.compare_exchange(state, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Some(verdict);
            }
        }
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        (self.first.len() + self.second.len()) * size_of::<AtomicU64>()
    }
}
