//! The cache: encoded bytes, flights and the numbers that keep decoded copies honest. Owns the order of what happens to all of it.
//! Never decodes a value and never runs a loader.
//!
//! Mutate, then bump, then return: whoever has seen a mutator return finds every older copy invalid. What changes one key bumps
//! the slot of the key, what changes many the slot of the cache.

mod beneath;
mod config;
mod handle;
mod loads;

pub(crate) use beneath::Copied;
pub use config::{CacheConfig, CacheReport};
pub use handle::{CacheHandle, Encoded, UpTo};
pub use loads::Miss;

use super::life::Life;
use super::remote::cache::Tier;
use super::tally::Tally;
use crate::clock::{Clock, MILLI, Moment, Nanos};
use crate::error::{Code, Fault};
use crate::policy::freshness::{Windows, jittered};
use crate::store::bytes::{ByteStore, Shape};
use crate::store::dump::Passport;
use crate::store::entry::Draft;
use crate::store::fingerprint::{Fingerprint, Key};
use crate::store::flights::{Flights, Lead, Moments};
use crate::store::generations::{EPOCH_SLOTS, Generations, slot_of};
use crate::store::ledger::{Held, Token};
use crate::store::tags::{Force, TagHash};
use crate::store::waiters::Place;
use config::COUNTERS;
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One cache, shared by all threads.
pub struct Cache {
    config: CacheConfig,
    bytes: ByteStore,
    flights: Flights,
    generations: Arc<dyn Generations>,
    epoch_slot: u32,
    /// Held while what was stored under another version is forgotten: who asks for the version meanwhile must find that done.
    version: Mutex<Option<String>>,
    tally: Tally<COUNTERS>,
    life: Life,
    /// What lies behind memory, if anything does.
    tier: Option<Arc<Tier>>,
}

impl Moments for ByteStore {
    fn last(&self) -> u64 {
        self.moment()
    }

    fn last_invalidation(&self) -> u64 {
        self.last_invalidation()
    }
}

impl Cache {
    /// An empty cache that keeps the copies of `generations` honest.
    pub fn new(config: CacheConfig, generations: Arc<dyn Generations>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Cache {
            bytes: ByteStore::new(Shape {
                max_bytes: config.max_bytes as u64,
                max_value_bytes: config.max_value_bytes as u64,
                windows: Windows::new(nanos(config.stale_ms), nanos(config.grace_ms)),
            }),
            flights: Flights::new(nanos(config.load_timeout_ms)),
            generations,
            epoch_slot: NEXT.fetch_add(1, Ordering::Relaxed) % EPOCH_SLOTS,
            version: Mutex::new(config.version.clone()),
            tally: Tally::default(),
            life: Life::default(),
            tier: None,
            config,
        }
    }

    /// An empty cache in front of `tier`, which was made for the same configuration.
    pub fn before(config: CacheConfig, generations: Arc<dyn Generations>, tier: Arc<Tier>) -> Self {
        let mut cache = Cache::new(config, generations);
        cache.tier = Some(tier);
        cache
    }

    /// What lies behind it.
    pub fn tier(&self) -> Option<&Arc<Tier>> {
        self.tier.as_ref()
    }

    /// What it is made of.
    pub fn config(&self) -> &CacheConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// End it, for every handle and every decoded copy.
    pub fn end(&self) {
        self.life.end();
        self.bump_all();
        if let Some(tier) = &self.tier {
            tier.end();
        }
    }

    /// The slot whose number rises when more than one key changes.
    pub fn epoch_slot(&self) -> u32 {
        self.epoch_slot
    }

    /// State and counters.
    pub fn report(&self) -> CacheReport {
        let estimates = |hit_ratio| self.bytes.estimates(hit_ratio);
        let redis = self.tier.as_ref().map(|tier| tier.report());
        CacheReport::new(&self.config, self.version(), self.tally.sums(), self.bytes.accounts(), estimates, redis)
    }

    /// The moment of the last mutation: see [`CacheHandle::set_since`].
    pub fn moment(&self) -> u64 {
        self.bytes.moment()
    }

    /// Forget everything, in constant time.
    pub fn clear(&self) {
        self.bytes.clear();
        self.flights.detach_before(self.bytes.moment());
        self.bump_all();
    }

    /// Under which version values are stored.
    pub fn version(&self) -> Option<String> {
        self.version.lock().clone()
    }

    /// Store under another version from now on, and forget what was stored under the one before. Whether it is another.
    pub fn set_version(&self, version: &str) -> bool {
        let mut current = self.version.lock();
        if current.as_deref() == Some(version) {
            return false;
        }
        *current = Some(version.to_owned());
        self.clear();
        true
    }

    /// Nothing that has one of `tags` is served any more, or only in grace.
    ///
    /// A flight is not detached, since its tags are known only when it lands.
    pub fn invalidate(&self, tags: &[TagHash], force: Force, now: Moment) {
        self.bytes.invalidate(tags, force, now.mono, now.wall / MILLI);
        self.bump_all();
    }

    /// Take out every value whose key begins with `prefix`. Looks at every key there is. Answers how many there were.
    pub fn delete_prefix(&self, prefix: &[u16], now: Nanos) -> u64 {
        // First, so that what has landed before is taken out and what lands afterwards is not stored.
        self.flights.detach_prefix(prefix);
        let removed = self.bytes.remove_prefix(prefix, now);
        self.bump_all();
        removed
    }

    /// Write what is stored into a file, under the name of the cache. Answers how many values it holds.
    pub fn dump(&self, path: &Path, name: &str, now: Moment) -> Result<u64, Fault> {
        self.with_passport(name, |passport| self.bytes.dump(path, passport, now.mono, now.wall))
    }

    /// Take over what a file holds and is not here. Answers how many values that were.
    pub fn restore(&self, path: &Path, name: &str, now: Moment) -> Result<u64, Fault> {
        let restored = self.with_passport(name, |passport| match self.tier {
            None => self.bytes.restore(path, passport, now.mono, now.wall),
            Some(_) => self.bytes.restore_for_grace(path, passport, now.mono, now.wall),
        });
        self.bump_all();
        restored
    }

    fn with_passport<R>(&self, name: &str, act: impl FnOnce(&Passport<'_>) -> R) -> R {
        let version = self.version();
        act(&Passport { name, version: version.as_deref(), codec: &self.config.codec })
    }

    /// Unless somebody in this process goes on, the load is for others to begin.
    fn let_others_load(&self, lead: Lead, goes_on: bool) {
        if let Some(tier) = &self.tier
            && !goes_on
        {
            tier.give_up(lead.flight);
        }
    }

    fn bump(&self, key: Fingerprint) {
        self.generations.bump(slot_of(key));
    }

    fn bump_all(&self) {
        self.generations.bump(self.epoch_slot);
    }

    /// How long a value is fresh: the same share of jitter for all of a key's life, another for every key and process.
    fn ttl(&self, key: Fingerprint, encoded: &Encoded<'_>) -> Nanos {
        let CacheConfig { ttl_ms, negative_ttl_ms, jitter, .. } = self.config;
        let usual_ms = if encoded.is_nothing() { negative_ttl_ms } else { ttl_ms };
        jittered(nanos(encoded.ttl_ms.unwrap_or(usual_ms)), jitter, key.high)
    }

    fn draft<'a>(&self, key: Key<'a>, encoded: &'a Encoded<'a>) -> Draft<'a> {
        Draft {
            key: key.fingerprint,
            name: key.units,
            kind: encoded.kind,
            value: &encoded.value,
            tags: &encoded.tags,
            ttl: self.ttl(key.fingerprint, encoded),
        }
    }

    fn check_size(&self, draft: &Draft<'_>) -> Result<(), Fault> {
        let (size, most) = (draft.value.len(), self.config.max_value_bytes);
        if size as f64 <= most && self.bytes.fits(draft) {
            return Ok(());
        }
        let why = if size as f64 > most {
            format!("the encoded value has {size} bytes and `maxValueBytes` is {most}; raise it, or cache less")
        } else {
            let whole = size + 2 * draft.name.len();
            format!("the key and the encoded value have {whole} bytes together; use shorter keys, or raise `maxBytes`")
        };
        Err(Fault::new(Code::ValueTooLarge, why))
    }
}

/// A lead, or a place in a flight.
impl Held for Cache {
    fn give_back(&self, token: Token, now: Clock<'_>) {
        let lead = Lead::from(token);
        let goes_on = self.flights.hand_over(lead, &self.bytes, now());
        self.let_others_load(lead, goes_on);
    }

    fn leave(&self, (flight, place): Token, _now: Clock<'_>) -> bool {
        self.flights.leave(flight, Place::from_word(place))
    }
}

/// Who has it open in this process has let go: nobody is to be told of what happens to it any more.
impl Drop for Cache {
    fn drop(&mut self) {
        if let Some(tier) = &self.tier {
            tier.end();
        }
    }
}

fn nanos(span_ms: f64) -> Nanos {
    (span_ms.max(0.0) * MILLI as f64) as Nanos
}
