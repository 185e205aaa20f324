//! One limit of a limiter: a rule over cells of its own. Owns which clock it goes by, plans that differ from it, resets, and how far
//! ahead its words may lie. Never counts decisions.

use super::counting::Counting;
pub use super::rule::Algorithm;
use super::rule::Rule;
use crate::clock::{Moment, Nanos};
use crate::error::{Code, Fault};
use crate::store::cells::Cells;
use crate::store::fingerprint::Fingerprint;
use crate::store::resets::Resets;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far ahead of now a bucket's word may lie.
pub(super) const FARTHEST: Nanos = (1 << 62) - 1;

/// Lengths of windows that the plans of one limit may have beside its own.
const WINDOWS: usize = 16;

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
    /// Cells of the plans with a window of another length, by that length: what is spent of one is not spent of the other.
    apart: RwLock<Vec<(u64, Arc<Cells>)>>,
    resets: Resets,
    /// How far ahead a bucket's word may lie and mean it: what the most patient reservation, or the widest plan, has needed so far.
    /// Of windows, for how long a charge may be given back.
    pub(super) reach: AtomicU64,
    /// The same, once every thread goes by it: never more than `reach`.
    granted: AtomicU64,
    granting: Mutex<()>,
}

impl Limit {
    /// A limit nobody has asked yet.
    pub fn new(config: &LimitConfig) -> Result<Self, Fault> {
        let rule = Rule::new(config.algorithm, config.limit, config.window_ms, config.burst)?;
        let reach = rule.reach();
        Ok(Limit {
            rule,
            cells: Cells::new(config.max_keys as usize),
            apart: RwLock::default(),
            config: config.clone(),
            resets: Resets::new(config.max_keys as usize),
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
        self.sum(Cells::bytes) + self.resets.bytes()
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

    /// Whether some of its keys are counted together.
    #[inline]
    pub(super) fn overflows(&self) -> bool {
        self.cells.overflows()
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
        let rule = Rule::new(algorithm, limit.unwrap_or(self.config.limit), window_ms, burst)?;
        self.reach_for(rule.reach());
        let apart = if window_ms == own { None } else { Some(self.cells_apart(window_ms)?) };
        Ok(Plan { rule, apart })
    }

    /// The cells for windows of another length than its own.
    fn cells_apart(&self, window_ms: f64) -> Result<Arc<Cells>, Fault> {
        let length = window_ms.to_bits();
        let find = |apart: &[(u64, Arc<Cells>)]| {
            apart.iter().find(|(other, _)| *other == length).map(|(_, cells)| cells.clone())
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
        apart.push((length, cells.clone()));
        Ok(cells)
    }

    /// How it counts for a key on a plan, or at its own rate.
    #[inline]
    pub fn counting<'a>(&'a self, plan: Option<&'a Plan>) -> Counting<'a> {
        match plan {
            None => Counting::new(self, &self.rule, &self.cells),
            Some(Plan { rule, apart }) => Counting::new(self, rule, apart.as_deref().unwrap_or(&self.cells)),
        }
    }

    /// Forget the key.
    pub fn reset(&self, key: Fingerprint, now: Moment) {
        self.resets.during(key, self.time(now), self.reach.load(Ordering::Acquire), || {
            self.cells.remove(key);
            for (_, cells) in self.apart.read().iter() {
                cells.remove(key);
            }
        });
    }

    /// The resets of its keys.
    pub(super) fn resets(&self) -> &Resets {
        &self.resets
    }

    /// The time on the clock it goes by.
    #[inline]
    pub(super) fn time(&self, now: Moment) -> Nanos {
        if self.is_calendar() { now.wall } else { now.mono }
    }

    /// Let words lie farther ahead. A thread that does not know it yet would take such a word for the leftover of a clock that
    /// jumped, so none is written before every thread knows.
    pub(super) fn reach_for(&self, needed: Nanos) {
        if needed <= self.granted.load(Ordering::Acquire) {
            return;
        }
        let _one_at_a_time = self.granting.lock();
        if needed > self.granted.load(Ordering::Acquire) {
            // Doubled, so that a caller who asks for a little more each time does not wait for all readers each time.
            let reach = needed.saturating_mul(2).min(FARTHEST);
            self.reach.store(reach, Ordering::Release);
            self.cells.wait_for_readers();
            for (_, cells) in self.apart.read().iter() {
                cells.wait_for_readers();
            }
            self.granted.store(reach, Ordering::Release);
        }
    }
}
