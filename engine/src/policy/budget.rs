//! The retry budget, on one word. Owns who may have an extra attempt. Never reads time and never counts calls by itself.
//!
//! ```text
//! 63              40 39                24 23                     0
//! |    second:24    |     used:16       |      deposits:24        |
//! ```
//!
//! - `second` is the number of the second that `used` counts for, modulo 2^24. Any other second has used nothing.
//! - `used ≤ floor`: extra attempts of this second that no deposit paid for.
//! - `deposits ≤ CAP`, in millionths of an extra attempt.
//!
//! A call deposits a share of an attempt, and an extra attempt takes a whole one (Google's Site Reliability Engineering, chapter 21,
//! and Finagle's `RetryBudget`). The floor is for services so quiet that shares add up to nothing in time. So of N calls in T
//! whole seconds at most `ratio · N + floor · T` have an extra attempt, plus what was saved up before, at most ten.

use super::Ticks;

/// One extra attempt, in deposits.
pub const ATTEMPT: u64 = 1_000_000;

/// What can be saved up: ten extra attempts. A healthy hour must not pay for a storm.
const CAP: u64 = 10 * ATTEMPT;

const SECOND: Ticks = 1_000_000_000;
/// Seconds that somebody may be behind. More is no thread that was slow: the number of the second has wrapped.
const SLACK: u64 = 60;
const SECOND_BITS: u64 = (1 << 24) - 1;
const USED_BITS: u64 = (1 << 16) - 1;
const DEPOSIT_BITS: u64 = (1 << 24) - 1;

/// How many extra attempts calls pay for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What one call deposits. At most [`ATTEMPT`].
    pub deposit: u64,
    /// Extra attempts a second that cost nothing.
    pub floor: u16,
}

/// What a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Whole extra attempts that are paid for.
    pub deposited: u32,
    /// Those of this second that cost nothing and are left.
    pub floor: u16,
}

impl Budget {
    /// An extra attempt at `now`, after `calls` calls that have not yet been deposited for. Answers the word, and whether it may be.
    pub fn take(&self, word: u64, now: Ticks, calls: u64) -> (u64, bool) {
        let (second, used) = used(word, now);
        let deposits = (word & DEPOSIT_BITS).saturating_add(self.deposit.saturating_mul(calls)).min(CAP);
        if deposits >= ATTEMPT {
            (pack(second, used, deposits - ATTEMPT), true)
        } else if used < u64::from(self.floor) {
            (pack(second, used + 1, deposits), true)
        } else {
            (pack(second, used, deposits), false)
        }
    }

    /// What is left at `now`.
    pub fn balance(&self, word: u64, now: Ticks) -> Balance {
        let (_, used) = used(word, now);
        Balance { deposited: ((word & DEPOSIT_BITS) / ATTEMPT) as u32, floor: self.floor.saturating_sub(used as u16) }
    }
}

/// The second that `now` counts for, and what was used of it. Who looked at the clock before another and comes after counts for the
/// second of the other.
fn used(word: u64, now: Ticks) -> (u64, u64) {
    let (stored, second) = (word >> 40, second_of(now));
    let behind = stored.wrapping_sub(second) & SECOND_BITS;
    if behind < SLACK { (stored, word >> 24 & USED_BITS) } else { (second, 0) }
}

fn second_of(now: Ticks) -> u64 {
    (now / SECOND) & SECOND_BITS
}

fn pack(second: u64, used: u64, deposits: u64) -> u64 {
    second << 40 | used << 24 | deposits
}
