//! The course of a load as JavaScript drives it. Owns which receipts wait and which lead, and what of that is counted here.
//! Never runs a loader.

use super::trouble;
use crate::hot::{Callback, Trouble, enter};
use napi::sys;
use spillway_engine::clock::MILLI;
use spillway_engine::primitive::cache::Miss;
use spillway_engine::store::flights::{Purpose, Usurping};

/// `cacheBoard(id, key, purpose[, nowMs])` → the value, if it has arrived meanwhile, with what `cacheGet` leaves; else a receipt,
/// negative minus one when it is to be waited with; null when somebody loads already and `purpose` is not to wait for that. The
/// purpose: false or 0 to load or wait, true or 1 to load or do nothing, 2 to load or wait although a fresh value is there.
unsafe extern "C" fn board<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let purpose = match call.number(2) {
            Some(2.0) => Purpose::Reload,
            Some(1.0) => Purpose::Refresh,
            None if call.flag(2) => Purpose::Refresh,
            _ => Purpose::Missing,
        };
        call.keyed(|cache, key| {
            call.environment.leave_all(0, call.slots(cache, key.fingerprint));
            match cache.board(key, purpose, now) {
                Miss::Present(look) => call.found(Some(look), 0.0),
                Miss::Lead(receipt) => call.integer(i64::from(receipt)),
                Miss::Wait(receipt) => {
                    call.environment.count_wait(call.env, true);
                    call.integer(-1 - i64::from(receipt))
                }
                Miss::Taken => call.null(),
                Miss::Refused => Err(Trouble::Internal),
            }
        })
    })
}

/// `cacheLand(id, receipt, value, ttlMs | undefined, tags | undefined[, nowMs])` → whether mail waits. Left at 5: the stamp of what was
/// made of the value, stored or not; -1 if another led meanwhile.
unsafe extern "C" fn land<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let receipt = call.id(1)?;
        let now = call.now::<MANUAL>()?;
        let encoded = call.encoded(call.argument(2), call.argument(3), call.argument(4))?;
        call.cache(|cache| {
            let stamp = cache.land(receipt, &encoded, now).map_err(|fault| trouble(&fault))?;
            call.environment.leave(5, stamp.map_or(-1.0, |stamp| stamp as f64));
            call.mail_waits()
        })
    })
}

/// `cacheFail(id, receipt[, nowMs])` → whether mail waits
unsafe extern "C" fn fail<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let receipt = call.id(1)?;
        let now = call.clock::<MANUAL>()?;
        call.cache(|cache| {
            cache.fail(receipt, &now);
            call.mail_waits()
        })
    })
}

/// `cacheUsurp(id, receipt[, nowMs])` → true: what was waited with is a lead now. Else left at 4: in how many milliseconds whoever
/// leads is past his time, NaN when a letter is on its way.
unsafe extern "C" fn usurp<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let receipt = call.id(1)?;
        let now = call.now::<MANUAL>()?;
        let usurping = call.live_cache(|cache| Ok(cache.usurp(receipt, now)))?;
        let left_ms = match usurping {
            Usurping::NotYet(left) => left as f64 / MILLI as f64,
            Usurping::Lead(_) | Usurping::Over => f64::NAN,
        };
        call.environment.leave(4, left_ms);
        let leads = matches!(usurping, Usurping::Lead(_));
        if leads {
            call.environment.count_wait(call.env, false);
        }
        call.boolean(leads)
    })
}

/// `cacheLeads(id)`: a letter made a wait into the lead of a flight
unsafe extern "C" fn leads(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        call.cache(|cache| {
            cache.note_lead();
            call.boolean(true)
        })
    })
}

pub(in crate::hot) const CALLBACKS: &[(&str, Callback)] = &[
    ("cacheBoard", board::<false>),
    ("cacheBoardAt", board::<true>),
    ("cacheLand", land::<false>),
    ("cacheLandAt", land::<true>),
    ("cacheFail", fail::<false>),
    ("cacheFailAt", fail::<true>),
    ("cacheUsurp", usurp::<false>),
    ("cacheUsurpAt", usurp::<true>),
    ("cacheLeads", leads),
];
