//! One shard of the entries of a cache: the table, the order of eviction and the values, by slot. Owns that the three agree.
//! Never decides whether an entry is still good: that is asked of whoever holds the lock.

use super::entry::Value;
use super::eviction::{Eviction, Slot};
use super::fingerprint::Fingerprint;
use ahash::RandomState;
use hashbrown::{HashSet, HashTable};
use smallvec::SmallVec;

/// What an entry takes beside its own allocation: the pointer to it, its place in the table, its place in the order.
pub(super) const SHARE: u64 = size_of::<Option<Value>>() as u64 + TABLE_BYTES + ORDER_BYTES;

/// Five bytes a bucket, of which seven eighths to seven sixteenths are in use.
const TABLE_BYTES: u64 = 8;

/// What an entry takes in the order of eviction, with its share of those that are remembered.
const ORDER_BYTES: u64 = 32;

/// Values that have left a shard. To be dropped where no lock is held: it may take long.
#[derive(Default)]
#[must_use = "drop it where no lock is held"]
pub struct Outgoing(pub(super) SmallVec<[Value; 2]>);

/// Why an entry is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its time is over.
    Time,
    /// A tag of it, or everything, was invalidated.
    Invalid,
}

/// What was changed while a file is read in.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) keys: HashSet<Fingerprint, RandomState>,
    pub(super) prefixes: Vec<Box<[u16]>>,
}

impl Changed {
    /// Whether the entry of this key is concerned.
    pub(super) fn holds(&self, key: Fingerprint, value: &Value) -> bool {
        self.keys.contains(&key) || self.prefixes.iter().any(|prefix| value.name().starts_with(prefix))
    }
}

/// Entries that fall to one lock.
pub(super) struct Shard {
    contents: Contents,
    pub(super) evictions: u64,
    pub(super) expirations: u64,
    /// Writes, modulo what they wrap at.
    pub(super) writes: u32,
    /// While a file is read in: the keys that have been changed since, which know better than the file.
    pub(super) changed: Option<Changed>,
}

/// What a clear takes away.
pub(super) struct Contents {
    table: HashTable<Slot>,
    eviction: Eviction,
    values: Vec<Option<Value>>,
    hand: usize,
}

impl Contents {
    fn new(capacity: u64) -> Self {
        Contents { table: HashTable::new(), eviction: Eviction::new(capacity), values: Vec::new(), hand: 0 }
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.eviction.len()
    }
}

impl Shard {
    /// Room for `capacity` of weight.
    pub(super) fn new(capacity: u64) -> Self {
        Shard { contents: Contents::new(capacity), evictions: 0, expirations: 0, writes: 0, changed: None }
    }

    /// Where `key` is.
    pub(super) fn find(&self, key: Fingerprint) -> Option<Slot> {
        let Contents { table, eviction, .. } = &self.contents;
        let is = |slot: &Slot| eviction.hash(*slot) == key.low && self.value(*slot).is_some_and(|v| v.checks(key));
        table.find(key.low, is).copied()
    }

    /// What is in `slot`.
    pub(super) fn value(&self, slot: Slot) -> Option<&Value> {
        self.contents.values.get(slot as usize)?.as_ref()
    }

    /// Slots there are, used or not.
    pub(super) fn slots(&self) -> usize {
        self.contents.values.len()
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.contents.len()
    }

    /// What they weigh.
    pub(super) fn weight(&self) -> u64 {
        self.contents.eviction.weight()
    }

    /// It was used.
    pub(super) fn hit(&mut self, slot: Slot, times: u32) {
        self.contents.eviction.hit(slot, times);
    }

    /// Put the value where the key's is. What it replaces goes out.
    pub(super) fn replace(&mut self, slot: Slot, value: Value) -> Option<Value> {
        let Contents { eviction, values, .. } = &mut self.contents;
        eviction.reweigh(slot, weight(&value));
        values.get_mut(slot as usize)?.replace(value)
    }

    /// A key that was not there.
    pub(super) fn insert(&mut self, key: Fingerprint, value: Value) {
        let Contents { table, eviction, values, .. } = &mut self.contents;
        let slot = eviction.insert(key.low, weight(&value));
        if values.len() <= slot as usize {
            values.resize_with(slot as usize + 1, || None);
        }
        if let Some(place) = values.get_mut(slot as usize) {
            *place = Some(value);
        }
        table.insert_unique(key.low, slot, |slot| eviction.hash(*slot));
    }

    /// Take the entry out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Value> {
        let hash = self.contents.eviction.hash(slot);
        self.contents.eviction.remove(slot);
        self.forget(slot, hash)
    }

    /// While there is too much: who had to go.
    pub(super) fn evict(&mut self) -> Option<Value> {
        let slot = self.contents.eviction.victim()?;
        let hash = self.contents.eviction.hash(slot);
        self.forget(slot, hash)
    }

    fn forget(&mut self, slot: Slot, hash: u64) -> Option<Value> {
        let Contents { table, values, .. } = &mut self.contents;
        if let Ok(place) = table.find_entry(hash, |at| *at == slot) {
            place.remove();
        }
        values.get_mut(slot as usize)?.take()
    }

    /// An entry went for this reason.
    pub(super) fn count(&mut self, cause: Cause) {
        self.expirations += u64::from(cause == Cause::Time);
    }

    /// Look through the next slots and take out what is dead.
    pub(super) fn sweep(&mut self, slots: usize, dead: impl Fn(&Value) -> Option<Cause>, outgoing: &mut Outgoing) {
        for _ in 0..slots.min(self.slots()) {
            let at = self.contents.hand;
            self.contents.hand = if at + 1 < self.slots() { at + 1 } else { 0 };
            let slot = at as Slot;
            if let Some(cause) = self.value(slot).and_then(&dead) {
                outgoing.0.extend(self.remove(slot));
                self.count(cause);
            }
        }
    }

    /// Take everything out at once.
    pub(super) fn swap_out(&mut self, capacity: u64) -> Contents {
        std::mem::replace(&mut self.contents, Contents::new(capacity))
    }
}

/// What an entry weighs.
pub(super) fn weight(value: &Value) -> u32 {
    u32::try_from(value.heap_bytes() + SHARE).unwrap_or(u32::MAX)
}
