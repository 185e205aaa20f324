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
use setting::SETTINGS;

/// The number of an entry, for as long as it is there.
pub type Slot = u32;

/// The entries of one shard.
pub struct Eviction {
    order: Order,
    /// None while there is nothing to judge: until somebody has to go, every setting keeps everybody.
    jury: Option<Jury>,
    capacity: u64,
}

/// Entries from which on the jury sits although nobody has had to go: told of so many at once, it would take too long.
const MANY: usize = 1 << 14;

impl Eviction {
    /// Room for `capacity` units of weight.
    pub fn new(capacity: u64) -> Self {
        Eviction { order: Order::new(capacity, SETTINGS[0]), jury: None, capacity }
    }

    /// An entry that was not there. Whoever has to go for it is asked for with [`Eviction::victim`].
    pub fn insert(&mut self, hash: u64, weight: u32) -> Slot {
        if self.jury.is_none() && self.len() >= MANY {
            self.convene();
        }
        if let Some(jury) = &mut self.jury {
            jury.note(weight);
        }
        self.observe(hash, weight, 1);
        self.order.insert(hash, weight)
    }

    /// An entry was used, so many times.
    #[inline]
    pub fn hit(&mut self, slot: Slot, times: u32) {
        if times == 0 {
            return;
        }
        if let Some((hash, weight)) = self.order.hit(slot, times) {
            self.observe(hash, weight, times);
        }
    }

    #[inline]
    fn observe(&mut self, hash: u64, weight: u32, times: u32) {
        let Some(jury) = &mut self.jury else { return };
        if let Some(setting) = jury.observe(hash, weight, times, self.order.slab().len()) {
            self.order.follow(setting);
        }
    }

    fn convene(&mut self) {
        let mut jury = Jury::new(self.capacity, self.len());
        for node in self.order.slab().residents() {
            jury.learn(node.hash, node.weight, node.frequency());
        }
        self.order.begin(jury.open());
        self.jury = Some(jury);
    }

    /// The entry has another value, of this weight: a write, which makes nobody a newcomer.
    pub fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.order.reweigh(slot, weight);
    }

    /// The entry is gone for another reason than want of room: it leaves no ghost.
    pub fn remove(&mut self, slot: Slot) {
        if let Some(hash) = self.order.remove(slot)
            && let Some(jury) = &mut self.jury
        {
            jury.remove(hash);
        }
    }

    /// Whom to drop, already taken out; `None` as soon as what is left fits. The newcomer of the latest insertion only if it is
    /// alone and too heavy. The slot's hash can be asked for until the next insertion.
    pub fn victim(&mut self) -> Option<Slot> {
        if self.weight() <= self.capacity {
            return None;
        }
        if self.jury.is_none() {
            self.convene();
        }
        self.order.victim(|hash| self.jury.as_ref().is_some_and(|jury| jury.holds(hash)))
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
        size_of::<Self>() + self.order.bytes() + self.jury.as_ref().map_or(0, Jury::bytes)
    }
}
