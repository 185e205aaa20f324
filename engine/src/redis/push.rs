//! The second connection: what is told without being asked. Owns who listens to what, and the news of every gap.
//! Never lets a message through to a listener that was not told before that it may have missed some.
//!
//! A listener is deaf at first. `resumed` says that whatever is published from now on will be heard; `gap`, once for each loss, that
//! this is no longer so. What was published before `resumed`, or after the connection was in truth gone, is never made up for: who
//! has copied something has to look anew at each `resumed`.

mod session;

use super::dial::{Dial, Obstacle};
use super::thread;
use parking_lot::Mutex;
use session::Session;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Between two attempts to connect: doubled from the first to the second.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_millis(500);

/// A connection that lasted this long was a good one: the next attempt is made at once.
const GOOD: Duration = Duration::from_secs(5);

/// Who is told. Called on the thread of the connections, never under a lock, and never for long.
pub trait Listener: Send + Sync {
    /// Somebody has published this.
    fn heard(&self, message: &[u8]);

    /// From some moment in the last two seconds on, messages may have been missed.
    fn gap(&self);

    /// From now on every message is heard, until the next gap. Called after the first subscription, too.
    fn resumed(&self);
}

struct Ear {
    listener: Arc<dyn Listener>,
    /// Between `resumed` and `gap`. Only the task of the connection changes it.
    hears: AtomicBool,
}

#[derive(Default)]
struct Ears {
    by_channel: HashMap<Vec<u8>, Vec<Arc<Ear>>>,
    task: Option<AbortHandle>,
    closed: bool,
}

struct Shared {
    dial: Arc<dyn Dial>,
    is_cluster: bool,
    patience: Duration,
    ears: Mutex<Ears>,
    /// Who listens has changed, or the connection is to be another.
    news: Notify,
    redial: AtomicBool,
    trouble: Mutex<Option<Obstacle>>,
}

/// The connection for what is published. Made with the link; connected while anybody listens.
pub struct Push {
    shared: Arc<Shared>,
}

/// Somebody listens, until this is dropped. One more message may be under way to him then.
#[must_use = "who drops it hears nothing"]
pub struct Listening {
    shared: Weak<Shared>,
    channel: Vec<u8>,
    ear: Arc<Ear>,
}

impl Push {
    /// Over connections made by `dial`, each attempt given up after `patience`.
    pub(super) fn new(dial: Arc<dyn Dial>, is_cluster: bool, patience: Duration) -> Arc<Self> {
        Arc::new(Push {
            shared: Arc::new(Shared {
                dial,
                is_cluster,
                patience,
                ears: Mutex::new(Ears::default()),
                news: Notify::new(),
                redial: AtomicBool::new(false),
                trouble: Mutex::new(None),
            }),
        })
    }

    /// Listen to a channel. `listener` is deaf until its `resumed` is called.
    pub fn listen(&self, channel: Vec<u8>, listener: Arc<dyn Listener>) -> Listening {
        let ear = Arc::new(Ear { listener, hears: AtomicBool::new(false) });
        let mut ears = self.shared.ears.lock();
        ears.by_channel.entry(channel.clone()).or_default().push(ear.clone());
        if ears.task.is_none() && !ears.closed {
            // Spawning only queues the task: nothing runs under the lock.
            ears.task = thread::spawn(run(Arc::clone(&self.shared)));
        }
        drop(ears);
        self.shared.news.notify_one();
        Listening { shared: Arc::downgrade(&self.shared), channel, ear }
    }

    /// The server is another now: connect anew. Everybody is told of the gap.
    pub fn redial(&self) {
        self.shared.redial.store(true, Ordering::Release);
        self.shared.news.notify_one();
    }

    /// Why nothing is heard, or not everything; none while all is well.
    pub fn trouble(&self) -> Option<Obstacle> {
        self.shared.trouble.lock().clone()
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        let mut ears = self.shared.ears.lock();
        ears.closed = true;
        let (task, rest) = (ears.task.take(), std::mem::take(&mut ears.by_channel));
        drop(ears);
        if let Some(task) = task {
            task.abort();
        }
        drop(rest);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut ears = shared.ears.lock();
        let mut emptied = None;
        if let Some(listening) = ears.by_channel.get_mut(&self.channel) {
            listening.retain(|other| !Arc::ptr_eq(other, &self.ear));
            if listening.is_empty() {
                emptied = ears.by_channel.remove(&self.channel);
            }
        }
        drop(ears);
        drop(emptied);
        shared.news.notify_one();
    }
}

/// Connect, listen, lose the connection, tell, and again.
async fn run(shared: Arc<Shared>) {
    let mut pause = SOONEST;
    loop {
        while shared.is_idle() {
            shared.news.notified().await;
        }
        shared.redial.store(false, Ordering::Release);
        let began = Instant::now();
        // An attempt begun while nothing got through is given up early: a fresh one succeeds at once.
        let obstacle = match timeout(shared.patience / 2, shared.dial.dial()).await {
            Ok(Ok(wire)) => Session::new(wire).run(&shared).await,
            Ok(Err(obstacle)) => obstacle,
            Err(_) => Obstacle::Down("no connection in time".to_owned()),
        };
        shared.tell_gap();
        shared.troubled(Some(obstacle));
        pause = if began.elapsed() > GOOD { SOONEST } else { (pause * 2).min(LATEST) };
        sleep(pause).await;
    }
}

impl Shared {
    fn is_idle(&self) -> bool {
        self.ears.lock().by_channel.is_empty()
    }

    fn channels(&self) -> Vec<Vec<u8>> {
        self.ears.lock().by_channel.keys().cloned().collect()
    }

    fn ears_of(&self, channel: &[u8]) -> Vec<Arc<Ear>> {
        self.ears.lock().by_channel.get(channel).cloned().unwrap_or_default()
    }

    fn tell(&self, channel: &[u8], message: &[u8]) {
        for ear in self.ears_of(channel) {
            if ear.hears.load(Ordering::Relaxed) {
                ear.listener.heard(message);
            }
        }
    }

    fn tell_resumed(&self, channel: &[u8]) {
        for ear in self.ears_of(channel) {
            if !ear.hears.swap(true, Ordering::Relaxed) {
                ear.listener.resumed();
            }
        }
    }

    fn tell_gap(&self) {
        let all: Vec<Arc<Ear>> = self.ears.lock().by_channel.values().flatten().cloned().collect();
        for ear in all {
            if ear.hears.swap(false, Ordering::Relaxed) {
                ear.listener.gap();
            }
        }
    }

    fn troubled(&self, trouble: Option<Obstacle>) {
        let old = std::mem::replace(&mut *self.trouble.lock(), trouble);
        drop(old);
    }
}
