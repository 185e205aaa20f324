//! The caches a trace is played to, each with the defaults of its own documentation. Owns how each is asked.
//! Never counts: that is the same for all of them.

use spillway_engine::store::eviction::{Eviction, Slot};

/// No slot: the key is not there.
const ABSENT: Slot = Slot::MAX;

pub(crate) trait Cache {
    /// Whether the key is there.
    fn get(&mut self, key: u32) -> bool;
    /// It was not there, and is now.
    fn insert(&mut self, key: u32, size: u32);
}

/// The engine's eviction as a shard of its store of bytes drives it, but for the values.
pub(crate) struct Spillway {
    eviction: Eviction,
    /// By key.
    slots: Vec<Slot>,
    /// By slot.
    keys: Vec<u32>,
}

impl Spillway {
    pub(crate) fn new(capacity: u64, distinct: usize) -> Self {
        Spillway { eviction: Eviction::new(capacity), slots: vec![ABSENT; distinct], keys: Vec::new() }
    }

    fn put(&mut self, key: u32, slot: Slot) {
        if let Some(place) = self.slots.get_mut(key as usize) {
            *place = slot;
        }
    }
}

impl Cache for Spillway {
    fn get(&mut self, key: u32) -> bool {
        let slot = self.slots.get(key as usize).copied().unwrap_or(ABSENT);
        if slot == ABSENT {
            return false;
        }
        self.eviction.hit(slot, 1);
        true
    }

    fn insert(&mut self, key: u32, size: u32) {
        let slot = self.eviction.insert(spread(key), size);
        if self.keys.len() <= slot as usize {
            self.keys.resize(slot as usize + 1, 0);
        }
        if let Some(place) = self.keys.get_mut(slot as usize) {
            *place = key;
        }
        self.put(key, slot);
        while let Some(victim) = self.eviction.victim() {
            if let Some(gone) = self.keys.get(victim as usize).copied() {
                self.put(gone, ABSENT);
            }
        }
    }
}

/// A hash of the key, the same in every run: the finalizer of splitmix64.
fn spread(key: u32) -> u64 {
    let mut word = u64::from(key).wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[derive(Clone)]
struct Size;

impl quick_cache::Weighter<u32, u32> for Size {
    fn weight(&self, _key: &u32, size: &u32) -> u64 {
        u64::from(*size)
    }
}

pub(crate) struct QuickCache(quick_cache::unsync::Cache<u32, u32, Size>);

impl QuickCache {
    pub(crate) fn new(capacity: u64, entries: usize) -> Self {
        QuickCache(quick_cache::unsync::Cache::with_weighter(entries, capacity, Size))
    }
}

impl Cache for QuickCache {
    fn get(&mut self, key: u32) -> bool {
        self.0.get(&key).is_some()
    }

    fn insert(&mut self, key: u32, size: u32) {
        self.0.insert(key, size);
    }
}

pub(crate) struct Moka(moka::sync::Cache<u32, u32>);

impl Moka {
    pub(crate) fn new(capacity: u64) -> Self {
        Moka(moka::sync::Cache::builder().max_capacity(capacity).weigher(|_, size| *size).build())
    }
}

impl Cache for Moka {
    fn get(&mut self, key: u32) -> bool {
        self.0.get(&key).is_some()
    }

    fn insert(&mut self, key: u32, size: u32) {
        self.0.insert(key, size);
    }
}
