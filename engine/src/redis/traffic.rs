//! What the nodes of one link have in common. Owns the caps on what is on its way, and whether the tick runs. Never sends.

use super::node::Pending;
use super::readiness::Readiness;
use super::routes::Routes;
use crate::clock::{MILLI, Nanos, monotonic};
use parking_lot::Mutex;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::Notify;

/// Bytes of requests on their way at most; a single one may be larger.
const MOST_BYTES: usize = 16 << 20;

/// What a link is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who asks is answered within this.
    pub deadline: Nanos,
    /// A connection has to come about, sign-on included, within this.
    pub connect_timeout: Nanos,
    /// Requests on their way at most.
    pub max_in_flight: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { deadline: 50_000_000, connect_timeout: 2_000_000_000, max_in_flight: 10_000 }
    }
}

/// What the nodes of one link share.
pub struct Traffic {
    pub(super) settings: Settings,
    pub(super) merges: AtomicBool,
    pub(super) routes: OnceLock<Weak<dyn Routes>>,
    pub(super) readiness: Readiness,
    /// Asked again with the next tick: refused by one server, and not known whose they are.
    pub(super) parked: Mutex<Vec<Pending>>,
    in_flight: AtomicUsize,
    bytes: AtomicUsize,
    /// Nodes worth asking.
    up: AtomicUsize,
    /// Answers and ends, so that the tick sees whether anything goes on.
    settled: AtomicU64,
    full: AtomicU64,
    /// Whether the tick runs. Sequentially consistent together with `in_flight`: either who asks sees that it sleeps, or it sees
    /// what was asked.
    pub(super) awake: AtomicBool,
    pub(super) wake: Notify,
    /// When the tick ran last.
    pub(super) beat: AtomicU64,
    /// The link is closed.
    pub(super) closed: AtomicBool,
}

/// A tick that comes so late has been kept from running, and with it everything on its thread.
pub(super) const STALLED: Nanos = 20 * MILLI;

impl Traffic {
    pub(super) fn new(settings: Settings) -> Self {
        Traffic {
            settings,
            merges: AtomicBool::new(false),
            routes: OnceLock::new(),
            readiness: Readiness::default(),
            parked: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            up: AtomicUsize::new(0),
            settled: AtomicU64::new(0),
            full: AtomicU64::new(0),
            awake: AtomicBool::new(true),
            wake: Notify::new(),
            beat: AtomicU64::new(monotonic()),
            closed: AtomicBool::new(false),
        }
    }

    /// What the link was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Room for one more request of so many bytes, until the ticket is dropped; none when as much as may be is on its way.
    pub(super) fn admit(self: &Arc<Self>, bytes: usize) -> Option<Ticket> {
        let count = self.in_flight.fetch_add(1, SeqCst);
        let others = self.bytes.fetch_add(bytes, AcqRel);
        let ticket = Ticket { traffic: self.clone(), bytes };
        if count >= self.settings.max_in_flight || (others > 0 && others + bytes > MOST_BYTES) {
            self.full.fetch_add(1, Relaxed);
            return None;
        }
        if !self.awake.load(SeqCst) {
            self.wake.notify_one();
        }
        Some(ticket)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(SeqCst)
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled.load(Relaxed)
    }

    pub(super) fn refused_as_full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    /// Whether this process was kept from running until now: what took long then is not the server's doing.
    pub(super) fn was_stalled(&self, now: Nanos) -> bool {
        self.awake.load(Relaxed) && now.saturating_sub(self.beat.load(Relaxed)) > STALLED
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Relaxed) > 0
    }

    pub(super) fn one_up(&self) {
        self.up.fetch_add(1, Relaxed);
    }

    pub(super) fn one_down(&self) {
        self.up.fetch_sub(1, Relaxed);
        // The tick probes; it may be asleep.
        self.wake.notify_one();
    }

    pub(super) fn routes(&self) -> Option<Arc<dyn Routes>> {
        self.routes.get()?.upgrade()
    }
}

/// One request on its way.
pub(super) struct Ticket {
    traffic: Arc<Traffic>,
    bytes: usize,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.traffic.bytes.fetch_sub(self.bytes, AcqRel);
        self.traffic.in_flight.fetch_sub(1, SeqCst);
        self.traffic.settled.fetch_add(1, Relaxed);
    }
}
