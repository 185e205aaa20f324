//! One shard of the entries of a cache: the table, the order of eviction and where each entry lies. Owns that the three agree.
//! Never decides whether an entry is still good: that is asked of whoever holds the lock.

use super::entry::{Entry, Value, heap_bytes};
use super::eviction::{Eviction, Slot};
use super::fingerprint::Fingerprint;
use super::segments::{GAP_SHARE, LOCATIONS, Segments};
use ahash::RandomState;
use hashbrown::{HashSet, HashTable};
use slab::Slab;
use smallvec::SmallVec;

/// What an entry takes beside its bytes: where they lie, its place in the table, its place in the order.
pub(super) const SHARE: u64 = size_of::<Place>() as u64 + TABLE_BYTES + ORDER_BYTES;

/// Five bytes a bucket, of which seven eighths to seven sixteenths are in use.
const TABLE_BYTES: u64 = 9;

/// What an entry takes in the order of eviction, with its share of those that are remembered.
const ORDER_BYTES: u64 = 40;

/// For every so many bytes of records there is one of slack: gaps, segments that are not full, and a spare one.
const SLACK_SHARE: u64 = GAP_SHARE - 3;

/// Where an entry lies: a location in the segments; from [`LOCATIONS`] on, the number of a large one; or nowhere.
type Place = u32;

const NOWHERE: Place = u32::MAX;

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
    places: Vec<Place>,
    segments: Segments,
    large: Slab<Value>,
    hand: usize,
}

impl Contents {
    fn new(capacity: u64) -> Self {
        Contents {
            table: HashTable::new(),
            eviction: Eviction::new(capacity),
            places: Vec::new(),
            segments: Segments::new(capacity),
            large: Slab::new(),
            hand: 0,
        }
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
        let is = |slot: &Slot| eviction.hash(*slot) == key.low && self.entry(*slot).is_some_and(|it| it.checks(key));
        table.find(key.low, is).copied()
    }

    /// What is in `slot`.
    pub(super) fn entry(&self, slot: Slot) -> Option<Entry<'_>> {
        let Contents { places, segments, large, .. } = &self.contents;
        match *places.get(slot as usize)? {
            NOWHERE => None,
            place if place < LOCATIONS => segments.get(place).map(|(_, bytes)| Entry(bytes)),
            place => large.get((place - LOCATIONS) as usize).map(Value::entry),
        }
    }

    /// What is in `slot`, to be taken along.
    pub(super) fn value(&self, slot: Slot) -> Option<Value> {
        let Contents { places, large, .. } = &self.contents;
        match places.get(slot as usize)?.checked_sub(LOCATIONS).and_then(|number| large.get(number as usize)) {
            Some(value) => Some(value.clone()),
            None => self.entry(slot).map(Entry::to_value),
        }
    }

    /// Slots there are, used or not.
    pub(super) fn slots(&self) -> usize {
        self.contents.places.len()
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

    /// Put the value where the key's is.
    pub(super) fn replace(&mut self, slot: Slot, value: &Value, outgoing: &mut Outgoing) {
        let Contents { places, segments, .. } = &mut self.contents;
        if let Some(place) = places.get(slot as usize).filter(|place| **place < LOCATIONS)
            && segments.overwrite(*place, slot, value.entry().0)
        {
            self.contents.eviction.reweigh(slot, self.weight_of(value.entry()));
            return;
        }
        self.clear_place(slot, outgoing);
        self.contents.eviction.reweigh(slot, self.weight_of(value.entry()));
        self.place(slot, value);
    }

    /// A key that was not there.
    pub(super) fn insert(&mut self, key: Fingerprint, value: &Value) {
        let weight = self.weight_of(value.entry());
        let Contents { table, eviction, places, .. } = &mut self.contents;
        let slot = eviction.insert(key.low, weight);
        if places.len() <= slot as usize {
            places.resize(slot as usize + 1, NOWHERE);
        }
        if table.len() == table.capacity() {
            *table = rebuilt(table, places, eviction);
        }
        table.insert_unique(key.low, slot, |slot| eviction.hash(*slot));
        self.place(slot, value);
    }

    fn place(&mut self, slot: Slot, value: &Value) {
        let Contents { places, segments, large, .. } = &mut self.contents;
        let bytes = value.entry().0;
        let location = if segments.takes(bytes.len()) { segments.push(slot, bytes) } else { None };
        let place = location.unwrap_or_else(|| LOCATIONS + large.insert(value.clone()) as Place);
        if let Some(at) = places.get_mut(slot as usize) {
            *at = place;
        }
    }

    /// Take out what is in `slot`.
    fn clear_place(&mut self, slot: Slot, outgoing: &mut Outgoing) {
        let Contents { places, segments, large, .. } = &mut self.contents;
        match places.get_mut(slot as usize).map_or(NOWHERE, |place| std::mem::replace(place, NOWHERE)) {
            NOWHERE => {}
            place if place < LOCATIONS => segments.remove(place),
            place => outgoing.0.extend(large.try_remove((place - LOCATIONS) as usize)),
        }
    }

    /// See to it that what has gone takes no memory. To be called after every change.
    pub(super) fn compact(&mut self) {
        let Contents { places, segments, .. } = &mut self.contents;
        let owned = |places: &Vec<Place>, slot: Slot, place| places.get(slot as usize) == Some(&place);
        segments.compact(places, owned, |places, slot, place| {
            if let Some(at) = places.get_mut(slot as usize) {
                *at = place;
            }
        });
    }

    /// Take the entry out.
    pub(super) fn remove(&mut self, slot: Slot, outgoing: &mut Outgoing) {
        let hash = self.contents.eviction.hash(slot);
        self.contents.eviction.remove(slot);
        self.forget(slot, hash, outgoing);
    }

    /// While there is too much: who has to go. It is out of the order already, and can be looked at until it is forgotten.
    pub(super) fn victim(&mut self) -> Option<Slot> {
        self.contents.eviction.victim()
    }

    /// A victim goes.
    pub(super) fn forget_victim(&mut self, slot: Slot, outgoing: &mut Outgoing) {
        let hash = self.contents.eviction.hash(slot);
        self.forget(slot, hash, outgoing);
    }

    fn forget(&mut self, slot: Slot, hash: u64, outgoing: &mut Outgoing) {
        if let Ok(place) = self.contents.table.find_entry(hash, |at| *at == slot) {
            place.remove();
        }
        self.clear_place(slot, outgoing);
    }

    /// What an entry of so many bytes weighs, with its share of the gaps.
    pub(super) fn weight_of_len(&self, len: usize) -> u64 {
        SHARE
            + if self.contents.segments.takes(len) {
                let record = self.contents.segments.share_bytes(len);
                record + record / SLACK_SHARE
            } else {
                heap_bytes(len) + size_of::<Value>() as u64 * 2
            }
    }

    /// What an entry weighs.
    pub(super) fn weight_of(&self, entry: Entry<'_>) -> u32 {
        u32::try_from(self.weight_of_len(entry.0.len())).unwrap_or(u32::MAX)
    }

    /// An entry went for this reason.
    pub(super) fn count(&mut self, cause: Cause) {
        self.expirations += u64::from(cause == Cause::Time);
    }

    /// Look through the next slots and take out what is dead.
    pub(super) fn sweep(&mut self, slots: usize, dead: impl Fn(Entry<'_>) -> Option<Cause>, outgoing: &mut Outgoing) {
        for _ in 0..slots.min(self.slots()) {
            let at = self.contents.hand;
            self.contents.hand = if at + 1 < self.slots() { at + 1 } else { 0 };
            let slot = at as Slot;
            if let Some(cause) = self.entry(slot).and_then(&dead) {
                self.remove(slot, outgoing);
                self.count(cause);
            }
        }
    }

    /// Take everything out at once.
    pub(super) fn swap_out(&mut self, capacity: u64) -> Contents {
        std::mem::replace(&mut self.contents, Contents::new(capacity))
    }
}

/// The table with free buckets again: twice the size, unless what it lacks has only been used up by keys that went. Filled in the
/// order of the slots, which is the order their hashes lie in: bucket by bucket, a large shard would take milliseconds.
fn rebuilt(table: &HashTable<Slot>, places: &[Place], eviction: &Eviction) -> HashTable<Slot> {
    let full = table.num_buckets() / 8 * 7;
    let mut rebuilt = HashTable::with_capacity(if table.len() <= full / 4 * 3 { full } else { full + 1 });
    for (slot, place) in places.iter().enumerate() {
        if *place != NOWHERE {
            let hash = eviction.hash(slot as Slot);
            rebuilt.insert_unique(hash, slot as Slot, |slot| eviction.hash(*slot));
        }
    }
    rebuilt
}
