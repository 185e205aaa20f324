//! What every way to limit a rate has in common: the charge, its refund and the verdict. Never knows an algorithm by name.

use super::{Step, Ticks};

/// How far ahead of now a word may lie before it is taken for the leftover of a clock that jumped back: one second.
///
/// Without the allowance, a thread that read the clock just before another charged would mistake that charge for a jump.
pub const SLACK: Ticks = 1_000_000_000;

/// A rate that is counted in one word. Plain data: another engine can interpret it too.
pub trait Rate {
    /// Spend `cost` units. A denial leaves the word as it was, but for the leftover of a jumped clock; 0 is free.
    fn charge(&self, word: u64, now: Ticks, cost: u32) -> (u64, Verdict);

    /// The word after a charge of `cost` made at `charged_at` was given back; never less than if it had not been made.
    fn refund(&self, word: u64, now: Ticks, cost: u32, charged_at: Ticks) -> u64;

    /// As [`Step::expired`].
    fn expired(&self, word: u64, now: Ticks) -> bool;

    /// As [`Step::settle`].
    fn settle(&self, word: u64, now: Ticks) -> u64;

    /// As [`Step::join`].
    fn join(&self, one: u64, other: u64) -> u64 {
        one.max(other)
    }

    /// As [`Step::meet`].
    fn meet(&self, one: u64, other: u64) -> u64 {
        one.min(other)
    }

    /// As [`Step::memory`].
    fn memory(&self) -> Ticks {
        Ticks::MAX
    }
}

/// What a charge was answered with. Spans are ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the charge was made.
    pub answer: Answer,
    /// Whole units left.
    pub remaining: u32,
    /// Ticks until the same charge is admitted; 0 unless limited.
    pub retry_after: Ticks,
    /// Ticks until the key is as if nobody had charged it.
    pub reset: Ticks,
    /// Ticks to wait before a reservation begins; 0 for every other charge.
    pub wait: Ticks,
}

/// Yes, not now, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Admitted.
    Allowed,
    /// Denied until `retry_after` has passed.
    Limited,
    /// Denied for good: the cost is larger than what is ever free.
    Impossible,
}

/// Spend `cost` units.
#[derive(Clone, Copy, Debug)]
pub struct Charge<R> {
    /// The rate.
    pub rate: R,
    /// Units asked for; 0 is free.
    pub cost: u32,
}

/// Give back a charge of `cost` made at `charged_at`.
#[derive(Clone, Copy, Debug)]
pub struct Refund<R> {
    /// The rate.
    pub rate: R,
    /// Units of the charge; never more than it was.
    pub cost: u32,
    /// When it was made.
    pub charged_at: Ticks,
}

macro_rules! lattice {
    () => {
        #[inline]
        fn expired(&self, word: u64, now: Ticks) -> bool {
            self.rate.expired(word, now)
        }

        #[inline]
        fn settle(&self, word: u64, now: Ticks) -> u64 {
            self.rate.settle(word, now)
        }

        #[inline]
        fn join(&self, one: u64, other: u64) -> u64 {
            self.rate.join(one, other)
        }

        #[inline]
        fn meet(&self, one: u64, other: u64) -> u64 {
            self.rate.meet(one, other)
        }

        #[inline]
        fn memory(&self) -> Ticks {
            self.rate.memory()
        }
    };
}
pub(super) use lattice;

impl<R: Rate> Step for Charge<R> {
    type Verdict = Verdict;

    #[inline]
    fn apply(&self, word: u64, now: Ticks) -> (u64, Verdict) {
        self.rate.charge(word, now, self.cost)
    }

    lattice!();
}

impl<R: Rate> Step for Refund<R> {
    type Verdict = ();

    fn apply(&self, word: u64, now: Ticks) -> (u64, ()) {
        (self.rate.refund(word, now, self.cost, self.charged_at), ())
    }

    lattice!();
}
