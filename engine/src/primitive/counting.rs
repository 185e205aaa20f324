//! One limit as it counts for one call: charge, look, refund, undo. Owns at which rate and in which cells, and which charges a reset
//! has made void. Never counts decisions.

use super::limit::{FARTHEST, Limit};
use super::rule::Rule;
use crate::clock::{Moment, Nanos};
use crate::policy::gcra::{Gcra, Reserve};
use crate::policy::rate::{Charge, Refund, Verdict};
use crate::store::cells::Cells;
use crate::store::fingerprint::Fingerprint;
use std::sync::atomic::Ordering;

/// A limit as it counts for one call: at its own rate or on a plan.
#[derive(Clone, Copy)]
pub struct Counting<'a> {
    limit: &'a Limit,
    rule: &'a Rule,
    cells: &'a Cells,
}

/// What it takes to undo a charge.
#[derive(Clone, Copy)]
pub struct Taken {
    /// A time in the window that was charged.
    charged_at: Nanos,
    /// Resets that had ended before it.
    resets: u64,
}

/// Runs `$body` with `$rate` making the rule's rate; a token bucket's reaches as far as any word of the limit may.
macro_rules! with_rate {
    ($counting:expr, |$rate:ident| $body:expr) => {
        match $counting.rule {
            Rule::TokenBucket(bucket) => {
                let $rate = || bucket.reaching($counting.limit.reach.load(Ordering::Relaxed));
                $body
            }
            Rule::FixedWindow(window) => {
                let $rate = || *window;
                $body
            }
            Rule::SlidingWindow(window) => {
                let $rate = || *window;
                $body
            }
        }
    };
}

impl<'a> Counting<'a> {
    pub(super) fn new(limit: &'a Limit, rule: &'a Rule, cells: &'a Cells) -> Self {
        Counting { limit, rule, cells }
    }

    /// Whether it counts without denying.
    pub(super) fn is_shadow(&self) -> bool {
        self.limit.is_shadow()
    }

    /// Charge.
    #[inline]
    pub fn charge(&self, key: Fingerprint, cost: u32, now: Moment) -> Option<Verdict> {
        with_rate!(self, |rate| self.cells.update(key, self.limit.time(now), || Charge { rate: rate(), cost }))
    }

    /// Charge as soon as the units are free, if that is within `patience`. None for what is no token bucket.
    pub fn reserve(&self, key: Fingerprint, cost: u32, patience: Nanos, now: Moment) -> Option<Verdict> {
        let Rule::TokenBucket(bucket) = self.rule else { return None };
        let patience = bounded(patience, bucket);
        self.limit.reach_for(bucket.tolerance() + patience);
        let rate = || bucket.reaching(self.limit.reach.load(Ordering::Relaxed));
        self.cells.update(key, now.mono, || Reserve { rate: rate(), cost, patience })
    }

    /// What a charge, or a reservation, would be answered with.
    pub fn look(&self, key: Fingerprint, cost: u32, patience: Option<Nanos>, now: Moment) -> Option<Verdict> {
        if let (Some(patience), Rule::TokenBucket(bucket)) = (patience, self.rule) {
            let patience = bounded(patience, bucket);
            let rate = || bucket.reaching(self.limit.reach.load(Ordering::Relaxed));
            return self.cells.look(key, now.mono, || Reserve { rate: rate(), cost, patience });
        }
        with_rate!(self, |rate| self.cells.look(key, self.limit.time(now), || Charge { rate: rate(), cost }))
    }

    /// Give back a charge made at `charged_at`.
    pub fn refund(&self, key: Fingerprint, cost: u32, charged_at: Moment, now: Moment) {
        let charged_at = self.limit.time(charged_at);
        // Asked under the lock of the key's cell: whoever finds a cell made after a reset sees that reset.
        let forgotten = || self.limit.resets().forgot(key, charged_at, self.limit.time(now));
        self.give_back(key, charged_at, now, || if forgotten() { 0 } else { cost });
    }

    /// Whether some of its keys are counted together, so that a charge cannot be undone for sure.
    pub(super) fn overflows(&self) -> bool {
        self.cells.overflows()
    }

    /// What it will take to undo a charge that is about to be made.
    pub fn before(&self) -> u64 {
        self.limit.resets().ended()
    }

    /// What it takes to undo a charge made at `now`.
    pub fn taken(&self, before: u64, verdict: &Verdict, now: Moment) -> Taken {
        let now = self.limit.time(now);
        let charged_at = match self.rule {
            Rule::TokenBucket(_) => now,
            Rule::FixedWindow(window) => window.charged_at(now, verdict),
            Rule::SlidingWindow(window) => window.charged_at(now, verdict),
        };
        Taken { charged_at, resets: before }
    }

    /// Give back a charge of this very moment, unless a reset may have forgotten it.
    pub fn undo(&self, key: Fingerprint, cost: u32, taken: Taken, now: Moment) {
        let owed = || if self.limit.resets().none_since(taken.resets) { cost } else { 0 };
        self.give_back(key, taken.charged_at, now, owed);
    }

    fn give_back(&self, key: Fingerprint, charged_at: Nanos, now: Moment, owed: impl Fn() -> u32) {
        with_rate!(self, |rate| {
            self.cells.update(key, self.limit.time(now), || Refund { rate: rate(), cost: owed(), charged_at });
        });
    }
}

/// With the tolerance, which is less, a patience must fit the word.
fn bounded(patience: Nanos, bucket: &Gcra) -> Nanos {
    patience.min(FARTHEST - bucket.tolerance())
}
