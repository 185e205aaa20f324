//! What the cache is asked on the hot path. Owns how values, keys and tags cross, and what is left beside an answer.
//! Never runs JavaScript while a handle is borrowed: whatever a caller could have made is read before.
//!
//! A value goes in as a string, a `Uint8Array`, or `undefined` for "there is nothing"; it comes out as a string, a new `Buffer`, or
//! false for that. Beside it are left, by index: 0 the key's slot and 1 its number, 2 the cache's slot and 3 its number, all from
//! before the look; 4 for how many milliseconds it is fresh, not above 0 if it is not; 5 its stamp; 6 its state (0 fresh, 1 stale,
//! 2 grace); 8 its age in milliseconds; 9 flags, 1 for "there is nothing" and 2 for "from a file".

use super::{Call, Callback, Reply, Trouble, enter, fingerprint, moment};
use crate::environment::{Handle, typed_array};
use napi::sys;
use smallvec::SmallVec;
use spillway_engine::clock::{MILLI, Moment, Nanos, monotonic, wall};
use spillway_engine::error::{Code, Fault};
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{CacheHandle, Encoded, Miss, UpTo};
use spillway_engine::store::bytes::Look;
use spillway_engine::store::entry::{Kind, MAX_TAGS, Value};
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use spillway_engine::store::flights::{Purpose, Usurping};
use spillway_engine::store::generations::slot_of;
use spillway_engine::store::ledger::Receipt;
use spillway_engine::store::tags::{Force, TagHash};
use std::borrow::Cow;
use std::ptr;

/// Units of the longest tag.
const TAG_UNITS: usize = 256;

/// Numbers that `cacheGetMany` leaves for each key.
const EACH: usize = 6;

type Tags = SmallVec<[TagHash; 8]>;

/// One of many values to be stored.
struct Entry {
    units: Vec<u16>,
    encoded: Encoded<'static>,
}

impl<const N: usize> Call<'_, N> {
    #[inline]
    fn cache<R>(&self, body: impl FnOnce(&CacheHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| match handle {
            Handle::Cache(handle) => body(handle),
            _ => Err(Trouble::Disposed),
        })
    }

    /// A cache, unless it has ended.
    #[inline]
    fn live_cache<R>(&self, body: impl FnOnce(&CacheHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.cache(|cache| if cache.cache().life().has_ended() { Err(Trouble::Disposed) } else { body(cache) })
    }

    /// A number that may be missing.
    fn maybe(&self, value: sys::napi_value) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: a value of this call and a valid out-pointer; another type than a number is a status, not an error.
        let status = unsafe { sys::napi_get_value_double(self.env, value, &mut number) };
        (status == sys::Status::napi_ok && !number.is_nan()).then_some(number)
    }

    /// Whether an argument is true.
    fn flag(&self, index: usize) -> bool {
        let mut flag = false;
        // SAFETY: an argument of this call and a valid out-pointer, which another type than a boolean leaves as it is.
        unsafe { sys::napi_get_value_bool(self.env, self.argument(index), &mut flag) };
        flag
    }

    fn type_of(&self, value: sys::napi_value) -> sys::napi_valuetype {
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: a value of this call and a valid out-pointer.
        unsafe { sys::napi_typeof(self.env, value, &mut kind) };
        kind
    }

    /// A value on its way in. Its bytes are copied at once: others may write to them meanwhile.
    fn encoded(
        &self,
        value: sys::napi_value,
        ttl: sys::napi_value,
        tags: sys::napi_value,
    ) -> Result<Encoded<'static>, Trouble> {
        let (kind, value) = match self.type_of(value) {
            sys::ValueType::napi_string => {
                let text = self.text(value).ok_or(Trouble::Internal)?;
                (Kind::of_text(&text), text)
            }
            sys::ValueType::napi_undefined => (Kind::Nothing, Vec::new()),
            _ => (Kind::Bytes, self.bytes(value).ok_or(Trouble::Internal)?),
        };
        let tags = Cow::Owned(self.tags(tags)?.into_vec());
        Ok(Encoded { kind, value: value.into(), tags, ttl_ms: self.maybe(ttl) })
    }

    fn bytes(&self, value: sys::napi_value) -> Option<Vec<u8>> {
        // SAFETY: a value of this call, on the thread of `env`. What the array says of its memory holds until JavaScript runs; memory
        // that other threads write meanwhile is copied byte by byte into memory of ours, and nobody relies on what they are.
        unsafe {
            let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
            let (none, nowhere) = (ptr::null_mut(), ptr::null_mut());
            let status =
                sys::napi_get_typedarray_info(self.env, value, &mut kind, &mut length, &mut data, none, nowhere);
            if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
                return None;
            }
            let mut bytes = Vec::<u8>::with_capacity(length);
            if length > 0 && !data.is_null() {
                ptr::copy_nonoverlapping(data.cast::<u8>(), bytes.as_mut_ptr(), length);
                bytes.set_len(length);
            }
            Some(bytes)
        }
    }

    /// An array's elements, as many as there are.
    fn elements(&self, array: sys::napi_value) -> Result<impl Iterator<Item = sys::napi_value> + use<'_, N>, Trouble> {
        let mut length = 0;
        // SAFETY: a value of this call and a valid out-pointer; what is no array is a status.
        let status = unsafe { sys::napi_get_array_length(self.env, array, &mut length) };
        if status != sys::Status::napi_ok {
            return Err(Trouble::Internal);
        }
        Ok((0..length).map(move |index| self.element(array, index)))
    }

    fn element(&self, array: sys::napi_value, index: u32) -> sys::napi_value {
        let mut element = ptr::null_mut();
        // SAFETY: an array of this call and a valid out-pointer. Where it cannot be read it stays null, which is no value of any type.
        unsafe { sys::napi_get_element(self.env, array, index, &mut element) };
        element
    }

    /// Tags, or none where there is no array.
    fn tags(&self, array: sys::napi_value) -> Result<Tags, Trouble> {
        if array.is_null() || self.type_of(array) == sys::ValueType::napi_undefined {
            return Ok(Tags::new());
        }
        let tags: Tags = self.elements(array)?.take(MAX_TAGS + 1).map(|tag| self.tag(tag)).collect::<Result<_, _>>()?;
        if tags.len() > MAX_TAGS { Err(Trouble::Tags) } else { Ok(tags) }
    }

    fn tag(&self, value: sys::napi_value) -> Result<TagHash, Trouble> {
        // One unit more than a tag may have shows that it has too many, and Node writes a zero.
        let (mut units, mut length) = ([0; TAG_UNITS + 2], 0);
        // SAFETY: the buffer has room for as many units as it says.
        let status =
            unsafe { sys::napi_get_value_string_utf16(self.env, value, units.as_mut_ptr(), units.len(), &mut length) };
        match units.get(..length) {
            Some(units) if status == sys::Status::napi_ok && (1..=TAG_UNITS).contains(&length) => {
                Ok(TagHash::of(units))
            }
            _ => Err(Trouble::Tags),
        }
    }

    /// Read before the store is: a change in between makes the numbers differ from what JavaScript finds later.
    #[inline]
    fn slots(&self, cache: &CacheHandle, key: Fingerprint) -> [f64; 4] {
        let (slot, epoch_slot) = (slot_of(key), cache.cache().epoch_slot());
        let number = |slot| f64::from(self.environment.slot_number(slot));
        [f64::from(slot), number(slot), f64::from(epoch_slot), number(epoch_slot)]
    }

    /// What a look found, or null; true if the caller has a copy of just this.
    #[inline]
    fn found(&self, found: Option<Look>, stamp: f64) -> Reply {
        let Some(look) = found else { return self.null() };
        let Look { value, state, age, fresh_for } = &look;
        let own = value.stamp() as f64;
        self.environment.leave_all(4, [*fresh_for as f64 / MILLI as f64, own, f64::from(state_number(*state))]);
        self.environment.leave_all(8, [*age as f64 / MILLI as f64, flags(value)]);
        if own == stamp { self.boolean(true) } else { self.value(value) }
    }

    /// A value as JavaScript gets it. ASCII is copied as it is, without decoding.
    #[inline]
    fn value(&self, value: &Value) -> Reply {
        let (bytes, mut reply) = (value.bytes(), ptr::null_mut());
        let (start, length) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: `start` and `length` describe a live slice that Node copies.
        let status = unsafe {
            match value.kind() {
                Kind::Ascii => sys::napi_create_string_latin1(self.env, start, length as isize, &mut reply),
                Kind::Utf8 => sys::napi_create_string_utf8(self.env, start, length as isize, &mut reply),
                Kind::Bytes => {
                    sys::napi_create_buffer_copy(self.env, length, start.cast(), ptr::null_mut(), &mut reply)
                }
                Kind::Nothing => return self.boolean(false),
            }
        };
        if status == sys::Status::napi_ok { Ok(reply) } else { Err(Trouble::Internal) }
    }

    /// A letter: the value another loaded, with what is left of a fresh one, and the receipt in place of the slots.
    pub(super) fn landed(&self, receipt: Receipt, value: &Value, ttl: Nanos) -> Reply {
        self.environment.leave_all(0, [f64::from(receipt), 0.0, 0.0, 0.0]);
        self.environment.leave_all(4, [ttl as f64 / MILLI as f64, value.stamp() as f64, 0.0]);
        self.environment.leave_all(8, [0.0, flags(value)]);
        self.value(value)
    }

    fn up_to(&self, index: usize) -> UpTo {
        match self.id(index) {
            Ok(0) | Err(_) => UpTo::Fresh,
            Ok(1) => UpTo::Stale,
            Ok(2) => UpTo::Grace,
            Ok(_) => UpTo::Any,
        }
    }

    /// `body` with the key, of a cache that is open.
    fn keyed<R>(&self, body: impl FnOnce(&CacheHandle, Key<'_>) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.with_key(self.argument(1), |key| self.live_cache(|cache| body(cache, key)))
    }
}

fn state_number(state: State) -> u8 {
    match state {
        State::Fresh => 0,
        State::Stale => 1,
        State::Grace => 2,
    }
}

fn flags(value: &Value) -> f64 {
    f64::from(u8::from(value.negative()) | u8::from(value.restored()) << 1)
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
        let entry = |(index, key): (usize, sys::napi_value)| {
            call.environment.leave(0, index as f64);
            let of = |argument| call.element(call.argument(argument), index as u32);
            let units = call.units(key).filter(|units| !units.is_empty()).ok_or(Trouble::Key)?;
            Ok(Entry { units, encoded: call.encoded(of(2), of(3), of(4))? })
        };
        let entries = call.elements(call.argument(1))?.enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
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
