//! Permits over all hosts: rights in Redis, renewed while their holders live. Owns what this process tells of them.
//! Never waits in Redis, and never keeps a permit that nobody renews.

use super::Far;
use super::books::{Books, FailMode};
use super::rights::{Load, Rights, RightsConfig};
use crate::clock::{MILLI, Nanos};
use crate::primitive::bulkhead::{BulkheadReport, ByPriority, WaitReport};
use crate::primitive::life::Life;
use crate::primitive::limit::Provenance;
use crate::primitive::registry::Identity;
use crate::redis::name::Home;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// For so long a key keeps the last fence of a bulkhead that nobody uses.
const KEEP: Nanos = 3_600_000 * MILLI;

/// What a bulkhead over hosts is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteBulkheadConfig {
    /// Permits, on all hosts together.
    pub limit: u32,
    /// Places to wait, in this process.
    pub queue: u32,
    /// Whether each key has as many of its own.
    pub per_key: bool,
    /// In how many milliseconds permits come back of a holder that has died.
    pub lease_ms: f64,
    /// For how many milliseconds JavaScript may hang before it counts as dead.
    pub max_stall_ms: f64,
    /// What is decided while Redis cannot be asked.
    pub fail_mode: FailMode,
    /// Where each value came from.
    #[serde(skip)]
    pub provenance: Provenance,
}

/// What a snapshot says of it: how much of it is used here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteBulkheadReport {
    #[serde(flatten)]
    own: BulkheadReport<RemoteBulkheadConfig>,
    /// Decided by the fail mode, either way.
    unavailable: u64,
    /// Permits of holders that died with them.
    taken_over: u64,
    /// Releases that have not reached Redis.
    owed: usize,
}

/// One bulkhead over hosts, as the threads of this process share it.
pub struct RemoteBulkhead {
    config: RemoteBulkheadConfig,
    rights: Arc<Rights>,
    life: Life,
}

impl RemoteBulkhead {
    /// The bulkhead of that name, wherever else it is open.
    pub fn new(config: RemoteBulkheadConfig, identity: &Identity, far: &Far) -> Self {
        let rights = RightsConfig {
            limit: config.limit,
            queue: config.queue,
            ttl: nanos(config.lease_ms),
            max_stall: nanos(config.max_stall_ms),
            fail_mode: config.fail_mode,
        };
        let home = Home::new(&identity.prefix, identity.kind, &identity.name);
        let rights = Rights::far(rights, home, far, KEEP);
        RemoteBulkhead { config, rights, life: Life::default() }
    }

    /// What it is made of.
    pub fn config(&self) -> &RemoteBulkheadConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Its permits.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// State and counters of this process.
    pub fn report(&self) -> RemoteBulkheadReport {
        let books: &Books = self.rights.books();
        let Load { in_use, waiting, keys } = self.rights.load();
        let (served, peak_waiting, wait) = {
            let queued = books.queued.lock();
            (queued.served, queued.most, queued.waits.as_deref().map(WaitReport::of).unwrap_or_default())
        };
        let own = BulkheadReport {
            config: self.config.clone(),
            provenance: self.config.provenance.clone(),
            in_use,
            waiting: waiting.iter().sum(),
            waiting_by_priority: ByPriority::of(waiting),
            peak_waiting,
            keys: if self.config.per_key { keys } else { 0 },
            admitted: books.admitted.load(Ordering::Relaxed) + served,
            refused: books.refused.load(Ordering::Relaxed),
            left: books.left.load(Ordering::Relaxed),
            expired: books.expired.load(Ordering::Relaxed),
            wait,
        };
        RemoteBulkheadReport {
            own,
            unavailable: books.unavailable.load(Ordering::Relaxed),
            taken_over: books.taken_over.load(Ordering::Relaxed),
            owed: self.rights.owed(),
        }
    }
}

pub(super) fn nanos(span_ms: f64) -> Nanos {
    (span_ms * MILLI as f64) as Nanos
}
