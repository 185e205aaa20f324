//! What a line decides while the store cannot be asked. Owns who is let in by the fail mode. Never asks the store.

use super::{FREE, Line, NEAR, RETRY, Waiter};
use crate::primitive::remote::books::{FailMode, Office};
use crate::store::ledger::{News, Refused};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Line {
    /// Let in by the fail mode. False if he is gone.
    fn admit_alone(&self, Waiter { holder, receipt, since }: &Waiter, kind: u64, waited: bool) -> bool {
        let Office { books, time, .. } = &*self.office;
        let news = News::Admitted { ticket: 0, fence: 0, alone: true, took_over: false, queued: waited };
        let span = time.now().saturating_sub(*since);
        holder.ledger.call_with(*receipt, (0, kind), news, || {
            books.unavailable.fetch_add(1, Ordering::Relaxed);
            books.admit(waited.then_some(span));
        })
    }

    /// One asked, and the store has not answered.
    pub(super) fn decide_alone(self: &Arc<Self>, waiter: Waiter, rank: usize, willing: bool) {
        match self.office.terms.fail_mode {
            FailMode::Closed => self.refuse(&waiter, Refused::Unavailable),
            FailMode::Open => drop(self.admit_alone(&waiter, FREE, false)),
            FailMode::Local if self.take_near() => {
                if !self.admit_alone(&waiter, NEAR, false) {
                    self.give_near();
                }
            }
            FailMode::Local => match if willing { self.queue_up(waiter, rank) } else { Err(waiter) } {
                Ok(()) => self.look_in(RETRY),
                Err(waiter) => self.refuse(&waiter, Refused::Full),
            },
        }
    }

    /// Those who wait have asked, and the store has not answered.
    pub(super) fn serve_alone(self: &Arc<Self>) {
        loop {
            let mode = self.office.terms.fail_mode;
            if mode == FailMode::Local && !self.take_near() {
                break;
            }
            let next = self.room.lock().waiters.pop();
            let served = match (&next, mode) {
                (None, _) => false,
                (Some(waiter), FailMode::Closed) => {
                    self.refuse(waiter, Refused::Unavailable);
                    true
                }
                (Some(waiter), FailMode::Open) => {
                    self.admit_alone(waiter, FREE, true);
                    true
                }
                (Some(waiter), FailMode::Local) => self.admit_alone(waiter, NEAR, true),
            };
            if mode == FailMode::Local && !served {
                self.give_near();
            }
            if next.is_none() {
                return;
            }
        }
        self.look_in(RETRY);
    }

    fn take_near(&self) -> bool {
        let mut room = self.room.lock();
        let free = room.far + room.near < self.office.terms.limit;
        room.near += u32::from(free);
        free
    }

    pub(super) fn give_near(&self) {
        let mut room = self.room.lock();
        room.near = room.near.saturating_sub(1);
    }

    pub(super) fn give_adopted(&self, ticket: u64) {
        let mut room = self.room.lock();
        if room.adopted.remove(&ticket) {
            room.near = room.near.saturating_sub(1);
        }
    }
}
