//! A queue of those who wait, first in, first out. Owns order and O(1) departure. Never wakes anybody: it hands the waiter back.

use slab::Slab;

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

/// A doubly linked list over a slab.
#[derive(Debug)]
pub struct Waiters<T> {
    nodes: Slab<Node<T>>,
    first: Option<u32>,
    last: Option<u32>,
    /// Tells apart the waiters that had the same slot one after the other.
    turn: u32,
}

#[derive(Debug)]
struct Node<T> {
    waiter: T,
    turn: u32,
    before: Option<u32>,
    after: Option<u32>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { nodes: Slab::new(), first: None, last: None, turn: 0 }
    }
}

impl<T> Waiters<T> {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Join at the end.
    pub fn push(&mut self, waiter: T) -> Place {
        self.turn = self.turn.wrapping_add(1);
        let index = self.nodes.insert(Node { waiter, turn: self.turn, before: self.last, after: None }) as u32;
        match self.last.and_then(|last| self.nodes.get_mut(last as usize)) {
            Some(last) => last.after = Some(index),
            None => self.first = Some(index),
        }
        self.last = Some(index);
        Place { index, turn: self.turn }
    }

    /// The one who waited longest.
    pub fn pop(&mut self) -> Option<T> {
        self.first.and_then(|first| self.unlink(first))
    }

    /// Leave early. None if the waiter's turn has come already.
    pub fn leave(&mut self, place: Place) -> Option<T> {
        let node = self.nodes.get(place.index as usize)?;
        if node.turn != place.turn { None } else { self.unlink(place.index) }
    }

    fn unlink(&mut self, index: u32) -> Option<T> {
        let node = self.nodes.try_remove(index as usize)?;
        match node.before.and_then(|before| self.nodes.get_mut(before as usize)) {
            Some(before) => before.after = node.after,
            None => self.first = node.after,
        }
        match node.after.and_then(|after| self.nodes.get_mut(after as usize)) {
            Some(after) => after.before = node.before,
            None => self.last = node.before,
        }
        Some(node.waiter)
    }
}
