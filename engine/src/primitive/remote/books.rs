//! What all lines of one primitive have in common: its terms, and what became of those who asked. Owns the counters.
//! Never decides anything.

use super::holders::Holders;
use super::keeper::Keeper;
use super::sleeper::Timepiece;
use crate::clock::Nanos;
use crate::primitive::partition::Queued;
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is decided while the store cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailMode {
    /// Everybody is let in.
    Open,
    /// Nobody is.
    #[default]
    Closed,
    /// As many as there may be in all are let in by this process alone.
    Local,
}

/// What is asked for by everybody in all lines of one primitive.
pub(super) struct Terms {
    pub(super) limit: u32,
    pub(super) queue: usize,
    pub(super) ttl: Nanos,
    pub(super) fail_mode: FailMode,
}

/// What became of those who asked.
#[derive(Default)]
pub(super) struct Books {
    pub(super) queued: Mutex<Queued>,
    pub(super) admitted: AtomicU64,
    pub(super) refused: AtomicU64,
    /// Decided without the store, either way.
    pub(super) unavailable: AtomicU64,
    /// Waiters that left before their turn.
    pub(super) left: AtomicU64,
    /// Rights that were lost before they were released.
    pub(super) expired: AtomicU64,
    /// Rights of holders that never released them.
    pub(super) taken_over: AtomicU64,
}

/// What all lines of one primitive share.
pub(super) struct Office {
    pub(super) terms: Terms,
    pub(super) holders: Arc<dyn Holders>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) time: Arc<dyn Timepiece>,
    pub(super) books: Books,
}

impl Books {
    /// Somebody was let in, who has waited for so long.
    pub(super) fn admit(&self, waited: Option<Nanos>) {
        match waited {
            Some(span) => self.waited(span, true),
            None => {
                self.admitted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Somebody has waited for so long.
    pub(super) fn waited(&self, span: Nanos, served: bool) {
        let mut queued = self.queued.lock();
        queued.served += u64::from(served);
        queued.waits.get_or_insert_default().add(span / 1_000);
    }
}
