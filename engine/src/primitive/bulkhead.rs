//! The bulkhead: permits of all callers or of each key, and what is told of them. Owns which partition is asked, and what one
//! thread holds without a receipt. Never locks: a partition does.

use super::life::Life;
use super::limit::Provenance;
use super::partition::{Books, Partition};
use super::tally::{Stripe, Tally};
use crate::clock::{Clock, MILLI, Nanos};
use crate::policy::histogram::Histogram;
use crate::store::fingerprint::Fingerprint;
use crate::store::ledger::{Ledger, Receipt};
use crate::store::waiters::RANKS;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a bulkhead is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkheadConfig {
    /// Permits.
    pub limit: u32,
    /// Places to wait.
    pub queue: u32,
    /// Whether each key has as many of its own.
    pub per_key: bool,
    /// After how many milliseconds a permit expires; none if it never does.
    pub lease_ms: Option<f64>,
    /// Where each value came from.
    #[serde(skip)]
    pub provenance: Provenance,
}

impl BulkheadConfig {
    pub(super) fn lease(&self) -> Option<Nanos> {
        self.lease_ms.map(|lease_ms| (lease_ms * MILLI as f64) as Nanos)
    }
}

const ADMITTED: usize = 0;
const REFUSED: usize = 1;

/// One bulkhead, shared by all threads.
pub struct Bulkhead {
    config: BulkheadConfig,
    /// Permits that are no key's.
    hall: Arc<Partition>,
    books: Arc<Books>,
    tally: Tally<2>,
    life: Life,
}

/// What a snapshot says of a bulkhead.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkheadReport<C = BulkheadConfig> {
    pub(super) config: C,
    pub(super) provenance: Provenance,
    pub(super) in_use: u64,
    pub(super) waiting: usize,
    pub(super) waiting_by_priority: ByPriority,
    /// The most that ever waited at once, for one key.
    pub(super) peak_waiting: usize,
    /// Keys with permits out.
    pub(super) keys: usize,
    pub(super) admitted: u64,
    pub(super) refused: u64,
    pub(super) left: u64,
    pub(super) expired: u64,
    pub(super) wait: WaitReport,
}

#[derive(Debug, Serialize)]
pub(super) struct ByPriority {
    low: usize,
    normal: usize,
    high: usize,
    critical: usize,
}

impl ByPriority {
    pub(super) fn of([low, normal, high, critical]: [usize; RANKS]) -> Self {
        ByPriority { low, normal, high, critical }
    }
}

/// How long those who had to wait did so, in milliseconds.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaitReport {
    count: u64,
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl WaitReport {
    pub(super) fn of(waits: &Histogram) -> Self {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        WaitReport {
            count: waits.count(),
            mean_ms: waits.mean() / 1_000.0,
            p50_ms: millis(waits.percentile(0.5)),
            p95_ms: millis(waits.percentile(0.95)),
            p99_ms: millis(waits.percentile(0.99)),
            max_ms: millis(waits.max()),
        }
    }
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
        let books = Arc::new(Books::default());
        let hall = Arc::new(Partition::new(&config, books.clone(), None));
        Bulkhead { config, hall, books, tally: Tally::default(), life: Life::default() }
    }

    /// What it is made of.
    pub fn config(&self) -> &BulkheadConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        if self.config.per_key { self.books.keys.all() } else { vec![self.hall.clone()] }
    }

    /// State and counters at `now`, permits that have expired passed on.
    pub fn report(&self, now: Nanos) -> BulkheadReport {
        let partitions = self.partitions();
        for partition in &partitions {
            partition.expire(now);
        }
        let [admitted, refused] = self.tally.sums();
        let keys = if self.config.per_key { self.books.keys.len() } else { 0 };
        let (mut in_use, mut waiting) = (0, [0; RANKS]);
        for (out, queued) in partitions.iter().map(|partition| partition.load()) {
            in_use += out;
            waiting.iter_mut().zip(queued).for_each(|(sum, queued)| *sum += queued);
        }
        let (served, peak_waiting, wait) = {
            let queued = self.books.queued.lock();
            (queued.served, queued.most, queued.waits.as_deref().map(WaitReport::of).unwrap_or_default())
        };
        BulkheadReport {
            config: self.config.clone(),
            provenance: self.config.provenance.clone(),
            in_use,
            waiting: waiting.iter().sum(),
            waiting_by_priority: ByPriority::of(waiting),
            peak_waiting,
            keys,
            admitted: admitted + served,
            refused,
            left: self.books.left.load(Ordering::Relaxed),
            expired: self.books.expired.load(Ordering::Relaxed),
            wait,
        }
    }
}

/// One thread's way to a bulkhead.
pub struct BulkheadHandle {
    bulkhead: Arc<Bulkhead>,
    ledger: Arc<Ledger>,
    stripe: Arc<Stripe<2>>,
    /// Permits that are out here without a receipt.
    held: Cell<u32>,
    let_go: Cell<bool>,
    one_thread: PhantomData<Cell<()>>,
}

impl BulkheadHandle {
    /// A handle that writes into `ledger` and has counters of its own.
    pub fn new(bulkhead: Arc<Bulkhead>, ledger: Arc<Ledger>) -> Self {
        BulkheadHandle {
            stripe: bulkhead.tally.stripe(),
            bulkhead,
            ledger,
            held: Cell::new(0),
            let_go: Cell::new(false),
            one_thread: PhantomData,
        }
    }

    /// The bulkhead itself.
    pub fn bulkhead(&self) -> &Arc<Bulkhead> {
        &self.bulkhead
    }

    /// A permit, if one is free and nobody waits. It has no receipt, which takes a third of the time: the caller sees to it that
    /// each reaches [`BulkheadHandle::exit`] once. Only where permits are no key's and do not expire.
    #[inline]
    pub fn enter(&self) -> bool {
        debug_assert!(!self.bulkhead.config.per_key && self.bulkhead.config.lease_ms.is_none());
        let taken = self.bulkhead.hall.take();
        if taken {
            self.held.set(self.held.get() + 1);
            self.stripe.add(ADMITTED, 1);
        }
        taken
    }

    /// Give back a permit that [`BulkheadHandle::enter`] gave.
    #[inline]
    pub fn exit(&self, now: Clock<'_>) {
        let held = self.held.get();
        debug_assert!(held > 0, "a permit came back that was never out");
        if held > 0 {
            self.held.set(held - 1);
            self.bulkhead.hall.give_back_counted(now);
        }
    }

    /// Let go of it: it gives out no more, and is done when the last permit without a receipt has come back. False if that was
    /// done before.
    pub fn let_go(&self) -> bool {
        !self.let_go.replace(true)
    }

    /// Whether it gives out nothing any more.
    #[inline]
    pub fn has_ended(&self) -> bool {
        self.let_go.get() || self.bulkhead.life.has_ended()
    }

    /// Whether it was let go and nothing has to come back to it.
    #[inline]
    pub fn is_done(&self) -> bool {
        self.let_go.get() && self.held.get() == 0
    }

    /// The environment ends: what is out here without a receipt comes back.
    pub fn close(&self, now: Clock<'_>) {
        while self.held.get() > 0 {
            self.exit(now);
        }
    }

    /// A permit, if one is free and nobody waits. The key is that of a bulkhead for each key, else none.
    pub fn try_acquire(&self, key: Option<Fingerprint>, now: Clock<'_>) -> Grant {
        self.ask(key, 0, false, now)
    }

    /// A permit, or a place in the queue: behind those of the same rank and of higher ones.
    pub fn acquire(&self, key: Option<Fingerprint>, rank: usize, now: Clock<'_>) -> Grant {
        self.ask(key, rank, true, now)
    }

    fn ask(&self, key: Option<Fingerprint>, rank: usize, willing_to_wait: bool, now: Clock<'_>) -> Grant {
        loop {
            let keyed = key.map(|key| self.partition(key));
            let partition = keyed.as_ref().unwrap_or(&self.bulkhead.hall);
            // One that ended in between is no more the key's.
            let Some(grant) = partition.ask(&self.ledger, rank, willing_to_wait, now) else { continue };
            match grant {
                Grant::Permit(_) => self.stripe.add(ADMITTED, 1),
                Grant::Full => self.stripe.add(REFUSED, 1),
                Grant::Queued(_) => {}
            }
            return grant;
        }
    }

    fn partition(&self, key: Fingerprint) -> Arc<Partition> {
        let Bulkhead { config, books, .. } = &*self.bulkhead;
        books.keys.get_or_make(key, || Partition::new(config, books.clone(), Some(key)))
    }

    /// Permits whose lease has ended pass on. Answers how long the next has, if one is out.
    pub fn expire(&self, key: Option<Fingerprint>, now: Nanos) -> Option<Nanos> {
        match key {
            Some(key) => self.bulkhead.books.keys.get(key)?.expire(now),
            None => self.bulkhead.hall.expire(now),
        }
    }

    /// Give a permit back. A second time does nothing.
    pub fn release(&self, receipt: Receipt, now: Clock<'_>) {
        self.ledger.give_back(receipt, now);
    }

    /// Leave the queue. False if the turn has come already: then a letter is on its way and the receipt is a permit.
    pub fn leave(&self, receipt: Receipt, now: Clock<'_>) -> bool {
        self.ledger.leave(receipt, now)
    }
}
