//! What one JavaScript environment has: handles by id, its ledger and mailbox, and the two arrays it shares with its
//! JavaScript. Owns their end. Never shared with another thread.

use crate::cold::redis::Store;
use crate::hot;
use crate::mailbox::{Address, AskId, Mailbox, Payload, Sender};
use crate::slots::{AllCopies, Counters, SlotArray};
use napi::sys;
use spillway_engine::clock::{Moment, monotonic};
use spillway_engine::primitive::breaker::BreakerHandle;
use spillway_engine::primitive::budget::Budget;
use spillway_engine::primitive::bulkhead::BulkheadHandle;
use spillway_engine::primitive::cache::CacheHandle;
use spillway_engine::primitive::limiter::LimiterHandle;
use spillway_engine::primitive::registry::Registry;
use spillway_engine::primitive::remote::bulkhead::RemoteBulkhead;
use spillway_engine::primitive::remote::keeper::Holder;
use spillway_engine::primitive::remote::lease::Lease;
use spillway_engine::primitive::remote::limiter::RemoteLimiter;
use spillway_engine::primitive::remote::rights::{Rights, RightsHandle};
use spillway_engine::store::generations::SLOTS;
use spillway_engine::store::ledger::Ledger;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, OnceLock};

/// Numbers of the details array.
pub(crate) const DETAILS: usize = 16;

/// The id of a handle, or of a registry: `turn:12 | index:20`. The turn tells it from the one that had the index before.
pub(crate) type Id = u32;

const INDEX_BITS: u32 = 20;
const INDEX: u32 = (1 << INDEX_BITS) - 1;

/// Values by generation-checked id.
pub(crate) struct Table<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    turn: u32,
    value: Option<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// None when a million are open.
    pub(crate) fn insert(&mut self, value: T) -> Option<Id> {
        let index = self.free.pop().unwrap_or(self.places.len() as u32);
        if index > INDEX {
            return None;
        }
        if let Some(place) = self.places.get_mut(index as usize) {
            place.value = Some(value);
            return Some(place.turn << INDEX_BITS | index);
        }
        self.places.push(Place { turn: 0, value: Some(value) });
        Some(index)
    }

    #[inline]
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        let place = self.places.get((id & INDEX) as usize)?;
        if place.turn == id >> INDEX_BITS { place.value.as_ref() } else { None }
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        let place = self.places.get_mut((id & INDEX) as usize)?;
        if place.turn != id >> INDEX_BITS {
            return None;
        }
        let value = place.value.take()?;
        place.turn = (place.turn + 1) & (u32::MAX >> INDEX_BITS);
        self.free.push(id & INDEX);
        Some(value)
    }
}

/// A handle of any kind.
pub(crate) enum Handle {
    Limiter {
        handle: LimiterHandle,
        /// The moment charges are dated from, so that a date fits a double to the nanosecond. One for all that share a clock.
        origin: Moment,
    },
    RemoteLimiter(Arc<RemoteLimiter>),
    Breaker(BreakerHandle),
    Budget(Arc<Budget>),
    Bulkhead(BulkheadHandle),
    RemoteBulkhead(RightsHandle<RemoteBulkhead>),
    Lease(RightsHandle<Lease>),
    Cache(CacheHandle),
}

impl Handle {
    /// What a bulkhead over hosts or a lease gives out, to whom, and whether it still does.
    pub(crate) fn rights(&self) -> Option<(&Rights, &Arc<Holder>, bool)> {
        match self {
            Handle::RemoteBulkhead(handle) => {
                let bulkhead = handle.primitive();
                Some((bulkhead.rights(), handle.holder(), !bulkhead.life().has_ended()))
            }
            Handle::Lease(handle) => {
                let lease = handle.primitive();
                Some((lease.rights(), handle.holder(), !lease.life().has_ended()))
            }
            _ => None,
        }
    }
}

/// A handle and how it was opened.
pub(crate) struct Open {
    pub(crate) handle: Handle,
    pub(crate) registry: Arc<Registry>,
    pub(crate) prefix: String,
    pub(crate) name: String,
}

/// A registry, for the spillways of this environment that go by its number.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) registry: Arc<Registry>,
    /// The moment the charges in it are dated from.
    pub(crate) origin: Moment,
    /// Whether other environments may have it, so that it does not end with this one.
    pub(crate) is_shared: bool,
    /// What it goes over; none for what is in the process.
    pub(crate) store: Option<Arc<Store>>,
}

/// What [`Environment::attach`] brings.
struct Attached {
    details: *mut f64,
    slots: SlotArray,
    counters: Counters,
    ledger: Arc<Ledger>,
    mailbox: Arc<Mailbox>,
    /// This environment, as it is known to what it holds over hosts.
    holder: Arc<Holder>,
    /// Keep the arrays' memory alive.
    arrays: [sys::napi_ref; 2],
}

/// One environment: the main thread's, a worker's, or a second one where the module is loaded twice.
pub(crate) struct Environment {
    pub(crate) handles: RefCell<Table<Open>>,
    /// Registries of isolated spillways and of those over Redis.
    pub(crate) registries: RefCell<Table<Kept>>,
    attached: OnceCell<Attached>,
    /// Letters somebody waits for.
    waits: Cell<u32>,
    /// How many numbers asks have had, and those of them that are free again.
    asks: Cell<AskId>,
    free_asks: RefCell<Vec<AskId>>,
    /// What came with the last answer, until JavaScript takes it.
    pub(crate) payload: Cell<Option<Payload>>,
    /// Whether its JavaScript sees to what it holds when the process ends.
    end_is_seen: Cell<bool>,
}

impl Environment {
    /// The environment a raw `env` belongs to.
    pub(crate) fn of<'env>(env: sys::napi_env) -> Option<&'env Environment> {
        let mut data = ptr::null_mut();
        // SAFETY: `env` is the one of the running callback; the instance data is what `install` set, or null.
        unsafe {
            if sys::napi_get_instance_data(env, &mut data) != sys::Status::napi_ok {
                return None;
            }
            data.cast::<Environment>().as_ref()
        }
    }

    /// The registry every spillway of the process shares.
    pub(crate) fn shared_registry() -> Arc<Registry> {
        static SHARED: OnceLock<Arc<Registry>> = OnceLock::new();
        SHARED.get_or_init(|| Arc::new(Registry::new(Arc::new(AllCopies)))).clone()
    }

    /// Take over the arrays and the mail function of this environment's JavaScript. A second time does nothing.
    ///
    /// # Safety
    /// Runs on the thread of `env`, with values of `env`.
    pub(crate) unsafe fn attach(
        &self,
        env: sys::napi_env,
        details: sys::napi_value,
        slots: sys::napi_value,
        on_mail: sys::napi_value,
    ) -> Option<()> {
        if self.attached.get().is_some() {
            return Some(());
        }
        // SAFETY: as promised by the caller. The arrays are referenced below for as long as they are registered, so their memory
        // stays where it is: neither kind can be detached by anybody but our own JavaScript, which does not.
        unsafe {
            let of_length = |length| move |(data, count)| (count == length).then_some(data);
            let details_at =
                typed_array(env, details, sys::TypedarrayType::float64_array).and_then(of_length(DETAILS))?;
            let slots_at =
                typed_array(env, slots, sys::TypedarrayType::int32_array).and_then(of_length(SLOTS as usize))?;
            let arrays = [reference(env, details)?, reference(env, slots)?];
            let mailbox = Mailbox::open(env, on_mail).ok()?;
            let slots = SlotArray::register(slots_at.cast());
            let ledger = Arc::new(Ledger::new(Box::new(Address(mailbox.clone()))));
            let attached = Attached {
                details: details_at.cast(),
                slots,
                counters: Counters::new(slots),
                holder: Arc::new(Holder { ledger: ledger.clone(), pulse: mailbox.clone() }),
                ledger,
                mailbox,
                arrays,
            };
            self.attached.set(attached).ok()
        }
    }

    /// Leave `number` where JavaScript reads it at once.
    #[inline]
    pub(crate) fn leave(&self, index: usize, number: f64) {
        self.leave_all(index, [number]);
    }

    /// Leave `numbers` from `index` on.
    #[inline]
    pub(crate) fn leave_all<const N: usize>(&self, index: usize, numbers: [f64; N]) {
        assert!(index + N <= DETAILS);
        if let Some(attached) = self.attached.get() {
            // SAFETY: the array has DETAILS numbers, is referenced until the environment ends, and only this thread uses it.
            unsafe { attached.details.add(index).cast::<[f64; N]>().write(numbers) };
        }
    }

    /// Free the id of a handle that nothing comes back to any more.
    #[cold]
    pub(crate) fn forget(&self, id: Id) {
        let gone = self.handles.borrow_mut().remove(id);
        drop(gone);
    }

    pub(crate) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.attached.get().map(|attached| &attached.ledger)
    }

    pub(crate) fn holder(&self) -> Option<&Arc<Holder>> {
        self.attached.get().map(|attached| &attached.holder)
    }

    pub(crate) fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.attached.get().map(|attached| &attached.mailbox)
    }

    pub(crate) fn counters(&self) -> Option<&Counters> {
        self.attached.get().map(|attached| &attached.counters)
    }

    pub(crate) fn slot_number(&self, slot: u32) -> i32 {
        self.attached.get().map_or(0, |attached| attached.slots.read(slot))
    }

    /// What it holds goes back, for good, and is on its way when this returns: the process is about to end, which tells no hook.
    pub(crate) fn give_all_back(&self) {
        if let Some(attached) = self.attached.get() {
            attached.ledger.close(&monotonic);
        }
        self.flush_rights();
    }

    fn flush_rights(&self) {
        for place in &self.handles.borrow().places {
            if let Some((rights, ..)) = place.value.as_ref().and_then(|open| open.handle.rights()) {
                rights.flush();
            }
        }
    }

    /// Whether nobody has asked this before.
    pub(crate) fn is_first_to_see_the_end(&self) -> bool {
        !self.end_is_seen.replace(true)
    }

    /// One more, or one less, waits for a letter.
    pub(crate) fn count_wait(&self, env: sys::napi_env, begins: bool) {
        let before = self.waits.get();
        let after = if begins { before + 1 } else { before.saturating_sub(1) };
        self.waits.set(after);
        if (before == 0) != (after == 0)
            && let Some(mailbox) = self.mailbox()
        {
            mailbox.keep_alive(env, after != 0);
        }
    }

    /// Something is asked that another thread will answer: the number JavaScript waits with, and what the answer goes by. The process
    /// stays alive until then. None in an environment that is not attached.
    pub(crate) fn ask(&self, env: sys::napi_env) -> Option<(AskId, Sender)> {
        let mailbox = self.mailbox()?;
        let id = self.number_of_ask();
        self.count_wait(env, true);
        Some((id, Sender::new(mailbox.clone(), id, true)))
    }

    /// As [`Environment::ask`], but the process does not wait for the answer.
    pub(crate) fn ask_in_passing(&self) -> Option<(AskId, Sender)> {
        let mailbox = self.mailbox()?;
        let id = self.number_of_ask();
        Some((id, Sender::new(mailbox.clone(), id, false)))
    }

    /// A number nobody waits with. They are used again, so that JavaScript can keep what it waits for in an array.
    fn number_of_ask(&self) -> AskId {
        if let Some(free) = self.free_asks.borrow_mut().pop() {
            return free;
        }
        let next = self.asks.get();
        self.asks.set(next + 1);
        next
    }

    /// JavaScript has been told the answer.
    pub(crate) fn answered(&self, ask: AskId) {
        self.free_asks.borrow_mut().push(ask);
    }

    /// The environment ends: nobody writes its memory or wakes it any more, and what it held goes back.
    fn end(&self) {
        if let Some(attached) = self.attached.get() {
            attached.slots.unregister();
            attached.mailbox.close();
            attached.ledger.close(&monotonic);
        }
        // What went back a moment ago is on its way before the thread is gone.
        self.flush_rights();
        // A handle's names stay open: state outlives the workers that come and go.
        for Open { handle, .. } in self.handles.take().places.into_iter().filter_map(|place| place.value) {
            if let Handle::Bulkhead(bulkhead) = handle {
                bulkhead.close(&monotonic);
            }
        }
        for kept in self.registries.take().places.into_iter().filter_map(|place| place.value) {
            if !kept.is_shared {
                kept.registry.close();
            }
        }
    }
}

/// Give `env` its environment, and `exports` the functions of the hot path.
pub(crate) fn install(env: sys::napi_env, exports: sys::napi_value) -> napi::Result<()> {
    let environment = Box::into_raw(Box::new(Environment {
        handles: RefCell::default(),
        registries: RefCell::default(),
        attached: OnceCell::new(),
        waits: Cell::new(0),
        asks: Cell::new(0),
        free_asks: RefCell::default(),
        payload: Cell::new(None),
        end_is_seen: Cell::new(false),
    }));
    // SAFETY: `env` is the environment being set up. The box is freed by `free`, which Node calls after the last callback and
    // after every cleanup hook of `env`.
    let status = unsafe {
        sys::napi_set_instance_data(env, environment.cast(), Some(free), ptr::null_mut());
        sys::napi_add_env_cleanup_hook(env, Some(cleanup), environment.cast())
    };
    if status != sys::Status::napi_ok {
        return Err(napi::Error::from_reason("the environment refuses a cleanup hook"));
    }
    hot::export(env, exports, environment.cast())
}

unsafe extern "C" fn cleanup(environment: *mut c_void) {
    // SAFETY: the pointer given to `napi_add_env_cleanup_hook`, freed only later.
    let environment = unsafe { &*environment.cast::<Environment>() };
    let _ = catch_unwind(AssertUnwindSafe(|| environment.end()));
}

unsafe extern "C" fn free(env: sys::napi_env, environment: *mut c_void, _: *mut c_void) {
    // SAFETY: made by `install`, and this is the one finalizer of it.
    let environment = unsafe { Box::from_raw(environment.cast::<Environment>()) };
    if let Some(attached) = environment.attached.get() {
        for array in attached.arrays {
            // SAFETY: made by `reference` in this environment; a refusal at this late point only means that it is gone already.
            unsafe { sys::napi_delete_reference(env, array) };
        }
    }
    let _ = catch_unwind(AssertUnwindSafe(|| drop(environment)));
}

/// Where the words of a typed array are, if it is of `kind`, and how many.
///
/// # Safety
/// Runs on the thread of `env`, with a value of `env`.
pub(crate) unsafe fn typed_array(
    env: sys::napi_env,
    array: sys::napi_value,
    kind: sys::napi_typedarray_type,
) -> Option<(*mut c_void, usize)> {
    let (mut found, mut count, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: every out-pointer is valid or null, which asks for nothing.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, array, &mut found, &mut count, &mut data, ptr::null_mut(), ptr::null_mut())
    };
    (status == sys::Status::napi_ok && found == kind && !data.is_null()).then_some((data, count))
}

/// # Safety
/// Runs on the thread of `env`, with a value of `env`.
unsafe fn reference(env: sys::napi_env, value: sys::napi_value) -> Option<sys::napi_ref> {
    let mut reference = ptr::null_mut();
    // SAFETY: as promised; the out-pointer is valid.
    let status = unsafe { sys::napi_create_reference(env, value, 1, &mut reference) };
    (status == sys::Status::napi_ok).then_some(reference)
}
