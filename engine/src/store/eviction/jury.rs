//! Which setting is best just now. Owns one shadow of the cache for each setting, without values, and how well each has done of late.
//! Never more than a bounded number of shadow entries: a large cache is shadowed by a sample of its keys.

use super::Slot;
use super::ghosts::mix;
use super::order::{Merit, Order, Setting};
use hashbrown::HashTable;

/// What is tried.
pub(super) const SETTINGS: [Setting; 4] = [
    Setting { window: 10, merit: Merit::Recency },
    Setting { window: 10, merit: Merit::Frequency },
    Setting { window: 300, merit: Merit::Frequency },
    Setting { window: 1000, merit: Merit::Age },
];

/// Entries of one shadow, at most; more where there are so many real ones that they hardly count beside them.
const FEWEST: usize = 512;
const MOST: usize = 2048;
const REAL_PER_SHADOWED: usize = 32;

/// After as many uses as a shadow has entries, times this, a hit counts half.
const TURNS_TO_HALVE: f64 = 16.0;

/// Uses between two looks at the scores.
const TERM: u32 = 16;

/// A copy of the cache under one setting, of keys alone.
struct Shadow {
    order: Order,
    index: HashTable<Slot>,
    score: f64,
}

/// The shadows and what they have led to.
pub(super) struct Jury {
    shadows: Vec<Shadow>,
    capacity: u64,
    /// One key in two to the power of this is shadowed.
    rarity: u32,
    chosen: usize,
    uses: u32,
}

impl Jury {
    pub(super) fn new(capacity: u64) -> Self {
        let shadow = |setting| Shadow { order: Order::new(capacity, setting), index: HashTable::new(), score: 0.0 };
        Jury { shadows: SETTINGS.into_iter().map(shadow).collect(), capacity, rarity: 0, chosen: 0, uses: 0 }
    }

    pub(super) fn setting(&self) -> Setting {
        SETTINGS.get(self.chosen).copied().unwrap_or(SETTINGS[0])
    }

    fn sampled(&self, hash: u64) -> bool {
        mix(hash).trailing_zeros() >= self.rarity
    }

    /// Somebody asked for the key, `times` times. Answers whether another setting is to be followed from now on.
    pub(super) fn observe(&mut self, hash: u64, weight: u32, times: u32, residents: usize) -> bool {
        if !self.sampled(hash) {
            return false;
        }
        let mut longest = 0;
        for shadow in &mut self.shadows {
            shadow.observe(hash, weight, times);
            longest = longest.max(shadow.order.slab().len());
        }
        if longest > (residents / REAL_PER_SHADOWED).clamp(FEWEST, MOST) {
            self.rarefy();
        }
        self.uses += 1;
        self.uses % TERM == 0 && self.judge(longest)
    }

    fn rarefy(&mut self) {
        self.rarity += 1;
        let rarity = self.rarity;
        for shadow in &mut self.shadows {
            shadow.order.resize(self.capacity >> rarity);
            shadow.keep(|hash| mix(hash).trailing_zeros() >= rarity);
        }
    }

    fn judge(&mut self, entries: usize) -> bool {
        let decay = 0.5f64.powf(f64::from(TERM) / (TURNS_TO_HALVE * entries.max(1) as f64));
        let mut best = self.chosen;
        let mut score = 0.0;
        for (i, shadow) in self.shadows.iter_mut().enumerate() {
            shadow.score *= decay;
            if i == self.chosen {
                score = shadow.score;
            }
        }
        let mut most = score;
        for (i, shadow) in self.shadows.iter().enumerate() {
            if shadow.score > most {
                most = shadow.score;
                best = i;
            }
        }
        if best != self.chosen && most > score + 0.5 * most.sqrt() + 1.0 {
            self.chosen = best;
            return true;
        }
        false
    }

    pub(super) fn remove(&mut self, hash: u64) {
        if self.sampled(hash) {
            for shadow in &mut self.shadows {
                shadow.remove(hash);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.shadows
            .iter()
            .map(|s| s.order.slab().len() * 24 + s.order.ghosts().bytes() + s.index.allocation_size())
            .sum()
    }
}

impl Shadow {
    fn find(&self, hash: u64) -> Option<Slot> {
        let slab = self.order.slab();
        self.index.find(hash, |slot| slab.get(*slot).is_some_and(|node| node.hash == hash)).copied()
    }

    fn observe(&mut self, hash: u64, weight: u32, times: u32) {
        if let Some(slot) = self.find(hash) {
            self.order.hit(slot, times);
            self.order.reweigh(slot, weight);
            self.score += f64::from(times);
        } else {
            let slot = self.order.insert(hash, weight);
            let slab = self.order.slab();
            self.index.insert_unique(hash, slot, |slot| slab.get(*slot).map_or(0, |node| node.hash));
        }
        while let Some(victim) = self.order.victim() {
            self.unindex(victim);
        }
    }

    fn unindex(&mut self, slot: Slot) {
        let Some(hash) = self.order.slab().get(slot).map(|node| node.hash) else { return };
        if let Ok(found) = self.index.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
    }

    fn remove(&mut self, hash: u64) {
        if let Some(slot) = self.find(hash) {
            self.unindex(slot);
            self.order.remove(slot);
        }
    }

    fn keep(&mut self, kept: impl Fn(u64) -> bool) {
        let order = &mut self.order;
        self.index.retain(|slot| {
            let stays = order.slab().get(*slot).is_some_and(|node| kept(node.hash));
            if !stays {
                order.remove(*slot);
            }
            stays
        });
    }
}
