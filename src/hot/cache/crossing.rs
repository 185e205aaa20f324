//! How values, keys and tags cross, and what is left beside an answer. Owns every look into JavaScript's memory for the cache.
//! Never asks a cache anything.

use super::{Entry, Tags};
use crate::environment::Handle;
use crate::hot::{Call, Reply, Trouble};
use napi::sys;
use spillway_engine::clock::{MILLI, Nanos};
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{CacheHandle, Encoded, UpTo};
use spillway_engine::store::bytes::Look;
use spillway_engine::store::entry::{Kind, MAX_TAGS, Value};
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use spillway_engine::store::generations::slot_of;
use spillway_engine::store::ledger::Receipt;
use spillway_engine::store::tags::TagHash;
use std::borrow::Cow;
use std::ptr;

/// Units of the longest tag.
const TAG_UNITS: usize = 256;

impl<const N: usize> Call<'_, N> {
    #[inline]
    pub(in crate::hot) fn cache<R>(&self, body: impl FnOnce(&CacheHandle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| match handle {
            Handle::Cache(handle) => body(handle),
            _ => Err(Trouble::Disposed),
        })
    }

    /// A cache, unless it has ended.
    #[inline]
    pub(in crate::hot) fn live_cache<R>(
        &self,
        body: impl FnOnce(&CacheHandle) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        self.cache(|cache| if cache.cache().life().has_ended() { Err(Trouble::Disposed) } else { body(cache) })
    }

    /// A number that may be missing.
    pub(in crate::hot) fn maybe(&self, value: sys::napi_value) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: a value of this call and a valid out-pointer; another type than a number is a status, not an error.
        let status = unsafe { sys::napi_get_value_double(self.env, value, &mut number) };
        (status == sys::Status::napi_ok && !number.is_nan()).then_some(number)
    }

    /// Whether an argument is true.
    pub(in crate::hot) fn flag(&self, index: usize) -> bool {
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
    pub(in crate::hot) fn encoded(
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

    /// Many values on their way in, from the arguments of `cacheSetMany`. Left in trouble: which.
    pub(in crate::hot) fn entries(&self) -> Result<Vec<Entry>, Trouble> {
        let entry = |(index, key): (usize, sys::napi_value)| {
            self.environment.leave(0, index as f64);
            let of = |argument| self.element(self.argument(argument), index as u32);
            let units = self.units(key).filter(|units| !units.is_empty()).ok_or(Trouble::Key)?;
            Ok(Entry { units, encoded: self.encoded(of(2), of(3), of(4))? })
        };
        self.elements(self.argument(1))?.enumerate().map(entry).collect()
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
    pub(in crate::hot) fn elements(
        &self,
        array: sys::napi_value,
    ) -> Result<impl Iterator<Item = sys::napi_value> + use<'_, N>, Trouble> {
        let mut length = 0;
        // SAFETY: a value of this call and a valid out-pointer; what is no array is a status.
        let status = unsafe { sys::napi_get_array_length(self.env, array, &mut length) };
        if status != sys::Status::napi_ok {
            return Err(Trouble::Internal);
        }
        Ok((0..length).map(move |index| self.element(array, index)))
    }

    pub(in crate::hot) fn element(&self, array: sys::napi_value, index: u32) -> sys::napi_value {
        let mut element = ptr::null_mut();
        // SAFETY: an array of this call and a valid out-pointer. Where it cannot be read it stays null, which is no value of any type.
        unsafe { sys::napi_get_element(self.env, array, index, &mut element) };
        element
    }

    /// Tags, or none where there is no array.
    pub(in crate::hot) fn tags(&self, array: sys::napi_value) -> Result<Tags, Trouble> {
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
    pub(in crate::hot) fn slots(&self, cache: &CacheHandle, key: Fingerprint) -> [f64; 4] {
        let (slot, epoch_slot) = (slot_of(key), cache.cache().epoch_slot());
        let number = |slot| f64::from(self.environment.slot_number(slot));
        [f64::from(slot), number(slot), f64::from(epoch_slot), number(epoch_slot)]
    }

    /// What a look found, or null; true if the caller has a copy of just this.
    #[inline]
    pub(in crate::hot) fn found(&self, found: Option<Look>, stamp: f64) -> Reply {
        let Some(look) = found else { return self.null() };
        let Look { value, state, age, fresh_for } = &look;
        let own = value.stamp() as f64;
        self.environment.leave_all(4, [*fresh_for as f64 / MILLI as f64, own, f64::from(state_number(*state))]);
        self.environment.leave_all(8, [*age as f64 / MILLI as f64, flags(value)]);
        if own == stamp { self.boolean(true) } else { self.value(value) }
    }

    /// A value as JavaScript gets it. ASCII is copied as it is, without decoding.
    #[inline]
    pub(in crate::hot) fn value(&self, value: &Value) -> Reply {
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

    /// UTF-8 as JavaScript gets it.
    pub(in crate::hot) fn string(&self, text: &[u8]) -> Reply {
        let mut reply = ptr::null_mut();
        // SAFETY: a live slice that Node copies, and a valid out-pointer.
        let status =
            unsafe { sys::napi_create_string_utf8(self.env, text.as_ptr().cast(), text.len() as isize, &mut reply) };
        if status == sys::Status::napi_ok { Ok(reply) } else { Err(Trouble::Internal) }
    }

    /// Bytes as a new `Buffer`.
    pub(in crate::hot) fn buffer(&self, bytes: &[u8]) -> Reply {
        let (mut reply, nowhere) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: as in `string`.
        let status =
            unsafe { sys::napi_create_buffer_copy(self.env, bytes.len(), bytes.as_ptr().cast(), nowhere, &mut reply) };
        if status == sys::Status::napi_ok { Ok(reply) } else { Err(Trouble::Internal) }
    }

    /// A letter: the value another loaded, with what is left of a fresh one, and the receipt in place of the slots.
    pub(in crate::hot) fn landed(&self, receipt: Receipt, value: &Value, ttl: Nanos) -> Reply {
        self.environment.leave_all(0, [f64::from(receipt), 0.0, 0.0, 0.0]);
        self.environment.leave_all(4, [ttl as f64 / MILLI as f64, value.stamp() as f64, 0.0]);
        self.environment.leave_all(8, [0.0, flags(value)]);
        self.value(value)
    }

    pub(in crate::hot) fn up_to(&self, index: usize) -> UpTo {
        match self.id(index) {
            Ok(0) | Err(_) => UpTo::Fresh,
            Ok(1) => UpTo::Stale,
            Ok(2) => UpTo::Grace,
            Ok(_) => UpTo::Any,
        }
    }

    /// `body` with the key, of a cache that is open.
    pub(in crate::hot) fn keyed<R>(
        &self,
        body: impl FnOnce(&CacheHandle, Key<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        self.with_key(self.argument(1), |key| self.live_cache(|cache| body(cache, key)))
    }
}

pub(super) fn state_number(state: State) -> u8 {
    match state {
        State::Fresh => 0,
        State::Stale => 1,
        State::Grace => 2,
    }
}

pub(super) fn flags(value: &Value) -> f64 {
    f64::from(u8::from(value.negative()) | u8::from(value.restored()) << 1)
}
