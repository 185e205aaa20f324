//! What a policy asks where a breaker and a bulkhead stand next to each other: both at once, and both back at once. Owns that
//! what one of them refuses leaves nothing behind at the other. Never decides which stands outside: nothing happens in between.

use super::{Callback, Trouble, enter};
use crate::environment::Handle;
use napi::sys;
use spillway_engine::primitive::breaker::NO_PLACE;
use spillway_engine::primitive::gate::Entry;

/// There was no permit that nobody waits for; the breaker was not entered.
const NO_PERMIT: i64 = -2;

/// `passIn(breakerId, bulkheadId[, nowMs])` → as `breakerEnter`, or -2 where no permit is free. Of permits as `bulkheadEnter` takes
/// them.
unsafe extern "C" fn pass_in<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let handles = call.environment.handles.borrow();
        let handle = |id| handles.get(id).map(|open| &open.handle);
        match (handle(call.id(0)?), handle(call.id(1)?)) {
            (Some(Handle::Breaker(breaker)), Some(Handle::Bulkhead(bulkhead)))
                if !breaker.breaker().life().has_ended() && !bulkhead.has_ended() =>
            {
                let entry = breaker.enter(now);
                if let Entry::Admitted(generation) = entry
                    && !bulkhead.enter()
                {
                    breaker.withdraw(generation, now);
                    return call.integer(NO_PERMIT);
                }
                call.entered(entry, NO_PLACE)
            }
            _ => Err(Trouble::Disposed),
        }
    })
}

/// `passOut(breakerId, generation, outcome, tookMs, bulkheadId[, nowMs])` → as `bulkheadExit`: that and `breakerExit`,
/// also after either has ended.
unsafe extern "C" fn pass_out<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let (generation, outcome, took_ms) = (call.id(1)?, call.outcome(2)?, call.given(3)?);
        // A breaker that was let go counts nothing more; the permit comes back all the same.
        let _ = call.breaker(|breaker| {
            breaker.exit(generation, outcome, took_ms, call.end::<MANUAL>(breaker)?);
            Ok(())
        });
        call.exit_bulkhead::<MANUAL>(4)
    })
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("passIn", pass_in::<false>),
    ("passInAt", pass_in::<true>),
    ("passOut", pass_out::<false>),
    ("passOutAt", pass_out::<true>),
];
