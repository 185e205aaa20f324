//! Who has to look again later, and when: one sleeper for all, on the thread of the connections. Owns the order of what is due.
//! Never keeps anybody alive who has something to do, and never holds its lock while he does it.

use crate::clock::{Nanos, monotonic};
use crate::redis::thread;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Somebody who has to look at something at a time.
pub trait Chore: Send + Sync {
    /// The time has come, or will in a moment.
    fn due(&self, now: Nanos);
}

/// The time, and to be called when it has come.
pub trait Timepiece: Send + Sync {
    /// On the monotonic clock.
    fn now(&self) -> Nanos;
    /// Call `chore` then, once.
    fn wake_at(&self, when: Nanos, chore: Weak<dyn Chore>);
}

struct Call {
    when: Nanos,
    chore: Weak<dyn Chore>,
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}

impl Eq for Call {}

impl PartialOrd for Call {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Call {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.when.cmp(&other.when)
    }
}

/// See the top of this file.
pub struct Sleeper {
    calls: Mutex<BinaryHeap<Reverse<Call>>>,
    earlier: Notify,
}

impl Sleeper {
    /// The one of this process. Asleep for ever where nothing is due.
    pub fn shared() -> Arc<dyn Timepiece> {
        static SHARED: LazyLock<Arc<Sleeper>> = LazyLock::new(|| {
            let sleeper = Arc::new(Sleeper { calls: Mutex::default(), earlier: Notify::new() });
            drop(thread::spawn(sleeper.clone().sleep()));
            sleeper
        });
        SHARED.clone()
    }

    async fn sleep(self: Arc<Self>) {
        loop {
            let next = self.calls.lock().peek().map(|Reverse(call)| call.when);
            let now = monotonic();
            match next {
                None => self.earlier.notified().await,
                Some(when) if when > now => {
                    // Asked for a span and not until a moment: the runtime's clock need not be this one.
                    let span = Duration::from_nanos(when - now);
                    let _ = tokio::time::timeout(span, self.earlier.notified()).await;
                }
                Some(_) => self.call(now),
            }
        }
    }

    fn call(&self, now: Nanos) {
        let call = self.calls.lock().pop();
        let Some(Reverse(Call { chore, .. })) = call else { return };
        if let Some(chore) = chore.upgrade() {
            chore.due(now);
        }
    }
}

impl Timepiece for Sleeper {
    fn now(&self) -> Nanos {
        monotonic()
    }

    fn wake_at(&self, when: Nanos, chore: Weak<dyn Chore>) {
        let first = {
            let mut calls = self.calls.lock();
            let first = calls.peek().is_none_or(|Reverse(call)| when < call.when);
            calls.push(Reverse(Call { when, chore }));
            first
        };
        if first {
            self.earlier.notify_one();
        }
    }
}
