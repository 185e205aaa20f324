//! A queue of those who wait: the higher rank first, and within a rank first in, first out. Owns order and O(1) departure.
//! Never wakes anybody: it hands the waiter back.

use slab::Slab;

/// How many ranks there are. The highest is the last.
pub const RANKS: usize = 4;

/// A place in a queue. Stays valid until its waiter has left, and never stands for another afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    index: u32,
    turn: u32,
}

impl Place {
    /// As one word, for a ledger to keep.
    pub fn to_word(self) -> u64 {
        u64::from(self.turn) << 32 | u64::from(self.index)
    }

    /// The place a word stands for.
    pub fn from_word(word: u64) -> Self {
        Place { index: word as u32, turn: (word >> 32) as u32 }
    }
}

/// A doubly linked list for each rank, over one slab.
#[derive(Debug)]
pub struct Waiters<T> {
    nodes: Slab<Node<T>>,
    ranks: [Ends; RANKS],
    /// Tells apart the waiters that had the same slot one after the other.
    turn: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    first: Option<u32>,
    last: Option<u32>,
    len: usize,
}

#[derive(Debug)]
struct Node<T> {
    waiter: T,
    rank: usize,
    turn: u32,
    before: Option<u32>,
    after: Option<u32>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { nodes: Slab::new(), ranks: [Ends::default(); RANKS], turn: 0 }
    }
}

impl<T> Waiters<T> {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many wait in each rank.
    pub fn lens(&self) -> [usize; RANKS] {
        self.ranks.map(|ends| ends.len)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Join at the end of the lowest rank, which is where everybody stands who has no other.
    pub fn push(&mut self, waiter: T) -> Place {
        self.push_in(0, waiter)
    }

    /// Join at the end of a rank; above the highest is the highest.
    pub fn push_in(&mut self, rank: usize, waiter: T) -> Place {
        let rank = rank.min(RANKS - 1);
        self.turn = self.turn.wrapping_add(1);
        let before = self.ranks.get(rank).and_then(|ends| ends.last);
        let index = self.nodes.insert(Node { waiter, rank, turn: self.turn, before, after: None }) as u32;
        if let Some(last) = before.and_then(|last| self.nodes.get_mut(last as usize)) {
            last.after = Some(index);
        }
        if let Some(ends) = self.ranks.get_mut(rank) {
            ends.first = ends.first.or(Some(index));
            ends.last = Some(index);
            ends.len += 1;
        }
        Place { index, turn: self.turn }
    }

    /// The one who is next.
    pub fn first(&self) -> Option<&T> {
        self.next().and_then(|index| self.nodes.get(index as usize)).map(|node| &node.waiter)
    }

    /// The one at a place. None if the waiter's turn has come already.
    pub fn get(&self, place: Place) -> Option<&T> {
        self.nodes.get(place.index as usize).filter(|node| node.turn == place.turn).map(|node| &node.waiter)
    }

    /// The one who is next leaves.
    pub fn pop(&mut self) -> Option<T> {
        self.next().and_then(|first| self.unlink(first))
    }

    /// Leave early. None if the waiter's turn has come already.
    pub fn leave(&mut self, place: Place) -> Option<T> {
        let node = self.nodes.get(place.index as usize)?;
        if node.turn != place.turn { None } else { self.unlink(place.index) }
    }

    fn next(&self) -> Option<u32> {
        self.ranks.iter().rev().find_map(|ends| ends.first)
    }

    fn unlink(&mut self, index: u32) -> Option<T> {
        let node = self.nodes.try_remove(index as usize)?;
        let ends = self.ranks.get_mut(node.rank)?;
        ends.len -= 1;
        match node.before.and_then(|before| self.nodes.get_mut(before as usize)) {
            Some(before) => before.after = node.after,
            None => ends.first = node.after,
        }
        match node.after.and_then(|after| self.nodes.get_mut(after as usize)) {
            Some(after) => after.before = node.before,
            None => ends.last = node.before,
        }
        Some(node.waiter)
    }
}
