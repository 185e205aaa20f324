//! The second tier of a cache: Redis behind memory. Owns when what is there may be believed.
//! Never lets anybody wait past his deadline, except for another host's load, and never makes an error of an outage.
//!
//! **Mutations** happen in memory first, in Redis next, and are told to all processes by the script that does them. Until Redis has
//! acknowledged one, what it concerns is not read from Redis by this process: a key, what has a tag, or everything. What Redis did not
//! acknowledge in time is *owed*, and told again until it has. Sets and changes of version carry the time after which the server must not do them
//! any more: a connection that was given up may still hold them, and a server that was frozen would do them after what came later.
//!
//! **Reads** fetch the entry and the last *moment* of the cache's state. Moments number the mutations of many values, over all
//! hosts; every process keeps a [`replica`](Replica) of what they were, and fetches what it has missed before it judges an entry. A
//! key that changes while it is read is not taken into memory: the news of the change may have come before the value.
//!
//! **Loads** are led by one process: the script that finds no entry of use gives a lease with a token to the first who asks.
//! Whoever changes the key takes the token away, so that what was loaded before is not stored. The version and the codec are in the
//! entry and not in its key, so that a delete reaches what every version has stored: were they in the key, a rollback would bring
//! back what was deleted meanwhile.
//!
//! **Memory** is believed as long as the messages arrive without a gap. In an outage it is kept, for memory and loaders are all there
//! is; when messages arrive again, it is forgotten before anything else.
//!
//! Bounds: a failover of Redis may lose what it had acknowledged. Where that shows, because the last moment went back, everything
//! is forgotten. A lost delete of one key does not show: it lasts until the entry's end.

mod change;
mod claim;
mod counts;
mod debts;
mod fetch;
mod guard;
mod heard;
mod land;
mod message;
mod record;
mod replica;
mod reply;
mod scan;
mod scripts;
mod server_clock;
mod set;
mod spot;
mod start;
mod state;
mod sweep;
mod waits;

pub use change::{Changed, clear_unopened};
pub use claim::Claimed;
pub use counts::TierReport;
pub use fetch::{Fetched, Hit};
pub(crate) use land::Landing;
pub use scan::Batch;

use crate::clock::{MILLI, Nanos, monotonic};
use crate::primitive::cache::{Cache, CacheConfig};
use crate::primitive::remote::Far;
use crate::redis::name::{Home, slot_of};
use crate::redis::{Again, Ask, Push, Remote, Request, Trouble, Value, thread};
use crate::store::fingerprint::{Fingerprint, random_word};
use counts::Counts;
use debts::Debts;
use guard::Guard;
use land::Leaseholds;
use parking_lot::Mutex;
use replica::Replica;
use server_clock::ServerClock;
use spot::Spot;
use start::Start;
use state::{Asking, Catching, Standing};
use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use waits::Waits;
use xxhash_rust::xxh3::xxh3_64;

/// The second tier of one cache in this process.
pub struct Tier {
    cache: OnceLock<Weak<Cache>>,
    remote: Arc<dyn Remote>,
    push: Option<Arc<Push>>,
    home: Home,
    channel: Vec<u8>,
    /// Where the state lies.
    state: Vec<u8>,
    deadline: Nanos,
    /// How long a load may take, in ms.
    lease_ms: u64,
    stale: Nanos,
    grace: Nanos,
    codec: String,
    /// The version the cache was opened with: who was opened with the same follows the same changes of it.
    lineage: Vec<u8>,
    /// What an entry says that is of the present version and codec.
    make: AtomicU64,
    /// This process, as others know it.
    process: u64,
    /// The number of the last entry or token.
    last_id: AtomicU64,
    clock: ServerClock,
    replica: Replica,
    standing: Standing,
    start: Start,
    catching: Mutex<Catching>,
    asking: Asking,
    guard: Guard,
    debts: Debts,
    leaseholds: Leaseholds,
    waits: Waits,
    counts: Counts,
    /// Ends the subscription when it is dropped.
    listening: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Tier {
    /// Of a cache that is made of `config`. It is deaf, and so not believed, until messages arrive: see [`Listener::resumed`].
    pub fn new(config: &CacheConfig, home: Home, far: &Far) -> Arc<Self> {
        let lineage = config.version.clone().unwrap_or_default();
        let tier = Tier {
            cache: OnceLock::new(),
            remote: far.remote.clone(),
            push: far.push.clone(),
            channel: channel_of(&home),
            state: state_of(&home),
            home,
            deadline: far.deadline,
            lease_ms: (config.load_timeout_ms.ceil() as u64).max(1),
            stale: nanos(config.stale_ms),
            grace: nanos(config.grace_ms),
            codec: config.codec.clone(),
            make: AtomicU64::new(make_of(&lineage, &config.codec)),
            lineage: lineage.into_bytes(),
            process: random_word(),
            last_id: AtomicU64::new(random_word()),
            clock: ServerClock::default(),
            replica: Replica::default(),
            standing: Standing::default(),
            start: Start::default(),
            catching: Mutex::default(),
            asking: Asking::default(),
            guard: Guard::default(),
            debts: Debts::default(),
            leaseholds: Leaseholds::default(),
            waits: Waits::default(),
            counts: Counts::default(),
            listening: Mutex::default(),
        };
        let tier = Arc::new(tier);
        let ended = Arc::downgrade(&tier);
        far.at_the_end(move || ended.upgrade().is_some_and(|tier| tier.end_turn()));
        tier
    }

    /// All that is asked in this turn has been: send it now.
    pub fn flush(self: &Arc<Self>) {
        self.end_turn();
        self.remote.flush();
    }

    /// The memory in front of it. From now on it listens, where that is possible.
    pub(crate) fn bind(self: &Arc<Self>, cache: &Arc<Cache>) {
        if self.cache.set(Arc::downgrade(cache)).is_ok()
            && let Some(push) = &self.push
        {
            self.listen(Box::new(push.listen(self.channel.clone(), Arc::new(self.clone()))));
        }
    }

    /// On which channel the processes tell each other what has changed.
    pub fn channel(&self) -> &[u8] {
        &self.channel
    }

    /// What ends the subscription when it is dropped.
    pub fn listen(&self, listening: Box<dyn Any + Send>) {
        let before = self.listening.lock().replace(listening);
        drop(before);
    }

    /// The cache has ended: nobody waits any more.
    pub(crate) fn end(self: &Arc<Self>) {
        let listening = self.listening.lock().take();
        drop(listening);
        self.missed();
    }

    /// Its counters.
    pub fn report(&self) -> TierReport {
        {
            let owed = self.debts.len();
            self.counts.report(self.standing.is_heard(), self.is_believed() && owed == 0, owed)
        }
    }

    /// Whether Redis is believed now, as far as it is known without asking.
    pub fn is_believed(&self) -> bool {
        self.standing.is_synced() && self.remote.is_up()
    }

    /// The last moment of the state that is known here, with all before it.
    pub fn moment(&self) -> u64 {
        self.replica.moment()
    }

    /// Whether there may be something to learn of a key.
    pub fn is_worth_asking(&self, key: Fingerprint) -> bool {
        (self.is_believed() || self.is_starting()) && !self.guard.is_pending(key)
    }

    fn cache(&self) -> Option<Arc<Cache>> {
        self.cache.get()?.upgrade()
    }

    fn spot(&self, units: &[u16]) -> Arc<Spot> {
        Arc::new(Spot::new(&self.home, units))
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed)
    }

    /// For how long Redis keeps an entry, in ms: as long as anybody may serve it.
    fn kept_ms(&self, ttl: Nanos, negative: bool) -> u64 {
        let after = if negative { 0 } else { self.stale.saturating_add(self.grace) };
        ttl.saturating_add(after).div_ceil(MILLI).max(1)
    }

    /// Ask for something that has keys of one slot, and take the answer, or what was in its way, in `then`.
    fn ask(
        self: &Arc<Self>,
        request: Request,
        slot: impl FnOnce() -> Option<u16>,
        again: Again,
        deadline: Nanos,
        then: impl FnOnce(&Arc<Self>, Result<Value, Trouble>) + Send + 'static,
    ) {
        let slot = if self.remote.is_cluster() { slot() } else { None };
        let tier = self.clone();
        let done = Box::new(move |answer: Result<Value, Trouble>| {
            if answer.is_err() {
                tier.counts.errors.add();
            }
            then(&tier, answer);
        });
        if let Err((trouble, done)) = self.remote.ask(Ask { request, slot, again, deadline }, done) {
            done(Err(trouble));
        }
    }

    /// [`Tier::ask`] about the state.
    fn ask_state(
        self: &Arc<Self>,
        request: Request,
        again: Again,
        deadline: Nanos,
        then: impl FnOnce(&Arc<Self>, Result<Value, Trouble>) + Send + 'static,
    ) {
        let state = self.clone();
        self.ask(request, move || Some(slot_of(&state.state)), again, deadline, then);
    }

    /// Do something later, on the thread of the connections. Never, where the system gives no thread: then there are no connections either.
    fn later(self: &Arc<Self>, after: Nanos, act: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let tier = Arc::downgrade(self);
        thread::spawn(async move {
            tokio::time::sleep(Duration::from_nanos(after)).await;
            if let Some(tier) = tier.upgrade() {
                act(&tier);
                tier.flush();
            }
        });
    }
}

fn channel_of(home: &Home) -> Vec<u8> {
    let mut channel = home.as_str().as_bytes().to_vec();
    channel.push(b'!');
    channel
}

/// No key is empty, so no entry lies there.
fn state_of(home: &Home) -> Vec<u8> {
    home.readable(b"", "")
}

fn make_of(version: &str, codec: &str) -> u64 {
    xxh3_64(&[version.as_bytes(), &[0], codec.as_bytes()].concat())
}

fn nanos(span_ms: f64) -> Nanos {
    (span_ms.max(0.0) * MILLI as f64) as Nanos
}

/// Now, on the thread of the connections, which has no caller to tell it.
fn now() -> Nanos {
    monotonic()
}
