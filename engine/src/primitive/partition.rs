//! The permits and the queue of a bulkhead, or of one key of it. Owns who is next, and when a permit has expired.
//! Never posts, drops or takes another lock while its own is held.
//!
//! A permit that expires is taken from whoever is first to strike its lease out, under the lock: its holder, when he gives it
//! back, or anybody who comes by later than its end. The other finds nothing, so that no permit passes on twice.

use super::bulkhead::{BulkheadConfig, Grant};
use crate::clock::{Clock, Nanos};
use crate::policy::histogram::Histogram;
use crate::policy::permits::{Ask, Back, Permits};
use crate::store::fingerprint::Fingerprint;
use crate::store::ledger::{Held, Ledger, Letter, News, Receipt, Token};
use crate::store::partitions::{self, Partitions};
use crate::store::turnstile::Turnstile;
use crate::store::waiters::{Place, RANKS, Waiters};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The token of a permit without a lease.
const NO_LEASE: u64 = u64::MAX;

/// What all partitions of a bulkhead write into.
#[derive(Default)]
pub(super) struct Books {
    pub(super) keys: Partitions<Partition>,
    pub(super) queued: Mutex<Queued>,
    /// Waiters that left before their turn.
    pub(super) left: AtomicU64,
    /// Permits that were not given back in time.
    pub(super) expired: AtomicU64,
}

/// What became of those who had to wait.
#[derive(Default)]
pub(super) struct Queued {
    /// Who got a permit in the end.
    pub(super) served: u64,
    /// The most that ever waited at once, for one key.
    pub(super) most: usize,
    /// How long they waited, served or not, in microseconds. Made for the first of them.
    pub(super) waits: Option<Box<Histogram>>,
}

impl Books {
    fn waited(&self, span: Nanos, served: bool) {
        let mut queued = self.queued.lock();
        queued.served += u64::from(served);
        queued.waits.get_or_insert_default().add(span / 1_000);
    }
}

/// Somebody who waits, and the book he is written down in.
struct Waiter {
    ledger: Arc<Ledger>,
    receipt: Receipt,
    since: Nanos,
}

/// A permit that expires by itself.
struct Lease {
    ledger: Arc<Ledger>,
    receipt: Receipt,
    ends_at: Nanos,
}

#[derive(Default)]
struct Room {
    waiters: Waiters<Waiter>,
    /// All are of the same length, so the first is the first to end.
    leases: Waiters<Lease>,
}

/// See the top of this file.
pub(super) struct Partition {
    permits: Permits,
    /// How long a permit may be out; none for as long as it takes.
    lease: Option<Nanos>,
    turnstile: Turnstile,
    room: Mutex<Room>,
    books: Arc<Books>,
    /// None where there is no other.
    key: Option<Fingerprint>,
}

impl Partition {
    pub(super) fn new(config: &BulkheadConfig, books: Arc<Books>, key: Option<Fingerprint>) -> Self {
        Partition {
            permits: Permits { limit: config.limit, queue: config.queue },
            lease: config.lease(),
            turnstile: Turnstile::default(),
            room: Mutex::default(),
            books,
            key,
        }
    }

    /// A free permit that nobody writes down: the caller counts it.
    #[inline]
    pub(super) fn take(&self) -> bool {
        self.turnstile.take(self.permits) == Ask::Go
    }

    /// A permit that was counted comes back.
    #[inline]
    pub(super) fn give_back_counted(&self, now: Clock<'_>) {
        if self.turnstile.give_back() == Back::Next {
            self.pass_on(now);
        }
    }

    /// A permit, or a place in the queue for whoever is willing to wait. None when this partition has ended.
    pub(super) fn ask(
        self: &Arc<Self>,
        ledger: &Arc<Ledger>,
        rank: usize,
        willing_to_wait: bool,
        now: Clock<'_>,
    ) -> Option<Grant> {
        if self.lease.is_some() {
            self.expire(now());
        } else {
            match self.turnstile.take(self.permits) {
                Ask::Go => return Some(self.write_down(ledger, now)),
                Ask::Gone => return None,
                _ if !willing_to_wait => return Some(Grant::Full),
                _ => {}
            }
        }
        let Some(receipt) = ledger.wait(self.clone()) else {
            self.end_if_idle();
            return Some(Grant::Full);
        };
        let time = now();
        let (ledger_of_waiter, ledger_of_lease) = (ledger.clone(), ledger.clone());
        let (ask, token, waiting) = {
            let mut room = self.room.lock();
            let ask = match willing_to_wait {
                true => self.turnstile.take_or_wait_locked(self.permits),
                false => self.turnstile.take(self.permits),
            };
            let token = match ask {
                Ask::Wait => {
                    let waiter = Waiter { ledger: ledger_of_waiter, receipt, since: time };
                    room.waiters.push_in(rank, waiter).to_word()
                }
                Ask::Go => self.begin_lease_locked(&mut room, ledger_of_lease, receipt, time),
                _ => NO_LEASE,
            };
            (ask, token, room.waiters.len())
        };
        match ask {
            Ask::Wait => {
                ledger.place(receipt, (token, 0));
                let mut queued = self.books.queued.lock();
                queued.most = queued.most.max(waiting);
                Some(Grant::Queued(receipt))
            }
            Ask::Go if ledger.promote(receipt, (token, 0)) => Some(Grant::Permit(receipt)),
            Ask::Go => {
                self.give_back((token, 0), now);
                Some(Grant::Full)
            }
            Ask::Full => {
                ledger.forget(receipt);
                Some(Grant::Full)
            }
            Ask::Gone => {
                ledger.forget(receipt);
                None
            }
        }
    }

    fn write_down(self: &Arc<Self>, ledger: &Arc<Ledger>, now: Clock<'_>) -> Grant {
        match ledger.hold(self.clone(), (NO_LEASE, 0)) {
            Some(receipt) => Grant::Permit(receipt),
            None => {
                self.pass_on(now);
                Grant::Full
            }
        }
    }

    fn begin_lease_locked(&self, room: &mut Room, ledger: Arc<Ledger>, receipt: Receipt, now: Nanos) -> u64 {
        self.lease.map_or(NO_LEASE, |lease| {
            room.leases.push(Lease { ledger, receipt, ends_at: now.saturating_add(lease) }).to_word()
        })
    }

    /// Whether a permit with this token is still out; from now on it is not.
    fn end_lease(&self, token: u64) -> bool {
        if token == NO_LEASE {
            return true;
        }
        let ended = self.room.lock().leases.leave(Place::from_word(token));
        ended.is_some()
    }

    /// A permit is free: it passes to whoever is next and still there.
    fn pass_on(&self, now: Clock<'_>) {
        if self.turnstile.give_back() == Back::Free {
            return self.end_if_idle();
        }
        let time = now();
        loop {
            let next = {
                let mut room = self.room.lock();
                if self.turnstile.pass_locked() == Back::Free {
                    None
                } else {
                    room.waiters.pop().map(|waiter| {
                        let token = self.begin_lease_locked(&mut room, waiter.ledger.clone(), waiter.receipt, time);
                        (waiter, token)
                    })
                }
            };
            let Some((Waiter { ledger, receipt, since }, token)) = next else { return self.end_if_idle() };
            let waited = time.saturating_sub(since);
            if ledger.call(receipt, (token, 0), || self.books.waited(waited, true)) {
                return;
            }
            self.books.waited(waited, false);
            if !self.end_lease(token) {
                return;
            }
        }
    }

    /// Permits whose lease has ended pass on. Answers how long the next has, if there is one.
    pub(super) fn expire(&self, now: Nanos) -> Option<Nanos> {
        loop {
            let due = {
                let mut room = self.room.lock();
                match room.leases.first() {
                    None => return None,
                    Some(first) if first.ends_at > now => return Some(first.ends_at - now),
                    Some(_) => room.leases.pop(),
                }
            };
            let Lease { ledger, receipt, .. } = due?;
            self.books.expired.fetch_add(1, Ordering::Relaxed);
            // From here on a late release finds nothing.
            if ledger.settle(receipt).is_some() {
                ledger.post(Letter { receipt, news: News::Expired });
            }
            self.pass_on(&|| now);
        }
    }

    fn end_if_idle(&self) {
        if let Some(key) = self.key
            && self.turnstile.end()
        {
            self.books.keys.remove(key, self);
        }
    }

    /// Permits out, and those who wait, by rank.
    pub(super) fn load(&self) -> (u64, [usize; RANKS]) {
        (u64::from(self.turnstile.load().0), self.room.lock().waiters.lens())
    }
}

impl partitions::Partition for Partition {
    fn is_gone(&self) -> bool {
        self.turnstile.is_gone()
    }
}

impl Held for Partition {
    fn give_back(&self, (token, _): Token, now: Clock<'_>) {
        if self.end_lease(token) {
            self.pass_on(now);
        }
    }

    fn leave(&self, (place, _): Token, now: Clock<'_>) -> bool {
        let left = {
            let mut room = self.room.lock();
            let left = room.waiters.leave(Place::from_word(place));
            if left.is_some() {
                self.turnstile.leave_locked();
            }
            left
        };
        let Some(Waiter { since, .. }) = left else { return false };
        self.books.left.fetch_add(1, Ordering::Relaxed);
        self.books.waited(now().saturating_sub(since), false);
        true
    }
}
