//! What rights over hosts are asked: the permits of a bulkhead, and leases. Owns how what became of a wait is told.
//! Never decides anything: whoever asks waits for a letter, which may be there at once.

use super::{Call, Callback, Reply, Trouble, enter};
use crate::mailbox::{Answer, NUMBERS, Sender};
use napi::sys;
use spillway_engine::clock::MILLI;
use spillway_engine::primitive::remote::holders::{Ticket, Told};
use spillway_engine::primitive::remote::keeper::Holder;
use spillway_engine::primitive::remote::rights::Rights;
use spillway_engine::redis::name::bytes_of;
use spillway_engine::store::ledger::{Receipt, Refused};
use std::sync::Arc;

/// What `mail()` answers with for what became of a wait for a right: left are the receipt; 1 for a right, 2 where all are taken, 3
/// where the store cannot be asked; the fence; the ticket; whether the store was left out of it; whether another never
/// released it; whether it was waited for in a queue.
const SETTLED: i64 = -5;

/// The code of the answer to `rightsRenew` and `rightsRelease`, whose first number is 1 for yes, 0 for no, -1 if nobody knows.
const KNOWN: i32 = 1;

impl<const N: usize> Call<'_, N> {
    #[inline]
    fn rights<R>(&self, body: impl FnOnce(&Rights, &Arc<Holder>, bool) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| match handle.rights() {
            Some((rights, holder, lives)) => body(rights, holder, lives),
            None => Err(Trouble::Disposed),
        })
    }

    /// A ticket: JavaScript has its number from [`Call::admitted`].
    fn ticket(&self, index: usize) -> Result<Ticket, Trouble> {
        self.given(index).map(|number| Ticket::of_number(number as u64))
    }

    pub(super) fn admitted(&self, receipt: Receipt, ticket: u64, fence: u64, flags: [bool; 3]) -> Reply {
        // Both stay below 2^53: a ticket counts up from one, a fence is in microseconds since 1970.
        self.environment.leave_all(0, [f64::from(receipt), 1.0, fence as f64, ticket as f64]);
        self.environment.leave_all(4, flags.map(|flag| f64::from(u8::from(flag))));
        self.integer(SETTLED)
    }

    pub(super) fn refused(&self, receipt: Receipt, why: Refused) -> Reply {
        let code = if why == Refused::Full { 2.0 } else { 3.0 };
        self.environment.leave_all(0, [f64::from(receipt), code]);
        self.integer(SETTLED)
    }

    /// What the store will say, by an answer.
    fn told(&self, ask: impl FnOnce(Told<bool>) -> Result<(), Trouble>) -> Reply {
        let (id, sender) = self.environment.ask(self.env).ok_or(Trouble::Internal)?;
        ask(answering(sender))?;
        self.integer(i64::from(id))
    }
}

fn answering(sender: Sender) -> Told<bool> {
    Box::new(move |told| {
        let mut numbers = [0.0; NUMBERS];
        numbers[0] = told.map_or(-1.0, |yes| f64::from(u8::from(yes)));
        sender.answer(Answer { code: KNOWN, numbers, payload: None });
    })
}

/// `rightsAcquire(id, key, rank, waits)` → receipt of a wait, or -1. Left: whether there is mail, which is to be looked into.
unsafe extern "C" fn acquire(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let key = bytes_of(&call.units(call.argument(1)).ok_or(Trouble::Key)?);
        let (rank, waits) = (call.id(2)?, call.id(3)? != 0);
        let receipt = call.rights(|rights, holder, lives| {
            if !lives {
                return Err(Trouble::Disposed);
            }
            Ok(rights.ask(holder, &key, rank as usize, waits))
        })?;
        let Some(receipt) = receipt else { return call.integer(-1) };
        call.environment.count_wait(call.env, true);
        call.environment.leave(0, f64::from(u8::from(call.has_mail())));
        call.integer(i64::from(receipt))
    })
}

/// `rightsRelease(id, receipt, ticket)` → ask: whether it was held until then
unsafe extern "C" fn release(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let (receipt, ticket) = (call.id(1)?, call.ticket(2)?);
        call.rights(|rights, holder, _| {
            call.told(|told| {
                rights.release(holder, receipt, ticket, told);
                Ok(())
            })
        })
    })
}

/// `rightsRenew(id, ticket)` → ask: whether it is held
unsafe extern "C" fn renew(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let ticket = call.ticket(1)?;
        call.rights(|rights, _, _| {
            call.told(|told| {
                rights.renew(ticket, told);
                Ok(())
            })
        })
    })
}

/// `rightsLeft(id, ticket)` → in how many microseconds it ends unless it is renewed; 0 if it has
unsafe extern "C" fn left(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let ticket = call.ticket(1)?;
        let left = call.rights(|rights, _, _| Ok(rights.left(ticket)))?;
        call.integer(left.map_or(0, |left| (left / (MILLI / 1_000)) as i64))
    })
}

/// `rightsToken(id, ticket)` → by which token the store knows it
unsafe extern "C" fn token(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let ticket = call.ticket(1)?;
        let token = call.rights(|rights, _, _| Ok(rights.token(ticket)))?;
        call.string(token.as_bytes())
    })
}

/// `rightsWatchEnd()` → whether this is the first call: whoever gets true sees to it that `rightsEnd` is called when the process ends
unsafe extern "C" fn watch_end(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| call.boolean(call.environment.is_first_to_see_the_end()))
}

/// `rightsEnd()`: the process ends, and what this environment holds goes back
unsafe extern "C" fn end(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        call.environment.give_all_back();
        Ok(std::ptr::null_mut())
    })
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("rightsAcquire", acquire),
    ("rightsRelease", release),
    ("rightsRenew", renew),
    ("rightsLeft", left),
    ("rightsToken", token),
    ("rightsWatchEnd", watch_end),
    ("rightsEnd", end),
];
