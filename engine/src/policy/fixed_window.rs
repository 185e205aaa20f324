//! The fixed window on one word: so many units in each window of the calendar. Owns the arithmetic. Never reads time, locks
//! or allocates.
//!
//! ```text
//! 63                        32 31                         0
//! |       window_id:32        |         count:32          |
//! ```
//!
//! - `window_id` is `now / width` modulo 2^32, on a clock whose zero is where windows begin: 1970 in UTC.
//! - `count` is what was spent in that window. 0 says only that the window has begun: a charge by a clock that is a little behind
//!   counts in it too, since what was spent in the window before is forgotten.
//! - Ids compare as signed differences, so a word must not lie for half of 2^32 windows: see `memory`.

use super::Ticks;
use super::divisor::Divisor;
use super::rate::{Answer, Rate, SLACK, Verdict};

/// A limit for each window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    limit: u32,
    width: Divisor,
}

/// A word as it counts at some moment.
struct Standing {
    /// The window that is charged.
    id: u32,
    count: u32,
    /// Ticks to the end of that window.
    left: Ticks,
    /// Whether the word names a window so far ahead that the clock must have gone back.
    jumped: bool,
}

impl FixedWindow {
    /// `limit` units in every `width` ticks.
    pub fn new(limit: u32, width: Ticks) -> Self {
        FixedWindow { limit, width: Divisor::new(width) }
    }

    /// The length of a window.
    pub fn width(&self) -> Ticks {
        self.width.value()
    }

    /// A time in the window that a charge at `now` was made to.
    pub fn charged_at(&self, now: Ticks, verdict: &Verdict) -> Ticks {
        // It resets with the end of that window.
        (now + verdict.reset).saturating_sub(1)
    }

    fn standing(&self, word: u64, now: Ticks) -> Standing {
        let (id, into) = self.width.divide(now);
        let (stored, count) = unpack(word);
        let id = id as u32;
        let left = self.width.value() - into;
        match ahead(stored, id) {
            _ if word == 0 => Standing { id, count, left, jumped: false },
            0 => Standing { id, count, left, jumped: false },
            behind if behind < 0 => Standing { id, count: 0, left, jumped: false },
            windows => {
                let early = self.width.value().saturating_mul(windows as u64) - into;
                if early <= SLACK {
                    // Another thread was in the next window already: this charge counts there.
                    Standing { id: stored, count, left: early + self.width.value(), jumped: false }
                } else {
                    Standing { id, count, left, jumped: true }
                }
            }
        }
    }
}

fn pack(id: u32, count: u32) -> u64 {
    u64::from(id) << 32 | u64::from(count)
}

fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// How many windows `one` is after `other`.
fn ahead(one: u32, other: u32) -> i32 {
    one.wrapping_sub(other) as i32
}

impl Rate for FixedWindow {
    #[inline]
    fn charge(&self, word: u64, now: Ticks, cost: u32) -> (u64, Verdict) {
        let Standing { id, count, left, jumped } = self.standing(word, now);
        let held = |answer, retry_after| Verdict {
            answer,
            remaining: self.limit.saturating_sub(count),
            retry_after,
            reset: if count == 0 { 0 } else { left },
            wait: 0,
        };
        if cost == 0 {
            return (word, held(Answer::Allowed, 0));
        }
        let kept = if jumped { pack(id, count) } else { word };
        if cost > self.limit {
            return (kept, held(Answer::Impossible, 0));
        }
        match count.checked_add(cost) {
            Some(spent) if spent <= self.limit => {
                let remaining = self.limit - spent;
                let verdict = Verdict { answer: Answer::Allowed, remaining, retry_after: 0, reset: left, wait: 0 };
                (pack(id, spent), verdict)
            }
            _ => (kept, held(Answer::Limited, left)),
        }
    }

    /// Only into the window that was charged.
    fn refund(&self, word: u64, _now: Ticks, cost: u32, charged_at: Ticks) -> u64 {
        let (stored, count) = unpack(word);
        let charged = self.width.divide(charged_at).0 as u32;
        if stored == charged { pack(stored, count.saturating_sub(cost)) } else { word }
    }

    #[inline]
    fn expired(&self, word: u64, now: Ticks) -> bool {
        let Standing { count, left, .. } = self.standing(word, now);
        count == 0 && left <= self.width.value()
    }

    fn settle(&self, word: u64, now: Ticks) -> u64 {
        let Standing { id, count, jumped, .. } = self.standing(word, now);
        if jumped { pack(id, count) } else { word }
    }

    fn join(&self, one: u64, other: u64) -> u64 {
        let ((first, a), (second, b)) = (unpack(one), unpack(other));
        match ahead(first, second) {
            _ if a == 0 => other,
            _ if b == 0 => one,
            0 => pack(first, a.max(b)),
            later if later > 0 => one,
            _ => other,
        }
    }

    fn meet(&self, one: u64, other: u64) -> u64 {
        let ((first, a), (second, b)) = (unpack(one), unpack(other));
        match ahead(first, second) {
            _ if a == 0 || b == 0 => 0,
            0 => pack(first, a.min(b)),
            later if later > 0 => other,
            _ => one,
        }
    }

    fn memory(&self) -> Ticks {
        self.width.value().saturating_mul(1 << 30)
    }
}
