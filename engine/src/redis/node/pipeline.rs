//! What was sent over one connection and has no reply yet. Owns the order. Never sends, and hands over nothing unproven.
//!
//! Behind all that leaves at once goes a PING with a number, the mark. Replies count only when the one of their mark has come with
//! that number: where something between here and there has added or lost one, nobody gets another's answer.

use super::pending::{Overdue, Pending};
use crate::clock::Nanos;
use crate::redis::script::Sharing;
use ::redis::{ServerErrorKind, Value};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// What a server takes for one request at most, when it is well. Who waits behind thousands of our own waits for those, not for it.
const PACE: Nanos = 25_000;

/// One call to the server: one reply comes for it.
pub(super) struct Entry {
    /// Who asked: more than one where several share a call, nobody for what precedes another.
    pub(super) askers: SmallVec<[Pending; 1]>,
    /// How they share the reply.
    pub(super) sharing: Sharing,
    /// It is a mark, with this number.
    pub(super) mark: Option<u64>,
    pub(super) sent_at: Nanos,
    /// Requests that were on their way before it, or with it. Counted when it is added.
    pub(super) ahead: usize,
}

impl Entry {
    /// Nobody waits for it.
    pub(super) fn alone(mark: Option<u64>, sent_at: Nanos) -> Self {
        Entry { askers: SmallVec::new(), sharing: Sharing::None, mark, sent_at, ahead: 0 }
    }

    /// Whether its server has kept it waiting for longer than `patience`, what was ahead of it aside.
    pub(super) fn is_slow(&self, now: Nanos, patience: Nanos) -> bool {
        now.saturating_sub(self.sent_at) > patience.saturating_add(PACE.saturating_mul(self.ahead as Nanos))
    }
}

/// Calls in the order in which their replies come.
#[derive(Default)]
pub(super) struct Pipeline {
    entries: VecDeque<Entry>,
    /// Of those, how many have a reply already, which waits for its mark.
    replied: usize,
    /// Requests in them.
    requests: usize,
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
        for mut call in calls.drain(..) {
            self.requests += call.askers.len();
            call.ahead = self.requests;
            self.entries.push_back(call);
        }
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
        let taken = self.entries.drain(..proven).inspect(|entry| self.requests -= entry.askers.len());
        into.extend(taken.zip(values.drain(..proven)));
        sound
    }

    /// Those whose deadline has passed by `now`, and for how many of them the server is to blame, from whom a reply that takes longer
    /// than `patience` is slow. Their places stay: their replies are still to come.
    pub(super) fn overdue(&mut self, now: Nanos, patience: Nanos) -> (Vec<Overdue>, u32) {
        let (mut overdue, mut blamed) = (Vec::new(), 0);
        if now < self.earliest || self.entries.is_empty() {
            return (overdue, blamed);
        }
        self.earliest = Nanos::MAX;
        for entry in &mut self.entries {
            let slow = entry.is_slow(now, patience);
            for pending in &mut entry.askers {
                if pending.deadline <= now {
                    let expired = pending.expire();
                    blamed += u32::from(slow && expired.is_some());
                    overdue.extend(expired);
                } else if pending.is_awaited() {
                    self.earliest = self.earliest.min(pending.deadline);
                }
            }
        }
        (overdue, blamed)
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
