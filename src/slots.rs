//! The arrays of generation numbers of all environments. Owns when they may be written. Never writes one after its environment
//! has ended: the memory belongs to it.

use parking_lot::RwLock;
use spillway_engine::store::generations::{Generations, SLOTS};
use std::sync::atomic::{AtomicI32, Ordering};

/// One environment's array, as JavaScript sees it through a shared `Int32Array`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotArray(*const AtomicI32);

// SAFETY: the numbers are atomics, and an array is in `ARRAYS` only while its memory is alive.
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
        // SAFETY: the array has SLOTS words and is alive: see `register`, and callers are either its own environment or hold the
        // lock of ARRAYS. The remainder keeps any slot inside.
        unsafe { &*self.0.add((slot % SLOTS) as usize) }
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
