//! What the cache is asked on the hot path: looks and changes; loads are in `cache/loads.rs`. Owns what is left beside an answer.
//! Never runs JavaScript while a handle is borrowed: whatever a caller could have made is read before.
//!
//! A value goes in as a string, a `Uint8Array`, or `undefined` for "there is nothing"; it comes out as a string, a new `Buffer`, or
//! false for that. Beside it are left, by index: 0 the key's slot and 1 its number, 2 the cache's slot and 3 its number, all from
//! before the look; 4 for how many milliseconds it is fresh, not above 0 if it is not; 5 its stamp; 6 its state (0 fresh, 1 stale,
//! 2 grace); 8 its age in milliseconds; 9 flags, 1 for "there is nothing" and 2 for "from a file".

mod crossing;
pub(super) mod far;
pub(super) mod loads;

use super::{Callback, Trouble, enter, fingerprint, moment};
use crate::environment::typed_array;
use napi::sys;
use smallvec::SmallVec;
use spillway_engine::clock::{MILLI, Moment, Nanos, monotonic, wall};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::cache::{Encoded, UpTo};
use spillway_engine::store::fingerprint::Key;
use spillway_engine::store::tags::{Force, TagHash};
use std::ptr;

/// Numbers that `cacheGetMany` leaves for each key.
const EACH: usize = 6;

type Tags = SmallVec<[TagHash; 8]>;

/// One of many values to be stored.
pub(in crate::hot) struct Entry {
    units: Vec<u16>,
    encoded: Encoded<'static>,
}

fn trouble(fault: &Fault) -> Trouble {
    match fault.code {
        Code::ValueTooLarge => Trouble::ValueTooLarge,
        _ => Trouble::Internal,
    }
}

/// `cacheGet(id, key, upTo, stamp[, nowMs])` → value, or true if the entry still is the one with this stamp, or null. `upTo`: 0 only
/// what is fresh; 1 also what is stale; 2 also what is in grace, and nothing else is counted; 3 anything, and nothing is counted.
unsafe extern "C" fn get<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let key = call.key(1)?;
        let (up_to, stamp) = (call.up_to(2), call.number(3).unwrap_or_default());
        let now = call.now::<MANUAL>()?;
        call.live_cache(|cache| {
            call.environment.leave_all(0, call.slots(cache, key));
            call.found(cache.look(key, up_to, &[], now), stamp)
        })
    })
}

/// `cacheTagged(id, key, upTo, stamp, tags[, nowMs])` → as `cacheGet`, as if the entry had these tags too
unsafe extern "C" fn tagged<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let key = call.key(1)?;
        let (up_to, stamp) = (call.up_to(2), call.number(3).unwrap_or_default());
        let tags = call.tags(call.argument(4))?;
        let now = call.now::<MANUAL>()?;
        call.live_cache(|cache| {
            call.environment.leave_all(0, call.slots(cache, key));
            call.found(cache.look(key, up_to, &tags, now), stamp)
        })
    })
}

/// `cacheGetMany(id, keys, numbers[, nowMs])` → an array of values and nulls, of what is fresh. `numbers`: six for each key, the first
/// of what `cacheGet` leaves.
unsafe extern "C" fn get_many<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let keys = call.elements(call.argument(1))?.map(|key| call.with_key(key, |key| Ok(key.fingerprint)));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let mut reply = ptr::null_mut();
        // SAFETY: a valid out-pointer, on the thread of `env`.
        unsafe { sys::napi_create_array_with_length(call.env, keys.len(), &mut reply) };
        call.live_cache(|cache| {
            for (index, key) in keys.into_iter().enumerate() {
                let slots = call.slots(cache, key);
                let found = cache.look(key, UpTo::Fresh, &[], now);
                let (fresh_for, stamp) = found.as_ref().map_or((0, 0), |look| (look.fresh_for, look.value.stamp()));
                let value = found.map_or_else(|| call.null(), |look| call.value(&look.value))?;
                let [slot, seen, epoch_slot, epoch_seen] = slots;
                let numbers = [slot, seen, epoch_slot, epoch_seen, fresh_for as f64 / MILLI as f64, stamp as f64];
                // SAFETY: values of this call, on the thread of `env`. Where the array is, is asked anew each time, since making a value
                // may move what lives on JavaScript's heap; `numbers` goes where the length says there is room.
                unsafe {
                    sys::napi_set_element(call.env, reply, index as u32, value);
                    match typed_array(call.env, call.argument(2), sys::TypedarrayType::float64_array) {
                        Some((start, length)) if (index + 1) * EACH <= length => {
                            start.cast::<[f64; EACH]>().add(index).write_unaligned(numbers);
                        }
                        _ => return Err(Trouble::Internal),
                    }
                }
            }
            Ok(reply)
        })
    })
}

/// `cacheTouch(id, key, hits)`: hits of a decoded copy since the last time
unsafe extern "C" fn touch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let key = call.key(1)?;
        let hits = call.given(2)?;
        call.cache(|cache| {
            cache.touch(key, hits as u32);
            call.boolean(true)
        })
    })
}

/// `cacheSet(id, key, value, ttlMs | undefined, tags | undefined, since | undefined[, nowMs])` → true. `since`: a moment of
/// `cacheMoment` that the value was computed after; what was invalidated since is not stored.
unsafe extern "C" fn set<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<7>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let encoded = call.encoded(call.argument(2), call.argument(3), call.argument(4))?;
        let since = call.maybe(call.argument(5)).map(|moment| moment as u64);
        call.keyed(|cache, key| {
            cache.set_since(key, &encoded, since, now).map_err(|fault| trouble(&fault))?;
            call.boolean(true)
        })
    })
}

/// `cacheMoment(id)` → the moment of the last change, for a later `cacheSet`
unsafe extern "C" fn last_moment(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| call.live_cache(|cache| call.integer(cache.cache().moment() as i64)))
}

/// `cacheSetMany(id, keys, values, ttls, tags[, nowMs])` → true; nothing is stored if one cannot be. Left in trouble: which.
unsafe extern "C" fn set_many<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let now = call.now::<MANUAL>()?;
        let entries = call.entries()?;
        call.live_cache(|cache| {
            let keyed = entries
                .iter()
                .map(|Entry { units, encoded }| (Key { fingerprint: fingerprint(units), units }, encoded));
            cache.set_many(keyed, now).map_err(|(index, fault)| {
                call.environment.leave(0, index as f64);
                trouble(&fault)
            })?;
            call.boolean(true)
        })
    })
}

/// `cacheDelete(id, key[, nowMs])` → whether it was there
unsafe extern "C" fn delete<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let key = call.key(1)?;
        let now = call.now::<MANUAL>()?;
        call.live_cache(|cache| call.boolean(cache.delete(key, now)))
    })
}

/// `cacheExpire(id, key[, nowMs])` → whether it was fresh or stale
unsafe extern "C" fn expire<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let key = call.key(1)?;
        let now = call.now::<MANUAL>()?;
        call.live_cache(|cache| call.boolean(cache.expire(key, now)))
    })
}

/// `cacheDeletePrefix(id, prefix[, nowMs])` → how many there were
unsafe extern "C" fn delete_prefix<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let prefix = call.units(call.argument(1)).ok_or(Trouble::Key)?;
        let now = call.now::<MANUAL>()?;
        call.live_cache(|cache| call.integer(cache.delete_prefix(&prefix, now) as i64))
    })
}

/// `cacheTags(id, tags, soft[, nowMs, wallMs])` → true. What has one of them is gone; with true, kept for grace; with a number, for no longer
/// than so many milliseconds.
unsafe extern "C" fn invalidate<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let tags = call.tags(call.argument(1))?;
        let now =
            if MANUAL { moment(call.given(3)?, call.number(4)) } else { Moment { mono: monotonic(), wall: wall() } };
        let force = match call.number(2) {
            Some(most_ms) => Force::Soft(now.mono.saturating_add((most_ms.max(0.0) * MILLI as f64) as Nanos)),
            None if call.flag(2) => Force::Soft(Nanos::MAX),
            None => Force::Hard,
        };
        call.live_cache(|cache| {
            cache.cache().invalidate(&tags, force, now);
            call.boolean(true)
        })
    })
}

/// `cacheClear(id)` → true
unsafe extern "C" fn clear(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        call.live_cache(|cache| {
            cache.cache().clear();
            call.boolean(true)
        })
    })
}

/// `cacheVersion(id, version)` → whether it is another; then what was stored before is forgotten
unsafe extern "C" fn version(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let text = call.text(call.argument(1)).ok_or(Trouble::Internal)?;
        let version = String::from_utf8_lossy(&text);
        call.live_cache(|cache| call.boolean(cache.cache().set_version(&version)))
    })
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("cacheGet", get::<false>),
    ("cacheGetAt", get::<true>),
    ("cacheTagged", tagged::<false>),
    ("cacheTaggedAt", tagged::<true>),
    ("cacheGetMany", get_many::<false>),
    ("cacheGetManyAt", get_many::<true>),
    ("cacheTouch", touch),
    ("cacheSet", set::<false>),
    ("cacheSetAt", set::<true>),
    ("cacheMoment", last_moment),
    ("cacheSetMany", set_many::<false>),
    ("cacheSetManyAt", set_many::<true>),
    ("cacheDelete", delete::<false>),
    ("cacheDeleteAt", delete::<true>),
    ("cacheExpire", expire::<false>),
    ("cacheExpireAt", expire::<true>),
    ("cacheDeletePrefix", delete_prefix::<false>),
    ("cacheDeletePrefixAt", delete_prefix::<true>),
    ("cacheTags", invalidate::<false>),
    ("cacheTagsAt", invalidate::<true>),
    ("cacheClear", clear),
    ("cacheVersion", version),
];
