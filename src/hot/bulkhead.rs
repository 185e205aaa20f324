//! What the bulkhead is asked on the hot path. Owns how a permit is told from a place in the queue.
//! Never reads the clock unless somebody waits, or a permit may expire.

use super::{Call, Callback, Reply, TROUBLE, Trouble, enter};
use crate::environment::Handle;
use napi::sys;
use spillway_engine::clock::{MILLI, Nanos};
use spillway_engine::primitive::bulkhead::{BulkheadHandle, Grant};
use spillway_engine::store::fingerprint::Fingerprint;
use std::ptr;

impl<const N: usize> Call<'_, N> {
    #[inline]
    fn bulkhead<R>(&self, body: impl FnOnce(&BulkheadHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| match handle {
            Handle::Bulkhead(handle) => body(handle),
            _ => Err(Trouble::Disposed),
        })
    }

    /// A bulkhead that gives out permits: one that has ended, or that was let go, does not.
    #[inline]
    fn live_bulkhead<R>(&self, body: impl FnOnce(&BulkheadHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.bulkhead(|bulkhead| if bulkhead.has_ended() { Err(Trouble::Disposed) } else { body(bulkhead) })
    }

    /// A permit without a receipt comes back to the bulkhead whose id is the argument at `index`. True if mail waits, else
    /// undefined: to make a false takes a call.
    #[inline]
    pub(super) fn exit_bulkhead<const MANUAL: bool>(&self, index: usize) -> Reply {
        let id = self.id(index)?;
        let now = self.clock::<MANUAL>()?;
        let was_the_last = match self.environment.handles.borrow().get(id).map(|open| &open.handle) {
            Some(Handle::Bulkhead(bulkhead)) => {
                bulkhead.exit(&now);
                bulkhead.is_done()
            }
            _ => return Err(Trouble::Disposed),
        };
        if was_the_last {
            self.environment.forget(id);
        }
        match self.environment.mailbox() {
            Some(mailbox) if mailbox.has_mail() => self.boolean(true),
            _ => Ok(ptr::null_mut()),
        }
    }

    /// The key of a bulkhead that has permits for each.
    fn key_for(&self, index: usize, bulkhead: &BulkheadHandle) -> Result<Option<Fingerprint>, Trouble> {
        if bulkhead.bulkhead().config().per_key { self.key(index).map(Some) } else { Ok(None) }
    }
}

/// `bulkheadEnter(id)` → undefined when a permit without a receipt was taken (see `BulkheadHandle::enter`), false when none was free,
/// true in trouble. The usual answer is the one that takes no call to make.
unsafe extern "C" fn enter_free(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| match call.live_bulkhead(|bulkhead| Ok(bulkhead.enter())) {
        Ok(true) => Ok(ptr::null_mut()),
        Ok(false) => call.boolean(false),
        Err(trouble) => {
            call.environment.leave(TROUBLE, f64::from(trouble as u8));
            call.boolean(true)
        }
    })
}

/// `bulkheadExit(id)` → true if mail waits, else undefined. Gives back what `bulkheadEnter` took, also after its bulkhead has ended.
unsafe extern "C" fn exit(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| call.exit_bulkhead::<false>(0))
}

/// `bulkheadExitAt(id, nowMs)`
unsafe extern "C" fn exit_at(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| call.exit_bulkhead::<true>(0))
}

/// `bulkheadTryAcquire(id, key[, nowMs])` → permit, or -1
unsafe extern "C" fn try_acquire<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let now = call.clock::<MANUAL>()?;
        call.live_bulkhead(|bulkhead| {
            let key = call.key_for(1, bulkhead)?;
            granted(call, bulkhead, key, bulkhead.try_acquire(key, &now), &now)
        })
    })
}

/// `bulkheadAcquire(id, rank, key[, nowMs])` → permit or place in the queue, or -1. Left: whether it is a place, and unless it is
/// a permit how many milliseconds the first of the leases has left, NaN if there is none.
unsafe extern "C" fn acquire<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let rank = call.id(1)?;
        let now = call.clock::<MANUAL>()?;
        call.live_bulkhead(|bulkhead| {
            let key = call.key_for(2, bulkhead)?;
            granted(call, bulkhead, key, bulkhead.acquire(key, rank as usize, &now), &now)
        })
    })
}

fn granted<const N: usize>(
    call: &Call<'_, N>,
    bulkhead: &BulkheadHandle,
    key: Option<Fingerprint>,
    grant: Grant,
    now: &dyn Fn() -> Nanos,
) -> Reply {
    let leased = bulkhead.bulkhead().config().lease_ms.is_some();
    let left = if leased && !matches!(grant, Grant::Permit(_)) { bulkhead.expire(key, now()) } else { None };
    // Whoever asks finds out what has expired, and that may be a permit of this thread, or pass to a waiter of it. Not delivered
    // at once: JavaScript does not know yet what it waits for itself.
    if leased && let Some(mailbox) = call.environment.mailbox().filter(|mailbox| mailbox.has_mail()) {
        mailbox.wake_up();
    }
    if let Grant::Permit(receipt) = grant {
        call.environment.leave(0, 0.0);
        return call.integer(i64::from(receipt));
    }
    let left_ms = millis(left);
    if let Grant::Queued(receipt) = grant {
        call.environment.count_wait(call.env, true);
        call.environment.leave_all(0, [1.0, left_ms]);
        call.integer(i64::from(receipt))
    } else {
        call.environment.leave_all(0, [0.0, left_ms]);
        call.integer(-1)
    }
}

/// `bulkheadExpire(id, key[, nowMs])`: permits whose lease has ended pass on → whether mail waits. Left: how many milliseconds the
/// next has, NaN if none is out.
unsafe extern "C" fn expire<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let now = call.clock::<MANUAL>()?;
        call.bulkhead(|bulkhead| {
            let key = call.key_for(1, bulkhead)?;
            call.environment.leave(0, millis(bulkhead.expire(key, now())));
            call.mail_waits()
        })
    })
}

fn millis(span: Option<Nanos>) -> f64 {
    span.map_or(f64::NAN, |span| span as f64 / MILLI as f64)
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("bulkheadEnter", enter_free),
    ("bulkheadExit", exit),
    ("bulkheadExitAt", exit_at),
    ("bulkheadTryAcquire", try_acquire::<false>),
    ("bulkheadTryAcquireAt", try_acquire::<true>),
    ("bulkheadAcquire", acquire::<false>),
    ("bulkheadAcquireAt", acquire::<true>),
    ("bulkheadExpire", expire::<false>),
    ("bulkheadExpireAt", expire::<true>),
];
