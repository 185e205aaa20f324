//! Which cells of the present windows this process has seen to be in order. Owns that memory. Never grows.

use crate::store::fingerprint::Fingerprint;
use std::sync::atomic::{AtomicU64, Ordering};

/// A place for each of as many cells as are remembered; of two that share one, the later.
pub(super) struct Known {
    places: Box<[AtomicU64]>,
}

impl Known {
    /// Room for about `keys`, within bounds.
    pub(super) fn new(keys: u32) -> Self {
        let places = (keys as usize).clamp(64, 1 << 16).next_power_of_two();
        Known { places: (0..places).map(|_| AtomicU64::new(0)).collect() }
    }

    fn place(&self, key: Fingerprint) -> Option<&AtomicU64> {
        self.places.get(key.place(self.places.len()))
    }

    /// The cell, and that it is this one, in one word that is never 0.
    fn word(key: Fingerprint, window: u64) -> u64 {
        (key.low ^ window.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1
    }

    /// Whether the cell of the key in that window is in order, for all that is known.
    pub(super) fn has(&self, key: Fingerprint, window: u64) -> bool {
        self.place(key).is_some_and(|place| place.load(Ordering::Relaxed) == Known::word(key, window))
    }

    /// It is.
    pub(super) fn note(&self, key: Fingerprint, window: u64) {
        if let Some(place) = self.place(key) {
            place.store(Known::word(key, window), Ordering::Relaxed);
        }
    }

    /// It may not be.
    pub(super) fn doubt(&self, key: Fingerprint) {
        if let Some(place) = self.place(key) {
            place.store(0, Ordering::Relaxed);
        }
    }
}
