//! One request from asking to its answer. Owns that `done` is called once and that its room is given back. Never under a lock.

use crate::clock::Nanos;
use crate::redis::request::{Again, Ask, Done, Request, Trouble};
use crate::redis::traffic::Ticket;
use ::redis::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A request on its way.
pub(in crate::redis) struct Pending {
    /// What to do; empty once nobody waits for it any more.
    pub(super) request: Request,
    pub(in crate::redis) slot: Option<u16>,
    pub(super) again: Again,
    pub(in crate::redis) deadline: Nanos,
    /// Sent once at least, so that it may have been carried out.
    pub(super) sent: bool,
    /// The server does not know the script: send all of it.
    pub(super) whole: bool,
    /// Preceded by ASKING.
    pub(in crate::redis) asking: bool,
    /// How often a server has refused it.
    pub(in crate::redis) refused: u8,
    /// What is said when the deadline passes, if something better than that is known.
    pub(in crate::redis) why: Option<Trouble>,
    done: Option<Done>,
    _ticket: Option<Ticket>,
}

impl Pending {
    pub(super) fn new(ask: Ask, done: Done, ticket: Option<Ticket>) -> Self {
        let Ask { request, slot, again, deadline } = ask;
        Pending {
            request,
            slot,
            again,
            deadline,
            sent: false,
            whole: false,
            asking: false,
            refused: 0,
            why: None,
            done: Some(done),
            _ticket: ticket,
        }
    }

    /// Whether somebody still waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.done.is_some()
    }

    /// What to call when it is late. The request stays behind without its bytes, in the place of its reply.
    pub(super) fn expire(&mut self) -> Option<Overdue> {
        let done = self.done.take()?;
        self.request = Request::nothing();
        let known = self.why.take();
        let trouble = known.unwrap_or(if self.sent { Trouble::Late } else { Trouble::Down });
        Some(Overdue { done, trouble })
    }

    /// What it was asked with, for who asked in vain.
    pub(super) fn take_back(self) -> Done {
        self.done.unwrap_or_else(|| Box::new(|_| {}))
    }

    /// Tell who asked, if he still waits.
    pub(in crate::redis) fn answer(mut self, answer: Result<Value, Trouble>) {
        if let Some(done) = self.done.take() {
            call(done, answer);
        }
    }
}

/// Somebody whose deadline has passed.
pub(super) struct Overdue {
    done: Done,
    trouble: Trouble,
}

impl Overdue {
    pub(super) fn tell(self) {
        call(self.done, Err(self.trouble));
    }
}

/// What panics in there ends neither the connection nor the answers of others.
fn call(done: Done, answer: Result<Value, Trouble>) {
    let _ = catch_unwind(AssertUnwindSafe(move || done(answer)));
}
