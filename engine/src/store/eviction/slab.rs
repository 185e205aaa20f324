//! Slots, and the two queues they stand in. Owns links, weights and lengths, so that every slot is in exactly one queue or free.
//! Never chooses anybody, and never moves what is stored: it grows by blocks, so that no insertion pays for a copy of all.

use super::Slot;

/// No slot: the end of a queue.
pub(super) const NONE: Slot = Slot::MAX;

/// Slots in a block.
const BLOCK_BITS: u32 = 10;
const BLOCK: usize = 1 << BLOCK_BITS;

/// Where a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Newcomers and whoever has not earned more, by last use.
    Window,
    /// Those who have proved themselves, in a circle with a reference bit each.
    Main,
    /// Nobody: its number is to be had.
    Free,
}

/// 24 bytes an entry.
///
/// | bits of `state` | what |
/// | --- | --- |
/// | 0–23 | stamp of the last use |
/// | 24–27 | frequency, 1 to 15, as of the stamp |
/// | 28 | referenced since the hand came by |
/// | 29–30 | place |
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) hash: u64,
    pub(super) weight: u32,
    /// Towards the head, the younger end.
    prev: Slot,
    /// Towards the tail; of a free slot, the next free one.
    next: Slot,
    state: u32,
}

const STAMP: u32 = 0x00ff_ffff;
const FREQUENCY_SHIFT: u32 = 24;
const REFERENCED: u32 = 1 << 28;
const PLACE_SHIFT: u32 = 29;

/// The most a frequency counts to.
pub(super) const MAX_FREQUENCY: u32 = 15;

impl Node {
    pub(super) fn stamp(&self) -> u32 {
        self.state & STAMP
    }

    pub(super) fn frequency(&self) -> u32 {
        (self.state >> FREQUENCY_SHIFT) & MAX_FREQUENCY
    }

    pub(super) fn referenced(&self) -> bool {
        self.state & REFERENCED != 0
    }

    pub(super) fn refer(&mut self, referenced: bool) {
        self.state = if referenced { self.state | REFERENCED } else { self.state & !REFERENCED };
    }

    pub(super) fn place(&self) -> Place {
        match self.state >> PLACE_SHIFT {
            0 => Place::Window,
            1 => Place::Main,
            _ => Place::Free,
        }
    }

    fn stand(&mut self, place: Place) {
        self.state = self.state & !(3 << PLACE_SHIFT) | (place as u32) << PLACE_SHIFT;
    }

    /// A use, after which the entry has this stamp and this frequency.
    pub(super) fn used(&mut self, stamp: u32, frequency: u32) {
        self.state = self.state & !(STAMP | MAX_FREQUENCY << FREQUENCY_SHIFT)
            | stamp & STAMP
            | frequency.min(MAX_FREQUENCY) << FREQUENCY_SHIFT;
    }
}

/// One queue.
#[derive(Clone, Copy)]
pub(super) struct Queue {
    head: Slot,
    tail: Slot,
    len: usize,
    weight: u64,
}

impl Queue {
    const EMPTY: Queue = Queue { head: NONE, tail: NONE, len: 0, weight: 0 };
}

/// The slots and their queues.
pub(super) struct Slab {
    blocks: Vec<Vec<Node>>,
    window: Queue,
    main: Queue,
    /// The first of the free slots.
    free: Slot,
}

impl Slab {
    pub(super) fn new() -> Self {
        Slab { blocks: Vec::new(), window: Queue::EMPTY, main: Queue::EMPTY, free: NONE }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&Node> {
        self.blocks.get(slot as usize >> BLOCK_BITS)?.get(slot as usize & (BLOCK - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Node> {
        self.blocks.get_mut(slot as usize >> BLOCK_BITS)?.get_mut(slot as usize & (BLOCK - 1))
    }

    fn queue_mut(&mut self, place: Place) -> Option<&mut Queue> {
        match place {
            Place::Window => Some(&mut self.window),
            Place::Main => Some(&mut self.main),
            Place::Free => None,
        }
    }

    fn queue(&self, place: Place) -> &Queue {
        match place {
            Place::Window => &self.window,
            Place::Main => &self.main,
            Place::Free => &Queue::EMPTY,
        }
    }

    pub(super) fn weight_of(&self, place: Place) -> u64 {
        self.queue(place).weight
    }

    pub(super) fn len_of(&self, place: Place) -> usize {
        self.queue(place).len
    }

    /// Who stands longest in a queue.
    pub(super) fn tail(&self, place: Place) -> Slot {
        self.queue(place).tail
    }

    /// Who came last.
    pub(super) fn head(&self, place: Place) -> Slot {
        self.queue(place).head
    }

    /// Who stands before it, towards the head.
    pub(super) fn before(&self, slot: Slot) -> Slot {
        self.get(slot).map_or(NONE, |node| node.prev)
    }

    pub(super) fn len(&self) -> usize {
        self.window.len + self.main.len
    }

    pub(super) fn weight(&self) -> u64 {
        self.window.weight + self.main.weight
    }

    /// A slot for an entry, at the head of a queue.
    pub(super) fn add(&mut self, hash: u64, weight: u32, place: Place) -> Slot {
        let node = Node { hash, weight, prev: NONE, next: NONE, state: (Place::Free as u32) << PLACE_SHIFT };
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
            // Only the first block starts small: a cache of a few entries costs little, and no block that is one of many is copied.
            self.blocks.push(Vec::with_capacity(if self.blocks.is_empty() { 16 } else { BLOCK }));
        }
        let full = self.blocks.len() - 1;
        let Some(block) = self.blocks.last_mut() else { return NONE };
        block.push(node);
        ((full << BLOCK_BITS) + block.len() - 1) as Slot
    }

    /// Give the slot's number back. Its hash stays readable until the number is given out again. Nothing happens if it is free already.
    pub(super) fn free(&mut self, slot: Slot) {
        if self.get(slot).is_none_or(|node| node.place() == Place::Free) {
            return;
        }
        self.unlink(slot);
        let next = std::mem::replace(&mut self.free, slot);
        if let Some(node) = self.get_mut(slot) {
            node.next = next;
        }
    }

    /// To the head of a queue, from wherever it stands.
    pub(super) fn shift(&mut self, slot: Slot, place: Place) {
        self.unlink(slot);
        self.link(slot, place);
    }

    /// Change what an entry weighs.
    pub(super) fn reweigh(&mut self, slot: Slot, weight: u32) {
        let Some(node) = self.get_mut(slot) else { return };
        let place = node.place();
        if place == Place::Free {
            return;
        }
        let before = std::mem::replace(&mut node.weight, weight);
        if let Some(queue) = self.queue_mut(place) {
            queue.weight = queue.weight - u64::from(before) + u64::from(weight);
        }
    }

    fn link(&mut self, slot: Slot, place: Place) {
        let head = self.queue(place).head;
        let Some(node) = self.get_mut(slot) else { return };
        node.prev = NONE;
        node.next = head;
        node.stand(place);
        let weight = u64::from(node.weight);
        if let Some(second) = self.get_mut(head) {
            second.prev = slot;
        }
        if let Some(queue) = self.queue_mut(place) {
            queue.head = slot;
            if head == NONE {
                queue.tail = slot;
            }
            queue.len += 1;
            queue.weight += weight;
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Some(node) = self.get_mut(slot) else { return };
        let (place, prev, next, weight) = (node.place(), node.prev, node.next, u64::from(node.weight));
        if place == Place::Free {
            return;
        }
        node.stand(Place::Free);
        if let Some(younger) = self.get_mut(prev) {
            younger.next = next;
        }
        if let Some(older) = self.get_mut(next) {
            older.prev = prev;
        }
        if let Some(queue) = self.queue_mut(place) {
            if prev == NONE {
                queue.head = next;
            }
            if next == NONE {
                queue.tail = prev;
            }
            queue.len -= 1;
            queue.weight -= weight;
        }
    }
}
