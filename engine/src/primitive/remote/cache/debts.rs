//! Changes Redis has not acknowledged. Owns that they are told again until it has, and their bound. They stay registered: see guard.rs. Never loses one: what
//! is too much to remember is paid by forgetting everything.

use super::spot::Spot;
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::store::fingerprint::Fingerprint;
use crate::store::tags::TagHash;
use parking_lot::Mutex;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Debts that are remembered one by one.
const MOST: usize = 10_000;

/// Paid at once.
const TOGETHER: usize = 256;

/// How often it is tried.
const TICK: Nanos = 100 * MILLI;

/// What a change was made to, as far as Redis must know to give up what it had before.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// One value, whatever was done to it: what Redis has goes.
    Key { key: Fingerprint, spot: Arc<Spot> },
    /// Tags: gone, or with so many ms of grace at most, if there is a limit.
    Tags { tags: Vec<TagHash>, soft: Option<Option<u64>> },
    /// Everything.
    Clear,
    /// All that begins so.
    Prefix(Vec<u16>),
    /// The version, in place of the one of this moment: a later one is not overruled.
    Version(String, u64),
}

#[derive(Default)]
pub(super) struct Debts {
    book: Mutex<Book>,
    /// Owed and on their way.
    count: AtomicUsize,
}

#[derive(Default)]
struct Book {
    /// With when they may be paid: not while what was given up could still be done by Redis after it.
    owed: VecDeque<(Change, Nanos)>,
    keys: HashSet<Fingerprint>,
    paying: usize,
    ticking: bool,
}

impl Book {
    fn count(&self) -> usize {
        self.owed.len() + self.paying
    }
}

impl Debts {
    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Tier {
    /// Redis did not acknowledge a change, which stays registered. From `payable` on it can be told again.
    pub(super) fn owe(self: &Arc<Self>, change: Change, payable: Nanos) {
        let mut relieved = Vec::new();
        let mut book = self.debts.book.lock();
        let known = matches!(&change, Change::Key { key, .. } if !book.keys.insert(*key));
        if known {
            relieved.push(change);
        } else {
            book.owed.push_back((change, payable));
        }
        if book.owed.len() > MOST {
            let latest = book.owed.iter().map(|owed| owed.1).max().unwrap_or_default();
            let (kept, gone) = book.owed.drain(..).partition(|owed| matches!(owed.0, Change::Version(..)));
            (book.owed, relieved) = (kept, VecDeque::<(Change, Nanos)>::into_iter(gone).map(|owed| owed.0).collect());
            book.keys.clear();
            self.guard.register(&Change::Clear);
            book.owed.push_back((Change::Clear, latest));
        }
        self.debts.count.store(book.count(), Ordering::SeqCst);
        let ticks = std::mem::replace(&mut book.ticking, true);
        drop(book);
        relieved.iter().for_each(|change| self.guard.release(change));
        if !ticks {
            self.later(TICK, Tier::tick);
        }
    }

    fn tick(self: &Arc<Self>) {
        if self.remote.is_up() {
            self.pay();
        }
        let mut book = self.debts.book.lock();
        book.ticking = book.count() > 0;
        let ticks = book.ticking;
        drop(book);
        if ticks {
            self.later(TICK, Tier::tick);
        }
    }

    /// Tell Redis what it has not acknowledged.
    pub(super) fn pay(self: &Arc<Self>) {
        let now = now();
        let mut due = Vec::new();
        let mut book = self.debts.book.lock();
        while book.paying < TOGETHER
            && let Some(place) = book.owed.iter().position(|owed| owed.1 <= now)
            && let Some((change, _)) = book.owed.remove(place)
        {
            if let Change::Key { key, .. } = &change {
                book.keys.remove(key);
            }
            book.paying += 1;
            due.push(change);
        }
        drop(book);
        for change in due {
            let paid = change.clone();
            self.carry_out(change, move |tier, done| tier.paid(paid, done));
        }
        self.flush();
    }

    fn paid(self: &Arc<Self>, change: Change, done: bool) {
        if done {
            self.guard.release(&change);
        }
        let mut book = self.debts.book.lock();
        book.paying -= 1;
        let more = done && book.paying == 0 && !book.owed.is_empty();
        self.debts.count.store(book.count() + usize::from(!done), Ordering::SeqCst);
        drop(book);
        if !done {
            self.owe(change, now());
        }
        if more {
            self.pay();
        }
    }
}
