//! What is asked before Redis was heard for the first time. Owns that it waits for that, though not past the deadline: what begins with
//! the process finds what others have loaded. Never holds anybody up later on.

use super::Tier;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Asking = Box<dyn FnOnce(&Arc<Tier>) + Send>;

#[derive(Default)]
pub(super) struct Start {
    over: AtomicBool,
    waiting: Mutex<Vec<Asking>>,
}

impl Tier {
    /// Whether Redis may be heard for the first time any moment.
    pub(super) fn is_starting(&self) -> bool {
        !self.start.over.load(Ordering::SeqCst) && self.push.is_some() && self.remote.is_up()
    }

    /// Do it when Redis is heard, or when nobody can wait for that any longer; at once, if that is over.
    pub(super) fn when_started(self: &Arc<Self>, ask: impl FnOnce(&Arc<Self>) + Send + 'static) {
        if !self.is_starting() {
            return ask(self);
        }
        let mut waiting = self.start.waiting.lock();
        waiting.push(Box::new(ask));
        let first = waiting.len() == 1;
        drop(waiting);
        // It may have been over since it was looked at.
        if self.start.over.load(Ordering::SeqCst) {
            self.started();
        } else if first {
            self.later(self.deadline, Tier::started);
        }
    }

    /// Redis is heard, or it has taken too long.
    pub(super) fn started(self: &Arc<Self>) {
        self.start.over.store(true, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.start.waiting.lock());
        for ask in waiting {
            ask(self);
        }
    }
}
