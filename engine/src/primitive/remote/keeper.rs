//! What this process holds of one primitive: renewed in time, told when lost, given back until it has arrived.
//! Never renews for JavaScript that hangs, and never believes in a right past the local deadline.
//!
//! A right is good until its time to live after the request that got it was sent, less a margin for clocks that run apart. It is
//! renewed three times in that span, those of a moment together, by whoever calls [`Keeper::due`]: the sleeper on the thread of
//! the connections. An environment that has not run for longer than `max_stall` is not renewed for; it is asked for a sign of life
//! with every renewal.

use super::holders::{Holders, Spot, Ticket, Told, Wish};
use super::line::Line;
use super::right::{Right, margin, step};
use super::sleeper::{Chore, Timepiece};
use crate::clock::{MILLI, Nanos};
use crate::redis::Trouble;
use crate::store::ledger::Ledger;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Weak};

/// Releases that Redis has not taken, at most; beyond, the oldest is left to its expiry.
const OWED: usize = 10_000;
/// How long to wait before an owed release is tried again.
const PATIENCE: Nanos = 100 * MILLI;

/// Whether the JavaScript of one environment runs.
pub trait Pulse: Send + Sync {
    /// When its event loop last turned, as far as is known.
    fn ran_at(&self) -> Nanos;
    /// Have it turn.
    fn ping(&self);
}

/// One environment, as somebody who holds and waits.
pub struct Holder {
    /// Its book.
    pub ledger: Arc<Ledger>,
    /// Its sign of life.
    pub pulse: Arc<dyn Pulse>,
}

/// A release that has not arrived.
struct Owed {
    line: Arc<Line>,
    wish: Wish,
    /// From then on it has expired by itself.
    until: Nanos,
    told: Option<Told<bool>>,
}

#[derive(Default)]
struct Book {
    rights: HashMap<Ticket, Right>,
    by_due: BTreeSet<(Nanos, Ticket)>,
    owed: VecDeque<Owed>,
    owed_at: Option<Nanos>,
    /// For when the sleeper has been asked; 0 if it has not.
    wake_at: Nanos,
}

/// See the top of this file.
pub struct Keeper {
    holders: Arc<dyn Holders>,
    time: Arc<dyn Timepiece>,
    max_stall: Nanos,
    book: Mutex<Book>,
    this: Weak<Keeper>,
}

/// What has to be done about a right.
enum Turn {
    Lost(Box<Right>),
    Renew { wish: Wish, line: Arc<Line>, holder: Arc<Holder> },
    Hung(Arc<Holder>),
}

impl Keeper {
    /// With nothing to keep.
    pub fn new(holders: Arc<dyn Holders>, time: Arc<dyn Timepiece>, max_stall: Nanos) -> Arc<Self> {
        Arc::new_cyclic(|this| Keeper { holders, time, max_stall, book: Mutex::default(), this: this.clone() })
    }

    /// Keep it from now on.
    pub(super) fn keep(&self, mut right: Right) {
        right.holder.pulse.ping();
        right.due = right.next(right.since, self.max_stall);
        let alarm = {
            let mut book = self.book.lock();
            book.by_due.insert((right.due, right.wish.ticket));
            book.rights.insert(right.wish.ticket, right);
            book.alarm_locked()
        };
        self.set(alarm);
    }

    /// Keep it no longer. None if it was not kept.
    pub(super) fn strike(&self, ticket: Ticket) -> Option<Right> {
        self.book.lock().strike_locked(ticket)
    }

    /// How long it is still good, if it is.
    pub fn left(&self, ticket: Ticket) -> Option<Nanos> {
        let now = self.time.now();
        self.book.lock().rights.get(&ticket)?.ends_at().checked_sub(now).filter(|&left| left > 0)
    }

    /// The line of what is kept.
    pub(super) fn line_of(&self, ticket: Ticket) -> Option<Arc<Line>> {
        self.book.lock().rights.get(&ticket).map(|right| right.line.clone())
    }

    /// Renew it now, and tell whether it is held.
    pub fn renew(&self, ticket: Ticket, told: Told<bool>) {
        let known = {
            let mut book = self.book.lock();
            book.rights.get_mut(&ticket).map(|right| {
                right.asking = true;
                (right.wish, right.line.clone())
            })
        };
        match known {
            Some((wish, line)) => self.ask_again(wish, line.spot(), Some(told)),
            None => told(Ok(false)),
        }
    }

    fn ask_again(&self, wish: Wish, spot: &Spot, told: Option<Told<bool>>) {
        let now = self.time.now();
        let this = self.this.clone();
        // What comes later than this is tried again.
        let deadline = self.holders.deadline(now).max(now + step(wish.ttl, self.max_stall) / 2);
        let answered = Box::new(move |answer: Result<bool, Trouble>| {
            if let Some(keeper) = this.upgrade() {
                keeper.renewed(wish, now, &answer);
            }
            if let Some(told) = told {
                told(answer);
            }
        });
        self.holders.renew(spot, wish, deadline, answered);
    }

    fn renewed(&self, wish: Wish, asked_at: Nanos, answer: &Result<bool, Trouble>) {
        let now = self.time.now();
        let (lost, alarm) = {
            let mut book = self.book.lock();
            if *answer == Ok(false) {
                // Somebody knows now.
                let lost = book.strike_locked(wish.ticket).map(|right| Right { in_doubt: false, ..right });
                (lost, None)
            } else {
                book.reschedule_locked(wish.ticket, |right| {
                    right.asking = false;
                    right.in_doubt = answer.is_err();
                    if right.in_doubt {
                        // Soon, but not at once: as often as it may be tried until it ends.
                        return (now + step(wish.ttl, self.max_stall) / 4).min(right.ends_at());
                    }
                    right.since = right.since.max(asked_at);
                    right.next(now, self.max_stall)
                });
                (None, book.alarm_locked())
            }
        };
        self.set(alarm);
        if let Some(right) = lost {
            right.line.clone().lost(right);
        }
    }

    /// Give back what is held no longer, or may be held in vain; again and again until it has arrived or has expired.
    pub(super) fn release(&self, line: &Arc<Line>, wish: Wish, told: Option<Told<bool>>) {
        let now = self.time.now();
        let until = now.saturating_add(wish.ttl + 2 * margin(wish.ttl));
        self.hand_back(Owed { line: line.clone(), wish, until, told }, now);
    }

    fn hand_back(&self, owed: Owed, now: Nanos) {
        let this = self.this.clone();
        let line = owed.line.clone();
        let wish = owed.wish;
        let answered = Box::new(move |answer: Result<bool, Trouble>| {
            // What fits not what is there, or may not be done, will not either next time.
            let hopeless = matches!(answer, Ok(_) | Err(Trouble::Error(_) | Trouble::Denied(_)));
            let Owed { line, wish, until, told } = owed;
            if let (false, Some(keeper)) = (hopeless, this.upgrade()) {
                keeper.owe(Owed { line, wish, until, told: None });
            }
            if let Some(told) = told {
                told(answer);
            }
        });
        self.holders.release(line.spot(), wish, self.holders.deadline(now), answered);
    }

    fn owe(&self, owed: Owed) {
        let now = self.time.now();
        let (alarm, forgotten) = {
            let mut book = self.book.lock();
            book.owed.push_back(owed);
            book.owed_at.get_or_insert(now + PATIENCE);
            let forgotten = if book.owed.len() > OWED { book.owed.pop_front() } else { None };
            (book.alarm_locked(), forgotten)
        };
        drop(forgotten);
        self.set(alarm);
    }

    /// Rights out, and releases that have not arrived.
    pub fn load(&self) -> (usize, usize) {
        let book = self.book.lock();
        (book.rights.len(), book.owed.len())
    }

    fn set(&self, alarm: Option<Nanos>) {
        if let Some(at) = alarm {
            self.time.wake_at(at, self.this.clone());
        }
    }
}

impl Chore for Keeper {
    fn due(&self, now: Nanos) {
        let mut turns = Vec::new();
        let (owed, alarm) = {
            let mut book = self.book.lock();
            book.wake_at = 0;
            while let Some(turn) = book.turn_locked(self.max_stall, now) {
                turns.push(turn);
            }
            let owed = match book.owed_at {
                Some(at) if at <= now => {
                    book.owed_at = None;
                    std::mem::take(&mut book.owed)
                }
                _ => VecDeque::new(),
            };
            (owed, book.alarm_locked())
        };
        self.set(alarm);
        for turn in turns {
            match turn {
                Turn::Lost(right) => right.line.clone().lost(*right),
                Turn::Renew { wish, line, holder } => {
                    holder.pulse.ping();
                    self.ask_again(wish, line.spot(), None);
                }
                Turn::Hung(holder) => holder.pulse.ping(),
            }
        }
        for owed in owed {
            if owed.until > now {
                self.hand_back(owed, now);
            }
        }
        self.holders.flush();
    }
}

impl Book {
    fn strike_locked(&mut self, ticket: Ticket) -> Option<Right> {
        let right = self.rights.remove(&ticket)?;
        self.by_due.remove(&(right.due, ticket));
        Some(right)
    }

    fn reschedule_locked(&mut self, ticket: Ticket, next: impl FnOnce(&mut Right) -> Nanos) {
        let Some(right) = self.rights.get_mut(&ticket) else { return };
        let before = right.due;
        right.due = next(right);
        let after = right.due;
        self.by_due.remove(&(before, ticket));
        self.by_due.insert((after, ticket));
    }

    /// For when the sleeper has to be asked, unless it has been.
    fn alarm_locked(&mut self) -> Option<Nanos> {
        let next = self.by_due.first().map(|&(due, _)| due).into_iter().chain(self.owed_at).min()?;
        if self.wake_at != 0 && next >= self.wake_at {
            return None;
        }
        self.wake_at = next;
        Some(next)
    }

    /// What has to be done about the first right that is due.
    fn turn_locked(&mut self, max_stall: Nanos, now: Nanos) -> Option<Turn> {
        let &(due, ticket) = self.by_due.first()?;
        if due > now {
            return None;
        }
        let right = self.rights.get(&ticket)?;
        let ends_at = right.ends_at();
        if ends_at <= now {
            return self.strike_locked(ticket).map(|right| Turn::Lost(Box::new(right)));
        }
        let holder = right.holder.clone();
        let hung = now.saturating_sub(holder.pulse.ran_at()) > max_stall;
        if hung || right.asking {
            // Looked at again, in case it wakes before the end.
            self.reschedule_locked(ticket, |right| (now + step(right.wish.ttl, max_stall) / 4).clamp(now + 1, ends_at));
            return Some(Turn::Hung(holder));
        }
        let (wish, line) = (right.wish, right.line.clone());
        self.reschedule_locked(ticket, |right| {
            right.asking = true;
            ends_at
        });
        Some(Turn::Renew { wish, line, holder })
    }
}
