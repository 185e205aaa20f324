//! The retry budget of a policy, shared by all threads. Owns the race between those who take. Never reads time.

use super::life::Life;
use crate::clock::Nanos;
use crate::policy::budget::{ATTEMPT, Balance, Budget as Terms};
use crate::sync::{AtomicU64, Ordering};
use serde::Serialize;
use std::sync::OnceLock;

/// What a budget is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetConfig {
    /// Share of an extra attempt that each call pays for, 0 to 1.
    pub ratio: f64,
    /// Extra attempts a second that cost nothing.
    pub floor: u16,
}

/// One budget.
pub struct Budget {
    config: BudgetConfig,
    terms: Terms,
    word: AtomicU64,
    /// When somebody first asked: seconds begin there, so that an outage of ten seconds is not eleven of them.
    since: OnceLock<Nanos>,
    granted: AtomicU64,
    refused: AtomicU64,
    life: Life,
}

/// What a snapshot says of a budget.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetReport {
    config: BudgetConfig,
    deposited: u32,
    floor_left: u16,
    granted: u64,
    refused: u64,
}

impl Budget {
    /// A budget nothing was deposited in.
    pub fn new(config: BudgetConfig) -> Self {
        let deposit = (config.ratio.clamp(0.0, 1.0) * ATTEMPT as f64).round() as u64;
        Budget {
            terms: Terms { deposit, floor: config.floor },
            config,
            word: AtomicU64::new(0),
            since: OnceLock::new(),
            granted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            life: Life::default(),
        }
    }

    /// What it is made of.
    pub fn config(&self) -> &BudgetConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// An extra attempt at `now`, by a thread that made `calls` calls since it last asked. Their deposits count, whatever the answer.
    pub fn take(&self, calls: u64, now: Nanos) -> bool {
        let now = now.saturating_sub(*self.since.get_or_init(|| now));
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let (next, granted) = self.terms.take(word, now, calls);
            match self.word.compare_exchange(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    let counter = if granted { &self.granted } else { &self.refused };
                    counter.fetch_add(1, Ordering::Relaxed);
                    return granted;
                }
                Err(changed) => word = changed,
            }
        }
    }

    /// What is left at `now`, and what was answered.
    pub fn report(&self, now: Nanos) -> BudgetReport {
        let now = now.saturating_sub(self.since.get().copied().unwrap_or(now));
        let Balance { deposited, floor } = self.terms.balance(self.word.load(Ordering::Acquire), now);
        BudgetReport {
            config: self.config.clone(),
            deposited,
            floor_left: floor,
            granted: self.granted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}
