//! Those of this process who hold a spot or wait for it. Owns who is next.
//! Never calls the store, the keeper or a ledger while its own lock is held.
//!
//! Nobody waits in the store: the first of the line asks on behalf of all of it, when something was released here or elsewhere, or
//! when the first of the holders would expire; whoever is first when the answer comes gets what came.

mod alone;
mod ending;

use super::books::Office;
use super::holders::{Spot, Ticket, Verdict, Wish};
use super::keeper::Holder;
use super::right::Right;
use super::sleeper::Chore;
use crate::clock::{MILLI, Nanos};
use crate::redis::Trouble;
use crate::store::ledger::{News, Receipt, Refused};
use crate::store::waiters::{Place, RANKS, Waiters};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// Look again at least this often while somebody waits: the word that something came free can get lost.
const POLL: Nanos = 500 * MILLI;
/// And this often while the store cannot be asked.
const RETRY: Nanos = 100 * MILLI;

/// What a token stands for in a ledger, as its second number.
const ASKING: u64 = 0;
const QUEUED: u64 = 1;
const FAR: u64 = 2;
const NEAR: u64 = 3;
const FREE: u64 = 4;

/// Somebody who asks or waits.
struct Waiter {
    holder: Arc<Holder>,
    receipt: Receipt,
    since: Nanos,
}

#[derive(Default)]
struct Room {
    waiters: Waiters<Waiter>,
    /// Questions that are on their way.
    asking: usize,
    /// Whether something came free while they were.
    woken: bool,
    /// For when a look is due; 0 if none is.
    look_at: Nanos,
    /// Out here, by the store.
    far: u32,
    /// Out here, by the fail mode.
    near: u32,
    /// Of those, by their tickets, the ones that were the store's before it was gone.
    adopted: HashSet<u64>,
}

/// See the top of this file.
pub struct Line {
    office: Arc<Office>,
    spot: Spot,
    room: Mutex<Room>,
    this: Weak<Line>,
}

/// What came of a question that the store answered with a right.
#[derive(Clone, Copy)]
struct Got {
    wish: Wish,
    asked_at: Nanos,
    fence: u64,
    took_over: bool,
}

impl Line {
    pub(super) fn new(office: Arc<Office>, spot: Spot) -> Arc<Self> {
        Arc::new_cyclic(|this| Line { office, spot, room: Mutex::default(), this: this.clone() })
    }

    pub(super) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Out here, and those who wait by rank.
    pub(super) fn load(&self) -> (u64, [usize; RANKS]) {
        let room = self.room.lock();
        (u64::from(room.far) + u64::from(room.near), room.waiters.lens())
    }

    /// Ask for a right. None when it is refused at once; else a letter says what came of it, which may be there already.
    pub(super) fn ask(self: &Arc<Self>, holder: &Arc<Holder>, rank: usize, willing: bool) -> Option<Receipt> {
        let receipt = holder.ledger.wait(self.clone())?;
        let now = self.office.time.now();
        let waiter = Waiter { holder: holder.clone(), receipt, since: now };
        // Nobody overtakes those who wait here.
        let ahead = {
            let mut room = self.room.lock();
            if room.waiters.is_empty() {
                room.asking += 1;
            }
            !room.waiters.is_empty()
        };
        if !ahead {
            self.question(willing, move |line, wish, answer| line.answered(waiter, rank, willing, wish, now, answer));
            return Some(receipt);
        }
        if willing && self.queue_up(waiter, rank).is_ok() {
            // Those who were ahead may all have gone before he stood there, and nobody would look any more.
            self.look_in(POLL);
            return Some(receipt);
        }
        holder.ledger.forget(receipt);
        self.office.books.refused.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Put the question to the store. It has been counted as on its way.
    fn question(
        self: &Arc<Self>,
        waits: bool,
        then: impl FnOnce(&Arc<Line>, Wish, Result<Verdict, Trouble>) + Send + 'static,
    ) {
        let Office { terms, holders, time, .. } = &*self.office;
        let wish = Wish { limit: terms.limit, ttl: terms.ttl, waits, ticket: Ticket::next() };
        let line = self.clone();
        let deadline = holders.deadline(time.now());
        let told = Box::new(move |answer: Result<Verdict, Trouble>| {
            let woken = {
                let mut room = line.room.lock();
                room.asking = room.asking.saturating_sub(1);
                std::mem::take(&mut room.woken)
            };
            if matches!(answer, Err(Trouble::Late | Trouble::Lost)) {
                // It may have been granted, or may be still.
                line.office.keeper.release(&line, wish, None);
            }
            then(&line, wish, answer);
            if woken {
                line.look();
            }
        });
        holders.acquire(&self.spot, wish, deadline, told);
    }

    /// What came of the question of one who did not wait.
    fn answered(
        self: &Arc<Self>,
        waiter: Waiter,
        rank: usize,
        willing: bool,
        wish: Wish,
        asked_at: Nanos,
        answer: Result<Verdict, Trouble>,
    ) {
        match answer {
            Ok(Verdict::Held { fence, took_over }) => {
                self.admit(Some(waiter), Got { wish, asked_at, fence, took_over })
            }
            Ok(Verdict::Full(next)) => match if willing { self.queue_up(waiter, rank) } else { Err(waiter) } {
                Ok(()) => self.look_in(next),
                Err(waiter) => self.refuse(&waiter, Refused::Full),
            },
            Err(_) => self.decide_alone(waiter, rank, willing),
        }
    }

    /// Join the queue, unless it is full.
    fn queue_up(&self, waiter: Waiter, rank: usize) -> Result<(), Waiter> {
        let (ledger, receipt) = (waiter.holder.clone(), waiter.receipt);
        let (place, waiting) = {
            let mut room = self.room.lock();
            if room.waiters.len() >= self.office.terms.queue {
                return Err(waiter);
            }
            (room.waiters.push_in(rank, waiter).to_word(), room.waiters.len())
        };
        if !ledger.ledger.place(receipt, (place, QUEUED)) {
            // Called or left meanwhile.
            let gone = self.room.lock().waiters.leave(Place::from_word(place));
            drop(gone);
        }
        let mut queued = self.office.books.queued.lock();
        queued.most = queued.most.max(waiting);
        Ok(())
    }

    /// The store has given a right: to him who asked, or to the first in the line.
    fn admit(self: &Arc<Self>, mut to: Option<Waiter>, got: Got) {
        let Office { keeper, books, .. } = &*self.office;
        if got.took_over {
            books.taken_over.fetch_add(1, Ordering::Relaxed);
        }
        loop {
            let waited = to.is_none();
            let next = match to.take() {
                Some(waiter) => Some(waiter),
                None => self.room.lock().waiters.pop(),
            };
            let Some(Waiter { holder, receipt, since }) = next else { return keeper.release(self, got.wish, None) };
            let ticket = got.wish.ticket;
            self.room.lock().far += 1;
            // First of all, since whoever has the letter may give it back at once.
            keeper.keep(Right::new(got.wish, self.clone(), holder.clone(), receipt, got.asked_at));
            let Got { fence, took_over, .. } = got;
            let news = News::Admitted { ticket: ticket.number(), fence, alone: false, took_over, queued: waited };
            let span = self.office.time.now().saturating_sub(since);
            let first = || books.admit(waited.then_some(span));
            if holder.ledger.call_with(receipt, (ticket.number(), FAR), news, first) {
                return;
            }
            keeper.strike(ticket);
            self.room.lock().far -= 1;
        }
    }

    fn refuse(&self, waiter: &Waiter, why: Refused) {
        let Office { books, .. } = &*self.office;
        if waiter.holder.ledger.tell(waiter.receipt, News::Refused(why)) {
            books.refused.fetch_add(1, Ordering::Relaxed);
            if why == Refused::Unavailable {
                books.unavailable.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Something may be free: the line asks for one.
    pub(super) fn look(self: &Arc<Self>) {
        let asks = {
            let mut room = self.room.lock();
            // More questions than waiters would only bring back what nobody wants.
            let asks = !room.waiters.is_empty() && room.asking < room.waiters.len();
            if asks {
                room.asking += 1;
            } else {
                room.woken = room.asking > 0;
            }
            asks
        };
        if !asks {
            return;
        }
        let now = self.office.time.now();
        self.question(true, move |line, wish, answer| match answer {
            Ok(Verdict::Held { fence, took_over }) => {
                line.admit(None, Got { wish, asked_at: now, fence, took_over });
                // There may be more.
                line.look();
            }
            Ok(Verdict::Full(next)) => line.look_in(next),
            Err(_) => line.serve_alone(),
        });
        self.office.holders.flush();
    }

    fn look_in(&self, span: Nanos) {
        let Office { time, .. } = &*self.office;
        // A moment later: expiry is counted in whole milliseconds of the server.
        let at = time.now() + span.saturating_add(MILLI).min(POLL);
        let sooner = {
            let mut room = self.room.lock();
            let sooner = room.look_at == 0 || at < room.look_at;
            if sooner {
                room.look_at = at;
            }
            sooner
        };
        if sooner {
            time.wake_at(at, self.this.clone());
        }
    }
}

impl Chore for Line {
    fn due(&self, now: Nanos) {
        let is_due = {
            let mut room = self.room.lock();
            let is_due = room.look_at != 0 && room.look_at <= now;
            if is_due {
                room.look_at = 0;
            }
            is_due
        };
        // Else it was put forward, and has been done.
        if is_due && let Some(line) = self.this.upgrade() {
            line.look();
        }
    }
}
