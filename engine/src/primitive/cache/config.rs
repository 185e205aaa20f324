//! What a cache is made of, and what is told of it. Owns the names of its counters. Never counts.

use crate::primitive::limit::Provenance;
use crate::primitive::remote::cache::TierReport;
use crate::store::bytes::{Accounts, Estimates};
use serde::Serialize;

/// What a cache is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheConfig {
    /// How long a value is fresh, in milliseconds.
    pub ttl_ms: f64,
    /// Share by which that varies either way.
    pub jitter: f64,
    /// How long it is served after that while it is loaded anew.
    pub stale_ms: f64,
    /// How long it is served after that when it cannot be loaded.
    pub grace_ms: f64,
    /// How long it is remembered that there is nothing.
    pub negative_ttl_ms: f64,
    /// Keys, values and overhead.
    pub max_bytes: f64,
    /// The largest encoded value.
    pub max_value_bytes: f64,
    /// How long a load may take before others may take it over.
    pub load_timeout_ms: f64,
    /// What values are encoded with.
    pub codec: String,
    /// The version it is opened with.
    pub version: Option<String>,
    /// Where each value came from.
    #[serde(skip)]
    pub provenance: Provenance,
}

pub(super) const HITS: usize = 0;
pub(super) const MISSES: usize = 1;
pub(super) const STALE: usize = 2;
pub(super) const GRACED: usize = 3;
pub(super) const LOADS: usize = 4;
pub(super) const LOAD_FAILURES: usize = 5;
pub(super) const REFRESHES: usize = 6;
pub(super) const SETS: usize = 7;
pub(super) const DELETES: usize = 8;
pub(super) const COUNTERS: usize = 9;

/// What a snapshot says of a cache.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    config: CacheConfig,
    provenance: Provenance,
    version: Option<String>,
    hits: u64,
    misses: u64,
    stale: u64,
    graced: u64,
    loads: u64,
    load_failures: u64,
    refreshes: u64,
    sets: u64,
    deletes: u64,
    evictions: u64,
    expirations: u64,
    entries: u64,
    bytes: u64,
    max_bytes: f64,
    /// Of all who asked, how many were served at once. None before the first.
    hit_ratio: Option<f64>,
    estimates: Estimates,
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<TierReport>,
}

impl CacheReport {
    pub(super) fn new(
        config: &CacheConfig,
        version: Option<String>,
        counts: [u64; COUNTERS],
        accounts: Accounts,
        estimates: impl FnOnce(f64) -> Estimates,
        redis: Option<TierReport>,
    ) -> Self {
        let [hits, misses, stale, graced, loads, load_failures, refreshes, sets, deletes] = counts;
        let (served, asked) = (hits + stale, hits + stale + misses);
        let hit_ratio = (asked > 0).then(|| served as f64 / asked as f64);
        CacheReport {
            config: config.clone(),
            provenance: config.provenance.clone(),
            version,
            hits,
            misses,
            stale,
            graced,
            loads,
            load_failures,
            refreshes,
            sets,
            deletes,
            evictions: accounts.evictions,
            expirations: accounts.expirations,
            entries: accounts.entries,
            bytes: accounts.bytes,
            max_bytes: config.max_bytes,
            hit_ratio,
            estimates: hit_ratio.map(estimates).unwrap_or_default(),
            redis,
        }
    }
}
