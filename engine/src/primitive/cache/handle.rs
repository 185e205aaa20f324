//! One thread's way to a cache: looks and changes. Owns what is counted of them. Never loads: that is `loads.rs`.

use super::Cache;
use super::config::{COUNTERS, DELETES, GRACED, HITS, MISSES, SETS, STALE};
use crate::clock::Nanos;
use crate::error::Fault;
use crate::policy::freshness::State;
use crate::primitive::tally::Stripe;
use crate::store::bytes::Look;
use crate::store::entry::{Draft, Kind};
use crate::store::fingerprint::{Fingerprint, Key};
use crate::store::ledger::Ledger;
use crate::store::tags::TagHash;
use std::borrow::Cow;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

/// An encoded value on its way in.
#[derive(Clone, Debug)]
pub struct Encoded<'a> {
    /// What kind of encoding it is.
    pub kind: Kind,
    /// The encoding.
    pub value: Cow<'a, [u8]>,
    /// What it depends on.
    pub tags: Cow<'a, [TagHash]>,
    /// How long it is fresh, if not as long as the cache says.
    pub ttl_ms: Option<f64>,
}

impl Encoded<'_> {
    /// Whether it says that there is nothing.
    pub fn is_nothing(&self) -> bool {
        self.kind == Kind::Nothing
    }
}

/// What somebody who looks takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpTo {
    /// What is fresh.
    Fresh,
    /// Also what is served while it is loaded anew.
    Stale,
    /// After a load that failed: also what is served then. Whoever asks was counted before, so only what is in grace counts.
    Grace,
    /// Anything, without being counted: to look at it and not to serve it.
    Any,
}

/// One thread's way to a cache.
pub struct CacheHandle {
    pub(super) cache: Arc<Cache>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) stripe: Arc<Stripe<COUNTERS>>,
    one_thread: PhantomData<Cell<()>>,
}

impl CacheHandle {
    /// A handle that writes into `ledger` and has counters of its own.
    pub fn new(cache: Arc<Cache>, ledger: Arc<Ledger>) -> Self {
        if let Some(tier) = cache.tier() {
            tier.bind(&cache);
        }
        CacheHandle { stripe: cache.tally.stripe(), cache, ledger, one_thread: PhantomData }
    }

    /// The cache itself.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Where it is written down what this thread leads and waits for.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The value, if it is there and fresh enough; as if it had `tags` beside its own.
    #[inline]
    pub fn look(&self, key: Fingerprint, up_to: UpTo, tags: &[TagHash], now: Nanos) -> Option<Look> {
        let bytes = &self.cache.bytes;
        if matches!(up_to, UpTo::Fresh | UpTo::Stale) {
            let found = if tags.is_empty() { bytes.read(key, now) } else { bytes.read_with(key, now, tags) };
            let most = if up_to == UpTo::Fresh { State::Fresh } else { State::Stale };
            let found = found.filter(|look| look.state <= most);
            let counted = match &found {
                None => MISSES,
                Some(look) if look.state == State::Fresh => HITS,
                Some(_) => STALE,
            };
            self.stripe.add(counted, 1);
            return found;
        }
        let found = bytes.peek(key, now, tags);
        if up_to == UpTo::Grace && found.as_ref().is_some_and(|look| look.state == State::Grace) {
            self.stripe.add(GRACED, 1);
        }
        found
    }

    /// Decoded copies of `key` were hit `hits` times since this was last told.
    pub fn touch(&self, key: Fingerprint, hits: u32) {
        self.stripe.add(HITS, u64::from(hits));
        self.cache.bytes.touch(key, hits);
    }

    /// Store a value.
    pub fn set(&self, key: Key<'_>, encoded: &Encoded<'_>, now: Nanos) -> Result<(), Fault> {
        self.set_since(key, encoded, None, now)
    }

    /// Store a value that was made of what was so at a moment of [`Cache::moment`], unless it was invalidated since.
    pub fn set_since(&self, key: Key<'_>, encoded: &Encoded<'_>, since: Option<u64>, now: Nanos) -> Result<(), Fault> {
        let draft = self.cache.draft(key, encoded);
        self.cache.check_size(&draft)?;
        self.store(&draft, since, now);
        Ok(())
    }

    fn store(&self, draft: &Draft<'_>, since: Option<u64>, now: Nanos) {
        let cache = &*self.cache;
        // Made here, so that no value is copied, and at last none dropped, under a lock.
        let value = cache.bytes.make(draft, since.map(|since| since.saturating_add(1)), now);
        let inserted = cache.flights.mutate(draft.key, || cache.bytes.insert(draft.key, &value, now));
        cache.bump(draft.key);
        self.stripe.add(SETS, 1);
        drop(inserted);
    }

    /// Store many values, or none if one of them is too large: then its place among them comes back.
    pub fn set_many<'a>(
        &self,
        entries: impl Iterator<Item = (Key<'a>, &'a Encoded<'a>)> + Clone,
        now: Nanos,
    ) -> Result<(), (usize, Fault)> {
        let drafts = entries.map(|(key, encoded)| self.cache.draft(key, encoded));
        for (place, draft) in drafts.clone().enumerate() {
            self.cache.check_size(&draft).map_err(|fault| (place, fault))?;
        }
        drafts.for_each(|draft| self.store(&draft, None, now));
        Ok(())
    }

    /// Take a value out. Whether it could still be read.
    pub fn delete(&self, key: Fingerprint, now: Nanos) -> bool {
        let cache = &*self.cache;
        let (was, outgoing) = cache.flights.mutate(key, || cache.bytes.remove(key, now));
        cache.bump(key);
        self.stripe.add(DELETES, 1);
        drop(outgoing);
        was
    }

    /// From now on the value is served only in grace. Whether it was served without.
    pub fn expire(&self, key: Fingerprint, now: Nanos) -> bool {
        let cache = &*self.cache;
        let (was, outgoing) = cache.flights.mutate(key, || cache.bytes.expire(key, now));
        cache.bump(key);
        drop(outgoing);
        was
    }

    /// Take out every value whose key begins with `prefix`.
    pub fn delete_prefix(&self, prefix: &[u16], now: Nanos) -> u64 {
        let removed = self.cache.delete_prefix(prefix, now);
        self.stripe.add(DELETES, removed);
        removed
    }
}
