//! Window, main circle and ghosts under one setting: who goes next. Owns the order of one set of entries, the real one or a shadow.
//! Never decides which setting is best, and never looks an entry up: whoever calls knows its slot.

use super::Slot;
use super::ghosts::{Ghost, Ghosts};
use super::slab::{NONE, Place, Slab};

/// Steps of one call: links moved before somebody has to go. What is left over is done by later calls.
const STEPS: usize = 32;

/// Distinguishable ages while an entry stays, at least: what a stamp counts is uses, in units that keep their number near this.
const STAMPS_PER_TURN: usize = 1 << 11;

/// A frequency is halved each time as many uses have passed as there are entries, times this, without one of the entry's own.
const TURNS_TO_HALVE: u64 = 10;

/// What earns an entry a place in the main circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merit {
    /// To be used again sooner than whoever of the main circle has waited longest (LIRS).
    Recency,
    /// To be used oftener, at the end of the window, than whoever would have to go for it (TinyLFU).
    Frequency,
    /// Nothing does: whoever was used longest ago goes (LRU, CLOCK).
    Age,
}

/// One way to run the structure. All of them read the same queues, so a change from one to another takes effect as entries move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setting {
    /// Share of the window, in 1/1000 of the capacity.
    pub(super) window: u64,
    pub(super) merit: Merit,
}

/// The entries of one cache, in the order they go.
pub(super) struct Order {
    slab: Slab,
    ghosts: Ghosts,
    setting: Setting,
    capacity: u64,
    /// Uses so far.
    uses: u64,
    /// Ages are counted in units of two to the power of this many uses.
    unit: u32,
    /// The latest inserted, while it is there.
    newcomer: Slot,
}

const STAMP: u32 = 0x00ff_ffff;

impl Order {
    pub(super) fn new(capacity: u64, setting: Setting) -> Self {
        Order { slab: Slab::new(), ghosts: Ghosts::new(), setting, capacity, uses: 0, unit: 0, newcomer: NONE }
    }

    pub(super) fn slab(&self) -> &Slab {
        &self.slab
    }

    pub(super) fn ghosts(&self) -> &Ghosts {
        &self.ghosts
    }

    pub(super) fn follow(&mut self, setting: Setting) {
        self.setting = setting;
    }

    pub(super) fn resize(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    fn window_room(&self) -> u64 {
        self.capacity * self.setting.window / 1000
    }

    fn main_room(&self) -> u64 {
        self.capacity - self.window_room()
    }

    fn now(&self) -> u32 {
        (self.uses >> self.unit) as u32 & STAMP
    }

    fn since(&self, stamp: u32) -> u32 {
        self.now().wrapping_sub(stamp) & STAMP
    }

    /// A frequency as of now.
    fn decayed(&self, stamp: u32, frequency: u32) -> u32 {
        let turn = (TURNS_TO_HALVE * self.slab.len() as u64 >> self.unit).max(1);
        let halvings = u64::from(self.since(stamp)) / turn;
        if halvings > 4 { 0 } else { frequency >> halvings }
    }

    fn age_of(&self, slot: Slot) -> Option<u32> {
        self.slab.get(slot).map(|node| self.since(node.stamp()))
    }

    fn frequency_of(&self, slot: Slot) -> u32 {
        self.slab.get(slot).map_or(0, |node| self.decayed(node.stamp(), node.frequency()))
    }

    /// A newcomer, not there yet.
    pub(super) fn insert(&mut self, hash: u64, weight: u32) -> Slot {
        self.uses += 1;
        let ghost = self.ghosts.take(hash);
        let room = self.slab.weight_of(Place::Main) + u64::from(weight) <= self.main_room();
        let welcome = match self.setting.merit {
            Merit::Age => false,
            Merit::Frequency => room,
            Merit::Recency => room || ghost.is_some_and(|ghost| self.sooner(ghost.stamp)),
        };
        let slot = self.slab.add(hash, weight, if welcome { Place::Main } else { Place::Window });
        let frequency = 1 + ghost.map_or(0, |ghost| self.decayed(ghost.stamp, ghost.frequency));
        // Until the first ghost the cache fills: from then on it is known how many entries it holds.
        if self.slab.len() >> self.unit >= 2 * STAMPS_PER_TURN && self.unit < 16 {
            self.widen();
        }
        let now = self.now();
        if let Some(node) = self.slab.get_mut(slot) {
            node.used(now, frequency);
        }
        self.newcomer = slot;
        if welcome && !room {
            self.demote();
        }
        slot
    }

    /// Coarser units. The clock goes on from where it is, so ages so far seem up to twice as long, once.
    fn widen(&mut self) {
        self.uses <<= 1;
        self.unit += 1;
    }

    /// Whether a use now, after the one of this stamp, comes sooner than the oldest of the main circle has waited.
    fn sooner(&mut self, stamp: u32) -> bool {
        self.pass_referenced();
        let since = self.since(stamp);
        self.age_of(self.slab.tail(Place::Main)).is_some_and(|oldest| since < oldest)
    }

    /// The hand of the circle goes on to somebody not referenced since it last came by.
    fn pass_referenced(&mut self) {
        for _ in 0..STEPS {
            let hand = self.slab.tail(Place::Main);
            let Some(node) = self.slab.get_mut(hand).filter(|node| node.referenced()) else { return };
            node.refer(false);
            self.slab.shift(hand, Place::Main);
        }
    }

    /// Whoever the main circle has no room for goes back to the window.
    fn demote(&mut self) {
        for _ in 0..STEPS {
            if self.slab.weight_of(Place::Main) <= self.main_room() {
                return;
            }
            self.pass_referenced();
            let hand = self.slab.tail(Place::Main);
            if hand == self.newcomer {
                return;
            }
            self.slab.shift(hand, Place::Window);
        }
    }

    /// It was used.
    pub(super) fn hit(&mut self, slot: Slot, times: u32) {
        self.uses += 1;
        let now = self.now();
        let Some(node) = self.slab.get(slot) else { return };
        let (stamp, place, weight) = (node.stamp(), node.place(), u64::from(node.weight));
        let frequency = self.decayed(stamp, node.frequency()).saturating_add(times);
        match place {
            Place::Free => return,
            Place::Main => {
                if let Some(node) = self.slab.get_mut(slot) {
                    node.refer(true);
                }
            }
            Place::Window => {
                let room = self.slab.weight_of(Place::Main) + weight <= self.main_room();
                if self.setting.merit == Merit::Recency && (room || self.sooner(stamp)) {
                    self.slab.shift(slot, Place::Main);
                    self.demote();
                } else if self.slab.head(Place::Window) != slot {
                    self.slab.shift(slot, Place::Window);
                }
            }
        }
        if let Some(node) = self.slab.get_mut(slot) {
            node.used(now, frequency);
        }
    }

    pub(super) fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.slab.reweigh(slot, weight);
    }

    /// It is gone for another reason than want of room.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.slab.free(slot);
        self.forget_newcomer(slot);
    }

    fn forget_newcomer(&mut self, slot: Slot) {
        if self.newcomer == slot {
            self.newcomer = NONE;
        }
    }

    /// Who has to go, while there is too much.
    pub(super) fn victim(&mut self) -> Option<Slot> {
        if self.slab.weight() <= self.capacity {
            return None;
        }
        let victim = self.choose();
        let node = self.slab.get(victim)?;
        let ghost = Ghost { stamp: node.stamp(), frequency: node.frequency() };
        let (hash, now, residents) = (node.hash, self.now(), self.slab.len());
        self.ghosts.put(hash, ghost, now, residents);
        self.remove(victim);
        Some(victim)
    }

    fn choose(&mut self) -> Slot {
        if self.setting.merit == Merit::Age {
            return self.oldest();
        }
        for _ in 0..STEPS {
            let last = self.eldest(Place::Window);
            self.pass_referenced();
            let hand = self.eldest(Place::Main);
            if last == NONE {
                return if hand == NONE { self.newcomer } else { hand };
            }
            if hand == NONE {
                return last;
            }
            if self.slab.weight_of(Place::Window) > self.window_room() {
                let weight = self.slab.get(last).map_or(0, |node| u64::from(node.weight));
                if self.slab.weight_of(Place::Main) + weight <= self.main_room() {
                    self.slab.shift(last, Place::Main);
                    continue;
                }
                if self.setting.merit == Merit::Frequency && self.frequency_of(last) > self.frequency_of(hand) {
                    self.slab.shift(last, Place::Main);
                    return hand;
                }
                return last;
            }
            if self.setting.merit == Merit::Frequency {
                return hand;
            }
            self.slab.shift(hand, Place::Window);
        }
        self.oldest()
    }

    /// The end of the queue, but for the newcomer.
    fn eldest(&self, place: Place) -> Slot {
        let tail = self.slab.tail(place);
        if tail == self.newcomer { self.slab.before(tail) } else { tail }
    }

    /// Whoever of both ends was used longest ago.
    fn oldest(&mut self) -> Slot {
        self.pass_referenced();
        let (last, hand) = (self.eldest(Place::Window), self.eldest(Place::Main));
        match (self.age_of(last), self.age_of(hand)) {
            (Some(window), Some(main)) => {
                if window >= main {
                    last
                } else {
                    hand
                }
            }
            (Some(_), None) => last,
            (None, Some(_)) => hand,
            (None, None) => self.newcomer,
        }
    }
}
