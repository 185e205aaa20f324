//! What the breaker is asked on the hot path, and what is told of it. Owns how its answers are left for JavaScript.
//! Never crosses for a call that went well through a closed breaker: JavaScript counts those in its own memory.

use super::{Call, Callback, Reply, Trouble, enter};
use crate::environment::Handle;
use crate::mailbox::{Mail, Mailbox};
use napi::sys;
use spillway_engine::clock::{MILLI, Nanos, monotonic_coarse};
use spillway_engine::policy::breaker::Outcome;
use spillway_engine::primitive::breaker::{BreakerHandle, NO_PLACE, Transition, Witness};
use spillway_engine::primitive::circuit::Saved;
use spillway_engine::primitive::circuits::KeyText;
use spillway_engine::primitive::gate::Entry;
use std::ptr;
use std::sync::Arc;

/// Sends the transitions of one handle's breaker to the thread of the handle.
pub(crate) struct Listener {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) id: u32,
}

impl Witness for Listener {
    fn told(&self, transition: &Transition) {
        self.mailbox.post(Mail::Moved { id: self.id, transition: transition.clone() });
    }
}

impl<const N: usize> Call<'_, N> {
    #[inline]
    pub(super) fn breaker<R>(&self, body: impl FnOnce(&BreakerHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| match handle {
            Handle::Breaker(handle) => body(handle),
            _ => Err(Trouble::Disposed),
        })
    }

    /// A breaker, unless it has ended: for what an ended one must refuse.
    #[inline]
    fn live_breaker<R>(&self, body: impl FnOnce(&BreakerHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.breaker(
            |breaker| if breaker.breaker().life().has_ended() { Err(Trouble::Disposed) } else { body(breaker) },
        )
    }

    fn key_text(&self, index: usize) -> KeyText {
        self.units(self.argument(index)).unwrap_or_default().into_boxed_slice()
    }

    /// Left: the wait in milliseconds (NaN if unknown), whether mail waits, the place.
    pub(super) fn entered(&self, entry: Entry, place: u32) -> Reply {
        let wait = match entry {
            Entry::Refused(Some(wait)) => wait as f64,
            _ => f64::NAN,
        };
        self.environment.leave_all(0, [wait, f64::from(u8::from(self.has_mail())), f64::from(place)]);
        match entry {
            Entry::Admitted(generation) => self.integer(i64::from(generation)),
            Entry::Refused(_) => self.integer(-1),
        }
    }

    pub(super) fn outcome(&self, index: usize) -> Result<Outcome, Trouble> {
        Ok(match self.id(index)? {
            0 => Outcome::Ok,
            1 => Outcome::Fail,
            _ => Outcome::Ignore,
        })
    }

    /// When a call ended. Every span of the breaker bears it, or it is exact.
    pub(super) fn end<const MANUAL: bool>(&self, breaker: &BreakerHandle) -> Result<Nanos, Trouble> {
        let coarse = !MANUAL && breaker.breaker().bears_coarse_time();
        if coarse { Ok(monotonic_coarse()) } else { self.now::<MANUAL>() }
    }

    fn ascii(&self, text: &str) -> Reply {
        let mut reply = ptr::null_mut();
        // SAFETY: a live slice that Node copies, and a valid out-pointer.
        let status =
            unsafe { sys::napi_create_string_latin1(self.env, text.as_ptr().cast(), text.len() as isize, &mut reply) };
        if status == sys::Status::napi_ok { Ok(reply) } else { Err(Trouble::Internal) }
    }

    /// A transition as `mail()` answers it: -3, or the text of the key; left are the handle's id, from and to, and 1.
    pub(super) fn moved(&self, id: u32, transition: &Transition) -> Reply {
        let (from, to) = (transition.moved.from as u8, transition.moved.to as u8);
        self.environment.leave_all(0, [f64::from(id), f64::from(from), f64::from(to), 1.0]);
        let Some(key) = &transition.key else { return self.integer(-3) };
        let mut reply = ptr::null_mut();
        // SAFETY: as in `ascii`.
        let status = unsafe { sys::napi_create_string_utf16(self.env, key.as_ptr(), key.len() as isize, &mut reply) };
        if status == sys::Status::napi_ok { Ok(reply) } else { Err(Trouble::Internal) }
    }
}

/// `breakerEnter(id[, nowMs])` → generation, or -1
unsafe extern "C" fn breaker_enter<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let entry = call.live_breaker(|breaker| Ok(breaker.enter(now)))?;
        call.entered(entry, NO_PLACE)
    })
}

/// `breakerEnterKey(id, key[, nowMs])` → generation, or -1
unsafe extern "C" fn breaker_enter_key<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let key = call.key(1)?;
        let now = call.now::<MANUAL>()?;
        let (entry, place) = call.live_breaker(|breaker| Ok(breaker.enter_key(key, || call.key_text(1), now)))?;
        call.entered(entry, place)
    })
}

/// `breakerExit(id, generation, outcome[, tookMs[, nowMs]])` → whether mail waits. What is left out took no time. An ended breaker
/// still takes its permits back.
unsafe extern "C" fn breaker_exit<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let generation = call.id(1)?;
        let outcome = call.outcome(2)?;
        let took_ms = if call.count <= 3 { 0.0 } else { call.given(3)? };
        call.breaker(|breaker| {
            breaker.exit(generation, outcome, took_ms, call.end::<MANUAL>(breaker)?);
            call.mail_waits()
        })
    })
}

/// `breakerExitKey(id, generation, outcome, tookMs, place[, nowMs])` → whether mail waits
unsafe extern "C" fn breaker_exit_key<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let (generation, outcome, took_ms, place) = (call.id(1)?, call.outcome(2)?, call.given(3)?, call.id(4)?);
        call.breaker(|breaker| {
            breaker.exit_at(place, generation, outcome, took_ms, call.end::<MANUAL>(breaker)?);
            call.mail_waits()
        })
    })
}

/// `breakerTurn(id)` → for how many milliseconds calls that went well may be counted from here on
unsafe extern "C" fn breaker_turn(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        let now = call.now::<false>()?;
        call.live_breaker(|breaker| call.integer((breaker.turn(now) / MILLI) as i64))
    })
}

/// `breakerState(id[, key])` → 0 closed, 1 open, 2 half-open, 3 isolated
unsafe extern "C" fn breaker_state(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let key = if call.count > 1 { Some(call.key(1)?) } else { None };
        call.live_breaker(|handle| {
            let breaker = handle.breaker();
            call.integer(key.map_or_else(|| breaker.state(), |key| breaker.state_of(key)) as i64)
        })
    })
}

/// `breakerIsolate(id, key | undefined[, nowMs])` → whether there was a place for it; left: whether mail waits
unsafe extern "C" fn breaker_isolate<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let key = call.key(1).ok();
        let now = call.now::<MANUAL>()?;
        let placed = call.live_breaker(|handle| {
            let breaker = handle.breaker();
            Ok(match key {
                Some(key) => breaker.isolate_key(key, || call.key_text(1), now),
                None => {
                    breaker.isolate();
                    true
                }
            })
        })?;
        call.leave_mail();
        call.boolean(placed)
    })
}

/// `breakerReset(id, key | undefined)` → true; left: whether mail waits
unsafe extern "C" fn breaker_reset(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let key = call.key(1).ok();
        call.live_breaker(|handle| {
            match key {
                Some(key) => handle.breaker().reset_key(key),
                None => handle.breaker().reset(),
            }
            Ok(())
        })?;
        call.leave_mail();
        call.boolean(true)
    })
}

/// `breakerSave(id[, nowMs])` → JSON
unsafe extern "C" fn breaker_save<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        call.live_breaker(|breaker| call.ascii(&breaker.breaker().save(now)))
    })
}

/// `breakerRestore(id, key | undefined, circuit as JSON, elapsedMs[, nowMs])` → whether there was a place for it; left: whether
/// mail waits
unsafe extern "C" fn breaker_restore<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let key = call.key(1).ok();
        let json = call.text(call.argument(2)).ok_or(Trouble::Internal)?;
        let saved: Saved = serde_json::from_slice(&json).map_err(|_| Trouble::Internal)?;
        let elapsed_ms = call.given(3)?;
        let now = call.now::<MANUAL>()?;
        let placed = call.live_breaker(|handle| {
            let breaker = handle.breaker();
            Ok(match key {
                Some(key) => breaker.restore_key(key, || call.key_text(1), &saved, elapsed_ms, now),
                None => {
                    breaker.restore(&saved, elapsed_ms, now);
                    true
                }
            })
        })?;
        call.leave_mail();
        call.boolean(placed)
    })
}

impl<const N: usize> Call<'_, N> {
    fn leave_mail(&self) {
        self.environment.leave(1, f64::from(u8::from(self.has_mail())));
    }
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("breakerEnter", breaker_enter::<false>),
    ("breakerEnterAt", breaker_enter::<true>),
    ("breakerEnterKey", breaker_enter_key::<false>),
    ("breakerEnterKeyAt", breaker_enter_key::<true>),
    ("breakerExit", breaker_exit::<false>),
    ("breakerExitAt", breaker_exit::<true>),
    ("breakerExitKey", breaker_exit_key::<false>),
    ("breakerExitKeyAt", breaker_exit_key::<true>),
    ("breakerTurn", breaker_turn),
    ("breakerState", breaker_state),
    ("breakerIsolate", breaker_isolate::<false>),
    ("breakerIsolateAt", breaker_isolate::<true>),
    ("breakerReset", breaker_reset),
    ("breakerSave", breaker_save::<false>),
    ("breakerSaveAt", breaker_save::<true>),
    ("breakerRestore", breaker_restore::<false>),
    ("breakerRestoreAt", breaker_restore::<true>),
];
