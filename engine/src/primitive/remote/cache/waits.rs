//! Claims that wait for another host's load. Owns who waits for which key, and that each is woken once. Never wakes anybody under
//! its lock.

use super::claim::Claim;
use super::{Tier, now};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a wait is left with.
pub(super) type Ticket = u64;

#[derive(Default)]
pub(super) struct Waits {
    book: Mutex<Book>,
}

/// Who waits for one key.
type Waiting = Vec<(Ticket, Arc<Claim>)>;

#[derive(Default)]
struct Book {
    by_key: HashMap<Arc<[u16]>, Waiting>,
    last: Ticket,
}

impl Waits {
    pub(super) fn enter(&self, claim: &Arc<Claim>) -> Ticket {
        let mut book = self.book.lock();
        book.last += 1;
        let ticket = book.last;
        book.by_key.entry(claim.reader.units.clone()).or_default().push((ticket, claim.clone()));
        ticket
    }

    /// Whether nobody has woken it.
    pub(super) fn leave(&self, key: &Arc<[u16]>, ticket: Ticket) -> bool {
        let mut book = self.book.lock();
        let Some(waiting) = book.by_key.get_mut(key) else { return false };
        let Some(place) = waiting.iter().position(|wait| wait.0 == ticket) else { return false };
        let gone = waiting.swap_remove(place);
        if waiting.is_empty() {
            book.by_key.remove(key);
        }
        drop(book);
        drop(gone);
        true
    }

    fn take(&self, key: &[u16]) -> Waiting {
        let mut book = self.book.lock();
        if book.by_key.is_empty() { Waiting::new() } else { book.by_key.remove(key).unwrap_or_default() }
    }

    /// There is news of `key`: whoever waits for it looks again.
    pub(super) fn wake(&self, tier: &Arc<Tier>, key: &[u16]) {
        for (_, claim) in self.take(key) {
            tier.look_for(claim, now());
        }
    }

    /// There is nothing under `key`, and nobody keeps that.
    pub(super) fn tell_nothing(&self, tier: &Arc<Tier>, key: &[u16]) {
        for (_, claim) in self.take(key) {
            tier.told_nothing(&claim);
        }
    }

    /// Nothing is heard any more: everybody looks again.
    pub(super) fn wake_all(&self, tier: &Arc<Tier>) {
        let all = std::mem::take(&mut self.book.lock().by_key);
        for (_, claim) in all.into_values().flatten() {
            tier.look_for(claim, now());
        }
    }
}
