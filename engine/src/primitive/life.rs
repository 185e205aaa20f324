//! Whether a primitive is still open, and by how many. Never frees anything: an ended primitive lives on in its handles.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The part of a primitive that every kind has.
#[derive(Debug, Default)]
pub struct Life {
    ended: AtomicBool,
    opens: AtomicU64,
}

impl Life {
    /// Whether its name has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// End it, for every handle.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// One more has it open.
    pub(super) fn open(&self) {
        self.opens.fetch_add(1, Ordering::AcqRel);
    }

    /// One less has it open; whether that was the last.
    pub(super) fn release(&self) -> bool {
        self.opens.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
