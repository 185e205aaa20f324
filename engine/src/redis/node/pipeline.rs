//! What was sent over one connection and has no reply yet. Owns the order. Never sends, and hands over nothing unproven.
//!
//! Behind all that leaves at once goes a PING with a number, the mark. Replies count only when the one of their mark has come with
//! that number: where something between here and there has added or lost one, nobody gets another's answer.

use super::pending::{Overdue, Pending};
use crate::clock::Nanos;
use ::redis::{ServerErrorKind, Value};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// One call to the server: one reply comes for it.
pub(super) struct Entry {
    /// Who asked: more than one where several share a call, nobody for what precedes another.
    pub(super) askers: SmallVec<[Pending; 1]>,
    /// The reply has one element for each of them.
    pub(super) many: bool,
    /// It is a mark, with this number.
    pub(super) mark: Option<u64>,
    pub(super) sent_at: Nanos,
}

/// Calls in the order in which their replies come.
#[derive(Default)]
pub(super) struct Pipeline {
    entries: VecDeque<Entry>,
    /// Of those, how many have a reply already, which waits for its mark.
    replied: usize,
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

    /// Take the calls whose replies are proven, and with them the replies: `values` are all that have come and were not taken so
    /// far. False where there is no telling whose the rest are.
    pub(super) fn take(&mut self, values: &mut Vec<Value>, into: &mut Vec<(Entry, Value)>) -> bool {
        let (mut proven, mut sound) = (0, values.len() <= self.entries.len());
        for (at, (entry, value)) in self.entries.iter().zip(values.iter()).enumerate().skip(self.replied) {
            if let Some(number) = entry.mark {
                sound &= is_mark(value, number);
                if !sound {
                    break;
                }
                proven = at + 1;
            }
        }
        self.replied = values.len().saturating_sub(proven);
        into.extend(self.entries.drain(..proven).zip(values.drain(..proven)));
        sound
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

/// Whether it is the reply to the mark of this number. A server that does nothing at the moment, or not for us, says so to marks too.
fn is_mark(value: &Value, number: u64) -> bool {
    match value {
        Value::BulkString(text) => std::str::from_utf8(text).is_ok_and(|text| text.parse() == Ok(number)),
        Value::ServerError(error) => {
            let kind = error.kind();
            let states = [ServerErrorKind::NoPerm, ServerErrorKind::BusyLoading, ServerErrorKind::MasterDown];
            kind.is_some_and(|kind| states.contains(&kind)) || ["BUSY", "MISCONF", "NOAUTH"].contains(&error.code())
        }
        _ => false,
    }
}
