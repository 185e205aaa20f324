//! What the hit ratio would be with half and with double the room: two caches without values, of a sample of keys, beside the real one.
//! Never holds up a reader: who finds somebody at it goes on, and its look is not counted.

use super::bytes::Estimates;
use super::eviction::{Eviction, Slot};
use crate::clock::Nanos;
use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Entries of the larger shadow, at most. From then on one key in twice as many is in the sample.
const MOST: usize = 1024;

/// The rarity of the sample while less than this part of the cache can be taken: nobody is in it, for any size would do the same.
const ASLEEP: u32 = u64::BITS + 1;
const FAR_FROM_FULL: u64 = 64;

/// Looks before anything is said.
const FEWEST_LOOKS: f64 = 1024.0;

/// Misses of the real cache that say enough of how many more or fewer there would be.
const FEWEST_MISSES: f64 = 32.0;

/// After as many looks as there are entries in the larger shadow, times this, what was counted so far counts half.
const TURNS: f64 = 64.0;

/// The two shadows, and how often they and the real cache missed.
pub struct Estimate {
    /// Of the real cache.
    capacity: u64,
    /// What has been stored so far, until it is told from nothing.
    stored: AtomicU64,
    /// One key in two to the power of this is in the sample.
    rarity: AtomicU32,
    inner: Mutex<Inner>,
}

struct Inner {
    half: Shadow,
    double: Shadow,
    /// Of the sample, of late.
    looks: f64,
    /// Misses of the real cache among them.
    misses: f64,
}

/// A cache of another size, with keys, weights and times alone.
struct Shadow {
    capacity: u64,
    eviction: Eviction,
    index: HashTable<Slot>,
    /// By slot.
    notes: Vec<Note>,
    misses: f64,
}

/// What the order of eviction does not say of an entry.
#[derive(Clone, Copy, Default)]
struct Note {
    weight: u32,
    /// When it is of no use any more.
    until: Nanos,
}

impl Estimate {
    /// Beside a cache with room for `capacity`.
    pub fn new(capacity: u64) -> Self {
        let inner = Inner {
            half: Shadow::new(capacity / 2),
            double: Shadow::new(capacity.saturating_mul(2)),
            looks: 0.0,
            misses: 0.0,
        };
        Estimate { capacity, stored: AtomicU64::new(0), rarity: AtomicU32::new(ASLEEP), inner: Mutex::new(inner) }
    }

    /// Somebody looked the key up `times` times, and the entry was there: of this weight, and of use until then.
    #[inline]
    pub fn hit(&self, hash: u64, weight: u32, until: Nanos, times: u32, now: Nanos) {
        if let Some(mut inner) = self.sample(hash) {
            inner.looks += f64::from(times);
            inner.each(|shadow| {
                if !shadow.look(hash, times, now) {
                    shadow.insert(hash, weight, until);
                }
            });
            self.bound(&mut inner);
        }
    }

    /// Somebody looked the key up, and nothing was there.
    #[inline]
    pub fn miss(&self, hash: u64, now: Nanos) {
        if let Some(mut inner) = self.sample(hash) {
            inner.looks += 1.0;
            inner.misses += 1.0;
            inner.each(|shadow| {
                shadow.look(hash, 1, now);
            });
        }
    }

    /// The key has a value now, of this weight, and of use until then.
    #[inline]
    pub fn insert(&self, hash: u64, weight: u32, until: Nanos) {
        if self.asleep() && !self.wakes(weight) {
            return;
        }
        if let Some(mut inner) = self.sample(hash) {
            inner.each(|shadow| shadow.insert(hash, weight, until));
            self.bound(&mut inner);
        }
    }

    /// The key's value is gone for another reason than want of room.
    #[inline]
    pub fn remove(&self, hash: u64) {
        if let Some(mut inner) = self.sample(hash) {
            inner.each(|shadow| shadow.remove(hash));
        }
    }

    /// Everything is gone.
    pub fn clear(&self) {
        self.inner.lock().each(Shadow::clear);
    }

    /// What would be, beside the real cache's `hit_ratio`; the real one is never between a better half and a worse double.
    pub fn estimates(&self, hit_ratio: f64) -> Estimates {
        if self.asleep() {
            let same = (self.stored.load(Ordering::Relaxed) > 0).then_some(hit_ratio);
            return Estimates { half: same, double: same };
        }
        let inner = self.inner.lock();
        if inner.looks < FEWEST_LOOKS {
            return Estimates::default();
        }
        // How many more or fewer misses there would be is the same in the sample and outside; how many looks go to the few
        // keys that are asked for most is not.
        let ratio = |shadow: &Shadow| {
            let would_miss = if inner.misses < FEWEST_MISSES {
                shadow.misses / inner.looks
            } else {
                (1.0 - hit_ratio) * shadow.misses / inner.misses
            };
            (1.0 - would_miss).clamp(0.0, 1.0)
        };
        Estimates { half: Some(ratio(&inner.half).min(hit_ratio)), double: Some(ratio(&inner.double).max(hit_ratio)) }
    }

    fn asleep(&self) -> bool {
        self.rarity.load(Ordering::Relaxed) == ASLEEP
    }

    /// Whether with this weight the cache may no longer be far from full.
    fn wakes(&self, weight: u32) -> bool {
        let stored = self.stored.fetch_add(u64::from(weight), Ordering::Relaxed) + u64::from(weight);
        stored > self.capacity / FAR_FROM_FULL
            && self.rarity.compare_exchange(ASLEEP, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Other bits than those by which an order of eviction takes samples of its own.
    fn sampled(&self, hash: u64) -> bool {
        spread(hash).leading_zeros() >= self.rarity.load(Ordering::Relaxed)
    }

    fn sample(&self, hash: u64) -> Option<MutexGuard<'_, Inner>> {
        if self.sampled(hash) { self.inner.try_lock() } else { None }
    }

    fn bound(&self, inner: &mut Inner) {
        if inner.double.index.len() > MOST {
            let rarity = self.rarity.fetch_add(1, Ordering::Relaxed) + 1;
            inner.each(|shadow| shadow.thin(|hash| spread(hash).leading_zeros() >= rarity));
            // A look of the smaller sample stands for twice as many.
            inner.halve();
        }
        if inner.looks >= FEWEST_LOOKS.max(TURNS * inner.double.index.len() as f64) * 2.0 {
            inner.halve();
        }
    }
}

/// The high bits depend on all others. 2⁶⁴ divided by the golden ratio.
fn spread(hash: u64) -> u64 {
    (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Inner {
    fn each(&mut self, mut change: impl FnMut(&mut Shadow)) {
        change(&mut self.half);
        change(&mut self.double);
    }

    fn halve(&mut self) {
        self.looks /= 2.0;
        self.misses /= 2.0;
        self.each(|shadow| shadow.misses /= 2.0);
    }
}

impl Shadow {
    fn new(capacity: u64) -> Self {
        Shadow { capacity, eviction: Eviction::new(capacity), index: HashTable::new(), notes: Vec::new(), misses: 0.0 }
    }

    fn find(&self, hash: u64) -> Option<Slot> {
        self.index.find(hash, |slot| self.eviction.hash(*slot) == hash).copied()
    }

    /// Whether it is there. If not, only the first of the looks was a miss: the others found what it brought.
    fn look(&mut self, hash: u64, times: u32, now: Nanos) -> bool {
        if let Some(slot) = self.find(hash) {
            if self.notes.get(slot as usize).is_some_and(|note| now < note.until) {
                self.eviction.hit(slot, times);
                return true;
            }
            self.take_out(slot);
        }
        self.misses += 1.0;
        false
    }

    fn insert(&mut self, hash: u64, weight: u32, until: Nanos) {
        let slot = if let Some(slot) = self.find(hash) {
            self.eviction.reweigh(slot, weight);
            slot
        } else {
            let slot = self.eviction.insert(hash, weight);
            let eviction = &self.eviction;
            self.index.insert_unique(hash, slot, |slot| eviction.hash(*slot));
            slot
        };
        if self.notes.len() <= slot as usize {
            self.notes.resize(slot as usize + 1, Note::default());
        }
        if let Some(note) = self.notes.get_mut(slot as usize) {
            *note = Note { weight, until };
        }
        while let Some(victim) = self.eviction.victim() {
            self.unindex(victim);
        }
    }

    fn remove(&mut self, hash: u64) {
        if let Some(slot) = self.find(hash) {
            self.take_out(slot);
        }
    }

    fn take_out(&mut self, slot: Slot) {
        self.unindex(slot);
        self.eviction.remove(slot);
    }

    fn unindex(&mut self, slot: Slot) {
        if let Ok(found) = self.index.find_entry(self.eviction.hash(slot), |other| *other == slot) {
            found.remove();
        }
    }

    fn clear(&mut self) {
        let misses = self.misses;
        *self = Shadow { misses, ..Shadow::new(self.capacity) };
    }

    /// Half the room, for half the keys. Those that stay begin anew, in any order: that is soon mended.
    fn thin(&mut self, kept: impl Fn(u64) -> bool) {
        let misses = self.misses;
        let before = std::mem::replace(self, Shadow { misses, ..Shadow::new(self.capacity / 2) });
        for slot in before.index {
            let hash = before.eviction.hash(slot);
            if let Some(note) = before.notes.get(slot as usize).filter(|_| kept(hash)) {
                self.insert(hash, note.weight, note.until);
            }
        }
    }
}
