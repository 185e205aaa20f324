//! The atomics the kernels are written with; under `--cfg loom` or `--cfg shuttle` those of the model checker.
//! Never holds anything else: locks are parking_lot's, and no kernel that is checked takes one.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(all(shuttle, not(loom)))]
pub(crate) use shuttle::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
