//! Name → primitive, over all threads of the process. Owns identity, mismatch and the end of a name. Never calls a primitive's
//! hot path.

use super::breaker::{Breaker, BreakerConfig};
use super::budget::{Budget, BudgetConfig};
use super::bulkhead::{Bulkhead, BulkheadConfig};
use super::cache::{Cache, CacheConfig};
use super::life::Life;
use super::limiter::{Limiter, LimiterConfig};
use super::remote::Far;
use super::remote::bulkhead::{RemoteBulkhead, RemoteBulkheadConfig};
use super::remote::cache::Tier;
use super::remote::lease::{Lease, LeaseConfig};
use super::remote::limiter::{RemoteLimiter, RemoteLimiterConfig};
use crate::clock::Nanos;
use crate::error::{Code, Fault};
use crate::redis::name::Home;
use crate::store::fingerprint::random_word;
use crate::store::generations::Generations;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What happens when a name is opened again with other options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMismatch {
    /// A fault that says what differs.
    Throw,
    /// A fresh primitive takes the name; handles of the old one keep the old one.
    Replace,
}

/// What a primitive is known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Namespace, maybe empty.
    pub prefix: String,
    /// Its kind: a limiter and a breaker may share a name.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// A primitive of any kind.
#[derive(Clone)]
enum Any {
    Limiter(Arc<Limiter>),
    RemoteLimiter(Arc<RemoteLimiter>),
    Breaker(Arc<Breaker>),
    Budget(Arc<Budget>),
    Bulkhead(Arc<Bulkhead>),
    RemoteBulkhead(Arc<RemoteBulkhead>),
    Lease(Arc<Lease>),
    Cache(Arc<Cache>),
}

/// What a primitive is made with, beside its configuration.
pub struct Makings<'a> {
    /// What it is known by.
    pub identity: &'a Identity,
    /// Where a cache tells what has changed.
    pub generations: &'a Arc<dyn Generations>,
    /// What primitives over Redis go through; none in a registry that keeps all in the process.
    pub far: Option<&'a Far>,
}

impl Makings<'_> {
    /// What a primitive over Redis goes through.
    fn far(&self) -> Result<&Far, Fault> {
        self.far.ok_or_else(|| Fault::new(Code::Internal, "a primitive over Redis was opened without one"))
    }
}

/// What the registry has to know of a kind.
pub trait Kind: Sized {
    /// What it is made of.
    type Config: Clone + PartialEq + Serialize;
    /// Its name, as in a snapshot.
    const NAME: &'static str;
    /// Make one.
    fn make(config: Self::Config, makings: &Makings<'_>) -> Result<Self, Fault>;
    /// What it was made of.
    fn config(&self) -> &Self::Config;
    /// Whether it is open.
    fn life(&self) -> &Life;
    #[doc(hidden)]
    fn into_any(this: Arc<Self>) -> AnyKind;
    #[doc(hidden)]
    fn of_any(any: &AnyKind) -> Option<Arc<Self>>;
}

/// A primitive of any kind, opaque outside of the registry.
#[derive(Clone)]
pub struct AnyKind(Any);

macro_rules! kind {
    ($kind:ident, $config:ident, $name:literal, |$made_of:ident, $makings:ident| $make:expr) => {
        impl Kind for $kind {
            type Config = $config;
            const NAME: &'static str = $name;

            fn make($made_of: $config, $makings: &Makings<'_>) -> Result<Self, Fault> {
                $make
            }

            fn config(&self) -> &$config {
                self.config()
            }

            fn life(&self) -> &Life {
                self.life()
            }

            fn into_any(this: Arc<Self>) -> AnyKind {
                AnyKind(Any::$kind(this))
            }

            fn of_any(any: &AnyKind) -> Option<Arc<Self>> {
                match &any.0 {
                    Any::$kind(this) => Some(this.clone()),
                    _ => None,
                }
            }
        }
    };
}

kind!(Limiter, LimiterConfig, "limiter", |config, _makings| Limiter::new(config));
kind!(RemoteLimiter, RemoteLimiterConfig, "limiter", |config, makings| {
    RemoteLimiter::new(config, makings.identity, makings.far()?)
});
kind!(Breaker, BreakerConfig, "breaker", |config, makings| {
    Ok(Breaker::new(config, random_word()).shown(makings.generations.clone()))
});
kind!(Budget, BudgetConfig, "budget", |config, _makings| Ok(Budget::new(config)));
kind!(Bulkhead, BulkheadConfig, "bulkhead", |config, _makings| Ok(Bulkhead::new(config)));
kind!(Cache, CacheConfig, "cache", |config, makings| {
    let Makings { identity, generations, far } = makings;
    Ok(match far {
        None => Cache::new(config, (*generations).clone()),
        Some(far) => {
            let home = Home::new(&identity.prefix, "cache", &identity.name);
            let tier = Tier::new(&config, home, far);
            Cache::before(config, (*generations).clone(), tier)
        }
    })
});
kind!(RemoteBulkhead, RemoteBulkheadConfig, "bulkhead", |config, makings| {
    let far =
        makings.far.ok_or_else(|| Fault::new(Code::Internal, "a bulkhead over hosts in a registry without Redis"))?;
    Ok(RemoteBulkhead::new(config, makings.identity, far))
});
kind!(Lease, LeaseConfig, "lease", |config, makings| Ok(Lease::new(config, makings.identity, makings.far)));

/// Every primitive that has a name.
pub struct Registry {
    names: DashMap<Identity, AnyKind>,
    generations: Arc<dyn Generations>,
    far: Option<Far>,
}

impl Registry {
    /// No names yet.
    pub fn new(generations: Arc<dyn Generations>) -> Self {
        Registry { names: DashMap::new(), generations, far: None }
    }

    /// No names yet; what can be over Redis goes through `far`.
    pub fn over(far: Far, generations: Arc<dyn Generations>) -> Self {
        Registry { names: DashMap::new(), generations, far: Some(far) }
    }

    /// What its primitives over Redis go through.
    pub fn far(&self) -> Option<&Far> {
        self.far.as_ref()
    }

    fn make<K: Kind>(&self, config: K::Config, identity: &Identity) -> Result<Arc<K>, Fault> {
        let makings = Makings { identity, generations: &self.generations, far: self.far.as_ref() };
        let made = Arc::new(K::make(config, &makings)?);
        made.life().open();
        Ok(made)
    }

    /// The primitive of this name, made now if there is none.
    pub fn open<K: Kind>(
        &self,
        prefix: &str,
        name: &str,
        config: K::Config,
        on_mismatch: OnMismatch,
    ) -> Result<Arc<K>, Fault> {
        let identity = Identity { prefix: prefix.to_owned(), kind: K::NAME, name: name.to_owned() };
        match self.names.entry(identity) {
            Entry::Vacant(place) => {
                let made = self.make::<K>(config, place.key())?;
                place.insert(K::into_any(made.clone()));
                Ok(made)
            }
            Entry::Occupied(mut place) => {
                let present = K::of_any(place.get())
                    .ok_or_else(|| Fault::new(Code::Internal, "a name is held by a primitive of another kind"))?;
                if *present.config() == config {
                    present.life().open();
                    Ok(present)
                } else if on_mismatch == OnMismatch::Throw {
                    Err(Fault::new(
                        Code::Mismatch,
                        format!(
                            "the {} \"{name}\" is open with other options: {}; open it with the same ones, under another \
                             name, or with `onMismatch: 'replace'`",
                            K::NAME,
                            differences(present.config(), &config)
                        ),
                    ))
                } else {
                    let made = self.make::<K>(config, place.key())?;
                    place.insert(K::into_any(made.clone()));
                    Ok(made)
                }
            }
        }
    }

    /// The primitive of this name, if it is open.
    pub fn find<K: Kind>(&self, prefix: &str, name: &str) -> Option<Arc<K>> {
        let identity = Identity { prefix: prefix.to_owned(), kind: K::NAME, name: name.to_owned() };
        self.names.get(&identity).and_then(|any| K::of_any(&any))
    }

    /// One who had it open lets go; the last one ends the name.
    pub fn release<K: Kind>(&self, prefix: &str, name: &str, primitive: &Arc<K>) {
        let identity = Identity { prefix: prefix.to_owned(), kind: K::NAME, name: name.to_owned() };
        let mut named = false;
        // Counted under the map's lock, as in `open`: whoever opens the name meanwhile keeps it alive or finds it gone.
        let removed = self.names.remove_if(&identity, |_, any| {
            named = is(any, primitive);
            named && primitive.life().release()
        });
        if removed.is_some() || (!named && primitive.life().release()) {
            end(&K::into_any(primitive.clone()).0);
        }
    }

    /// End the primitive, and its name if no other has taken it since.
    pub fn dispose<K: Kind>(&self, prefix: &str, name: &str, primitive: &Arc<K>) {
        end(&K::into_any(primitive.clone()).0);
        let identity = Identity { prefix: prefix.to_owned(), kind: K::NAME, name: name.to_owned() };
        self.names.remove_if(&identity, |_, any| is(any, primitive));
    }

    /// End every primitive.
    pub fn close(&self) {
        self.names.retain(|_, any| {
            end(&any.0);
            false
        });
    }

    /// The states of its breakers, as other processes are told. Of breakers per key nothing can be said in a word.
    pub fn breaker_states(&self) -> Map<String, Value> {
        let all: Vec<_> = self.names.iter().map(|named| (named.key().name.clone(), named.value().clone())).collect();
        let state = |(name, any): (String, AnyKind)| match any.0 {
            Any::Breaker(breaker) if breaker.config().max_keys.is_none() => {
                Some((name, breaker.state().as_str().into()))
            }
            _ => None,
        };
        all.into_iter().filter_map(state).collect()
    }

    /// Configuration, state and counters of everything, at `now`, as the JSON text a user sees.
    pub fn snapshot(&self, now: Nanos) -> String {
        // Copied first: a report takes other locks, and none is taken while the map's is held.
        let all: Vec<_> = self.names.iter().map(|named| (named.key().clone(), named.value().clone())).collect();
        let (mut limiters, mut breakers, mut bulkheads, mut caches) = (Map::new(), Map::new(), Map::new(), Map::new());
        let (mut budgets, mut leases) = (Map::new(), Map::new());
        for (Identity { prefix, name, .. }, any) in all {
            let name = if prefix.is_empty() { name } else { format!("{prefix}:{name}") };
            let (reports, report) = match &any.0 {
                Any::Limiter(this) => (&mut limiters, serde_json::to_value(this.report())),
                Any::RemoteLimiter(this) => (&mut limiters, serde_json::to_value(this.report())),
                Any::Breaker(this) => (&mut breakers, serde_json::to_value(this.report(now))),
                Any::Budget(this) => (&mut budgets, serde_json::to_value(this.report(now))),
                Any::Bulkhead(this) => (&mut bulkheads, serde_json::to_value(this.report(now))),
                Any::RemoteBulkhead(this) => (&mut bulkheads, serde_json::to_value(this.report())),
                Any::Lease(this) => (&mut leases, serde_json::to_value(this.report())),
                Any::Cache(this) => (&mut caches, serde_json::to_value(this.report())),
            };
            reports.insert(name, report.unwrap_or(Value::Null));
        }
        serde_json::json!({
            "limiters": limiters, "breakers": breakers, "bulkheads": bulkheads, "caches": caches, "budgets": budgets,
            "leases": leases
        })
        .to_string()
    }
}

fn is<K: Kind>(any: &AnyKind, primitive: &Arc<K>) -> bool {
    K::of_any(any).is_some_and(|present| Arc::ptr_eq(&present, primitive))
}

/// No handle gets an answer any more, not even from a decoded copy.
fn end(any: &Any) {
    match any {
        Any::Limiter(this) => this.life().end(),
        Any::RemoteLimiter(this) => this.life().end(),
        Any::Breaker(this) => this.end(),
        Any::Budget(this) => this.life().end(),
        Any::Bulkhead(this) => this.life().end(),
        Any::RemoteBulkhead(this) => this.life().end(),
        Any::Lease(this) => this.life().end(),
        Any::Cache(this) => this.end(),
    }
}

/// The options that differ, as `name` was this and is that.
fn differences<C: Serialize>(present: &C, asked: &C) -> String {
    let options = |config: &C| options_of(serde_json::to_value(config).unwrap_or(Value::Null));
    let (present, asked) = (options(present), options(asked));
    let mut names: Vec<_> = present.keys().chain(asked.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|name| present.get(*name) != asked.get(*name));
    let told: Vec<_> = differing.map(|name| difference(name, present.get(name), asked.get(name))).collect();
    // By name they are the same, and yet the configurations differ.
    if told.is_empty() { "the same limits in another order".to_owned() } else { told.join(", ") }
}

/// As whoever wrote the option has it: a duration goes by its name without the unit, which its figures have instead.
fn difference(name: &str, there: Option<&Value>, here: Option<&Value>) -> String {
    let (option, unit) = name.strip_suffix("Ms").map_or((name, ""), |option| (option, " ms"));
    let told = |value: Option<&Value>| match value {
        None => "missing".to_owned(),
        // As JavaScript writes it: whole numbers without a fraction.
        Some(Value::Number(number)) => format!("{}{unit}", number.as_f64().unwrap_or_default()),
        Some(other) => other.to_string(),
    };
    format!("`{option}` is {} there and {} here", told(there), told(here))
}

/// Options by name. Those of several limits go by the limit's name too.
fn options_of(config: Value) -> Map<String, Value> {
    match config {
        Value::Object(options) => options,
        Value::Array(mut limits) if limits.len() == 1 => options_of(limits.remove(0)),
        Value::Array(limits) => {
            let named = |limit| {
                let options = options_of(limit);
                let of = options.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                options.into_iter().map(move |(name, value)| (format!("{of} {name}"), value))
            };
            limits.into_iter().flat_map(named).collect()
        }
        _ => Map::new(),
    }
}
