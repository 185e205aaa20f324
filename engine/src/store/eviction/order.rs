//! One set of entries under one setting, the real one or a shadow. Owns the queues, the ghosts and the time, which counts uses.
//! Never decides which setting is best, and never looks an entry up: whoever calls knows its slot.

use super::Slot;
use super::ghosts::{self, Ghost, Ghosts};
use super::level::Level;
use super::node::{Place, STAMP};
use super::setting::{Merit, Setting};
use super::slab::{NONE, Slab};

/// Links one call moves before it makes do. What is left over is done by later calls.
pub(super) const STEPS: usize = 32;

/// Ages that can be told apart in a turn, which is as many uses as there are entries; up to four times as many.
const STAMPS_PER_TURN: usize = 1 << 9;

/// A frequency is halved for each time this many turns have passed since the last use.
const TURNS_TO_HALVE: u64 = 10;

/// Where stamps are coarse, whoever was used within this part of a turn is as good as at the head already.
const HEADS_PER_TURN: u64 = 16;

/// The entries of one cache, in the order they go.
pub(super) struct Order {
    pub(super) slab: Slab,
    pub(super) level: Level,
    pub(super) setting: Setting,
    pub(super) capacity: u64,
    /// The latest inserted, while it is there.
    pub(super) newcomer: Slot,
    ghosts: Ghosts,
    /// Uses so far, as if the unit had always been what it is.
    uses: u64,
    /// Time is counted in units of two to the power of this many uses.
    unit: u32,
}

impl Order {
    pub(super) fn new(capacity: u64, setting: Setting) -> Self {
        Order {
            slab: Slab::new(),
            level: Level::new(),
            setting,
            capacity,
            newcomer: NONE,
            ghosts: Ghosts::new(),
            uses: 0,
            unit: 0,
        }
    }

    pub(super) fn slab(&self) -> &Slab {
        &self.slab
    }

    pub(super) fn bytes(&self) -> usize {
        self.slab.bytes() + self.ghosts.bytes() + self.level.bytes()
    }

    /// From now on, by this setting.
    pub(super) fn follow(&mut self, setting: Setting) {
        self.setting = setting;
    }

    /// As [`Order::follow`], for the first time, when as many steps as there are entries are still few.
    pub(super) fn begin(&mut self, setting: Setting) {
        self.follow(setting);
        if setting.merit == Merit::Density {
            self.slab.stand_by_density();
        }
    }

    /// Another capacity, which is enforced with the next insertion.
    pub(super) fn resize(&mut self, capacity: u64) {
        self.capacity = capacity;
    }

    pub(super) fn window_room(&self) -> u64 {
        self.capacity / 1000 * self.setting.window + self.capacity % 1000 * self.setting.window / 1000
    }

    /// Whether the main circle has room for so much more.
    pub(super) fn room_in_main(&self, weight: u32) -> bool {
        self.slab.weight_of(Place::Main) + u64::from(weight) <= self.capacity - self.window_room()
    }

    fn now(&self) -> u64 {
        self.uses >> self.unit
    }

    /// As many units as there are entries.
    fn turn(&self) -> u64 {
        self.slab.len() as u64 >> self.unit
    }

    fn stamp(&self) -> u32 {
        self.now() as u32 & STAMP
    }

    fn since(&self, stamp: u32) -> u32 {
        self.stamp().wrapping_sub(stamp) & STAMP
    }

    /// How long ago it was last used.
    pub(super) fn age_of(&self, slot: Slot) -> Option<u32> {
        self.slab.get(slot).map(|node| self.since(node.stamp()))
    }

    /// A frequency of so long ago, as of now.
    fn decayed(&self, frequency: u32, since: u32) -> u32 {
        let halving = (self.turn() * TURNS_TO_HALVE).max(1);
        if u64::from(since) < halving {
            frequency
        } else {
            frequency.checked_shr((u64::from(since) / halving) as u32).unwrap_or(0)
        }
    }

    pub(super) fn frequency_of(&self, slot: Slot) -> u32 {
        self.slab.get(slot).map_or(0, |node| self.decayed(node.frequency(), self.since(node.stamp())))
    }

    /// How high above the bottom its density and the level as of its last use put it.
    pub(super) fn height_of(&self, slot: Slot) -> Option<f64> {
        let node = self.slab.get(slot)?;
        Some(self.height(self.since(node.stamp()), node.frequency(), node.weight))
    }

    fn height(&self, since: u32, frequency: u32, weight: u32) -> f64 {
        let then = self.now().saturating_sub(u64::from(since));
        self.level.then(then) + f64::from(frequency) / f64::from(weight.max(1))
    }

    /// A newcomer.
    pub(super) fn insert(&mut self, hash: u64, weight: u32) -> Slot {
        self.pass();
        let ghost = self.ghosts.take(hash);
        let since = ghost.map_or(0, |ghost| ghosts::since(self.stamp(), ghost.stamp));
        let frequency = 1 + ghost.map_or(0, |ghost| self.remembered(ghost, since, weight));
        let remembered = ghost.is_some_and(|ghost| ghost.depth < self.setting.memory);
        let room = self.room_in_main(weight);
        let sooner = remembered && self.setting.merit == Merit::Recency && self.is_sooner(since);
        let place = match self.setting.merit {
            Merit::Density => Place::Dense,
            Merit::Frequency if room => Place::Main,
            Merit::Recency if room || sooner => Place::Main,
            Merit::Return if remembered => Place::Main,
            _ => Place::Window,
        };
        self.newcomer = self.slab.add(hash, weight, place, self.stamp(), frequency);
        if place == Place::Main && self.setting.merit == Merit::Recency {
            self.demote();
        }
        self.newcomer
    }

    /// What of its frequency a ghost brings along. One that weighs more than most takes the place of many: unless its density
    /// would have kept it, it brings half.
    fn remembered(&self, ghost: Ghost, since: u32, weight: u32) -> u32 {
        let frequency = self.decayed(ghost.frequency, since);
        let light = u64::from(weight) * self.slab.len() as u64 <= self.slab.weight();
        let kept = || self.height(since, frequency + 1, weight) >= self.level.now();
        if self.setting.merit != Merit::Density || light || kept() { frequency } else { frequency / 2 }
    }

    /// Time goes on by a use. Units follow the number of entries; the clock goes on from where it is, so what was counted in
    /// other units seems longer or shorter by two until it is used again.
    fn pass(&mut self) {
        let turn = self.slab.len() >> self.unit;
        if turn >= 4 * STAMPS_PER_TURN {
            self.uses <<= 1;
            self.unit += 1;
        } else if turn < STAMPS_PER_TURN && self.unit > 0 {
            self.uses >>= 1;
            self.unit -= 1;
        }
        self.uses += 1;
        if self.setting.merit == Merit::Density {
            self.level.pass(self.now(), self.turn());
        }
    }

    /// It was used. Answers what it is, if it is there.
    #[inline]
    pub(super) fn hit(&mut self, slot: Slot, times: u32) -> Option<(u64, u32)> {
        let node = self.slab.get(slot).filter(|node| node.place() != Place::Free)?;
        let (hash, weight, place) = (node.hash, node.weight, node.place());
        let (stamp, frequency) = (node.stamp(), node.frequency());
        self.pass();
        let since = self.since(stamp);
        let frequency = self.decayed(frequency, since).saturating_add(times);
        let up = self.setting.merit == Merit::Recency
            && place != Place::Main
            && (self.room_in_main(weight) || self.is_sooner(since));
        match (self.setting.merit, place) {
            (Merit::Density, Place::Dense) if self.is_at_head(since) => self.slab.used(slot, self.stamp(), frequency),
            (Merit::Density, _) => self.slab.use_in(slot, Place::Dense, self.stamp(), frequency),
            (_, Place::Main) => {
                let stamp = self.stamp();
                if let Some(node) = self.slab.get_mut(slot) {
                    node.used(stamp, frequency);
                    node.refer(true);
                }
            }
            (Merit::Return, _) => self.slab.use_in(slot, Place::Main, self.stamp(), frequency),
            (Merit::Recency, _) if up => {
                self.slab.use_in(slot, Place::Main, self.stamp(), frequency);
                self.demote();
            }
            (_, Place::Window) if self.is_at_head(since) => self.slab.used(slot, self.stamp(), frequency),
            _ => self.slab.use_in(slot, Place::Window, self.stamp(), frequency),
        }
        Some((hash, weight))
    }

    /// Whether moving it to the head of its queue would be for nothing.
    fn is_at_head(&self, since: u32) -> bool {
        self.unit > 0 && u64::from(since) * HEADS_PER_TURN * 1000 < self.turn() * self.setting.window
    }

    /// Whether a use after that long comes sooner than the oldest of the main circle has waited.
    fn is_sooner(&mut self, since: u32) -> bool {
        self.pass_used();
        self.age_of(self.slab.tail(Place::Main)).is_some_and(|oldest| since < oldest)
    }

    /// The hand of the circle goes on to somebody not used since it last came by.
    pub(super) fn pass_used(&mut self) {
        for _ in 0..STEPS {
            let hand = self.slab.tail(Place::Main);
            let Some(node) = self.slab.get_mut(hand).filter(|node| node.referenced()) else { return };
            node.refer(false);
            self.slab.shift(hand, Place::Main);
        }
    }

    /// Whom the main circle has no room for goes back to the window.
    fn demote(&mut self) {
        for _ in 0..STEPS {
            if self.room_in_main(0) {
                return;
            }
            self.pass_used();
            let hand = self.slab.tail(Place::Main);
            if hand == self.newcomer {
                return;
            }
            self.slab.shift(hand, Place::Window);
        }
    }

    pub(super) fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.slab.reweigh(slot, weight);
    }

    /// It is gone, without a ghost. Answers its hash, if it was there.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<u64> {
        let hash = self.slab.get(slot).filter(|node| node.place() != Place::Free)?.hash;
        self.slab.free(slot);
        if self.newcomer == slot {
            self.newcomer = NONE;
        }
        Some(hash)
    }

    /// Who has to go, while there is too much; rather somebody who is not `held`.
    pub(super) fn victim(&mut self, held: impl Fn(u64) -> bool) -> Option<Slot> {
        if self.slab.weight() <= self.capacity {
            return None;
        }
        let chosen = self.choose();
        let victim = self.instead_of(chosen, held);
        let node = self.slab.get(victim)?;
        let (hash, stamp, frequency) = (node.hash, node.stamp(), node.frequency());
        self.ghosts.put(hash, stamp, frequency, self.slab.len());
        self.remove(victim);
        Some(victim)
    }
}
