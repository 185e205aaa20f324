//! The hot path: raw callbacks, one function per operation and environment. Owns reading arguments and leaving details.
//! Never builds an object, never calls JavaScript and never lets a panic out.
//!
//! A callback answers a boolean, a number, a string or null, and leaves the rest in the details array, which its
//! JavaScript reads before it does anything else. Trouble is answered with `undefined` and a number at [`TROUBLE`];
//! JavaScript then finds out what to say, since it still has the arguments. What each primitive is asked is in the file of its
//! name in `hot/`.

pub(crate) mod breaker;
mod budget;
mod bulkhead;
mod cache;
mod limiter;
mod passage;
mod remote;
mod rights;

use crate::environment::{Environment, Handle};
use crate::mailbox::{Answer, AskId, Mail, NUMBERS, Payload};
use napi::sys;
use spillway_engine::clock::{MILLI, Moment, Nanos, monotonic};
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use spillway_engine::store::ledger::News;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Why a callback answered `undefined`. `lib/native.js` has the same numbers.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Trouble {
    Key = 1,
    Cost = 2,
    Disposed = 3,
    ValueTooLarge = 4,
    Internal = 5,
    Plan = 6,
    Tags = 7,
}

/// What `mail()` answers with for an answer.
const ANSWERED: i64 = -4;

/// Where the number of the trouble is left.
const TROUBLE: usize = 7;

/// Keys of fewer 16-bit units than this are read on the stack.
const SHORT: usize = 128;

/// Where a manual clock's zero lies, so that no span reaches below.
pub(crate) const MANUAL_ORIGIN: Nanos = 3_600_000_000_000;

/// A manual clock's milliseconds as nanoseconds, exact for whole milliseconds.
pub(crate) fn manual(now_ms: f64) -> Nanos {
    let whole = now_ms.trunc().max(0.0);
    (whole as Nanos)
        .saturating_mul(MILLI)
        .saturating_add((now_ms.fract().max(0.0) * MILLI as f64) as Nanos)
        .saturating_add(MANUAL_ORIGIN)
}

/// A manual clock's milliseconds since 1970 as the calendar's nanoseconds.
pub(crate) fn manual_wall(now_ms: f64) -> Nanos {
    manual(now_ms) - MANUAL_ORIGIN
}

/// A manual clock's two times; it may have no calendar of its own.
pub(crate) fn moment(now_ms: f64, wall_ms: Option<f64>) -> Moment {
    Moment { mono: manual(now_ms), wall: manual_wall(wall_ms.unwrap_or(now_ms)) }
}

/// One running callback.
struct Call<'env, const N: usize> {
    env: sys::napi_env,
    environment: &'env Environment,
    arguments: [sys::napi_value; N],
    /// How many of them were given.
    count: usize,
}

type Reply = Result<sys::napi_value, Trouble>;

/// Every callback goes through here: arguments, environment, trouble and panics.
#[inline]
fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Call<'_, N>) -> Reply,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); N];
    let mut count = N;
    let mut data = ptr::null_mut();
    // SAFETY: the out-pointers are valid, `count` is the length of `arguments`, and Node fills the missing with undefined. The
    // data pointer is the environment that `export` bound, alive as long as its functions can be called.
    let environment = unsafe {
        let status = sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), ptr::null_mut(), &mut data);
        match data.cast::<Environment>().as_ref() {
            Some(environment) if status == sys::Status::napi_ok => environment,
            _ => return ptr::null_mut(),
        }
    };
    let call = Call { env, environment, arguments, count };
    let trouble = match catch_unwind(AssertUnwindSafe(|| body(&call))) {
        Ok(Ok(reply)) => return reply,
        Ok(Err(trouble)) => trouble,
        Err(_) => Trouble::Internal,
    };
    environment.leave(TROUBLE, f64::from(trouble as u8));
    ptr::null_mut()
}

impl<const N: usize> Call<'_, N> {
    fn argument(&self, index: usize) -> sys::napi_value {
        self.arguments.get(index).copied().unwrap_or(ptr::null_mut())
    }

    #[inline]
    fn number(&self, index: usize) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: an argument of this call and a valid out-pointer; another type than a number is a status, not an error.
        let status = unsafe { sys::napi_get_value_double(self.env, self.argument(index), &mut number) };
        (status == sys::Status::napi_ok).then_some(number)
    }

    /// A number that JavaScript of ours gave, so it is one.
    #[inline]
    fn given(&self, index: usize) -> Result<f64, Trouble> {
        self.number(index).ok_or(Trouble::Internal)
    }

    #[inline]
    fn id(&self, index: usize) -> Result<u32, Trouble> {
        let mut id = 0;
        // SAFETY: as in `number`.
        let status = unsafe { sys::napi_get_value_uint32(self.env, self.argument(index), &mut id) };
        if status == sys::Status::napi_ok { Ok(id) } else { Err(Trouble::Internal) }
    }

    /// Now: the last argument on a manual clock, else the system's.
    #[inline]
    fn now<const MANUAL: bool>(&self) -> Result<Nanos, Trouble> {
        if MANUAL { self.given(N - 1).map(manual) } else { Ok(monotonic()) }
    }

    /// The clock, for who may not need it: the last argument on a manual one, else the system's.
    #[inline]
    fn clock<const MANUAL: bool>(&self) -> Result<impl Fn() -> Nanos + use<MANUAL, N>, Trouble> {
        let told = if MANUAL { self.given(N - 1).map(manual)? } else { 0 };
        Ok(move || if MANUAL { told } else { monotonic() })
    }

    /// The key's fingerprint.
    ///
    /// Read as 16-bit units: what JavaScript has, so that lone surrogates stay apart, and cheaper than encoding them.
    #[inline]
    fn key(&self, index: usize) -> Result<Fingerprint, Trouble> {
        let (value, mut buffer) = (self.argument(index), [MaybeUninit::uninit(); SHORT]);
        match self.short_units(value, &mut buffer)? {
            Some(units) => Ok(fingerprint(units)),
            None => self.long_key(value),
        }
    }

    #[cold]
    fn long_key(&self, value: sys::napi_value) -> Result<Fingerprint, Trouble> {
        self.units(value).map(|units| fingerprint(&units)).ok_or(Trouble::Key)
    }

    /// What `body` does with a key and its text, which is read once.
    #[inline]
    fn with_key<R>(
        &self,
        value: sys::napi_value,
        body: impl FnOnce(Key<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let mut buffer = [MaybeUninit::uninit(); SHORT];
        let long;
        let units = match self.short_units(value, &mut buffer)? {
            Some(units) => units,
            None => {
                long = self.units(value).ok_or(Trouble::Key)?;
                long.as_slice()
            }
        };
        body(Key { fingerprint: fingerprint(units), units })
    }

    /// A key's units. None: it has more than the buffer takes, or as many.
    #[inline]
    fn short_units<'buffer>(
        &self,
        value: sys::napi_value,
        buffer: &'buffer mut [MaybeUninit<u16>; SHORT],
    ) -> Result<Option<&'buffer [u16]>, Trouble> {
        let mut length = 0;
        // SAFETY: the buffer has room for SHORT units, of which Node writes `length` and a zero.
        let units = unsafe {
            let status =
                sys::napi_get_value_string_utf16(self.env, value, buffer.as_mut_ptr().cast(), SHORT, &mut length);
            if status != sys::Status::napi_ok || length == 0 {
                return Err(Trouble::Key);
            }
            std::slice::from_raw_parts(buffer.as_ptr().cast::<u16>(), length)
        };
        // A full buffer may hold a text that was cut.
        Ok((length + 1 < SHORT).then_some(units))
    }

    /// A string as UTF-8, of any length.
    fn text(&self, value: sys::napi_value) -> Option<Vec<u8>> {
        let mut length = 0;
        // SAFETY: a null buffer asks for the length; the second call writes at most `length` bytes and a zero into room for them.
        unsafe {
            if sys::napi_get_value_string_utf8(self.env, value, ptr::null_mut(), 0, &mut length) != sys::Status::napi_ok
            {
                return None;
            }
            let mut text = Vec::<u8>::with_capacity(length + 1);
            let mut written = 0;
            let status =
                sys::napi_get_value_string_utf8(self.env, value, text.as_mut_ptr().cast(), length + 1, &mut written);
            if status != sys::Status::napi_ok {
                return None;
            }
            text.set_len(written.min(length));
            Some(text)
        }
    }

    /// A string as 16-bit units.
    fn units(&self, value: sys::napi_value) -> Option<Vec<u16>> {
        let mut length = 0;
        // SAFETY: as in `text`.
        unsafe {
            if sys::napi_get_value_string_utf16(self.env, value, ptr::null_mut(), 0, &mut length)
                != sys::Status::napi_ok
            {
                return None;
            }
            let mut units = Vec::<u16>::with_capacity(length + 1);
            let mut written = 0;
            let status =
                sys::napi_get_value_string_utf16(self.env, value, units.as_mut_ptr(), length + 1, &mut written);
            if status != sys::Status::napi_ok {
                return None;
            }
            units.set_len(written.min(length));
            Some(units)
        }
    }

    fn boolean(&self, value: bool) -> Reply {
        let mut reply = ptr::null_mut();
        // SAFETY: a valid out-pointer, on the thread of `env`.
        unsafe { sys::napi_get_boolean(self.env, value, &mut reply) };
        Ok(reply)
    }

    fn integer(&self, value: i64) -> Reply {
        let mut reply = ptr::null_mut();
        // SAFETY: as in `boolean`.
        unsafe { sys::napi_create_int64(self.env, value, &mut reply) };
        Ok(reply)
    }

    fn null(&self) -> Reply {
        let mut reply = ptr::null_mut();
        // SAFETY: a valid out-pointer, on the thread of `env`.
        unsafe { sys::napi_get_null(self.env, &mut reply) };
        Ok(reply)
    }

    #[inline]
    fn handle<R>(&self, body: impl FnOnce(&Handle) -> Result<R, Trouble>) -> Result<R, Trouble> {
        let id = self.id(0)?;
        let handles = self.environment.handles.borrow();
        body(&handles.get(id).ok_or(Trouble::Disposed)?.handle)
    }

    /// An answer as `mail()` tells of it.
    fn answered_far(&self, ask: AskId, Answer { code, numbers, payload }: Answer) -> Reply {
        self.environment.answered(ask);
        self.environment.leave_all(0, numbers);
        let has_payload = f64::from(u8::from(payload.is_some()));
        self.environment.leave_all(NUMBERS, [f64::from(ask), f64::from(code), has_payload]);
        self.environment.payload.set(payload);
        self.integer(ANSWERED)
    }

    /// Whether there is mail for this environment now: the caller in JavaScript then delivers it at once.
    fn mail_waits(&self) -> Reply {
        self.boolean(self.has_mail())
    }

    fn has_mail(&self) -> bool {
        self.environment.mailbox().is_some_and(|mailbox| mailbox.has_mail())
    }
}

#[inline]
fn fingerprint(units: &[u16]) -> Fingerprint {
    // SAFETY: every pattern of bits is a byte, and a byte needs no alignment.
    Fingerprint::of(unsafe { std::slice::from_raw_parts(units.as_ptr().cast::<u8>(), size_of_val(units)) })
}

/// `noop()`: what a crossing costs.
unsafe extern "C" fn noop(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |_| Ok(ptr::null_mut()))
}

/// `attach(details, slots, onMail)`
unsafe extern "C" fn attach(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        // SAFETY: the arguments of this call, on the thread of `env`.
        let attached = unsafe { call.environment.attach(env, call.argument(0), call.argument(1), call.argument(2)) };
        call.boolean(attached.is_some())
    })
}

/// `giveBack(receipt[, nowMs])` → whether mail waits. Needs no handle: what is held comes back after its primitive has ended, too.
unsafe extern "C" fn give_back<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let receipt = call.id(0)?;
        let now = call.clock::<MANUAL>()?;
        if let Some(ledger) = call.environment.ledger() {
            ledger.give_back(receipt, &now);
        }
        call.mail_waits()
    })
}

/// `leave(receipt[, nowMs])` → whether the wait is over; if not, a letter is on its way
unsafe extern "C" fn leave<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let receipt = call.id(0)?;
        let now = call.clock::<MANUAL>()?;
        let left = call.environment.ledger().is_some_and(|ledger| ledger.leave(receipt, &now));
        if left {
            call.environment.count_wait(call.env, false);
        }
        call.boolean(left)
    })
}

/// `mail()` → the next letter: the receipt that is held from now on; or the value that has landed, see `hot/cache.rs`, or -2 for what
/// has expired, with the receipt left, and 0 as the last of four; the first two end a wait. Or a transition of a breaker, see
/// `hot/breaker.rs`; or -5 for what became of a wait for a right, see `hot/rights.rs`; or -4 for an answer, which ends a wait: left are its ten numbers, then the number of the ask, the answer's code, and
/// whether there is a [`payload`]; or -1 when there is no more.
unsafe extern "C" fn mail(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        let letter = match call.environment.mailbox().and_then(|mailbox| mailbox.next()) {
            Some(Mail::Letter(letter)) => letter,
            Some(Mail::Moved { id, transition }) => return call.moved(id, &transition),
            Some(Mail::Answer { ask, answer, is_awaited }) => {
                if is_awaited {
                    call.environment.count_wait(call.env, false);
                }
                return call.answered_far(ask, answer);
            }
            None => return call.integer(-1),
        };
        if !matches!(letter.news, News::Expired) {
            call.environment.count_wait(call.env, false);
        }
        match letter.news {
            News::Expired => {
                call.environment.leave(0, f64::from(letter.receipt));
                call.integer(-2)
            }
            News::Yours => call.integer(i64::from(letter.receipt)),
            News::Landed(value, ttl) => call.landed(letter.receipt, &value, ttl),
            News::Admitted { ticket, fence, alone, took_over, queued } => {
                call.admitted(letter.receipt, ticket, fence, [alone, took_over, queued])
            }
            News::Refused(why) => call.refused(letter.receipt, why),
        }
    })
}

/// `payload()` → what came with the answer that `mail` told of last: a string or a new `Buffer`, once; then undefined
unsafe extern "C" fn payload(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| match call.environment.payload.take() {
        None => Ok(ptr::null_mut()),
        Some(Payload::Text(text)) => call.string(&text),
        Some(Payload::Bytes(bytes)) => call.buffer(&bytes),
        Some(Payload::Value(value)) => call.value(&value),
    })
}

/// `flushRemote(registryId)`: all that was asked in this turn has been
unsafe extern "C" fn flush_remote(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        let registry = call.id(0)?;
        let registries = call.environment.registries.borrow();
        if let Some(far) = registries.get(registry).and_then(|kept| kept.registry.far()) {
            far.flush();
        }
        Ok(ptr::null_mut())
    })
}

pub(crate) type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

const CALLBACKS: &[(&str, Callback)] = &[
    ("noop", noop),
    ("attach", attach),
    ("giveBack", give_back::<false>),
    ("giveBackAt", give_back::<true>),
    ("leave", leave::<false>),
    ("leaveAt", leave::<true>),
    ("mail", mail),
    ("payload", payload),
    ("flushRemote", flush_remote),
];

/// Put every callback on `exports`, bound to its environment.
pub(crate) fn export(env: sys::napi_env, exports: sys::napi_value, environment: *mut c_void) -> napi::Result<()> {
    let all = CALLBACKS
        .iter()
        .chain(breaker::CALLBACKS)
        .chain(budget::CALLBACKS)
        .chain(cache::CALLBACKS)
        .chain(cache::far::CALLBACKS)
        .chain(cache::loads::CALLBACKS);
    let all = all
        .chain(bulkhead::CALLBACKS)
        .chain(limiter::CALLBACKS)
        .chain(passage::CALLBACKS)
        .chain(remote::limiter::CALLBACKS)
        .chain(rights::CALLBACKS);
    for (name, callback) in all {
        let mut function = ptr::null_mut();
        // SAFETY: the name is a live slice, the out-pointer valid, `exports` an object of `env`.
        let status = unsafe {
            sys::napi_create_function(
                env,
                name.as_ptr().cast(),
                name.len() as isize,
                Some(*callback),
                environment,
                &mut function,
            );
            let mut key = ptr::null_mut();
            sys::napi_create_string_utf8(env, name.as_ptr().cast(), name.len() as isize, &mut key);
            sys::napi_set_property(env, exports, key, function)
        };
        if status != sys::Status::napi_ok {
            return Err(napi::Error::from_reason(format!("cannot export {name}")));
        }
    }
    Ok(())
}
