//! GCRA, the token bucket on one word (ITU-T I.371, Annex A). Owns the arithmetic. Never reads time, locks or allocates.
//!
//! The word is the *theoretical arrival time* `tat`: the tick at which the bucket is full again. `tat ≤ now` means full,
//! so zero means "never seen".

use super::divisor::Divisor;
use super::rate::{Answer, Rate, SLACK, Verdict, lattice};
use super::{Step, Ticks};

/// A rate and its burst, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Ticks one unit takes to refill, `T`. At least 1.
    period: Divisor,
    /// Units a rested key may spend at once, `B`.
    burst: u32,
    /// `B·T`: how far ahead of now `tat` may lie. Below 2^62.
    tolerance: Ticks,
    /// How far a reservation, or a charge at another rate of the same key, may have put it. Below 2^62.
    reach: Ticks,
}

/// Why a rate cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncountable {
    /// A unit would take fewer ticks than the floor.
    TooFine,
    /// `burst · period` does not fit the word.
    TooLong,
}

impl Gcra {
    /// `limit` units per `window` ticks, `burst` at once. The period is rounded up, so the rate is never faster than asked;
    /// one below `floor` ticks is refused, because rounding would then distort it.
    pub fn new(limit: u32, window: Ticks, burst: u32, floor: Ticks) -> Result<Self, Uncountable> {
        let period = window.div_ceil(u64::from(limit.max(1)));
        if period < floor.max(1) {
            return Err(Uncountable::TooFine);
        }
        match period.checked_mul(u64::from(burst)) {
            Some(tolerance) if tolerance < 1 << 62 => {
                Ok(Gcra { period: Divisor::new(period), burst, tolerance, reach: tolerance })
            }
            _ => Err(Uncountable::TooLong),
        }
    }

    /// The same rate where words may lie `reach` ticks ahead and mean it.
    #[inline]
    pub fn reaching(self, reach: Ticks) -> Self {
        Gcra { reach, ..self }
    }

    /// Ticks one unit takes to refill.
    pub fn period(&self) -> Ticks {
        self.period.value()
    }

    /// Units a rested key may spend at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// How far ahead of now a word may lie by charges at this rate.
    pub fn tolerance(&self) -> Ticks {
        self.tolerance
    }

    /// Whole units that refill in `span`.
    #[inline]
    fn units(&self, span: Ticks) -> u32 {
        self.period.divide(span).0 as u32
    }

    /// Where counting starts: `tat`, or now if that is past, or the full debt if `tat` was left behind by a clock that jumped.
    #[inline]
    fn base(&self, tat: u64, now: Ticks) -> u64 {
        self.settle(tat, now).max(now)
    }

    /// Charge, with the debt allowed to exceed the tolerance by `patience`: then the caller waits before it begins.
    // As the limiter's `consume_simply`.
    #[inline(always)]
    fn charge_within(&self, tat: u64, now: Ticks, cost: u32, patience: Ticks) -> (u64, Verdict) {
        let base = self.base(tat, now);
        let held = |answer, retry_after| Verdict {
            answer,
            // After a reservation, or under a racing thread's later clock, the debt exceeds the tolerance.
            remaining: self.units(self.tolerance.saturating_sub(base - now)),
            retry_after,
            reset: base - now,
            wait: 0,
        };
        if cost == 0 {
            return (tat, held(Answer::Allowed, 0));
        }
        // Only the leftover of a jumped clock is written back on a denial: nobody stays locked out for longer than the burst.
        let kept = if base < tat { base } else { tat };
        if cost > self.burst {
            return (kept, held(Answer::Impossible, 0));
        }
        let next = base + u64::from(cost) * self.period();
        let debt = next - now;
        if debt > self.tolerance + patience {
            return (kept, held(Answer::Limited, debt - self.tolerance - patience));
        }
        let remaining = self.units(self.tolerance.saturating_sub(debt));
        let wait = debt.saturating_sub(self.tolerance);
        (next, Verdict { answer: Answer::Allowed, remaining, retry_after: 0, reset: debt, wait })
    }
}

impl Rate for Gcra {
    #[inline]
    fn charge(&self, tat: u64, now: Ticks, cost: u32) -> (u64, Verdict) {
        self.charge_within(tat, now, cost, 0)
    }

    /// What has refilled by itself since the charge is not given back.
    ///
    /// Subtracting the whole cost would over-admit: with a burst of 10 and one unit a tick, take 5 at 0 and 3 at 3, give back
    /// the 5 whole, and 10 are free at 3, which makes 13 at once.
    fn refund(&self, tat: u64, now: Ticks, cost: u32, charged_at: Ticks) -> u64 {
        if tat <= now {
            return tat;
        }
        let refilled = now.saturating_sub(charged_at);
        let owed = (u64::from(cost) * self.period()).saturating_sub(refilled);
        tat.saturating_sub(owed).max(now)
    }

    #[inline]
    fn expired(&self, tat: u64, now: Ticks) -> bool {
        tat <= now
    }

    #[inline]
    fn settle(&self, tat: u64, now: Ticks) -> u64 {
        let farthest = now.saturating_add(self.tolerance.max(self.reach)).saturating_add(SLACK);
        if tat > farthest { now + self.tolerance } else { tat }
    }
}

/// Spend `cost` units ahead of time: admitted if they are free within `patience` ticks; the verdict says how long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    /// The rate, patient enough for every reservation of the key.
    pub rate: Gcra,
    /// Units asked for; 0 is free.
    pub cost: u32,
    /// The longest wait, in ticks. With the tolerance below 2^62.
    pub patience: Ticks,
}

impl Step for Reserve {
    type Verdict = Verdict;

    fn apply(&self, word: u64, now: Ticks) -> (u64, Verdict) {
        self.rate.charge_within(word, now, self.cost, self.patience)
    }

    lattice!();
}
