//! The arrays of generation numbers of all environments. Owns when they may be written. Never writes one after its environment
//! has ended: the memory belongs to it.

use parking_lot::{Mutex, RwLock};
use spillway_engine::primitive::circuit::OkCounter;
use spillway_engine::store::generations::{COUNTER_SLOTS, FIRST_COUNTER, Generations, SLOTS};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

/// One environment's array, as JavaScript sees it through a shared `Int32Array`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotArray(*const AtomicI32);

// SAFETY: the numbers are atomics, and an array is in `ARRAYS`, or in a `Counter`, only while its memory is alive.
unsafe impl Send for SlotArray {}
// SAFETY: as above.
unsafe impl Sync for SlotArray {}

static ARRAYS: RwLock<Vec<SlotArray>> = RwLock::new(Vec::new());

impl SlotArray {
    /// # Safety
    /// `base` is the start of [`SLOTS`] aligned 32-bit words that outlive the registration.
    pub(crate) unsafe fn register(base: *mut i32) -> Self {
        let array = SlotArray(base.cast());
        ARRAYS.write().push(array);
        array
    }

    /// When it returns, nobody writes the array any more.
    pub(crate) fn unregister(self) {
        ARRAYS.write().retain(|array| *array != self);
    }

    /// The number of `slot`, as this environment's JavaScript would read it.
    pub(crate) fn read(self, slot: u32) -> i32 {
        self.word(slot).load(Ordering::Acquire)
    }

    fn word(&self, slot: u32) -> &AtomicI32 {
        // SAFETY: the array has SLOTS words and is alive: see `register`, and callers are either its own environment, or hold the
        // lock of ARRAYS, or read a `Counter`, which goes before the array does. The remainder keeps any slot inside.
        unsafe { &*self.0.add((slot % SLOTS) as usize) }
    }
}

/// The numbers of one environment in which its JavaScript counts for itself.
pub(crate) struct Counters {
    array: SlotArray,
    free: Arc<Mutex<Vec<u32>>>,
}

impl Counters {
    pub(crate) fn new(array: SlotArray) -> Self {
        let slots = FIRST_COUNTER..FIRST_COUNTER + COUNTER_SLOTS;
        Counters { array, free: Arc::new(Mutex::new(slots.rev().collect())) }
    }

    /// One that nobody has, if there is any.
    pub(crate) fn take(&self) -> Option<Counter> {
        let slot = self.free.lock().pop()?;
        Some(Counter { array: self.array, slot, free: self.free.clone() })
    }
}

/// One of them, read by any thread. It belongs to a handle of the environment, so it goes before the array does.
pub(crate) struct Counter {
    array: SlotArray,
    pub(crate) slot: u32,
    free: Arc<Mutex<Vec<u32>>>,
}

impl OkCounter for Counter {
    fn count(&self) -> u32 {
        self.array.read(self.slot).cast_unsigned()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.free.lock().push(self.slot);
    }
}

/// Every environment's copies.
pub(crate) struct AllCopies;

impl Generations for AllCopies {
    fn bump(&self, slot: u32) {
        for array in ARRAYS.read().iter() {
            array.word(slot).fetch_add(1, Ordering::AcqRel);
        }
    }

    fn show(&self, slot: u32, number: i32) {
        for array in ARRAYS.read().iter() {
            array.word(slot).store(number, Ordering::Release);
        }
    }
}
