//! What changes under a reader. Owns the knowledge of which keys were changed, by whomever, and which changes Redis does not have
//! yet. Never forgets a change early: two keys that share a number cost each other a needless read, nothing worse.
//!
//! Who changes registers first, then raises the numbers, then changes memory. Who reads takes the numbers first and asks then
//! whether a change is registered: so either he is told, or the numbers differ when he comes back.

use super::debts::Change;
use crate::store::fingerprint::Fingerprint;
use crate::store::tags::TagHash;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

const NUMBERS: usize = 4_096;

pub(super) struct Guard {
    numbers: Box<[AtomicU32]>,
    /// Raised when it cannot be said which keys.
    all: AtomicU32,
    /// How many changes are registered, for a look without the lock.
    registered: AtomicUsize,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    keys: HashMap<Fingerprint, usize>,
    tags: HashMap<TagHash, usize>,
    all: usize,
}

/// The numbers of a key when somebody began to read it.
#[derive(Clone, Copy)]
pub(super) struct Note {
    number: u32,
    all: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            numbers: (0..NUMBERS).map(|_| AtomicU32::new(0)).collect(),
            all: AtomicU32::new(0),
            registered: AtomicUsize::new(0),
            pending: Mutex::default(),
        }
    }
}

impl Guard {
    fn number(&self, key: Fingerprint) -> &AtomicU32 {
        #[allow(clippy::indexing_slicing, reason = "the remainder is below the count")]
        &self.numbers[(key.low % NUMBERS as u64) as usize]
    }

    pub(super) fn note(&self, key: Fingerprint) -> Note {
        Note { number: self.number(key).load(Ordering::SeqCst), all: self.all.load(Ordering::SeqCst) }
    }

    /// Whether nothing has changed `key` since.
    pub(super) fn holds(&self, key: Fingerprint, note: Note) -> bool {
        let now = self.note(key);
        now.number == note.number && now.all == note.all
    }

    pub(super) fn raise(&self, key: Fingerprint) {
        self.number(key).fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn raise_all(&self) {
        self.all.fetch_add(1, Ordering::SeqCst);
    }

    /// Somebody here is about to change this.
    pub(super) fn register(&self, change: &Change) {
        let mut pending = self.pending.lock();
        self.registered.fetch_add(1, Ordering::SeqCst);
        match change {
            Change::Key { key, .. } => *pending.keys.entry(*key).or_default() += 1,
            Change::Tags { tags, .. } => tags.iter().for_each(|tag| *pending.tags.entry(*tag).or_default() += 1),
            Change::Clear | Change::Prefix(_) => pending.all += 1,
            Change::Version(..) => (),
        }
        drop(pending);
        match change {
            Change::Key { key, .. } => self.raise(*key),
            Change::Prefix(_) | Change::Version(..) => self.raise_all(),
            // What is born before is told apart by its moment.
            Change::Tags { .. } | Change::Clear => (),
        }
    }

    /// Redis has it.
    pub(super) fn release(&self, change: &Change) {
        let mut pending = self.pending.lock();
        self.registered.fetch_sub(1, Ordering::SeqCst);
        match change {
            Change::Key { key, .. } => less(&mut pending.keys, key),
            Change::Tags { tags, .. } => tags.iter().for_each(|tag| less(&mut pending.tags, tag)),
            Change::Clear | Change::Prefix(_) => pending.all = pending.all.saturating_sub(1),
            Change::Version(..) => (),
        }
    }

    /// Whether Redis may still have what `key` was before a change of ours.
    pub(super) fn is_pending(&self, key: Fingerprint) -> bool {
        if self.registered.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let pending = self.pending.lock();
        pending.all > 0 || pending.keys.contains_key(&key)
    }

    /// Whether Redis does not know yet that we have invalidated one of `tags`.
    pub(super) fn are_pending(&self, mut tags: impl Iterator<Item = TagHash>) -> bool {
        if self.registered.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let pending = self.pending.lock();
        tags.any(|tag| pending.tags.contains_key(&tag))
    }
}

fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
