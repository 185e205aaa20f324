//! GCRA, the token bucket on one word (ITU-T I.371, Annex A). Owns the arithmetic. Never reads time, locks or allocates.
//!
//! The word is the *theoretical arrival time* `tat`: the tick at which the bucket is full again. `tat ≤ now` means full,
//! so zero means "never seen".

use super::{Step, Ticks};

/// How far past a full debt a word may lie before it is taken for the leftover of a clock that jumped: one second.
///
/// Without the allowance, a thread that read the clock just before another charged would mistake that charge for a jump.
pub const SLACK: Ticks = 1_000_000_000;

/// A rate and its burst, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Ticks one unit takes to refill, `T`. At least 1.
    period: Ticks,
    /// Units a rested key may spend at once, `B`.
    burst: u32,
    /// `B·T`: how far ahead of now `tat` may lie. Below 2^62.
    tolerance: Ticks,
    /// `⌊2^64/T⌋`, or the largest word for `T = 1`: whole units of a span without a division.
    reciprocal: u64,
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
    /// Ticks until the bucket is full.
    pub reset: Ticks,
}

/// Yes, not now, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Admitted.
    Allowed,
    /// Denied until `retry_after` has passed.
    Limited,
    /// Denied for good: the cost is larger than the burst.
    Impossible,
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
                let reciprocal = u64::try_from((1u128 << 64) / u128::from(period)).unwrap_or(u64::MAX);
                Ok(Gcra { period, burst, tolerance, reciprocal })
            }
            _ => Err(Uncountable::TooLong),
        }
    }

    /// Ticks one unit takes to refill.
    pub fn period(&self) -> Ticks {
        self.period
    }

    /// Units a rested key may spend at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// `⌊span/T⌋`. The estimate is never above and at most one below, for spans below 2^64.
    fn units(&self, span: Ticks) -> u32 {
        let estimate = ((u128::from(span) * u128::from(self.reciprocal)) >> 64) as u64;
        let rest = span - estimate * self.period;
        (estimate + u64::from(rest >= self.period)) as u32
    }

    /// Where counting starts: `tat`, or now if that is past, or the full debt if `tat` was left behind by a clock that jumped.
    fn base(&self, tat: u64, now: Ticks) -> u64 {
        if tat > now.saturating_add(self.tolerance).saturating_add(SLACK) { now + self.tolerance } else { tat.max(now) }
    }

    fn charge(&self, tat: u64, now: Ticks, cost: u32) -> (u64, Verdict) {
        let base = self.base(tat, now);
        let held = |answer, retry_after| Verdict {
            answer,
            // Under a racing thread's later clock the debt may exceed the tolerance for a moment.
            remaining: self.units(self.tolerance.saturating_sub(base - now)),
            retry_after,
            reset: base - now,
        };
        if cost == 0 {
            return (tat, held(Answer::Allowed, 0));
        }
        // Only the leftover of a jumped clock is written back on a denial: nobody stays locked out for longer than the burst.
        let kept = if base < tat { base } else { tat };
        if cost > self.burst {
            return (kept, held(Answer::Impossible, 0));
        }
        let next = base + u64::from(cost) * self.period;
        let debt = next - now;
        if debt > self.tolerance {
            return (kept, held(Answer::Limited, debt - self.tolerance));
        }
        let remaining = self.units(self.tolerance - debt);
        (next, Verdict { answer: Answer::Allowed, remaining, retry_after: 0, reset: debt })
    }

    fn refund(&self, tat: u64, now: Ticks, cost: u32, charged_at: Ticks) -> u64 {
        if tat <= now {
            return tat;
        }
        let refilled = now.saturating_sub(charged_at);
        let owed = (u64::from(cost) * self.period).saturating_sub(refilled);
        tat.saturating_sub(owed).max(now)
    }
}

/// Spend `cost` units. A denial leaves the word as it was, so a storm of retries is free.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// The rate.
    pub rate: Gcra,
    /// Units asked for; 0 is free.
    pub cost: u32,
}

impl Step for Charge {
    type Verdict = Verdict;

    fn apply(&self, word: u64, now: Ticks) -> (u64, Verdict) {
        self.rate.charge(word, now, self.cost)
    }

    fn expired(&self, word: u64, now: Ticks) -> bool {
        word <= now
    }
}

/// Give back a charge of `cost` made at `charged_at`, less what has refilled by itself since.
///
/// Subtracting the whole cost would over-admit: with a burst of 10 and one unit a tick, take 5 at 0 and 3 at 3, give back the
/// 5 whole, and 10 are free at 3, which makes 13 at once.
#[derive(Clone, Copy, Debug)]
pub struct Refund {
    /// The rate.
    pub rate: Gcra,
    /// Units of the charge; never more than the burst.
    pub cost: u32,
    /// When it was made.
    pub charged_at: Ticks,
}

impl Step for Refund {
    type Verdict = ();

    fn apply(&self, word: u64, now: Ticks) -> (u64, ()) {
        (self.rate.refund(word, now, self.cost, self.charged_at), ())
    }

    fn expired(&self, word: u64, now: Ticks) -> bool {
        word <= now
    }
}
