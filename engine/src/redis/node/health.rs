//! The breaker before one server. Owns whether it is worth asking. Never asks: probes are the node's.
//!
//! It opens by rates, as every breaker of ours does, and at once where the server cannot be reached. Calls are never its probes: who
//! asks while it is open is answered in no time, and a PING of the node's own closes it.

use crate::clock::{MILLI, Nanos};
use crate::policy::breaker::{Threshold, trips};
use crate::policy::rolling::{Rolling, Sums};
use parking_lot::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

const WINDOW: Nanos = 1000 * MILLI;

/// Ten calls of which half have failed, or most of them were slow; or five failures in a row.
const THRESHOLD: Threshold = Threshold { min_calls: 10, failure_rate: 0.5, slow_rate: Some(0.8), consecutive: Some(5) };

/// Where calls have failed, a probe that succeeds is believed after so long, and twice that each time it was believed too early.
const FIRST_HOLD: Nanos = 50 * MILLI;
const LAST_HOLD: Nanos = 800 * MILLI;
/// Closed for so long, it has recovered.
const RECOVERED: Nanos = 2000 * MILLI;

struct Book {
    window: Rolling,
    in_a_row: u32,
    /// Probes are not believed before.
    held_until: Nanos,
    closed_at: Nanos,
    hold: Nanos,
    opened: u64,
    why: Option<String>,
}

/// Whether one server is worth asking.
pub(super) struct Health {
    open: AtomicBool,
    book: Mutex<Book>,
}

/// How some calls ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tidings {
    pub(super) ok: u64,
    pub(super) slow: u64,
    pub(super) failed: u64,
}

impl Health {
    pub(super) fn new() -> Self {
        let book = Book {
            window: Rolling::new(WINDOW),
            in_a_row: 0,
            held_until: 0,
            closed_at: 0,
            hold: FIRST_HOLD,
            opened: 0,
            why: None,
        };
        Health { open: AtomicBool::new(false), book: Mutex::new(book) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// Count how calls ended. Whether it has opened by that.
    pub(super) fn count(&self, tidings: Tidings, now: Nanos, why: impl FnOnce() -> String) -> bool {
        let Tidings { ok, slow, failed } = tidings;
        let mut book = self.book.lock();
        if ok > 0 || slow > 0 {
            book.in_a_row = 0;
        }
        book.in_a_row = book.in_a_row.saturating_add(failed as u32);
        book.window.add(now, Sums { calls: ok + slow + failed, failures: failed, slow });
        if (failed == 0 && slow == 0) || !trips(&THRESHOLD, book.window.sums(now), book.in_a_row) {
            return false;
        }
        let again = book.opened > 0 && now.saturating_sub(book.closed_at) < RECOVERED;
        if !self.is_open() {
            book.hold = if again { (book.hold * 2).min(LAST_HOLD) } else { FIRST_HOLD };
            book.held_until = now + book.hold;
        }
        self.open_locked(&mut book, why())
    }

    /// It cannot be reached. Whether it was closed until now.
    pub(super) fn cut(&self, why: String) -> bool {
        self.open_locked(&mut self.book.lock(), why)
    }

    fn open_locked(&self, book: &mut Book, why: String) -> bool {
        book.why = Some(why);
        let opens = !self.open.swap(true, Relaxed);
        book.opened += u64::from(opens);
        opens
    }

    /// A probe has come back in time. Whether it has closed by that.
    pub(super) fn probed(&self, now: Nanos) -> bool {
        let mut book = self.book.lock();
        if now < book.held_until || !self.open.swap(false, Relaxed) {
            return false;
        }
        book.window.clear();
        book.in_a_row = 0;
        book.closed_at = now;
        book.why = None;
        true
    }

    /// How often it has opened, and why it is open.
    pub(super) fn told(&self) -> (u64, Option<String>) {
        let book = self.book.lock();
        (book.opened, book.why.clone())
    }
}
