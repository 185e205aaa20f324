//! A cache of keys alone under one setting, to see how it would do. Owns their order, and a table to find them in.
//! Never knows of the real cache: it is told of each use, and brings in and throws out whom its own setting says.

use super::Slot;
use super::order::Order;
use super::setting::Setting;
use hashbrown::HashTable;

/// One shadow.
pub(super) struct Shadow {
    order: Order,
    index: HashTable<Slot>,
}

impl Shadow {
    pub(super) fn new(capacity: u64, setting: Setting) -> Self {
        Shadow { order: Order::new(capacity, setting), index: HashTable::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn weight(&self) -> u64 {
        self.order.slab().weight()
    }

    pub(super) fn resize(&mut self, capacity: u64) {
        self.order.resize(capacity);
    }

    /// Somebody used the key. Answers whether it would have been there.
    pub(super) fn observe(&mut self, hash: u64, weight: u32, times: u32) -> bool {
        let found = self.find(hash);
        match found {
            Some(slot) => {
                self.order.hit(slot, times);
                self.order.reweigh(slot, weight);
            }
            None => {
                let slot = self.order.insert(hash, weight);
                let slab = self.order.slab();
                self.index.insert_unique(hash, slot, |slot| slab.get(*slot).map_or(0, |node| node.hash));
            }
        }
        while let Some(victim) = self.order.victim(|_| false) {
            self.forget(victim);
        }
        found.is_some()
    }

    /// Whether the key would be there.
    pub(super) fn holds(&self, hash: u64) -> bool {
        self.find(hash).is_some()
    }

    fn find(&self, hash: u64) -> Option<Slot> {
        let slab = self.order.slab();
        self.index.find(hash, |slot| slab.get(*slot).is_some_and(|node| node.hash == hash)).copied()
    }

    /// Its slot is taken out of the order already, or about to be.
    fn forget(&mut self, slot: Slot) {
        let Some(hash) = self.order.slab().get(slot).map(|node| node.hash) else { return };
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
    }

    /// The key is no longer in the real cache, for want of freshness or by command.
    pub(super) fn remove(&mut self, hash: u64) {
        if let Some(slot) = self.find(hash) {
            self.forget(slot);
            self.order.remove(slot);
        }
    }

    /// Keep some of the keys.
    pub(super) fn retain(&mut self, kept: impl Fn(u64) -> bool) {
        let order = &mut self.order;
        self.index.retain(|slot| {
            let stays = order.slab().get(*slot).is_some_and(|node| kept(node.hash));
            if !stays {
                order.remove(*slot);
            }
            stays
        });
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.order.bytes() + self.index.allocation_size()
    }
}
