//! What a budget is asked. Never asked by a call that needs no extra attempt.

use super::{Call, Callback, Trouble, enter};
use crate::environment::Handle;
use napi::sys;

/// `budgetTake(id, calls[, nowMs])` → whether there may be an extra attempt, after so many calls since this thread last asked
unsafe extern "C" fn take<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call: &Call<'_, 3>| {
        let calls = call.given(1)?;
        let now = call.now::<MANUAL>()?;
        call.handle(|handle| match handle {
            Handle::Budget(budget) if !budget.life().has_ended() => call.boolean(budget.take(calls as u64, now)),
            _ => Err(Trouble::Disposed),
        })
    })
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[("budgetTake", take::<false>), ("budgetTakeAt", take::<true>)];
