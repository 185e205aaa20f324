//! Who has to go. Owns the numbers of the entries, their weights, and the order they go in.
//! Never reads time, never holds a value, and never gives up the newcomer for whose sake somebody has to go.

mod ghosts;
mod jury;
mod order;
mod slab;

use jury::Jury;
use order::Order;

/// The number of an entry, for as long as it is there.
pub type Slot = u32;

/// The entries of one shard.
pub struct Eviction {
    order: Order,
    jury: Jury,
}

impl Eviction {
    /// Room for `capacity` units of weight.
    pub fn new(capacity: u64) -> Self {
        let jury = Jury::new(capacity);
        Eviction { order: Order::new(capacity, jury.setting()), jury }
    }

    /// An entry that was not there.
    pub fn insert(&mut self, hash: u64, weight: u32) -> Slot {
        self.observe(hash, weight, 1);
        self.order.insert(hash, weight)
    }

    /// An entry was used.
    pub fn hit(&mut self, slot: Slot, times: u32) {
        self.order.hit(slot, times);
        if let Some(node) = self.order.slab().get(slot) {
            let (hash, weight) = (node.hash, node.weight);
            self.observe(hash, weight, times);
        }
    }

    fn observe(&mut self, hash: u64, weight: u32, times: u32) {
        if self.jury.observe(hash, weight, times, self.order.slab().len()) {
            self.order.follow(self.jury.setting());
        }
    }

    /// The entry has another value, of this weight.
    pub fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.order.reweigh(slot, weight);
    }

    /// The entry is gone, for another reason than want of room.
    pub fn remove(&mut self, slot: Slot) {
        let hash = self.hash(slot);
        self.order.remove(slot);
        self.jury.remove(hash);
    }

    /// Whom to drop, already taken out; `None` as soon as what is left fits.
    pub fn victim(&mut self) -> Option<Slot> {
        self.order.victim()
    }

    /// The hash it was inserted with.
    pub fn hash(&self, slot: Slot) -> u64 {
        self.order.slab().get(slot).map_or(0, |node| node.hash)
    }

    /// Weight of all entries.
    pub fn weight(&self) -> u64 {
        self.order.slab().weight()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.order.slab().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.len() * 24 + self.order.ghosts().bytes() + self.jury.bytes()
    }
}
