//! What one environment holds and waits for, so that all of it comes back when the environment ends.
//! Never gives anything back while its lock is held, and never blocks on another ledger.

use super::bytes::Value;
use crate::clock::{Clock, Nanos};
use crate::sync::Mutex;
use slab::Slab;
use std::sync::Arc;

/// Number of something held or waited for, in one ledger. Used once: after it is settled it stands for nothing.
pub type Receipt = u32;

/// Where something is held or waited for, in the words of whoever gave it out.
pub type Token = (u64, u64);

const INDEX_BITS: u32 = 20;
const INDEX: u32 = (1 << INDEX_BITS) - 1;

/// What is written to somebody who waited, or held.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What he waits with, or held.
    pub receipt: Receipt,
    /// What he gets.
    pub news: News,
}

/// The end of a wait, or of what was held.
#[derive(Clone, Debug)]
pub enum News {
    /// The receipt is a permit, or the lead of a flight, from now on.
    Yours,
    /// The value another loaded, and how long it was fresh from then on.
    Landed(Value, Nanos),
    /// What was held has expired: the receipt stands for nothing any more.
    Expired,
    /// The receipt is a right from now on, over all who share a store.
    Admitted {
        /// By which it is known besides; 0 where the store does not know of it.
        ticket: u64,
        /// Grows from one holder to the next; 0 where the store does not know of it.
        fence: u64,
        /// Whether it was decided without the store.
        alone: bool,
        /// Whether somebody had held it who never released it.
        took_over: bool,
        /// Whether it was waited for in a queue.
        queued: bool,
    },
    /// The wait is over, and nothing came of it.
    Refused(Refused),
}

/// Why nothing came of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All is taken, and so is every place to wait.
    Full,
    /// The store cannot be asked.
    Unavailable,
}

/// Carries letters to where the waiting is done. Told under no lock but that of the book, so it must not come back to it.
pub trait Post: Send + Sync {
    /// Deliver, from any thread. To a destination that has ended it does nothing.
    fn post(&self, letter: Letter);
}

/// Something a receipt can stand for.
pub trait Held: Send + Sync {
    /// It was held, and comes back: from its holder, or because his environment ended.
    fn give_back(&self, token: Token, now: Clock<'_>);
    /// Nobody waits for it any more. False if the turn has come already: then a letter is on its way.
    fn leave(&self, token: Token, now: Clock<'_>) -> bool;
}

struct Entry {
    turn: u32,
    waiting: bool,
    owner: Arc<dyn Held>,
    token: Token,
}

#[derive(Default)]
struct Book {
    closed: bool,
    entries: Slab<Entry>,
    turn: u32,
}

/// The book of one environment.
pub struct Ledger {
    book: Mutex<Book>,
    post: Box<dyn Post>,
}

impl Ledger {
    /// An empty book whose owner is reached through `post`.
    pub fn new(post: Box<dyn Post>) -> Self {
        Ledger { book: Mutex::default(), post }
    }

    fn enter(&self, owner: Arc<dyn Held>, token: Token, waiting: bool) -> Option<Receipt> {
        let mut book = self.book.lock();
        if book.closed || book.entries.len() as u32 >= INDEX {
            return None;
        }
        book.turn = book.turn.wrapping_add(1) & (u32::MAX >> INDEX_BITS);
        let turn = book.turn;
        Some(turn << INDEX_BITS | book.entries.insert(Entry { turn, waiting, owner, token }) as u32)
    }

    /// Write down what is held. None when the environment has ended or holds a million things: the caller must give it back.
    #[must_use]
    pub fn hold(&self, owner: Arc<dyn Held>, token: Token) -> Option<Receipt> {
        self.enter(owner, token, false)
    }

    /// Write down what is waited for; [`Ledger::place`] says where, as soon as that is known.
    #[must_use]
    pub fn wait(&self, owner: Arc<dyn Held>) -> Option<Receipt> {
        self.enter(owner, (0, 0), true)
    }

    /// Where the wait with `receipt` takes place. False, and nothing done, if it is over already.
    pub fn place(&self, receipt: Receipt, token: Token) -> bool {
        match self.book.lock().find_locked(receipt) {
            Some(entry) if entry.waiting => {
                entry.token = token;
                true
            }
            _ => false,
        }
    }

    /// Whether the receipt stands for something held.
    pub fn holds(&self, receipt: Receipt) -> bool {
        self.book.lock().find_locked(receipt).is_some_and(|entry| !entry.waiting)
    }

    /// The wait is over and what was waited for is held, under `token`. False when nobody is there to hold it any more.
    #[must_use]
    pub fn promote(&self, receipt: Receipt, token: Token) -> bool {
        match self.book.lock().find_locked(receipt) {
            Some(entry) if entry.waiting => {
                entry.waiting = false;
                entry.token = token;
                true
            }
            _ => false,
        }
    }

    /// As [`Ledger::promote`], and the letter that says so goes before any other about the receipt. Who counts does it in `first`:
    /// whoever has the letter must find himself counted. False, and nothing done, when nobody is there.
    #[must_use]
    pub fn call(&self, receipt: Receipt, token: Token, first: impl FnOnce()) -> bool {
        self.call_with(receipt, token, News::Yours, first)
    }

    /// As [`Ledger::call`], with other news than that.
    #[must_use]
    pub fn call_with(&self, receipt: Receipt, token: Token, news: News, first: impl FnOnce()) -> bool {
        let mut book = self.book.lock();
        let Some(entry) = book.find_locked(receipt).filter(|entry| entry.waiting) else { return false };
        (entry.waiting, entry.token) = (false, token);
        first();
        // Under the lock: what is held may expire at once, and whoever settles it would write before this does.
        self.post.post(Letter { receipt, news });
        true
    }

    /// The wait is over and nothing is held: the letter says how it ended. False, and nothing done, when nobody is there.
    pub fn tell(&self, receipt: Receipt, news: News) -> bool {
        let mut book = self.book.lock();
        let struck = book.strike_locked(receipt, true);
        if struck.is_some() {
            self.post.post(Letter { receipt, news });
        }
        drop(book);
        struck.is_some()
    }

    /// Where a wait takes place. None if it is over.
    pub fn whereabouts(&self, receipt: Receipt) -> Option<Token> {
        self.book.lock().find_locked(receipt).filter(|entry| entry.waiting).map(|entry| entry.token)
    }

    /// Under what something is held. None if it is not.
    pub fn held(&self, receipt: Receipt) -> Option<Token> {
        self.book.lock().find_locked(receipt).filter(|entry| !entry.waiting).map(|entry| entry.token)
    }

    /// Strike out what is held. None if it was struck out before: a permit comes back once.
    pub fn settle(&self, receipt: Receipt) -> Option<Token> {
        self.strike(receipt, false).map(|entry| entry.token)
    }

    /// Strike out a wait. None if it is over already.
    pub fn forget(&self, receipt: Receipt) -> Option<Token> {
        self.strike(receipt, true).map(|entry| entry.token)
    }

    fn strike(&self, receipt: Receipt, waiting: bool) -> Option<Entry> {
        self.book.lock().strike_locked(receipt, waiting)
    }

    /// Strike out what is held and give it back to where it came from. False if that was done before.
    pub fn give_back(&self, receipt: Receipt, now: Clock<'_>) -> bool {
        let Some(entry) = self.strike(receipt, false) else { return false };
        entry.owner.give_back(entry.token, now);
        true
    }

    /// Stop waiting. False if the turn has come already: then the receipt is no wait any more, and a letter is on its way.
    pub fn leave(&self, receipt: Receipt, now: Clock<'_>) -> bool {
        let found = {
            let mut book = self.book.lock();
            book.find_locked(receipt).filter(|entry| entry.waiting).map(|entry| (entry.owner.clone(), entry.token))
        };
        found.is_some_and(|(owner, token)| owner.leave(token, now)) && self.forget(receipt).is_some()
    }

    /// Write to the owner of this book.
    pub fn post(&self, letter: Letter) {
        self.post.post(letter);
    }

    /// The environment ends: nothing more is written down, and everything goes back to where it came from.
    pub fn close(&self, now: Clock<'_>) {
        let entries = {
            let mut book = self.book.lock();
            book.closed = true;
            std::mem::take(&mut book.entries)
        };
        for (_, entry) in entries {
            if entry.waiting {
                // If the turn has come already, whoever called it finds the book closed and goes on to the next.
                let _ = entry.owner.leave(entry.token, now);
            } else {
                entry.owner.give_back(entry.token, now);
            }
        }
    }
}

impl Book {
    fn find_locked(&mut self, receipt: Receipt) -> Option<&mut Entry> {
        self.entries.get_mut((receipt & INDEX) as usize).filter(|entry| entry.turn == receipt >> INDEX_BITS)
    }

    fn strike_locked(&mut self, receipt: Receipt, waiting: bool) -> Option<Entry> {
        if self.find_locked(receipt)?.waiting != waiting {
            return None;
        }
        self.entries.try_remove((receipt & INDEX) as usize)
    }
}
