//! What time it is in Redis. Owns the guess between two of its answers. Never guesses too early: what it says has come, has come.

use crate::clock::{MILLI, Nanos};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// So long a better answer outweighs a newer one.
const TRUSTED: Nanos = 1_000_000_000;

/// How far the server's clock is ahead of ours, at most.
#[derive(Default)]
pub(super) struct ServerClock {
    /// Server's nanoseconds minus ours.
    ahead: AtomicI64,
    /// When that was found. 0: never.
    since: AtomicU64,
}

impl ServerClock {
    /// An answer to what was asked at `asked` says that it was `ms` there when it was given.
    pub(super) fn learn(&self, asked: Nanos, ms: u64, now: Nanos) {
        // Its millisecond may be nearly over, and the answer may have been given as soon as we had asked.
        let ahead = ((ms + 1).saturating_mul(MILLI) as i64).saturating_sub_unsigned(asked);
        let (known, since) = (self.ahead.load(Ordering::Relaxed), self.since.load(Ordering::Acquire));
        if since == 0 || ahead < known || now.saturating_sub(since) > TRUSTED {
            self.ahead.store(ahead, Ordering::Relaxed);
            self.since.store(now.max(1), Ordering::Release);
        }
    }

    /// Whether the server has ever said.
    pub(super) fn is_known(&self) -> bool {
        self.since.load(Ordering::Acquire) > 0
    }

    /// Whether it has to be asked again.
    pub(super) fn is_old(&self, now: Nanos) -> bool {
        let since = self.since.load(Ordering::Acquire);
        since == 0 || now.saturating_sub(since) > TRUSTED
    }

    /// Now, in the server's nanoseconds; or a little later.
    pub(super) fn at(&self, now: Nanos) -> Nanos {
        now.saturating_add_signed(self.ahead.load(Ordering::Relaxed))
    }

    /// A millisecond of the server's on our clock; or a little earlier.
    pub(super) fn here(&self, ms: u64) -> Nanos {
        ms.saturating_mul(MILLI).saturating_add_signed(self.ahead.load(Ordering::Relaxed).saturating_neg())
    }
}
