//! A right that expires by itself, over all hosts or all threads of this process, with a fence. Owns what is told of it.
//! Never lets anybody in whom the store has not: whoever cannot ask does not hold.

use super::Far;
use super::books::FailMode;
use super::bulkhead::nanos;
use super::rights::{Rights, RightsConfig};
use crate::clock::{MILLI, Nanos};
use crate::primitive::life::Life;
use crate::primitive::registry::Identity;
use crate::redis::name::Home;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// For so long a key keeps the last fence of a lease nobody holds, and the trace of a holder that never released it.
const KEEP: Nanos = 24 * 3_600_000 * MILLI;

/// Who may wait for a lease, in one process and of one key.
const QUEUE: u32 = 100_000;

/// What a lease is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseConfig {
    /// How many hold it at the same time, of each key.
    pub holders: u32,
    /// In how many milliseconds it comes free when its holder has died.
    pub ttl_ms: f64,
    /// For how many milliseconds JavaScript may hang before it counts as dead.
    pub max_stall_ms: f64,
}

/// What a snapshot says of a lease: what happened in this process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseReport {
    config: LeaseConfig,
    held: u64,
    waiting: usize,
    acquired: u64,
    refused: u64,
    left: u64,
    lost: u64,
    taken_over: u64,
    unavailable: u64,
    owed: usize,
}

/// One lease, as the threads of this process share it.
pub struct Lease {
    config: LeaseConfig,
    rights: Arc<Rights>,
    life: Life,
}

impl Lease {
    /// The lease of that name, wherever else it is open; without `far` it is this process's.
    pub fn new(config: LeaseConfig, identity: &Identity, far: Option<&Far>) -> Self {
        let rights = RightsConfig {
            limit: config.holders,
            queue: QUEUE,
            ttl: nanos(config.ttl_ms),
            max_stall: nanos(config.max_stall_ms),
            fail_mode: FailMode::Closed,
        };
        let home = Home::new(&identity.prefix, identity.kind, &identity.name);
        let rights = match far {
            Some(far) => Rights::far(rights, home, far, KEEP),
            None => Rights::near(rights, home),
        };
        Lease { config, rights, life: Life::default() }
    }

    /// What it is made of.
    pub fn config(&self) -> &LeaseConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Who holds and waits.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// State and counters of this process.
    pub fn report(&self) -> LeaseReport {
        let books = self.rights.books();
        let load = self.rights.load();
        let served = books.queued.lock().served;
        LeaseReport {
            config: self.config.clone(),
            held: load.in_use,
            waiting: load.waiting.iter().sum(),
            acquired: books.admitted.load(Ordering::Relaxed) + served,
            refused: books.refused.load(Ordering::Relaxed),
            left: books.left.load(Ordering::Relaxed),
            lost: books.expired.load(Ordering::Relaxed),
            taken_over: books.taken_over.load(Ordering::Relaxed),
            unavailable: books.unavailable.load(Ordering::Relaxed),
            owed: self.rights.owed(),
        }
    }
}
