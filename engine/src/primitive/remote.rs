//! Primitives whose state lives in Redis. Each joins the remote store to what it decides here when that store is gone.

pub mod books;
pub mod bulkhead;
pub mod cache;
mod ear;
pub mod holders;
pub mod keeper;
pub mod lease;
pub mod limiter;
pub mod line;
pub mod right;
pub mod rights;
pub mod sleeper;

use crate::clock::Nanos;
use crate::redis::{Push, Remote};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the primitives of one registry go through. A clone is the same.
#[derive(Clone)]
pub struct Far {
    /// The one way to Redis.
    pub remote: Arc<dyn Remote>,
    /// How many live processes were seen last. 0 is: nobody has looked.
    pub fleet: Arc<AtomicU32>,
    /// For how long whoever asks waits for the answer, connecting included.
    pub deadline: Nanos,
    /// Where messages of other processes are heard; without it nothing is heard.
    pub push: Option<Arc<Push>>,
    /// What is done at the end of each turn, before what was asked in it is sent.
    turns: Arc<Mutex<Vec<Ending>>>,
}

/// Called at the end of a turn. Whether it is of use any more.
type Ending = Arc<dyn Fn() -> bool + Send + Sync>;

impl Far {
    /// Over `remote`, where nobody else has been seen or heard yet.
    pub fn new(remote: Arc<dyn Remote>, deadline: Nanos) -> Self {
        Far { remote, fleet: Arc::default(), deadline, push: None, turns: Arc::default() }
    }

    /// The same, hearing messages.
    #[must_use]
    pub fn hearing(mut self, push: Arc<Push>) -> Self {
        self.push = Some(push);
        self
    }

    /// All that is asked in this turn of an event loop has been: send it now.
    pub fn flush(&self) {
        let ends = self.turns.lock().clone();
        for end in ends {
            if !end() {
                self.turns.lock().retain(|other| !Arc::ptr_eq(other, &end));
            }
        }
        self.remote.flush();
    }

    /// Have `end` called at the end of each turn, until it answers that it is of no use any more. It may ask, and nothing else.
    pub fn at_the_end(&self, end: impl Fn() -> bool + Send + Sync + 'static) {
        self.turns.lock().push(Arc::new(end));
    }

    /// How many processes share what is in Redis: this one at least.
    pub fn fleet(&self) -> u32 {
        self.fleet.load(Ordering::Relaxed).max(1)
    }
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Far").field("fleet", &self.fleet()).finish_non_exhaustive()
    }
}
