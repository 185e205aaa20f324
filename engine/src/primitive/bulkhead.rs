//! The bulkhead: permits, a queue, and the books of those who hold and wait. Owns who is next.
//! Never posts, drops or takes another lock while its own is held.

use super::life::Life;
use super::tally::{Stripe, Tally};
use crate::policy::permits::{Ask, Permits};
use crate::store::ledger::{Held, Ledger, Letter, News, Receipt, Token};
use crate::store::waiters::{Place, Waiters};
use parking_lot::Mutex;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a bulkhead is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkheadConfig {
    /// Permits.
    pub limit: u32,
    /// Places to wait.
    pub queue: u32,
}

const ADMITTED: usize = 0;
const REFUSED: usize = 1;

/// Somebody who waits, and the book he is written down in.
struct Waiter {
    ledger: Arc<Ledger>,
    receipt: Receipt,
}

struct Room {
    permits: Permits,
    waiters: Waiters<Waiter>,
}

/// One bulkhead, shared by all threads.
pub struct Bulkhead {
    config: BulkheadConfig,
    room: Mutex<Room>,
    /// Waiters that left before their turn.
    left: AtomicU64,
    tally: Tally<2>,
    life: Life,
}

/// What a snapshot says of a bulkhead.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkheadReport {
    config: BulkheadConfig,
    in_use: u32,
    waiting: usize,
    admitted: u64,
    refused: u64,
    left: u64,
}

/// What somebody who asks for a permit gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A permit.
    Permit(Receipt),
    /// A place in the queue; a letter comes when it is a permit.
    Queued(Receipt),
    /// Nothing.
    Full,
}

impl Bulkhead {
    /// A bulkhead with every permit free.
    pub fn new(config: BulkheadConfig) -> Self {
        let room = Room { permits: Permits::new(config.limit, config.queue), waiters: Waiters::default() };
        Bulkhead {
            room: Mutex::new(room),
            left: AtomicU64::new(0),
            config,
            tally: Tally::default(),
            life: Life::default(),
        }
    }

    /// What it is made of.
    pub fn config(&self) -> &BulkheadConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// A permit is free: it passes to whoever waited longest and is still there.
    fn pass_on(&self) {
        loop {
            let next = {
                let mut room = self.room.lock();
                let next = room.waiters.pop();
                if next.is_none() {
                    room.permits.free();
                }
                next
            };
            let Some(Waiter { ledger, receipt }) = next else { return };
            if ledger.promote(receipt, (0, 0)) {
                return ledger.post(Letter { receipt, news: News::Yours });
            }
        }
    }

    /// State and counters.
    pub fn report(&self) -> BulkheadReport {
        let [admitted, refused] = self.tally.sums();
        let (in_use, waiting) = {
            let room = self.room.lock();
            (room.permits.in_use(), room.waiters.len())
        };
        BulkheadReport {
            config: self.config.clone(),
            in_use,
            waiting,
            admitted,
            refused,
            left: self.left.load(Ordering::Relaxed),
        }
    }
}

impl Held for Bulkhead {
    fn give_back(&self, _token: Token) {
        self.pass_on();
    }

    fn leave(&self, (place, _): Token) -> bool {
        let left = self.room.lock().waiters.leave(Place::from_word(place));
        self.left.fetch_add(u64::from(left.is_some()), Ordering::Relaxed);
        left.is_some()
    }
}

/// One thread's way to a bulkhead.
pub struct BulkheadHandle {
    bulkhead: Arc<Bulkhead>,
    ledger: Arc<Ledger>,
    stripe: Arc<Stripe<2>>,
    one_thread: PhantomData<Cell<()>>,
}

impl BulkheadHandle {
    /// A handle that writes into `ledger` and has counters of its own.
    pub fn new(bulkhead: Arc<Bulkhead>, ledger: Arc<Ledger>) -> Self {
        BulkheadHandle { stripe: bulkhead.tally.stripe(), bulkhead, ledger, one_thread: PhantomData }
    }

    /// The bulkhead itself.
    pub fn bulkhead(&self) -> &Arc<Bulkhead> {
        &self.bulkhead
    }

    /// A permit, if one is free and nobody waits.
    pub fn try_acquire(&self) -> Grant {
        match self.take_free() {
            Some(receipt) => self.admit(receipt),
            None => self.refuse(),
        }
    }

    /// A permit, or a place in the queue.
    pub fn acquire(&self) -> Grant {
        if let Some(receipt) = self.take_free() {
            return self.admit(receipt);
        }
        let Some(receipt) = self.ledger.wait(self.bulkhead.clone()) else { return self.refuse() };
        let waiter = Waiter { ledger: self.ledger.clone(), receipt };
        let (ask, place) = {
            let mut room = self.bulkhead.room.lock();
            let waiting = room.waiters.len();
            let ask = room.permits.ask(waiting, true);
            (ask, (ask == Ask::Wait).then(|| room.waiters.push(waiter)))
        };
        match (ask, place) {
            (Ask::Wait, Some(place)) => {
                self.ledger.place(receipt, (place.to_word(), 0));
                Grant::Queued(receipt)
            }
            (Ask::Go, _) if self.ledger.promote(receipt, (0, 0)) => self.admit(receipt),
            (Ask::Go, _) => {
                self.bulkhead.pass_on();
                self.refuse()
            }
            _ => {
                self.ledger.forget(receipt);
                self.refuse()
            }
        }
    }

    fn take_free(&self) -> Option<Receipt> {
        let ask = {
            let mut room = self.bulkhead.room.lock();
            let waiting = room.waiters.len();
            room.permits.ask(waiting, false)
        };
        if ask != Ask::Go {
            return None;
        }
        let receipt = self.ledger.hold(self.bulkhead.clone(), (0, 0));
        if receipt.is_none() {
            self.bulkhead.pass_on();
        }
        receipt
    }

    fn admit(&self, receipt: Receipt) -> Grant {
        self.stripe.add(ADMITTED, 1);
        Grant::Permit(receipt)
    }

    fn refuse(&self) -> Grant {
        self.stripe.add(REFUSED, 1);
        Grant::Full
    }

    /// The letter for a queued receipt has come: it is a permit now.
    pub fn note_arrival(&self) {
        self.stripe.add(ADMITTED, 1);
    }

    /// Give a permit back. A second time does nothing.
    pub fn release(&self, receipt: Receipt) {
        self.ledger.give_back(receipt);
    }

    /// Leave the queue. False if the turn has come already: then a letter is on its way and the receipt is a permit.
    pub fn leave(&self, receipt: Receipt) -> bool {
        self.ledger.leave(receipt)
    }
}
