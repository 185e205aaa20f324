//! What is known here of a cache's state in Redis. Owns up to which moment it is complete. Never asks for what it lacks.

use super::message::Turn;
use super::server_clock::ServerClock;
use crate::clock::Nanos;
use crate::store::tags::{Force, Invalidations, Ruling, TagHash};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pairs of moments that are kept.
const MARKS: usize = 1_024;

#[derive(Default)]
pub(super) struct Replica {
    /// Everything up to here is known. 0: nothing is.
    moment: AtomicU64,
    cleared: AtomicU64,
    floor: AtomicU64,
    seen: Invalidations,
    /// The moment of the present version.
    versioned: AtomicU64,
    version: Mutex<Vec<u8>>,
    /// Which moment of memory came after which of the state's: the older first.
    marks: Mutex<VecDeque<(u64, u64)>>,
}

impl Replica {
    pub(super) fn moment(&self) -> u64 {
        self.moment.load(Ordering::Acquire)
    }

    /// What the state says of an entry: none if it was forgotten.
    pub(super) fn ruling(&self, tags: impl Iterator<Item = TagHash>, born: u64) -> Option<Ruling> {
        if self.seen.cleared_since(born) { None } else { Some(self.seen.ruling(tags, born)) }
    }

    /// Something happened at `moment`. It may be known already.
    pub(super) fn record(&self, moment: u64, turn: &Turn, clock: &ServerClock, grace: Nanos, now: Nanos) {
        match turn {
            Turn::Invalidated(tags) => self.seen.invalidate_at(moment, tags, Force::Hard, now, grace),
            Turn::Expired { tags, at_ms, until_ms } => {
                let force = Force::Soft(until_of(clock, *until_ms));
                self.seen.invalidate_at(moment, tags, force, clock.here(*at_ms).min(now), grace);
            }
            Turn::Cleared => {
                self.clear_at(moment);
            }
            Turn::Version { .. } => (),
        }
    }

    /// Whether a version of this moment is later than the present one, which it is then.
    pub(super) fn is_later_version(&self, moment: u64) -> bool {
        self.versioned.fetch_max(moment, Ordering::AcqRel) < moment
    }

    /// Since when the present version is the lineage's.
    pub(super) fn version_moment(&self) -> u64 {
        self.versioned.load(Ordering::Acquire)
    }

    /// How the state calls the present version of a lineage, if it has one.
    pub(super) fn version_member(&self) -> Vec<u8> {
        self.version.lock().clone()
    }

    /// That is how.
    pub(super) fn name_version(&self, lineage: &[u8], version: &str) {
        *self.version.lock() = [b"v", lineage, b"\0", version.as_bytes()].concat();
    }

    /// Everything was forgotten at `moment`. Whether that is news.
    pub(super) fn clear_at(&self, moment: u64) -> bool {
        self.seen.clear_at(moment);
        self.cleared.fetch_max(moment, Ordering::AcqRel) < moment
    }

    /// Of what was invalidated up to `moment` there is no record. Whether that is news.
    pub(super) fn raise_floor(&self, moment: u64) -> bool {
        self.seen.raise_floor(moment);
        self.floor.fetch_max(moment, Ordering::AcqRel) < moment
    }

    /// What happened at `moment` is recorded: with it everything up to there, if it is the next.
    pub(super) fn follow(&self, moment: u64, local: impl FnOnce() -> u64) {
        let next = self.moment.compare_exchange(moment - 1, moment, Ordering::AcqRel, Ordering::Acquire);
        if next.is_ok() {
            self.mark(local(), moment);
        }
    }

    /// Everything up to `moment` is recorded.
    pub(super) fn complete(&self, moment: u64, local: u64) {
        if self.moment.fetch_max(moment, Ordering::AcqRel) < moment {
            self.mark(local, moment);
        }
    }

    fn mark(&self, local: u64, moment: u64) {
        let mut marks = self.marks.lock();
        if marks.len() == MARKS {
            marks.pop_front();
        }
        marks.push_back((local, moment));
    }

    /// The state's moment at a moment of memory's. None: that is too long ago.
    pub(super) fn moment_at(&self, local: u64) -> Option<u64> {
        let marks = self.marks.lock();
        marks.iter().rev().find(|mark| mark.0 <= local).map(|mark| mark.1)
    }
}

/// Until when an expiry lets anything live, on our clock.
pub(super) fn until_of(clock: &ServerClock, until_ms: u64) -> Nanos {
    if until_ms == 0 { Nanos::MAX } else { clock.here(until_ms) }
}
