//! What is kept of an entry. Owns the layout of its 24 bytes.
//! Never knows its neighbours but by number.

use super::Slot;
use super::slab::NONE;

/// Where a slot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Newcomers and whoever has not earned more, by last use.
    Window,
    /// Those who have earned a place, in a circle with a bit each: the hand is at the tail, and passes to the head whom it spares.
    Main,
    /// Those whose density decides, in a queue for each power of two of it, by last use.
    Dense,
    /// Nowhere: its number is to be had.
    Free,
}

/// 24 bytes an entry.
///
/// | bits of `state` | what |
/// | --- | --- |
/// | 0–23 | stamp of the last use |
/// | 24–27 | frequency, 1 to 15, as of the stamp |
/// | 28 | used since the hand came by |
/// | 29–30 | place |
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) hash: u64,
    /// Which queue by density it stands in follows from it and from the frequency, so nobody but the slab changes either.
    pub(super) weight: u32,
    /// Towards the head, the younger end.
    pub(super) prev: Slot,
    /// Towards the tail; of a free slot, the next free one.
    pub(super) next: Slot,
    state: u32,
}

/// The bits of a stamp.
pub(super) const STAMP: u32 = 0x00ff_ffff;

/// The most a frequency counts to.
pub(super) const MAX_FREQUENCY: u32 = 15;

const FREQUENCY_SHIFT: u32 = 24;
const REFERENCED: u32 = 1 << 28;
const PLACE_SHIFT: u32 = 29;

/// One queue for each power of two of weight for a use.
pub(super) const DENSITIES: usize = (u32::BITS + MAX_FREQUENCY.ilog2()) as usize;

impl Node {
    /// One that stands nowhere yet.
    pub(super) fn new(hash: u64, weight: u32, stamp: u32, frequency: u32) -> Self {
        let mut node = Node { hash, weight, prev: NONE, next: NONE, state: 0 };
        node.used(stamp, frequency);
        node.stand(Place::Free);
        node
    }

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
            2 => Place::Dense,
            _ => Place::Free,
        }
    }

    pub(super) fn stand(&mut self, place: Place) {
        self.state = self.state & !(3 << PLACE_SHIFT) | (place as u32) << PLACE_SHIFT;
    }

    pub(super) fn used(&mut self, stamp: u32, frequency: u32) {
        self.state = self.state & !(STAMP | MAX_FREQUENCY << FREQUENCY_SHIFT)
            | stamp & STAMP
            | frequency.min(MAX_FREQUENCY) << FREQUENCY_SHIFT;
    }

    /// Which of the queues is for its density.
    pub(super) fn density(&self) -> usize {
        (self.weight.max(1).ilog2() + MAX_FREQUENCY.ilog2() - self.frequency().max(1).ilog2()) as usize
    }
}
