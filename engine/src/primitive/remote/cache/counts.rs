//! What happened in a second tier. Owns its counters, which any thread raises. Never decides by them.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) hits: Count,
    pub(super) misses: Count,
    pub(super) waits: Count,
    pub(super) loads_led: Count,
    pub(super) stores: Count,
    pub(super) errors: Count,
    pub(super) foreign: Count,
    pub(super) gaps: Count,
}

/// What a snapshot says of a second tier.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierReport {
    /// `live`: Redis is asked; `behind`: it is heard, but there is something to catch up with or to pay; `deaf`: it is not heard.
    pub state: &'static str,
    /// Looks into Redis that found something to serve.
    pub hits: u64,
    /// Looks into Redis that did not.
    pub misses: u64,
    /// Waits for another host's load.
    pub waits: u64,
    /// Loads this process led for all.
    pub loads_led: u64,
    /// Values it stored.
    pub stores: u64,
    /// Questions that got no answer, or an error.
    pub errors: u64,
    /// Mutations Redis has not acknowledged.
    pub owed: u64,
    /// Keys where another application's data was found.
    pub foreign: u64,
    /// How often messages may have been missed.
    pub gaps: u64,
}

impl Counts {
    pub(super) fn report(&self, is_heard: bool, is_believed: bool, owed: usize) -> TierReport {
        TierReport {
            state: if is_believed {
                "live"
            } else if is_heard {
                "behind"
            } else {
                "deaf"
            },
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            waits: self.waits.sum(),
            loads_led: self.loads_led.sum(),
            stores: self.stores.sum(),
            errors: self.errors.sum(),
            owed: owed as u64,
            foreign: self.foreign.sum(),
            gaps: self.gaps.sum(),
        }
    }
}
