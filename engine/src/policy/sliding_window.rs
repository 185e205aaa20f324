//! The sliding window on one word: what was spent in this window, and of the last one the share that still lies within a
//! window's length. Owns the arithmetic. Never reads time, locks or allocates.
//!
//! ```text
//! 63             40 39              20 19               0
//! | window_id:24   |   previous:20    |    current:20    |
//! ```
//!
//! - `window_id` is `now / width` modulo 2^24, on a clock whose zero is where windows begin: 1970 in UTC.
//! - `current` was spent in that window, `previous` in the one before. Both 0 says only that the window has begun.
//! - Ids compare as signed differences, so a word must not lie for half of 2^24 windows: see `memory`.
//!
//! The estimate is `⌈previous·(W − x)/W⌉ + current`, `x` ticks into the window: it takes what was spent in the last window as
//! spread evenly. At worst 2·limit − 1 pass in one true window.

use super::Ticks;
use super::divisor::Divisor;
use super::rate::{Answer, Rate, SLACK, Verdict};

const COUNT_BITS: u32 = 20;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const ID_BITS: u32 = 24;

/// The largest limit the word can hold.
pub const MAX_LIMIT: u32 = COUNT as u32;

/// A limit for every window's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingWindow {
    /// At most [`MAX_LIMIT`].
    limit: u32,
    width: Divisor,
    /// How far width and place are shifted right together, so that a count times the width fits 64 bits.
    shift: u32,
    /// The width, shifted and rounded up: then a place is never taken for a later one.
    scale: Divisor,
}

/// The fields of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counts {
    id: u32,
    previous: u32,
    current: u32,
}

impl Counts {
    fn of(word: u64) -> Self {
        Counts {
            id: (word >> (2 * COUNT_BITS)) as u32,
            previous: (word >> COUNT_BITS & COUNT) as u32,
            current: (word & COUNT) as u32,
        }
    }

    fn word(self) -> u64 {
        u64::from(self.id) << (2 * COUNT_BITS) | u64::from(self.previous) << COUNT_BITS | u64::from(self.current)
    }

    fn is_empty(self) -> bool {
        self.previous == 0 && self.current == 0
    }

    /// How many windows it is after `id`.
    fn ahead_of(self, id: u32) -> i32 {
        ((self.id.wrapping_sub(id) << (32 - ID_BITS)) as i32) >> (32 - ID_BITS)
    }

    /// As it counts in the later window `id`.
    fn rolled_to(self, id: u32) -> Self {
        match self.ahead_of(id) {
            0 => self,
            -1 => Counts { id, previous: self.current, current: 0 },
            _ => Counts { id, previous: 0, current: 0 },
        }
    }

    /// Both as they count in the later one's window.
    fn aligned(one: u64, other: u64) -> (Self, Self) {
        let (one, other) = (Counts::of(one), Counts::of(other));
        if one.ahead_of(other.id) >= 0 { (one, other.rolled_to(one.id)) } else { (one.rolled_to(other.id), other) }
    }
}

/// A word as it counts at some moment.
struct Standing {
    counts: Counts,
    /// Ticks into the window of `counts`.
    into: Ticks,
    /// Ticks until that window begins, if a faster clock is in it already.
    early: Ticks,
    /// Whether the word named a window so far ahead that the clock must have gone back.
    jumped: bool,
}

impl SlidingWindow {
    /// `limit` units, at most [`MAX_LIMIT`], in any `width` ticks, by estimate.
    pub fn new(limit: u32, width: Ticks) -> Self {
        let shift = (u64::BITS - width.leading_zeros()).saturating_sub(u64::BITS - COUNT_BITS);
        let scale = (width >> shift) + u64::from(width & ((1 << shift) - 1) != 0);
        SlidingWindow { limit: limit.min(MAX_LIMIT), width: Divisor::new(width), shift, scale: Divisor::new(scale) }
    }

    /// The length of a window.
    pub fn width(&self) -> Ticks {
        self.width.value()
    }

    /// A time in the window that a charge at `now` was made to.
    pub fn charged_at(&self, now: Ticks, verdict: &Verdict) -> Ticks {
        // It resets with the end of the window after that one.
        (now + verdict.reset).saturating_sub(self.width.value() + 1)
    }

    fn standing(&self, word: u64, now: Ticks) -> Standing {
        let (id, into) = self.width.divide(now);
        let id = id as u32 & ((1 << ID_BITS) - 1);
        let counts = Counts::of(word);
        let windows = counts.ahead_of(id);
        if word == 0 || windows <= 0 {
            return Standing { counts: counts.rolled_to(id), into, early: 0, jumped: false };
        }
        let early = self.width.value().saturating_mul(windows as u64) - into;
        if early <= SLACK {
            // Another thread was in the next window already: this charge counts there.
            Standing { counts, into: 0, early, jumped: false }
        } else {
            Standing { counts: Counts { id, ..counts }, into, early: 0, jumped: true }
        }
    }

    /// What counts as spent, `into` ticks into the window.
    fn estimate(&self, counts: Counts, into: Ticks) -> u32 {
        let ahead = self.scale.value() - (into >> self.shift);
        self.scale.divide_up(u64::from(counts.previous) * ahead) as u32 + counts.current
    }

    /// The first place in a window at which at most `room` of `previous` still counts; at most the window's end.
    fn place_for(&self, room: u32, previous: u32) -> Ticks {
        let ahead = u64::from(room) * self.scale.value() / u64::from(previous.max(1));
        (self.scale.value().saturating_sub(ahead) << self.shift).min(self.width.value())
    }

    /// Ticks until a charge that leaves room for `room` others is admitted.
    fn wait(&self, Standing { counts, into, early, .. }: &Standing, room: u32) -> Ticks {
        let left = self.width.value() - into;
        early
            + match room.checked_sub(counts.current) {
                Some(room) => self.place_for(room, counts.previous) - into,
                None => left + self.place_for(room, counts.current),
            }
    }
}

impl Rate for SlidingWindow {
    #[inline]
    fn charge(&self, word: u64, now: Ticks, cost: u32) -> (u64, Verdict) {
        let standing = self.standing(word, now);
        let Standing { counts, into, early, jumped } = standing;
        let spent = self.estimate(counts, into);
        let end = early + self.width.value() - into;
        let reset = |counts: Counts| match counts {
            Counts { current: 0, previous: 0, .. } => 0,
            Counts { current: 0, .. } => end,
            _ => end + self.width.value(),
        };
        let verdict = |answer, spent: u32, retry_after, counts| Verdict {
            answer,
            remaining: self.limit.saturating_sub(spent),
            retry_after,
            reset: reset(counts),
            wait: 0,
        };
        if cost == 0 {
            return (word, verdict(Answer::Allowed, spent, 0, counts));
        }
        let kept = if jumped { counts.word() } else { word };
        match self.limit.checked_sub(cost) {
            None => (kept, verdict(Answer::Impossible, spent, 0, counts)),
            Some(room) if spent <= room => {
                let charged = Counts { current: counts.current + cost, ..counts };
                (charged.word(), verdict(Answer::Allowed, spent + cost, 0, charged))
            }
            Some(room) => (kept, verdict(Answer::Limited, spent, self.wait(&standing, room), counts)),
        }
    }

    /// Only into the window that was charged.
    fn refund(&self, word: u64, _now: Ticks, cost: u32, charged_at: Ticks) -> u64 {
        let counts = Counts::of(word);
        let charged = self.width.divide(charged_at).0 as u32 & ((1 << ID_BITS) - 1);
        if counts.id == charged {
            Counts { current: counts.current.saturating_sub(cost), ..counts }.word()
        } else {
            word
        }
    }

    #[inline]
    fn expired(&self, word: u64, now: Ticks) -> bool {
        let Standing { counts, early, .. } = self.standing(word, now);
        counts.is_empty() && early == 0
    }

    fn settle(&self, word: u64, now: Ticks) -> u64 {
        let Standing { counts, jumped, .. } = self.standing(word, now);
        if jumped { counts.word() } else { word }
    }

    fn join(&self, one: u64, other: u64) -> u64 {
        if Counts::of(one).is_empty() {
            return other;
        }
        if Counts::of(other).is_empty() {
            return one;
        }
        let (one, other) = Counts::aligned(one, other);
        let (previous, current) = (one.previous.max(other.previous), one.current.max(other.current));
        Counts { previous, current, ..one }.word()
    }

    fn meet(&self, one: u64, other: u64) -> u64 {
        if Counts::of(one).is_empty() || Counts::of(other).is_empty() {
            return 0;
        }
        let (one, other) = Counts::aligned(one, other);
        let (previous, current) = (one.previous.min(other.previous), one.current.min(other.current));
        Counts { previous, current, ..one }.word()
    }

    fn memory(&self) -> Ticks {
        self.width.value().saturating_mul(1 << (ID_BITS - 2))
    }
}
