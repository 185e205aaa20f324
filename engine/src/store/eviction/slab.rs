//! Slots, and the queues they stand in. Owns links, weights and lengths, so that every slot is in exactly one queue or free.
//! Never chooses anybody, and never moves what is stored: it grows by blocks, so that no insertion pays for a copy of all.

use super::Slot;
use super::node::{DENSITIES, Node, Place};

/// No slot: the end of a queue.
pub(super) const NONE: Slot = Slot::MAX;

/// Slots in a block.
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 12;

/// One queue.
#[derive(Clone, Copy)]
struct Queue {
    head: Slot,
    tail: Slot,
    weight: u64,
}

impl Queue {
    const EMPTY: Queue = Queue { head: NONE, tail: NONE, weight: 0 };
}

/// The slots and their queues.
pub(super) struct Slab {
    blocks: Vec<Vec<Node>>,
    /// The first of the free slots.
    free: Slot,
    window: Queue,
    main: Queue,
    dense: [Queue; DENSITIES],
    /// Which of `dense` are not empty, a bit for each.
    filled: u64,
    /// Of all that stand somewhere.
    len: usize,
    weight: u64,
}

impl Slab {
    pub(super) fn new() -> Self {
        Slab {
            blocks: Vec::new(),
            free: NONE,
            window: Queue::EMPTY,
            main: Queue::EMPTY,
            dense: [Queue::EMPTY; DENSITIES],
            filled: 0,
            len: 0,
            weight: 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Node> {
        self.blocks.get(slot as usize >> BLOCK_BITS)?.get(slot as usize & (BLOCK - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Node> {
        self.blocks.get_mut(slot as usize >> BLOCK_BITS)?.get_mut(slot as usize & (BLOCK - 1))
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.capacity() * size_of::<Node>() + size_of::<Vec<Node>>()).sum()
    }

    /// `density` matters for [`Place::Dense`] alone.
    fn queue(&self, place: Place, density: usize) -> &Queue {
        match place {
            Place::Window => &self.window,
            Place::Main => &self.main,
            Place::Dense => self.dense.get(density).unwrap_or(&Queue::EMPTY),
            Place::Free => &Queue::EMPTY,
        }
    }

    fn queue_mut(&mut self, place: Place, density: usize) -> Option<&mut Queue> {
        match place {
            Place::Window => Some(&mut self.window),
            Place::Main => Some(&mut self.main),
            Place::Dense => self.dense.get_mut(density),
            Place::Free => None,
        }
    }

    /// Of the window, or of the main circle.
    pub(super) fn weight_of(&self, place: Place) -> u64 {
        self.queue(place, 0).weight
    }

    /// Who stands longest in the window, or where the hand of the main circle is.
    pub(super) fn tail(&self, place: Place) -> Slot {
        self.queue(place, 0).tail
    }

    /// Who stands longest in each of the queues by density.
    pub(super) fn dense_tails(&self) -> impl Iterator<Item = Slot> {
        let mut filled = self.filled;
        std::iter::from_fn(move || {
            let density = filled.trailing_zeros() as usize;
            filled &= filled.wrapping_sub(1);
            self.dense.get(density).map(|queue| queue.tail)
        })
    }

    /// Who stands before it, towards the head.
    pub(super) fn before(&self, slot: Slot) -> Slot {
        self.get(slot).map_or(NONE, |node| node.prev)
    }

    /// All that stand somewhere, by their numbers.
    pub(super) fn residents(&self) -> impl Iterator<Item = &Node> {
        self.blocks.iter().flatten().filter(|node| node.place() != Place::Free)
    }

    /// A slot for an entry, at the head of a queue.
    pub(super) fn add(&mut self, hash: u64, weight: u32, place: Place, stamp: u32, frequency: u32) -> Slot {
        let node = Node::new(hash, weight, stamp, frequency);
        let slot = match self.get_mut(self.free) {
            Some(reused) => {
                let next = reused.next;
                *reused = node;
                std::mem::replace(&mut self.free, next)
            }
            None => self.extend(node),
        };
        self.link(slot, place);
        slot
    }

    fn extend(&mut self, node: Node) -> Slot {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::new());
        }
        let full = self.blocks.len() - 1;
        let Some(block) = self.blocks.last_mut() else { return NONE };
        block.push(node);
        ((full << BLOCK_BITS) + block.len() - 1) as Slot
    }

    /// Give the slot's number back. Its hash stays readable until the number is given out again. Nothing happens if it is free.
    pub(super) fn free(&mut self, slot: Slot) {
        if self.unlink(slot) == Place::Free {
            return;
        }
        let next = std::mem::replace(&mut self.free, slot);
        if let Some(node) = self.get_mut(slot) {
            node.next = next;
        }
    }

    /// All into the queues by density, which is as many steps as there are slots.
    pub(super) fn stand_by_density(&mut self) {
        let slots: usize = self.blocks.iter().map(Vec::len).sum();
        for slot in 0..slots as Slot {
            self.shift(slot, Place::Dense);
        }
    }

    /// To the head of a queue, from wherever it stands.
    pub(super) fn shift(&mut self, slot: Slot, place: Place) {
        if self.unlink(slot) != Place::Free {
            self.link(slot, place);
        }
    }

    /// A use, after which the entry has this stamp and this frequency, and stands at the head of a queue.
    pub(super) fn use_in(&mut self, slot: Slot, place: Place, stamp: u32, frequency: u32) {
        if self.unlink(slot) != Place::Free {
            if let Some(node) = self.get_mut(slot) {
                node.used(stamp, frequency);
            }
            self.link(slot, place);
        }
    }

    /// A use, for which the entry does not move, unless its density is another one now.
    #[inline]
    pub(super) fn used(&mut self, slot: Slot, stamp: u32, frequency: u32) {
        self.change(slot, |node| node.used(stamp, frequency));
    }

    /// Change what an entry weighs.
    pub(super) fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.change(slot, |node| node.weight = weight);
    }

    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Node)) {
        let Some(node) = self.get_mut(slot).filter(|node| node.place() != Place::Free) else { return };
        let (place, density, before) = (node.place(), node.density(), node.weight);
        change(node);
        let (became, weight) = (node.density(), node.weight);
        if place == Place::Dense && became != density {
            self.detach(slot, density, before);
            self.link(slot, place);
        } else if weight != before {
            self.weight = self.weight - u64::from(before) + u64::from(weight);
            if let Some(queue) = self.queue_mut(place, density) {
                queue.weight = queue.weight - u64::from(before) + u64::from(weight);
            }
        }
    }

    fn link(&mut self, slot: Slot, place: Place) {
        let Some(node) = self.get_mut(slot).filter(|_| place != Place::Free) else { return };
        node.stand(place);
        let (density, weight) = (node.density(), u64::from(node.weight));
        let head = self.queue(place, density).head;
        if let Some(node) = self.get_mut(slot) {
            node.prev = NONE;
            node.next = head;
        }
        if let Some(second) = self.get_mut(head) {
            second.prev = slot;
        }
        if let Some(queue) = self.queue_mut(place, density) {
            queue.head = slot;
            if head == NONE {
                queue.tail = slot;
            }
            queue.weight += weight;
        }
        self.filled |= u64::from(place == Place::Dense) << density;
        self.len += 1;
        self.weight += weight;
    }

    /// Answers where it stood.
    fn unlink(&mut self, slot: Slot) -> Place {
        let Some(node) = self.get(slot) else { return Place::Free };
        let (density, weight) = (node.density(), node.weight);
        self.detach(slot, density, weight)
    }

    /// Take it out of the queue it stands in with that density and that weight.
    fn detach(&mut self, slot: Slot, density: usize, weight: u32) -> Place {
        let Some(node) = self.get_mut(slot) else { return Place::Free };
        let (place, prev, next, weight) = (node.place(), node.prev, node.next, u64::from(weight));
        if place == Place::Free {
            return place;
        }
        node.stand(Place::Free);
        if let Some(younger) = self.get_mut(prev) {
            younger.next = next;
        }
        if let Some(older) = self.get_mut(next) {
            older.prev = prev;
        }
        if let Some(queue) = self.queue_mut(place, density) {
            if prev == NONE {
                queue.head = next;
            }
            if next == NONE {
                queue.tail = prev;
            }
            queue.weight -= weight;
            if place == Place::Dense && queue.head == NONE {
                self.filled &= !(1 << density);
            }
        }
        self.len -= 1;
        self.weight -= weight;
        place
    }
}
