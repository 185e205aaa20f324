//! The limiter: limits over capped cells, and keys that are blocked. Owns configuration and counters. Never throws for a "no", and
//! never writes on one.

use super::life::Life;
use super::limit::{Limit, LimitConfig, LimitReport, Plan};
use super::tally::{Stripe, Tally};
use super::together;
pub use super::together::{Ask, Decision, Reason, consume_all};
use crate::clock::{Moment, Nanos};
use crate::error::{Code, Fault};
use crate::policy::rate::{Answer, Verdict};
use crate::store::blocks::Blocks;
use crate::store::fingerprint::Fingerprint;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

/// What a limiter is made of. All of its limits pass, or none is charged.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LimiterConfig {
    /// At least one.
    pub limits: Vec<LimitConfig>,
}

/// What is counted, by place in the tally.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Allowed,
    Limited,
    Blocked,
    Shadowed,
}

/// One limiter, shared by all threads.
pub struct Limiter {
    config: LimiterConfig,
    /// As many as in the configuration.
    limits: Box<[Limit]>,
    /// What its limits go by.
    reads: Reads,
    /// Keys that are blocked, with the time until when. Made by the first block.
    blocks: OnceLock<Blocks>,
    tally: Tally<4>,
    life: Life,
}

/// What a snapshot says of a limiter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimiterReport {
    /// Of the first limit, which for most is the only one.
    config: Option<LimitConfig>,
    limits: Vec<LimitReport>,
    /// Cells of all limits.
    keys: usize,
    /// Keys that are blocked, or were and have not been looked at since.
    blocked_keys: usize,
    allowed: u64,
    limited: u64,
    blocked: u64,
    shadowed: u64,
    overflowed: u64,
    bytes: usize,
}

/// Which clocks a limiter goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The monotonic one.
    pub mono: bool,
    /// The calendar's.
    pub wall: bool,
}

impl Limiter {
    /// A limiter nobody has asked yet.
    pub fn new(config: LimiterConfig) -> Result<Self, Fault> {
        if config.limits.is_empty() {
            return Err(Fault::new(Code::Option, "a limiter needs at least one limit"));
        }
        let limits = config.limits.iter().map(Limit::new).collect::<Result<Box<[_]>, _>>()?;
        Ok(Limiter {
            reads: Reads {
                mono: limits.iter().any(|limit| !limit.is_calendar()),
                wall: limits.iter().any(Limit::is_calendar),
            },
            limits,
            blocks: OnceLock::new(),
            config,
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
        self.limits.iter().map(Limit::bytes).sum::<usize>() + self.blocks.get().map_or(0, Blocks::bytes)
    }

    /// Which clocks whoever asks it has to read.
    #[inline]
    pub fn reads(&self) -> Reads {
        Reads { mono: self.reads.mono || self.blocks.get().is_some(), wall: self.reads.wall }
    }

    /// Whether units can be reserved: every limit is a token bucket.
    pub fn is_reservable(&self) -> bool {
        !self.reads.wall
    }

    /// Another rate for some keys. Only a limiter of one limit has plans; of several, each would need its own.
    pub fn plan(&self, limit: Option<u32>, window_ms: Option<f64>, burst: Option<u32>) -> Result<Plan, Fault> {
        match &*self.limits {
            [one] => one.plan(limit, window_ms, burst),
            _ => Err(Fault::new(Code::Option, "a limiter of several limits takes no override")),
        }
    }

    /// State and counters.
    pub fn report(&self) -> LimiterReport {
        let [allowed, limited, blocked, shadowed] = self.tally.sums();
        LimiterReport {
            config: self.config.limits.first().cloned(),
            limits: self.limits.iter().map(Limit::report).collect(),
            keys: self.limits.iter().map(Limit::keys).sum(),
            blocked_keys: self.blocks.get().map_or(0, Blocks::len),
            allowed,
            limited,
            blocked,
            shadowed,
            overflowed: self.limits.iter().map(Limit::overflowed).sum(),
            bytes: self.bytes(),
        }
    }

    /// Its limits, in the order of the configuration.
    pub(super) fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// How much longer the key is blocked, if it is.
    #[inline]
    pub(super) fn blocked_for(&self, key: Fingerprint, now: Moment) -> Option<Nanos> {
        let blocks = self.blocks.get()?;
        // A caller that has not read the clock asked before the first block was there.
        if now.mono == 0 {
            return None;
        }
        blocks.left(key, now.mono)
    }
}

/// One thread's way to a limiter.
pub struct LimiterHandle {
    limiter: Arc<Limiter>,
    stripe: Arc<Stripe<4>>,
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

    #[inline]
    pub(super) fn count(&self, count: Count) {
        self.stripe.add(count as usize, 1);
    }

    /// As [`LimiterHandle::consume`] where there is but one limit to ask, as for most: then its verdict says all. None where there
    /// is more to it, and nothing was charged.
    // Not left to the optimiser: what else is in the crate would change its mind, at a third of the price of a call.
    #[inline(always)]
    pub fn consume_simply(&self, key: Fingerprint, cost: u32, now: Moment) -> Option<Verdict> {
        let verdict = self.only_limit()?.counting(None).charge(key, cost, now)?;
        self.count(if verdict.answer == Answer::Allowed { Count::Allowed } else { Count::Limited });
        Some(verdict)
    }

    /// The limit, where there is one that counts and no key has been blocked.
    #[inline(always)]
    pub(super) fn only_limit(&self) -> Option<&Limit> {
        match &*self.limiter.limits {
            [limit] if !limit.is_shadow() && self.limiter.blocks.get().is_none() => Some(limit),
            _ => None,
        }
    }

    /// Spend `cost` units of `key`. None only for a store without room, which does not exist.
    #[inline]
    pub fn consume(&self, key: Fingerprint, cost: u32, now: Moment) -> Option<Decision> {
        match self.consume_simply(key, cost, now) {
            Some(verdict) => {
                Some(Decision { reason: Reason::of(verdict.answer), shadowed: false, spoke: (0, 0), verdict })
            }
            None => consume_all(&[Ask { handle: self, key, cost, plan: None }], now),
        }
    }

    /// What `consume` would answer, spending nothing. What is left is what is left now.
    pub fn peek(&self, key: Fingerprint, cost: u32, plan: Option<&Plan>, now: Moment) -> Option<Decision> {
        together::peek(Ask { handle: self, key, cost, plan }, now)
    }

    /// Spend `cost` units as soon as they are free, if that is within `patience`. Only for a limiter whose limits are all token
    /// buckets; None otherwise.
    pub fn reserve(&self, key: Fingerprint, cost: u32, patience: Nanos, now: Moment) -> Option<Decision> {
        if !self.limiter.is_reservable() {
            return None;
        }
        together::take(&[Ask { handle: self, key, cost, plan: None }], Some(patience), now)
    }

    /// Give back a charge made at `charged_at`, less what has refilled since; whether it went through only because of a shadow.
    pub fn refund(ask: Ask<'_>, shadowed: bool, charged_at: Moment, now: Moment) {
        together::refund(ask, shadowed, charged_at, now);
    }

    /// Forget the key. A block of it stays.
    pub fn reset(&self, key: Fingerprint, now: Moment) {
        for limit in &self.limiter.limits {
            limit.reset(key, now);
        }
    }

    /// Deny the key everything until `until`, on the monotonic clock. False if more keys are blocked than the limiter may hold.
    pub fn block(&self, key: Fingerprint, until: Nanos, now: Moment) -> bool {
        let max_keys = self.limiter.config.limits.iter().map(|limit| limit.max_keys).max().unwrap_or(1);
        let blocks = self.limiter.blocks.get_or_init(|| Blocks::new(max_keys as usize));
        blocks.block(key, until, now.mono)
    }

    /// Lift the block of a key. Whether there was one.
    pub fn unblock(&self, key: Fingerprint, now: Moment) -> bool {
        let was = self.limiter.blocked_for(key, now).is_some();
        if let Some(blocks) = self.limiter.blocks.get() {
            blocks.lift(key);
        }
        was
    }
}
