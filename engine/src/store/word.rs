//! The one kernel that changes a shared word. Never waits: it loses a race only to a change that went through.

use crate::policy::{Step, Ticks};
use crate::sync::{AtomicU64, Ordering};

/// Apply `step` to `word`. An unchanged word is not written, so a denial never dirties a cache line.
// As the limiter's `consume_simply`.
#[inline(always)]
pub fn update<S: Step>(word: &AtomicU64, now: Ticks, step: &S) -> S::Verdict {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let (next, verdict) = step.apply(seen, now);
        if next == seen {
            return verdict;
        }
        // Relaxed is enough: the word is the whole of the state, and nothing else is published through it.
        match word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return verdict,
            Err(changed) => seen = changed,
        }
    }
}
