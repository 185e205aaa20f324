//! Who has to go. Owns the numbers of the entries, their weights, and the order they go in.
//! Never reads time, never holds a value, and never gives up the newcomer for whose sake somebody has to go.
//!
//! No published policy is good everywhere: LIRS wins where keys come round in loops and TinyLFU where they are asked for with
//! steady frequencies; LRU wins where what matters is what was last used, 2Q and ARC where many keys are asked for twice and
//! never again, and GDSF where sizes differ. So there is one structure with a handful of [settings](setting::SETTINGS) that each
//! behave like one of those, a [jury] that tries all of them on shadows of the cache, without values and for a sample of the
//! keys, and the real [order], which follows whichever setting has lately done best. The settings read the same queues, so
//! following another one costs nothing at once: entries change places as they are used or as they come up to go. A cache so
//! small that its shadows hold all of its keys lets those go first whom the best shadow has let go.
//!
//! | taken from | what |
//! | --- | --- |
//! | LIRS (Jiang, Zhang 2002) | an entry earns its place by coming back sooner than the oldest of those who have one |
//! | 2Q (Johnson, Shasha 1994), ARC (Megiddo, Modha 2003) | a queue for the new, another for what came back, ghosts of the evicted |
//! | CLOCK, and S3-FIFO (Yang et al. 2023) | a bit instead of a move when an entry of the main circle is used |
//! | TinyLFU (Einziger, Friedman, Manes 2017) | at the end of the window, the more frequent one stays |
//! | GreedyDual-Size-Frequency (Cherkasova 1998) | uses for its weight, above a level that rises with each eviction |
//! | Adaptive caching by refetching (Gramacy et al. 2002) | to follow whichever virtual cache does best |
//! | Miniature simulations (Waldspurger et al. 2017) | a sample of the keys tells |
//!
//! An entry costs 24 bytes, ghosts 12 more; the shadows cost some 70 KB at most, or 5 bytes an entry, whichever is more.

mod choice;
mod ghosts;
mod jury;
mod level;
mod node;
mod order;
mod setting;
mod shadow;
mod slab;
mod spread;

use jury::Jury;
use order::Order;

/// The number of an entry, for as long as it is there.
pub type Slot = u32;

/// Below this part of its capacity a cache is far from full.
const FAR_FROM_FULL: u64 = 8;

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

    /// An entry that was not there. Whoever has to go for it is asked for with [`Eviction::victim`].
    pub fn insert(&mut self, hash: u64, weight: u32) -> Slot {
        self.observe(hash, weight, 1);
        self.order.insert(hash, weight)
    }

    /// An entry was used, so many times.
    pub fn hit(&mut self, slot: Slot, times: u32) {
        if times == 0 {
            return;
        }
        if let Some((hash, weight)) = self.order.hit(slot, times)
            && self.is_filling()
        {
            self.observe(hash, weight, times);
        }
    }

    /// Far from full, every setting hits alike, and the jury is told of newcomers only: a small part of a large cache would be
    /// shadowed without a sample, at many times the cost of a hit.
    fn is_filling(&self) -> bool {
        self.weight() >= self.order.capacity / FAR_FROM_FULL
    }

    fn observe(&mut self, hash: u64, weight: u32, times: u32) {
        if let Some(setting) = self.jury.observe(hash, weight, times, self.order.slab().len()) {
            self.order.follow(setting);
        }
    }

    /// The entry has another value, of this weight: a write, which makes nobody a newcomer.
    pub fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.order.reweigh(slot, weight);
    }

    /// The entry is gone for another reason than want of room: it leaves no ghost.
    pub fn remove(&mut self, slot: Slot) {
        if let Some(hash) = self.order.remove(slot) {
            self.jury.remove(hash);
        }
    }

    /// Whom to drop, already taken out; `None` as soon as what is left fits. The newcomer of the latest insertion only if it is
    /// alone and too heavy. The slot's hash can be asked for until the next insertion.
    pub fn victim(&mut self) -> Option<Slot> {
        self.order.victim(|hash| self.jury.holds(hash))
    }

    /// The hash the entry was inserted with.
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

    /// Bytes taken, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.order.bytes() + self.jury.bytes()
    }
}
