//! One limit of a limiter: a rule over cells of its own. Owns which clock it goes by, plans that differ from it, and which
//! charges a reset has made void. Never counts decisions.

use crate::clock::{MILLI, Moment, Nanos};
use crate::error::{Code, Fault};
use crate::policy::fixed_window::FixedWindow;
use crate::policy::gcra::{Gcra, Reserve, Uncountable};
use crate::policy::rate::{Charge, Refund, Verdict};
use crate::policy::sliding_window::{MAX_LIMIT, SlidingWindow};
use crate::store::cells::Cells;
use crate::store::fingerprint::Fingerprint;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The finest local rate: one unit per 100 ns.
const FLOOR: Nanos = 100;

/// Places that remember resets. Two keys in one place cost each other a refund now and then, never a unit too much.
const RESETS: usize = 64;

/// How far ahead of now a bucket's word may lie.
const FARTHEST: Nanos = (1 << 62) - 1;

/// Lengths of windows that the plans of one limit may have beside its own.
const WINDOWS: usize = 16;

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// GCRA.
    TokenBucket,
    /// So many in each window of the calendar.
    FixedWindow,
    /// So many in any window's length, by estimate.
    SlidingWindow,
}

/// What a limit is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitConfig {
    /// Its name: the limiter's, or one of its own among several.
    pub name: String,
    /// How it counts.
    pub algorithm: Algorithm,
    /// Units a window refills, or holds.
    pub limit: u32,
    /// The window, in milliseconds.
    pub window_ms: f64,
    /// Units at once; the limit, for windows.
    pub burst: u32,
    /// Keys with a cell of their own.
    pub max_keys: u32,
    /// Whether it counts without denying.
    pub shadow: bool,
    /// Where each of these came from.
    #[serde(skip)]
    pub provenance: Provenance,
}

/// Where values came from, as a snapshot tells it. Equal to any other: the same values from elsewhere are the same.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Provenance(pub serde_json::Value);

impl PartialEq for Provenance {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// What a snapshot says of a limit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitReport {
    #[serde(flatten)]
    config: LimitConfig,
    provenance: Provenance,
    keys: usize,
    overflowed: u64,
}

/// An algorithm with its numbers.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// On the monotonic clock.
    TokenBucket(Gcra),
    /// On the calendar.
    FixedWindow(FixedWindow),
    /// On the calendar.
    SlidingWindow(SlidingWindow),
}

/// A rate that takes the place of a limit's own, for one call. Made for that limit: see [`Limit::plan`].
#[derive(Clone)]
pub struct Plan {
    rule: Rule,
    /// Cells apart, for windows of another length.
    apart: Option<Arc<Cells>>,
}

/// One limit.
pub struct Limit {
    config: LimitConfig,
    rule: Rule,
    cells: Cells,
    /// Cells of the plans with windows of another length, by that length: the numbers of one mean nothing to the other.
    apart: RwLock<Vec<(Rule, Arc<Cells>)>>,
    /// The resets of the keys of each place.
    resets: [Resets; RESETS],
    /// How far ahead a bucket's word may lie and mean it: what the most patient reservation, or the widest plan, has needed so far.
    reach: AtomicU64,
    /// The same, once every thread goes by it: never more than `reach`.
    granted: AtomicU64,
    granting: Mutex<()>,
}

/// Resets of some keys. A charge from before one gives nothing back: what it spent is forgotten already.
#[derive(Default)]
struct Resets {
    /// When the last one was.
    at: AtomicU64,
    /// How many have begun, and how many have ended: never more.
    begun: AtomicU64,
    ended: AtomicU64,
}

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
    /// Resets of its place that had ended before it.
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

impl Limit {
    /// A limit nobody has asked yet.
    pub fn new(config: &LimitConfig) -> Result<Self, Fault> {
        let rule = rule(config.algorithm, config.limit, config.window_ms, config.burst)?;
        let reach = if let Rule::TokenBucket(bucket) = &rule { bucket.tolerance() } else { 0 };
        Ok(Limit {
            rule,
            cells: Cells::new(config.max_keys as usize),
            apart: RwLock::default(),
            config: config.clone(),
            resets: std::array::from_fn(|_| Resets::default()),
            reach: AtomicU64::new(reach),
            granted: AtomicU64::new(reach),
            granting: Mutex::new(()),
        })
    }

    /// Whether it goes by the calendar.
    #[inline]
    pub fn is_calendar(&self) -> bool {
        !matches!(self.rule, Rule::TokenBucket(_))
    }

    /// Whether it counts without denying.
    #[inline]
    pub fn is_shadow(&self) -> bool {
        self.config.shadow
    }

    /// Bytes of its cells.
    pub fn bytes(&self) -> usize {
        self.sum(Cells::bytes)
    }

    /// Keys that have a cell, live or expired.
    pub fn keys(&self) -> usize {
        self.sum(Cells::len)
    }

    /// Charges that were made in the sketch.
    pub fn overflowed(&self) -> u64 {
        self.sum(|cells| cells.overflowed() as usize) as u64
    }

    fn sum(&self, of: impl Fn(&Cells) -> usize) -> usize {
        of(&self.cells) + self.apart.read().iter().map(|(_, cells)| of(cells)).sum::<usize>()
    }

    /// Configuration and state.
    pub fn report(&self) -> LimitReport {
        LimitReport {
            config: self.config.clone(),
            provenance: self.config.provenance.clone(),
            keys: self.keys(),
            overflowed: self.overflowed(),
        }
    }

    /// Another rate for some of its keys. What is not given is as in the limit.
    pub fn plan(&self, limit: Option<u32>, window_ms: Option<f64>, burst: Option<u32>) -> Result<Plan, Fault> {
        let LimitConfig { algorithm, window_ms: own, .. } = self.config;
        let burst = burst.or(limit).unwrap_or(self.config.burst);
        let window_ms = window_ms.unwrap_or(own);
        let rule = rule(algorithm, limit.unwrap_or(self.config.limit), window_ms, burst)?;
        match &rule {
            // A bucket's word is a time, which any rate can read.
            Rule::TokenBucket(bucket) => self.reach_for(bucket.tolerance()),
            _ if window_ms != own => return Ok(Plan { apart: Some(self.cells_apart(&rule)?), rule }),
            _ => {}
        }
        Ok(Plan { rule, apart: None })
    }

    /// The cells for windows as long as the rule's, which are not its own.
    fn cells_apart(&self, rule: &Rule) -> Result<Arc<Cells>, Fault> {
        let find = |apart: &[(Rule, Arc<Cells>)]| {
            apart.iter().find(|(other, _)| other.width() == rule.width()).map(|(_, cells)| cells.clone())
        };
        if let Some(cells) = find(&self.apart.read()) {
            return Ok(cells);
        }
        let mut apart = self.apart.write();
        if let Some(cells) = find(&apart) {
            return Ok(cells);
        }
        if apart.len() >= WINDOWS {
            return Err(Fault::new(
                Code::Option,
                format!(
                    "the plans of \"{}\" have {WINDOWS} windows of different lengths already; windows count apart from each other, \
                     and each length takes memory: open a limiter for each",
                    self.config.name
                ),
            ));
        }
        let cells = Arc::new(Cells::new(self.config.max_keys as usize));
        apart.push((*rule, cells.clone()));
        Ok(cells)
    }

    /// How it counts for a key on a plan, or at its own rate.
    #[inline]
    pub fn counting<'a>(&'a self, plan: Option<&'a Plan>) -> Counting<'a> {
        match plan {
            None => Counting { limit: self, rule: &self.rule, cells: &self.cells },
            Some(Plan { rule, apart }) => {
                Counting { limit: self, rule, cells: apart.as_deref().unwrap_or(&self.cells) }
            }
        }
    }

    /// Forget the key.
    pub fn reset(&self, key: Fingerprint, now: Moment) {
        let Some(resets) = self.resets_of(key) else { return };
        resets.begun.fetch_add(1, Ordering::AcqRel);
        resets.at.fetch_max(self.time(now), Ordering::AcqRel);
        self.cells.remove(key);
        for (_, cells) in self.apart.read().iter() {
            cells.remove(key);
        }
        resets.ended.fetch_add(1, Ordering::AcqRel);
    }

    fn resets_of(&self, key: Fingerprint) -> Option<&Resets> {
        self.resets.get((key.high % RESETS as u64) as usize)
    }

    /// The time on the clock it goes by.
    #[inline]
    fn time(&self, now: Moment) -> Nanos {
        if self.is_calendar() { now.wall } else { now.mono }
    }

    /// Let words lie farther ahead. A thread that does not know it yet would take such a word for the leftover of a clock that
    /// jumped, so none is written before every thread knows.
    fn reach_for(&self, needed: Nanos) {
        if needed <= self.granted.load(Ordering::Acquire) {
            return;
        }
        let _one_at_a_time = self.granting.lock();
        if needed > self.granted.load(Ordering::Acquire) {
            // Doubled, so that a caller who asks for a little more each time does not wait for all readers each time.
            let reach = needed.saturating_mul(2).min(FARTHEST);
            self.reach.store(reach, Ordering::Release);
            self.cells.wait_for_readers();
            self.granted.store(reach, Ordering::Release);
        }
    }
}

impl Counting<'_> {
    /// Charge; or, with patience and a token bucket, reserve.
    #[inline]
    pub fn charge(&self, key: Fingerprint, cost: u32, patience: Option<Nanos>, now: Moment) -> Option<Verdict> {
        if let Some(patience) = patience {
            let Rule::TokenBucket(bucket) = self.rule else { return None };
            let patience = bounded(patience, bucket);
            self.limit.reach_for(bucket.tolerance() + patience);
            let rate = || bucket.reaching(self.limit.reach.load(Ordering::Relaxed));
            return self.cells.update(key, now.mono, || Reserve { rate: rate(), cost, patience });
        }
        with_rate!(self, |rate| self.cells.update(key, self.limit.time(now), || Charge { rate: rate(), cost }))
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
        let forgotten =
            || self.limit.resets_of(key).is_some_and(|resets| charged_at <= resets.at.load(Ordering::Acquire));
        self.give_back(key, charged_at, now, || if forgotten() { 0 } else { cost });
    }

    /// What it will take to undo a charge that is about to be made.
    pub fn before(&self, key: Fingerprint) -> u64 {
        self.limit.resets_of(key).map_or(0, |resets| resets.ended.load(Ordering::Acquire))
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
        // None was running when it was made, and none has begun since.
        let forgotten =
            || self.limit.resets_of(key).is_some_and(|resets| resets.begun.load(Ordering::Acquire) != taken.resets);
        self.give_back(key, taken.charged_at, now, || if forgotten() { 0 } else { cost });
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

impl Rule {
    /// The length of its windows; 0 for a bucket, which has none.
    fn width(&self) -> Nanos {
        match self {
            Rule::TokenBucket(_) => 0,
            Rule::FixedWindow(window) => window.width(),
            Rule::SlidingWindow(window) => window.width(),
        }
    }
}

fn rule(algorithm: Algorithm, limit: u32, window_ms: f64, burst: u32) -> Result<Rule, Fault> {
    let window = (window_ms * MILLI as f64).round() as Nanos;
    match algorithm {
        Algorithm::TokenBucket => Gcra::new(limit, window, burst, FLOOR).map(Rule::TokenBucket).map_err(|why| match why {
            Uncountable::TooFine => Fault::new(
                Code::RateTooFine,
                format!(
                    "`limit` {limit} in a `window` of {window_ms} ms is more than one unit per 100 ns, the finest rate that can \
                     be counted; a larger `cost` per call with a smaller `limit` says the same"
                ),
            ),
            Uncountable::TooLong => Fault::new(
                Code::Option,
                format!(
                    "`burst` {burst} at `limit` {limit} per {window_ms} ms takes over 146 years to refill; use a smaller `burst` \
                     or `window`"
                ),
            ),
        }),
        Algorithm::FixedWindow => Ok(Rule::FixedWindow(FixedWindow::new(limit, window))),
        Algorithm::SlidingWindow if limit > MAX_LIMIT => Err(Fault::new(
            Code::Option,
            format!(
                "`limit` {limit} is more than a sliding window can hold, {MAX_LIMIT}; use a token bucket or a fixed window, or \
                 let a `limit` of {MAX_LIMIT} or less count larger units"
            ),
        )),
        Algorithm::SlidingWindow => Ok(Rule::SlidingWindow(SlidingWindow::new(limit, window))),
    }
}
