//! How a right of a line ends, or a wait for one: lost, given back, left. Owns that it is taken out of the room once.
//! Never decides who is next.

use super::{ASKING, FAR, Line, NEAR, QUEUED, Waiter};
use crate::clock::Clock;
use crate::primitive::remote::books::{FailMode, Office};
use crate::primitive::remote::holders::{Ticket, Told};
use crate::primitive::remote::right::Right;
use crate::store::ledger::{Held, Letter, News, Token};
use crate::store::waiters::Place;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Line {
    /// The keeper has struck a right out that was not released.
    pub(in crate::primitive::remote) fn lost(self: &Arc<Self>, right: Right) {
        let Office { terms, books, .. } = &*self.office;
        let (ledger, ticket) = (&right.holder.ledger, right.wish.ticket.number());
        if right.in_doubt && terms.fail_mode != FailMode::Closed {
            // Nobody can say that it is another's: it stays out here, until it is given back.
            let mut room = self.room.lock();
            room.far = room.far.saturating_sub(1);
            room.near += 1;
            room.adopted.insert(ticket);
            drop(room);
            // It may have come back before it was adopted.
            if ledger.holds(right.receipt) {
                return;
            }
            self.give_adopted(ticket);
        } else {
            self.room.lock().far -= 1;
            if ledger.settle(right.receipt).is_some() {
                books.expired.fetch_add(1, Ordering::Relaxed);
                ledger.post(Letter { receipt: right.receipt, news: News::Expired });
            }
        }
        self.look();
    }

    /// It was held, and comes back: `told` when the store knows.
    pub(in crate::primitive::remote) fn back(self: &Arc<Self>, (ticket, kind): Token, told: Option<Told<bool>>) {
        let right = if kind == FAR { self.office.keeper.strike(Ticket::of_number(ticket)) } else { None };
        match (kind, right) {
            (FAR, Some(right)) => {
                self.room.lock().far -= 1;
                self.office.keeper.release(self, right.wish, told);
            }
            (kind, _) => {
                match kind {
                    NEAR => self.give_near(),
                    FAR => self.give_adopted(ticket),
                    _ => {}
                }
                if let Some(told) = told {
                    told(Ok(false));
                }
            }
        }
        self.look();
    }
}

impl Held for Line {
    fn give_back(&self, token: Token, _now: Clock<'_>) {
        if let Some(line) = self.this.upgrade() {
            line.back(token, None);
        }
    }

    fn leave(&self, (place, kind): Token, _now: Clock<'_>) -> bool {
        let books = &self.office.books;
        if kind != QUEUED {
            // The answer finds nobody, and what it brings passes on.
            books.left.fetch_add(1, Ordering::Relaxed);
            return kind == ASKING;
        }
        let left = self.room.lock().waiters.leave(Place::from_word(place));
        let Some(Waiter { since, .. }) = left else { return false };
        books.left.fetch_add(1, Ordering::Relaxed);
        books.waited(self.office.time.now().saturating_sub(since), false);
        true
    }
}
