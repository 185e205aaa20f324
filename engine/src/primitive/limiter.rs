//! The limiter: GCRA over capped cells. Owns configuration, counters and what a refund may give back.
//! Never throws for a "no", and never writes on one.

use super::life::Life;
use super::tally::{Stripe, Tally};
use crate::clock::{MILLI, Nanos};
use crate::error::{Code, Fault};
use crate::policy::gcra::{Answer, Charge, Gcra, Refund, Uncountable, Verdict};
use crate::store::cells::Cells;
use crate::store::fingerprint::Fingerprint;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The finest local rate: one unit per 100 ns.
const FLOOR: Nanos = 100;

/// Places that remember resets. Two keys in one place cost each other a refund now and then, never a unit too much.
const RESETS: usize = 64;

/// What a limiter is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimiterConfig {
    /// Units a window refills.
    pub limit: u32,
    /// The window, in milliseconds.
    pub window_ms: f64,
    /// Units at once.
    pub burst: u32,
    /// Keys with a cell of their own.
    pub max_keys: u32,
}

const ALLOWED: usize = 0;
const LIMITED: usize = 1;

/// One limiter, shared by all threads.
pub struct Limiter {
    config: LimiterConfig,
    rate: Gcra,
    cells: Cells,
    /// When a key of each place was last reset. A charge from before gives nothing back: what it spent is forgotten already.
    resets: [AtomicU64; RESETS],
    tally: Tally<2>,
    life: Life,
}

/// What a snapshot says of a limiter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimiterReport {
    config: LimiterConfig,
    keys: usize,
    overflowed: u64,
    allowed: u64,
    limited: u64,
}

impl Limiter {
    /// A limiter nobody has asked yet.
    pub fn new(config: LimiterConfig) -> Result<Self, Fault> {
        let window = (config.window_ms * MILLI as f64).round() as Nanos;
        let rate = Gcra::new(config.limit, window, config.burst, FLOOR).map_err(|why| match why {
            Uncountable::TooFine => Fault::new(
                Code::RateTooFine,
                format!(
                    "`limit` {} in a `window` of {} ms is more than one unit per 100 ns, the finest rate that can be counted; \
                     a larger `cost` per call with a smaller `limit` says the same",
                    config.limit, config.window_ms
                ),
            ),
            Uncountable::TooLong => Fault::new(
                Code::Option,
                format!(
                    "`burst` {} at `limit` {} per {} ms takes over 146 years to refill; use a smaller `burst` or `window`",
                    config.burst, config.limit, config.window_ms
                ),
            ),
        })?;
        Ok(Limiter {
            cells: Cells::new(config.max_keys as usize),
            rate,
            config,
            resets: std::array::from_fn(|_| AtomicU64::new(0)),
            tally: Tally::default(),
            life: Life::default(),
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &LimiterConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Bytes of its cells.
    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    fn reset_at(&self, key: Fingerprint) -> Option<&AtomicU64> {
        self.resets.get((key.high % RESETS as u64) as usize)
    }

    /// State and counters.
    pub fn report(&self) -> LimiterReport {
        let [allowed, limited] = self.tally.sums();
        LimiterReport {
            config: self.config.clone(),
            keys: self.cells.len(),
            overflowed: self.cells.overflowed(),
            allowed,
            limited,
        }
    }
}

/// One thread's way to a limiter.
pub struct LimiterHandle {
    limiter: Arc<Limiter>,
    stripe: Arc<Stripe<2>>,
    /// The stripe has one writer: a handle may move to another thread, but never be used by two.
    one_thread: PhantomData<Cell<()>>,
}

impl LimiterHandle {
    /// A handle with counters of its own.
    pub fn new(limiter: Arc<Limiter>) -> Self {
        LimiterHandle { stripe: limiter.tally.stripe(), limiter, one_thread: PhantomData }
    }

    /// The limiter itself.
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Spend `cost` units of `key`. None only for a store without shards, which does not exist.
    pub fn consume(&self, key: Fingerprint, cost: u32, now: Nanos) -> Option<Verdict> {
        let verdict = self.limiter.cells.update(key, now, &Charge { rate: self.limiter.rate, cost })?;
        self.stripe.add(if verdict.answer == Answer::Allowed { ALLOWED } else { LIMITED }, 1);
        Some(verdict)
    }

    /// What `consume` would answer, spending nothing. What is left is what is left now.
    pub fn peek(&self, key: Fingerprint, cost: u32, now: Nanos) -> Option<Verdict> {
        let asked = self.limiter.cells.look(key, now, &Charge { rate: self.limiter.rate, cost })?;
        let held = self.limiter.cells.look(key, now, &Charge { rate: self.limiter.rate, cost: 0 })?;
        Some(Verdict { remaining: held.remaining, reset: held.reset, ..asked })
    }

    /// Give back a charge of `cost` made at `charged_at`, less what has refilled since.
    pub fn refund(&self, key: Fingerprint, cost: u32, charged_at: Nanos, now: Nanos) {
        let forgotten = self.limiter.reset_at(key).is_some_and(|at| charged_at <= at.load(Ordering::Acquire));
        if !forgotten {
            self.limiter.cells.update(key, now, &Refund { rate: self.limiter.rate, cost, charged_at });
        }
    }

    /// Forget the key.
    pub fn reset(&self, key: Fingerprint, now: Nanos) {
        if let Some(at) = self.limiter.reset_at(key) {
            at.fetch_max(now, Ordering::AcqRel);
        }
        self.limiter.cells.remove(key);
    }
}
