//! The atomics and the lock the kernels are written with; under `--cfg loom` or `--cfg shuttle` those of the model checker.
//! Never holds anything else: locks that no model looks at are parking_lot's.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use parking_lot::Mutex;
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(any(loom, shuttle))]
pub(crate) use checked::Mutex;

#[cfg(any(loom, shuttle))]
mod checked {
    #[cfg(loom)]
    use loom::sync as checker;
    #[cfg(all(shuttle, not(loom)))]
    use shuttle::sync as checker;

    /// The checker's lock with the face of parking_lot's.
    pub(crate) struct Mutex<T>(checker::Mutex<T>);

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Mutex(checker::Mutex::new(T::default()))
        }
    }

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> checker::MutexGuard<'_, T> {
            self.0.lock().expect("no model panics with a lock held")
        }
    }
}
