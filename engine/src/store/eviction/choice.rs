//! Who goes next, by the setting that is followed. Owns the rules.
//! Never takes anybody out, and never looks further than the ends of the queues.

use super::Slot;
use super::node::Place;
use super::order::{Order, STEPS};
use super::setting::Merit;
use super::slab::NONE;

/// Entries left over from another way that find their place with each choice.
const ADOPTED: usize = 4;

/// Entries looked at for one that is not held, at most.
const LOOKED_AT: usize = 128;

impl Order {
    /// Never the newcomer, unless there is nobody else.
    pub(super) fn choose(&mut self) -> Slot {
        let chosen = match self.setting.merit {
            Merit::Age => self.oldest(),
            Merit::Density => self.sparsest(),
            _ => self.weakest(),
        };
        if chosen == NONE { self.newcomer } else { chosen }
    }

    /// Whoever is not `held`, in place of one who is: the one who was chosen if all are.
    pub(super) fn instead_of(&self, chosen: Slot, held: impl Fn(u64) -> bool) -> Slot {
        let is_held = |slot: Slot| self.slab.get(slot).is_some_and(|node| held(node.hash));
        if !is_held(chosen) {
            return chosen;
        }
        let ends = self.slab.dense_tails().chain([Place::Window, Place::Main].map(|place| self.slab.tail(place)));
        let towards_head = |end: Slot| std::iter::successors(Some(end), |slot| Some(self.slab.before(*slot)));
        ends.flat_map(|end| towards_head(end).take_while(|slot| *slot != NONE))
            .take(LOOKED_AT)
            .find(|slot| *slot != self.newcomer && !is_held(*slot))
            .unwrap_or(chosen)
    }

    /// Whoever has waited longest at the end of the window while that is too large, and of the main circle otherwise, with what
    /// merit makes of it.
    fn weakest(&mut self) -> Slot {
        let left = self.adopt();
        if left.is_some_and(|slot| !self.is_worth_main(slot)) {
            return left.unwrap_or(NONE);
        }
        for _ in 0..STEPS {
            self.pass_used();
            let (last, hand) = (self.eldest(Place::Window), self.eldest(Place::Main));
            if last == NONE || hand == NONE {
                return if last == NONE { hand } else { last };
            }
            if self.slab.weight_of(Place::Window) > self.window_room() {
                if left.is_none() && self.setting.merit != Merit::Return && self.has_room_for(last) {
                    self.slab.shift(last, Place::Main);
                    continue;
                }
                if self.setting.merit == Merit::Frequency && self.frequency_of(last) > self.frequency_of(hand) {
                    self.slab.shift(last, Place::Main);
                    return hand;
                }
                return last;
            }
            if self.setting.merit != Merit::Recency {
                return hand;
            }
            self.slab.shift(hand, Place::Window);
        }
        self.oldest()
    }

    /// Find a place for some who still stand by density although nobody goes by it any more, oldest first. Answers the first who
    /// is still without.
    fn adopt(&mut self) -> Option<Slot> {
        for _ in 0..ADOPTED {
            let left = self.left_over()?;
            if !self.is_worth_main(left) {
                return Some(left);
            }
            self.slab.shift(left, Place::Main);
        }
        self.left_over()
    }

    fn is_worth_main(&self, slot: Slot) -> bool {
        self.has_room_for(slot) && (self.setting.merit != Merit::Return || self.frequency_of(slot) > 1)
    }

    fn has_room_for(&self, slot: Slot) -> bool {
        self.slab.get(slot).is_some_and(|node| self.room_in_main(node.weight))
    }

    /// Of those who stand by density, whoever was used longest ago.
    fn left_over(&self) -> Option<Slot> {
        self.slab
            .dense_tails()
            .map(|tail| self.or_before(tail))
            .filter(|slot| *slot != NONE)
            .max_by_key(|slot| self.age_of(*slot))
    }

    /// Whoever is lowest, wherever it stands; the level rises to it.
    fn sparsest(&mut self) -> Slot {
        for _ in 0..ADOPTED {
            for place in [Place::Window, Place::Main] {
                self.slab.shift(self.eldest(place), Place::Dense);
            }
        }
        let (mut lowest, mut sparsest) = (f64::INFINITY, NONE);
        for tail in self.slab.dense_tails().chain([Place::Window, Place::Main].map(|place| self.slab.tail(place))) {
            let slot = self.or_before(tail);
            if let Some(height) = self.height_of(slot).filter(|height| *height < lowest) {
                (lowest, sparsest) = (height, slot);
            }
        }
        if sparsest != NONE {
            self.level.rise(lowest);
        }
        sparsest
    }

    /// Whoever was used longest ago.
    fn oldest(&mut self) -> Slot {
        self.pass_used();
        let ends = [self.eldest(Place::Window), self.eldest(Place::Main), self.left_over().unwrap_or(NONE)];
        ends.into_iter().filter(|slot| *slot != NONE).max_by_key(|slot| self.age_of(*slot)).unwrap_or(NONE)
    }

    /// The end of a queue, but for the newcomer.
    fn eldest(&self, place: Place) -> Slot {
        self.or_before(self.slab.tail(place))
    }

    fn or_before(&self, tail: Slot) -> Slot {
        if tail == self.newcomer { self.slab.before(tail) } else { tail }
    }
}
