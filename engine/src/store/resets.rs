//! Keys that were reset, and when: what was spent before is forgotten already, so it gives nothing back. Never forgets a reset that
//! could still matter.

use super::cells::Cells;
use super::fingerprint::Fingerprint;
use crate::policy::{Step, Ticks};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The resets of one limit.
pub struct Resets {
    /// Key → when it was last reset. Made by the first reset.
    times: OnceLock<Cells>,
    max_keys: usize,
    /// Every key counts as reset at this time: when the last one was that found no room.
    all: AtomicU64,
    /// How many have begun, and how many have ended: never more.
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A reset at `at`, which matters for `span`.
struct Reset {
    at: Ticks,
    span: Ticks,
}

/// Ask when it was.
struct When;

impl Step for Reset {
    type Verdict = ();

    fn apply(&self, before: u64, _now: Ticks) -> (u64, ()) {
        (before.max(self.at), ())
    }

    fn expired(&self, at: u64, now: Ticks) -> bool {
        at.saturating_add(self.span) <= now
    }
}

impl Step for When {
    type Verdict = Ticks;

    fn apply(&self, at: u64, _now: Ticks) -> (u64, Ticks) {
        (at, at)
    }

    fn expired(&self, at: u64, _now: Ticks) -> bool {
        at == 0
    }
}

impl Resets {
    /// Room for `max_keys` resets that matter at a time.
    pub fn new(max_keys: usize) -> Self {
        Resets {
            times: OnceLock::new(),
            max_keys,
            all: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Do `reset` and remember it. It matters for `span`: no older charge gives anything back.
    pub fn during(&self, key: Fingerprint, now: Ticks, span: Ticks, reset: impl FnOnce()) {
        self.begun.fetch_add(1, Ordering::AcqRel);
        let times = self.times.get_or_init(|| Cells::exact(self.max_keys));
        // Remembered first: whoever finds the key without its cell finds the reset too.
        if times.update(key, now, || Reset { at: now, span }).is_none() {
            self.all.fetch_max(now, Ordering::AcqRel);
        }
        reset();
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a charge of the key made at `charged_at` is forgotten already.
    pub fn forgot(&self, key: Fingerprint, charged_at: Ticks, now: Ticks) -> bool {
        let all = self.all.load(Ordering::Acquire);
        let own = self.times.get().and_then(|times| times.look(key, now, || When)).unwrap_or(0);
        let last = all.max(own);
        last > 0 && charged_at <= last
    }

    /// How many have ended.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether none was running when so many had ended, and none has begun since.
    pub fn none_since(&self, ended: u64) -> bool {
        self.begun.load(Ordering::Acquire) == ended
    }

    /// Bytes it occupies.
    pub fn bytes(&self) -> usize {
        self.times.get().map_or(0, Cells::bytes)
    }
}
