//! Encoded values under a byte budget. Owns expiry, epochs and accounting; which entry must go is quick_cache's choice.
//! Never hands out a value that is expired or of an epoch that has ended.

use super::fingerprint::Fingerprint;
use crate::clock::Nanos;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an entry weighs beside its key and value: its own fields, the table's and the allocator's.
pub const OVERHEAD: u64 = 160;

/// A shard holds at least this many of the largest values, so that none is dropped for want of room.
pub const LARGEST_PER_SHARD: u64 = 8;

const MAX_SHARDS: u64 = 32;

/// One encoded value.
#[derive(Debug)]
pub struct Bytes {
    /// Length of the key, for the budget.
    pub key_len: usize,
    /// The encoding.
    pub value: Box<[u8]>,
    /// Whether every byte is ASCII, which a reader can take over without decoding.
    pub ascii: bool,
    /// The first moment at which it is no longer fresh.
    pub expires_at: Nanos,
    /// The epoch of the cache it was stored in.
    pub epoch: u64,
}

impl Bytes {
    fn weight(&self) -> u64 {
        self.key_len as u64 + self.value.len() as u64 + OVERHEAD
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Fingerprint, Arc<Bytes>> for Weight {
    fn weight(&self, _key: &Fingerprint, value: &Arc<Bytes>) -> u64 {
        value.weight()
    }
}

/// Collects what an insertion pushes out, so that it is dropped after the shard's lock.
#[derive(Clone)]
struct Outgoing;

impl Lifecycle<Fingerprint, Arc<Bytes>> for Outgoing {
    type RequestState = Vec<(Fingerprint, Arc<Bytes>)>;

    fn on_evict(&self, state: &mut Self::RequestState, key: Fingerprint, value: Arc<Bytes>) {
        state.push((key, value));
    }
}

/// A fingerprint is evenly spread already.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 ^= word;
    }
}

/// Key → encoded value.
pub struct ByteStore {
    entries: Cache<Fingerprint, Arc<Bytes>, Weight, BuildHasherDefault<Identity>, Outgoing>,
    /// Changed only under the lock of `live`.
    epoch: AtomicU64,
    live: Mutex<Live>,
    evictions: AtomicU64,
    expirations: AtomicU64,
}

/// Entries and bytes of the current epoch. Those of an ended one wait for eviction and count for nothing.
#[derive(Clone, Copy, Default)]
struct Live {
    entries: u64,
    bytes: u64,
}

/// A reading of the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Values that can be read.
    pub entries: u64,
    /// What they weigh.
    pub bytes: u64,
    /// Values that had to go for others.
    pub evictions: u64,
    /// Values found past their time and removed.
    pub expirations: u64,
}

impl ByteStore {
    /// Room for `max_bytes`, in shards that each hold several values of `max_value_bytes`.
    pub fn new(max_bytes: u64, max_value_bytes: u64) -> Self {
        let shards = (max_bytes / (LARGEST_PER_SHARD * max_value_bytes.max(1))).clamp(1, MAX_SHARDS);
        // Rounded down to a power of two: quick_cache would round up, and halve a shard's room.
        let shards = 1usize << shards.ilog2();
        let options = OptionsBuilder::new()
            .shards(shards)
            .weight_capacity(max_bytes)
            .estimated_items_capacity((max_bytes / 1024).clamp(1024, 1 << 20) as usize)
            .build()
            .expect("the capacities are set");
        ByteStore {
            entries: Cache::with_options(options, Weight, BuildHasherDefault::default(), Outgoing),
            epoch: AtomicU64::new(0),
            live: Mutex::default(),
            evictions: AtomicU64::new(0),
            expirations: AtomicU64::new(0),
        }
    }

    /// The current epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The value, if it is there and fresh.
    pub fn get(&self, key: Fingerprint, now: Nanos) -> Option<Arc<Bytes>> {
        let found = self.entries.get(&key)?;
        if found.epoch == self.epoch() && now < found.expires_at {
            return Some(found);
        }
        if let Some((_, gone)) = self.entries.remove_if(&key, |present| Arc::ptr_eq(present, &found)) {
            self.expirations.fetch_add(u64::from(gone.epoch == self.epoch()), Ordering::Relaxed);
            self.discount(&gone);
        }
        None
    }

    /// Tell the eviction policy that the value was used, elsewhere.
    pub fn touch(&self, key: Fingerprint) {
        let _ = self.entries.get(&key);
    }

    /// Store the value. What it pushes out comes back, to be dropped where no lock is held.
    #[must_use = "drop it where no lock is held"]
    pub fn insert(&self, key: Fingerprint, value: Arc<Bytes>) -> Vec<(Fingerprint, Arc<Bytes>)> {
        self.account(&value, |live, weight| Live { entries: live.entries + 1, bytes: live.bytes + weight });
        let mut outgoing = Vec::new();
        self.entries.insert_with_lifecycle(key, value, &mut outgoing);
        for (of, gone) in &outgoing {
            self.discount(gone);
            self.evictions.fetch_add(u64::from(*of != key), Ordering::Relaxed);
        }
        outgoing
    }

    /// Take the value out, fresh or not.
    pub fn remove(&self, key: Fingerprint) -> Option<Arc<Bytes>> {
        let (_, gone) = self.entries.remove(&key)?;
        self.discount(&gone);
        Some(gone)
    }

    /// End the epoch: whatever is stored can no longer be read. What it occupies goes as room is needed.
    pub fn clear(&self) {
        let mut live = self.live.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        *live = Live::default();
    }

    fn discount(&self, gone: &Bytes) {
        self.account(gone, |live, weight| Live {
            entries: live.entries.saturating_sub(1),
            bytes: live.bytes.saturating_sub(weight),
        });
    }

    fn account(&self, value: &Bytes, change: impl FnOnce(Live, u64) -> Live) {
        let mut live = self.live.lock();
        if value.epoch == self.epoch() {
            *live = change(*live, value.weight());
        }
    }

    /// What is stored, and what has gone.
    pub fn accounts(&self) -> Accounts {
        let Live { entries, bytes } = *self.live.lock();
        Accounts {
            entries,
            bytes,
            evictions: self.evictions.load(Ordering::Relaxed),
            expirations: self.expirations.load(Ordering::Relaxed),
        }
    }
}
