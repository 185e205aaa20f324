//! What a limiter over Redis tells of itself. Owns its counters. Never asks Redis.

use super::credits::Credits;
use super::{FailMode, Mode, RemoteLimiter};
use crate::primitive::limit::LimitConfig;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) allowed: AtomicU64,
    pub(super) limited: AtomicU64,
    pub(super) blocked: AtomicU64,
    pub(super) shadowed: AtomicU64,
    /// Decided here, with credit or by a denial that is remembered.
    pub(super) leased: AtomicU64,
    /// The fail mode spoke.
    pub(super) unavailable: AtomicU64,
    /// Another application's data was found.
    pub(super) foreign: AtomicU64,
}

/// What a snapshot says of a limiter over Redis.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteLimiterReport {
    config: Option<LimitConfig>,
    limits: Vec<RemoteLimitReport>,
    fail_mode: FailMode,
    mode: Mode,
    share: u32,
    /// Keys of which something is remembered here.
    keys: usize,
    allowed: u64,
    limited: u64,
    blocked: u64,
    shadowed: u64,
    leased: u64,
    unavailable: u64,
    foreign: u64,
}

#[derive(Debug, Serialize)]
struct RemoteLimitReport {
    #[serde(flatten)]
    config: LimitConfig,
    provenance: serde_json::Value,
}

impl RemoteLimiter {
    /// State and counters.
    pub fn report(&self) -> RemoteLimiterReport {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let limits = self.config.limits.iter();
        RemoteLimiterReport {
            config: self.config.limits.first().cloned(),
            limits: limits
                .map(|config| RemoteLimitReport { provenance: config.provenance.0.clone(), config: config.clone() })
                .collect(),
            fail_mode: self.config.fail_mode,
            mode: self.config.mode,
            share: self.share(),
            keys: self.credits.as_ref().map_or(0, Credits::len),
            allowed: count(&self.counts.allowed),
            limited: count(&self.counts.limited),
            blocked: count(&self.counts.blocked),
            shadowed: count(&self.counts.shadowed),
            leased: count(&self.counts.leased),
            unavailable: count(&self.counts.unavailable),
            foreign: count(&self.counts.foreign),
        }
    }
}
