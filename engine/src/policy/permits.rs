//! The count of a bulkhead's permits. Owns who may go, wait or must leave. Never locks and knows no waiter by name.

/// Permits out and their bound.
#[derive(Clone, Copy, Debug)]
pub struct Permits {
    limit: u32,
    /// Invariant: at most `limit`, and equal to it whenever somebody waits.
    in_use: u32,
    queue: u32,
}

/// What somebody who asks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Go: a permit was taken.
    Go,
    /// Wait at the end of the queue.
    Wait,
    /// Neither a permit nor a place.
    Full,
}

impl Permits {
    /// `limit` permits and `queue` places to wait.
    pub fn new(limit: u32, queue: u32) -> Self {
        Permits { limit, in_use: 0, queue }
    }

    /// Permits out.
    pub fn in_use(&self) -> u32 {
        self.in_use
    }

    /// Ask for a permit while `waiting` others wait. Nobody overtakes them.
    pub fn ask(&mut self, waiting: usize, willing_to_wait: bool) -> Ask {
        if waiting == 0 && self.in_use < self.limit {
            self.in_use += 1;
            Ask::Go
        } else if willing_to_wait && (waiting as u64) < u64::from(self.queue) {
            Ask::Wait
        } else {
            Ask::Full
        }
    }

    /// A permit came back and nobody took it over.
    pub fn free(&mut self) {
        debug_assert!(self.in_use > 0, "a permit came back that was never out");
        self.in_use = self.in_use.saturating_sub(1);
    }
}
