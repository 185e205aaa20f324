//! What was sent over one connection and has no reply yet. Owns the order. Never sends.

use super::pending::{Overdue, Pending};
use crate::clock::Nanos;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// One call to the server: one reply comes for it.
pub(super) struct Entry {
    /// Who asked: more than one where several share a call, nobody for what precedes another.
    pub(super) askers: SmallVec<[Pending; 1]>,
    /// The reply has one element for each of them.
    pub(super) many: bool,
    pub(super) sent_at: Nanos,
}

/// Calls in the order in which their replies come.
#[derive(Default)]
pub(super) struct Pipeline {
    entries: VecDeque<Entry>,
    /// No deadline of anybody who waits is before it.
    earliest: Nanos,
    /// The connection is over: nothing may be added.
    closed: bool,
}

impl Pipeline {
    /// Add calls in the order in which they are written. They come back if the connection is over.
    pub(super) fn push(&mut self, calls: &mut Vec<Entry>) -> bool {
        if self.closed {
            return false;
        }
        let deadlines = calls.iter().flat_map(|call| call.askers.iter().map(|pending| pending.deadline));
        let earliest = deadlines.min().unwrap_or(Nanos::MAX);
        self.earliest = if self.entries.is_empty() { earliest } else { self.earliest.min(earliest) };
        self.entries.extend(calls.drain(..));
        true
    }

    /// Take so many calls, whose replies have come. Where that is more than were asked, none can be trusted: nothing is taken.
    pub(super) fn pop(&mut self, count: usize, into: &mut Vec<Entry>) -> bool {
        if count > self.entries.len() {
            return false;
        }
        into.extend(self.entries.drain(..count));
        true
    }

    /// Those whose deadline has passed by `now`. Their places stay: their replies are still to come.
    pub(super) fn overdue(&mut self, now: Nanos) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        if now < self.earliest || self.entries.is_empty() {
            return overdue;
        }
        self.earliest = Nanos::MAX;
        for pending in self.entries.iter_mut().flat_map(|entry| entry.askers.iter_mut()) {
            if pending.deadline <= now {
                overdue.extend(pending.expire());
            } else if pending.is_awaited() {
                self.earliest = self.earliest.min(pending.deadline);
            }
        }
        overdue
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Nothing may be added any more; what waits comes out.
    pub(super) fn close(&mut self) -> VecDeque<Entry> {
        self.closed = true;
        std::mem::take(&mut self.entries)
    }
}
