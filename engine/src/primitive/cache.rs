//! The cache: encoded bytes, flights and the numbers that keep decoded copies honest. Owns their order.
//! Never decodes a value and never runs a loader.
//!
//! Mutate, then bump, then return: whoever has seen a mutator return finds every older copy invalid.

use super::life::Life;
use super::tally::{Stripe, Tally};
use crate::clock::{Clock, MILLI, Nanos};
use crate::error::{Code, Fault};
use crate::store::bytes::{Accounts, ByteStore, Bytes};
use crate::store::fingerprint::Fingerprint;
use crate::store::flights::{Boarding, FlightId, Flights, Passenger};
use crate::store::generations::{EPOCH_SLOTS, Generations, slot_of};
use crate::store::ledger::{Held, Ledger, Letter, News, Receipt, Token};
use crate::store::waiters::Place;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a cache is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheConfig {
    /// How long a value is fresh, in milliseconds.
    pub ttl_ms: f64,
    /// Share by which that varies either way.
    pub jitter: f64,
    /// Keys, values and overhead.
    pub max_bytes: f64,
    /// The largest encoded value.
    pub max_value_bytes: f64,
}

const HITS: usize = 0;
const MISSES: usize = 1;
const LOADS: usize = 2;
const LOAD_FAILURES: usize = 3;
const SETS: usize = 4;
const DELETES: usize = 5;

/// One cache, shared by all threads.
pub struct Cache {
    config: CacheConfig,
    bytes: ByteStore,
    flights: Flights,
    generations: Arc<dyn Generations>,
    epoch_slot: u32,
    tally: Tally<6>,
    life: Life,
}

/// What a snapshot says of a cache.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    config: CacheConfig,
    hits: u64,
    misses: u64,
    loads: u64,
    load_failures: u64,
    sets: u64,
    deletes: u64,
    evictions: u64,
    expirations: u64,
    entries: u64,
    bytes: u64,
    max_bytes: f64,
}

/// An encoded value on its way in.
pub struct Encoded {
    /// The encoding.
    pub value: Box<[u8]>,
    /// Whether every byte is ASCII.
    pub ascii: bool,
    /// How long it is fresh, if not as long as the cache says.
    pub ttl_ms: Option<f64>,
}

/// What somebody who missed is told.
pub enum Miss {
    /// The value arrived in the meantime.
    Present(Arc<Bytes>),
    /// Load it; land or fail with this receipt.
    Lead(Receipt),
    /// Another environment loads it; a letter comes.
    Wait(Receipt),
    /// The environment has ended or waits for a million things.
    Refused,
}

impl Cache {
    /// An empty cache that keeps the copies of `generations` honest.
    pub fn new(config: CacheConfig, generations: Arc<dyn Generations>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Cache {
            bytes: ByteStore::new(config.max_bytes as u64, config.max_value_bytes as u64),
            flights: Flights::default(),
            generations,
            epoch_slot: NEXT.fetch_add(1, Ordering::Relaxed) % EPOCH_SLOTS,
            tally: Tally::default(),
            life: Life::default(),
            config,
        }
    }

    /// What it is made of.
    pub fn config(&self) -> &CacheConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// End it, for every handle and every decoded copy.
    pub fn end(&self) {
        self.life.end();
        self.generations.bump(self.epoch_slot);
    }

    /// The slot whose number rises when everything ends at once.
    pub fn epoch_slot(&self) -> u32 {
        self.epoch_slot
    }

    /// Where the ttl of a key ends: the same share of jitter for all of a key's life, another for every key and process.
    fn expiry(&self, key: Fingerprint, ttl_ms: f64, now: Nanos) -> Nanos {
        let point = (key.high >> 11) as f64 / (1u64 << 53) as f64;
        let ttl = ttl_ms * (1.0 + self.config.jitter * (2.0 * point - 1.0));
        now.saturating_add((ttl.max(0.0) * MILLI as f64) as Nanos)
    }

    fn entry(&self, key: Fingerprint, key_len: usize, encoded: Encoded, epoch: u64, now: Nanos) -> Arc<Bytes> {
        let ttl_ms = encoded.ttl_ms.unwrap_or(self.config.ttl_ms);
        Arc::new(Bytes {
            key_len,
            value: encoded.value,
            ascii: encoded.ascii,
            expires_at: self.expiry(key, ttl_ms, now),
            epoch,
        })
    }

    fn check_size(&self, encoded: &Encoded) -> Result<(), Fault> {
        if encoded.value.len() as f64 <= self.config.max_value_bytes {
            return Ok(());
        }
        Err(Fault::new(
            Code::ValueTooLarge,
            format!(
                "the encoded value has {} bytes and `maxValueBytes` is {}; raise it, or cache less",
                encoded.value.len(),
                self.config.max_value_bytes
            ),
        ))
    }

    /// State and counters.
    pub fn report(&self) -> CacheReport {
        let [hits, misses, loads, load_failures, sets, deletes] = self.tally.sums();
        let Accounts { entries, bytes, evictions, expirations } = self.bytes.accounts();
        CacheReport {
            config: self.config.clone(),
            hits,
            misses,
            loads,
            load_failures,
            sets,
            deletes,
            evictions,
            expirations,
            entries,
            bytes,
            max_bytes: self.config.max_bytes,
        }
    }

    /// The load of `flight` will not land from where it was: who waits for it loads it himself.
    fn hand_over(&self, flight: FlightId) {
        self.flights.hand_over(flight, |next| {
            let accepted = next.ledger.promote(next.receipt, (flight, 0));
            if accepted {
                next.ledger.post(Letter { receipt: next.receipt, news: News::Yours });
            }
            accepted
        });
    }
}

impl Held for Cache {
    fn give_back(&self, (flight, _): Token, _now: Clock<'_>) {
        self.hand_over(flight);
    }

    fn leave(&self, (flight, place): Token, _now: Clock<'_>) -> bool {
        self.flights.leave(flight, Place::from_word(place))
    }
}

/// One thread's way to a cache.
pub struct CacheHandle {
    cache: Arc<Cache>,
    ledger: Arc<Ledger>,
    stripe: Arc<Stripe<6>>,
    one_thread: PhantomData<Cell<()>>,
}

impl CacheHandle {
    /// A handle that writes into `ledger` and has counters of its own.
    pub fn new(cache: Arc<Cache>, ledger: Arc<Ledger>) -> Self {
        CacheHandle { stripe: cache.tally.stripe(), cache, ledger, one_thread: PhantomData }
    }

    /// The cache itself.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The value, if it is there and fresh.
    pub fn get(&self, key: Fingerprint, now: Nanos) -> Option<Arc<Bytes>> {
        let found = self.cache.bytes.get(key, now);
        self.stripe.add(if found.is_some() { HITS } else { MISSES }, 1);
        found
    }

    /// Decoded copies of `key` were hit `hits` times since this was last told.
    pub fn touch(&self, key: Fingerprint, hits: u64) {
        self.stripe.add(HITS, hits);
        self.cache.bytes.touch(key);
    }

    /// Store a value.
    pub fn set(&self, key: Fingerprint, key_len: usize, encoded: Encoded, now: Nanos) -> Result<(), Fault> {
        let cache = &*self.cache;
        cache.check_size(&encoded)?;
        let outgoing = cache
            .flights
            .mutate(key, || cache.bytes.insert(key, cache.entry(key, key_len, encoded, cache.bytes.epoch(), now)));
        cache.generations.bump(slot_of(key));
        self.stripe.add(SETS, 1);
        drop(outgoing);
        Ok(())
    }

    /// Take a value out. Whether it could still be read.
    pub fn delete(&self, key: Fingerprint, now: Nanos) -> bool {
        let cache = &*self.cache;
        let gone = cache.flights.mutate(key, || cache.bytes.remove(key));
        cache.generations.bump(slot_of(key));
        self.stripe.add(DELETES, 1);
        gone.is_some_and(|gone| gone.epoch == cache.bytes.epoch() && now < gone.expires_at)
    }

    /// Forget everything, in constant time.
    pub fn clear(&self) {
        self.cache.bytes.clear();
        self.cache.generations.bump(self.cache.epoch_slot);
    }

    /// The value is missing: load it, or wait for whoever does.
    pub fn board(&self, key: Fingerprint, now: Nanos) -> Miss {
        let cache = &*self.cache;
        let Some(receipt) = self.ledger.wait(self.cache.clone()) else { return Miss::Refused };
        let passenger = Passenger { ledger: self.ledger.clone(), receipt };
        let epoch = cache.bytes.epoch();
        match cache.flights.board(key, epoch, passenger, || cache.bytes.get(key, now)) {
            Boarding::Present(value) => {
                self.ledger.forget(receipt);
                Miss::Present(value)
            }
            Boarding::Wait(flight, place) => {
                self.ledger.place(receipt, (flight, place.to_word()));
                Miss::Wait(receipt)
            }
            Boarding::Lead(flight) if self.ledger.promote(receipt, (flight, 0)) => {
                self.stripe.add(LOADS, 1);
                Miss::Lead(receipt)
            }
            Boarding::Lead(flight) => {
                cache.hand_over(flight);
                Miss::Refused
            }
        }
    }

    /// The letter for a waiting receipt said that it leads now.
    pub fn note_lead(&self) {
        self.stripe.add(LOADS, 1);
    }

    /// The load is done. The value is stored unless the key was changed meanwhile; whoever waited gets it in either case.
    /// A value that is too large counts as a failed load.
    pub fn land(
        &self,
        receipt: Receipt,
        key: Fingerprint,
        key_len: usize,
        encoded: Encoded,
        now: Nanos,
    ) -> Result<(), Fault> {
        let cache = &*self.cache;
        if let Err(fault) = cache.check_size(&encoded) {
            self.fail(receipt);
            return Err(fault);
        }
        // None: the loader took too long and the flight has gone to another.
        let Some((flight, _)) = self.ledger.settle(receipt) else { return Ok(()) };
        let value = cache.entry(key, key_len, encoded, cache.bytes.epoch(), now);
        let (passengers, outgoing) = cache.flights.land(flight, |began_in| {
            // A clear in between ended the epoch of this load: what it found is for nobody who asks after it.
            if began_in == value.epoch { cache.bytes.insert(key, value.clone()) } else { Vec::new() }
        });
        if outgoing.is_some() {
            cache.generations.bump(slot_of(key));
        }
        drop(outgoing);
        for Passenger { ledger, receipt } in passengers {
            if ledger.forget(receipt).is_some() {
                ledger.post(Letter { receipt, news: News::Landed(value.clone()) });
            }
        }
        Ok(())
    }

    /// The load failed: whoever waits in another environment loads it himself.
    pub fn fail(&self, receipt: Receipt) {
        if let Some((flight, _)) = self.ledger.settle(receipt) {
            self.stripe.add(LOAD_FAILURES, 1);
            self.cache.hand_over(flight);
        }
    }

    /// Stop waiting. False if a letter is on its way.
    pub fn leave(&self, receipt: Receipt) -> bool {
        self.ledger.leave(receipt, &|| 0)
    }
}
