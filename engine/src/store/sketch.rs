//! Words shared by the keys that found no cell of their own: two rows, after the count-min sketch (Cormode and
//! Muthukrishnan, 2005) with conservative update. May limit a key early, through its neighbours; never late. Never lowers a live
//! word, unless a clock jumped.

use super::cells::{Untidied, untidied};
use super::fingerprint::Fingerprint;
use crate::policy::{Step, Ticks};
use crate::sync::{AtomicU64, Ordering};
use parking_lot::Mutex;

/// Two rows of words. A key's state is what both of its two say: their meet.
pub struct Sketch {
    first: Box<[AtomicU64]>,
    second: Box<[AtomicU64]>,
    /// When the words that had expired were last dropped. Written while `tidying` is held.
    tidied_at: AtomicU64,
    tidying: Mutex<()>,
}

impl Sketch {
    /// Two rows of `width` words each, made at `now`.
    pub fn new(width: usize, now: Ticks) -> Self {
        let row = || (0..width.max(1)).map(|_| AtomicU64::new(0)).collect();
        Sketch { first: row(), second: row(), tidied_at: AtomicU64::new(now), tidying: Mutex::new(()) }
    }

    fn words(&self, key: Fingerprint) -> Option<(&AtomicU64, &AtomicU64)> {
        // The halves of a fingerprint are independent, so two keys that meet in one row rarely meet in the other.
        let other = Fingerprint { low: key.high, high: key.low };
        Some((self.first.get(key.place(self.first.len()))?, self.second.get(other.place(self.second.len()))?))
    }

    fn standing<S: Step>(&self, now: Ticks, step: &S) -> Untidied {
        untidied(self.tidied_at.load(Ordering::Acquire), now, step)
    }

    /// The word `key` would start from.
    pub fn word<S: Step>(&self, key: Fingerprint, now: Ticks, step: &S) -> u64 {
        if self.standing(now, step) == Untidied::Forgotten {
            return 0;
        }
        let settled = |word: &AtomicU64| {
            let seen = word.load(Ordering::Acquire);
            let settled = step.settle(seen, now);
            // Kept, or what a clock that jumped back has left in the future would deny until the clock is there again.
            if settled != seen {
                let _ = word.compare_exchange(seen, settled, Ordering::AcqRel, Ordering::Acquire);
            }
            settled
        };
        self.words(key).map_or(0, |(first, second)| step.meet(settled(first), settled(second)))
    }

    /// Apply `step` to the key's state and raise both words to the result. A step that gives back changes nothing.
    ///
    /// It has been tidied by now. Nobody else may update the same key meanwhile; the lock of its shard sees to that. Other keys
    /// that share a word may: a word only ever comes to say more, so each finds its own charges in it.
    pub fn update<S: Step>(&self, key: Fingerprint, now: Ticks, step: &S) -> Option<S::Verdict> {
        let (first, second) = self.words(key)?;
        let state = self.word(key, now, step);
        let (next, verdict) = step.apply(state, now);
        for word in [first, second] {
            let raised = |seen| Some(step.join(seen, next)).filter(|raised| *raised != seen);
            let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, raised);
        }
        Some(verdict)
    }

    /// Drop what means nothing any more, if that was not done lately. The tables tidy up each at its own time, so whoever is
    /// about to charge asks for it.
    pub fn tidy<S: Step>(&self, now: Ticks, step: &S) {
        if self.standing(now, step) == Untidied::No {
            return;
        }
        // Held to the end: who finds it tidied may charge at once, and that charge must not be dropped.
        let _one_at_a_time = self.tidying.lock();
        let standing = self.standing(now, step);
        if standing == Untidied::No {
            return;
        }
        for word in self.first.iter().chain(&self.second) {
            let means_nothing = |seen| standing == Untidied::Forgotten || step.expired(seen, now);
            let dropped = |seen| (seen != 0 && means_nothing(seen)).then_some(0);
            let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, dropped);
        }
        self.tidied_at.store(now, Ordering::Release);
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        (self.first.len() + self.second.len()) * size_of::<AtomicU64>()
    }
}
