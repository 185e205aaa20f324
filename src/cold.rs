//! Opening, configuring and statistics, as comfortable `#[napi]`. Owns the shapes of configuration. Never on a hot path.
//!
//! Every option has been validated by the JavaScript that calls this; what comes here fits its type.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use crate::environment::{Environment, Handle, Id, Open};
use crate::hot::breaker::Listener;
use crate::hot::{manual, manual_wall, moment};
use crate::slots::Counters;
use napi::bindgen_prelude::AsyncTask;
use napi::{Env, JsError, Task};
use napi_derive::napi;
use spillway_engine::clock::{Moment, monotonic, wall};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::breaker::{
    Breaker, BreakerConfig, BreakerHandle, OpenConfig, SlowConfig, WindowConfig,
};
use spillway_engine::primitive::budget::BudgetConfig;
use spillway_engine::primitive::bulkhead::{BulkheadConfig, BulkheadHandle};
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle};
use spillway_engine::primitive::limit::{Algorithm, LimitConfig, Provenance};
use spillway_engine::primitive::limiter::{LimiterConfig, LimiterHandle};
use spillway_engine::primitive::registry::{OnMismatch, Registry};
use spillway_engine::store::ledger::Ledger;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

type Result<T> = std::result::Result<T, napi::Error<String>>;

fn raise(fault: Fault) -> napi::Error<String> {
    napi::Error::new(fault.code.as_str().to_owned(), fault.message)
}

fn internal(what: &str) -> napi::Error<String> {
    raise(Fault::new(Code::Internal, what))
}

/// Under which name a primitive is opened, and what happens if it is open with other options.
#[napi(object)]
pub struct Opening {
    /// Registry of an isolated spillway; none for the process's.
    pub registry: Option<u32>,
    /// Namespace.
    pub prefix: String,
    /// Name.
    pub name: String,
    /// Replace instead of throw.
    pub replace: bool,
    /// Now, on a manual clock.
    pub now_ms: Option<f64>,
}

/// See `LimiterOptions`.
#[napi(object)]
pub struct LimitShape {
    pub name: String,
    pub algorithm: String,
    pub limit: u32,
    pub window_ms: f64,
    pub burst: u32,
    pub max_keys: u32,
    pub shadow: bool,
    /// Where each value came from, as JSON.
    pub provenance: String,
}

/// See `BreakerOptions`.
#[napi(object)]
pub struct BreakerShape {
    pub window_ms: Option<f64>,
    pub window_calls: Option<u32>,
    pub failure_rate: f64,
    pub min_calls: u32,
    pub consecutive: Option<u32>,
    pub slow_over_ms: Option<f64>,
    pub slow_rate: Option<f64>,
    pub open_for_ms: f64,
    pub open_max_ms: f64,
    pub open_jitter: f64,
    pub probes: u32,
    pub probe_timeout_ms: f64,
    pub max_keys: Option<u32>,
    /// Where each value came from, as JSON.
    pub provenance: Option<String>,
}

/// See `RetryOptions`.
#[napi(object)]
pub struct BudgetShape {
    pub ratio: f64,
    pub floor: u32,
}

/// See `BulkheadOptions`.
#[napi(object)]
pub struct BulkheadShape {
    pub limit: u32,
    pub queue: u32,
    pub per_key: bool,
    pub lease_ms: Option<f64>,
    /// Where each value came from, as JSON.
    pub provenance: String,
}

/// See `CacheOptions`.
#[napi(object)]
pub struct CacheShape {
    pub ttl_ms: f64,
    pub jitter: f64,
    pub stale_ms: f64,
    pub grace_ms: f64,
    pub negative_ttl_ms: f64,
    pub max_bytes: f64,
    pub max_value_bytes: f64,
    pub load_timeout_ms: f64,
    pub codec: String,
    pub version: Option<String>,
    /// Where each value came from, as JSON.
    pub provenance: String,
}

struct Opener<'env> {
    environment: &'env Environment,
    registry: Arc<Registry>,
    origin: Moment,
    opening: Opening,
}

impl<'env> Opener<'env> {
    fn new(env: Env, opening: Opening) -> Result<Self> {
        let environment = environment(env)?;
        let (registry, origin) = registry(environment, opening.registry)?;
        Ok(Opener { environment, registry, origin, opening })
    }

    fn open<K: spillway_engine::primitive::registry::Kind>(&self, config: K::Config) -> Result<Arc<K>> {
        let on_mismatch = if self.opening.replace { OnMismatch::Replace } else { OnMismatch::Throw };
        self.registry.open(&self.opening.prefix, &self.opening.name, config, on_mismatch).map_err(raise)
    }

    fn ledger(&self) -> Result<Arc<Ledger>> {
        self.environment.ledger().cloned().ok_or_else(|| internal("the environment is not attached"))
    }

    fn keep(self, handle: Handle) -> Result<Id> {
        let open = Open { handle, registry: self.registry, prefix: self.opening.prefix, name: self.opening.name };
        self.environment.handles.borrow_mut().insert(open).ok_or_else(|| internal("a million primitives are open"))
    }
}

fn environment<'env>(env: Env) -> Result<&'env Environment> {
    Environment::of(env.raw()).ok_or_else(|| internal("the environment has ended"))
}

/// A registry, and the moment its charges are dated from.
fn registry(environment: &Environment, id: Option<u32>) -> Result<(Arc<Registry>, Moment)> {
    match id {
        None => Ok((Environment::shared_registry(), origin())),
        Some(id) => environment
            .registries
            .borrow()
            .get(id)
            .cloned()
            .ok_or_else(|| raise(Fault::new(Code::Disposed, "this spillway is closed"))),
    }
}

/// What charges on the system's clocks are dated from.
fn origin() -> Moment {
    static ORIGIN: OnceLock<Moment> = OnceLock::new();
    *ORIGIN.get_or_init(|| Moment { mono: monotonic(), wall: wall() })
}

/// Open a limiter; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_limiter(env: Env, opening: Opening, shape: Vec<LimitShape>) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let limits = shape.into_iter().map(|limit| LimitConfig {
        algorithm: match limit.algorithm.as_str() {
            "fixed-window" => Algorithm::FixedWindow,
            "sliding-window" => Algorithm::SlidingWindow,
            _ => Algorithm::TokenBucket,
        },
        name: limit.name,
        limit: limit.limit,
        window_ms: limit.window_ms,
        burst: limit.burst,
        max_keys: limit.max_keys,
        shadow: limit.shadow,
        provenance: Provenance(serde_json::from_str(&limit.provenance).unwrap_or_default()),
    });
    let limiter = opener.open(LimiterConfig { limits: limits.collect() })?;
    let origin = opener.origin;
    opener.keep(Handle::Limiter { handle: LimiterHandle::new(limiter), origin })
}

/// Why a limiter cannot count at the rate of a plan, or nothing.
#[napi(catch_unwind)]
pub fn limiter_plan_fault(
    env: Env,
    id: u32,
    limit: Option<u32>,
    window_ms: Option<f64>,
    burst: Option<u32>,
) -> Result<()> {
    match environment(env)?.handles.borrow().get(id) {
        Some(Open { handle: Handle::Limiter { handle, .. }, .. }) => {
            handle.limiter().plan(limit, window_ms, burst).map(drop).map_err(raise)
        }
        _ => Err(raise(Fault::new(Code::Disposed, "it has been disposed of"))),
    }
}

/// Open a breaker; answers its id in this environment. Left: where the environment's numbers show that it is closed, its generation
/// plus one, and where it counts calls that went well; each -1 if nowhere.
#[napi(catch_unwind)]
pub fn open_breaker(env: Env, opening: Opening, shape: BreakerShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let environment = opener.environment;
    let mailbox = environment.mailbox().cloned().ok_or_else(|| internal("the environment is not attached"))?;
    let breaker: Arc<Breaker> = opener.open(BreakerConfig {
        window: match shape.window_calls {
            Some(calls) => WindowConfig::Calls(calls),
            None => WindowConfig::Ms(shape.window_ms.unwrap_or_default()),
        },
        failure_rate: shape.failure_rate,
        min_calls: shape.min_calls,
        consecutive: shape.consecutive,
        slow: shape.slow_over_ms.zip(shape.slow_rate).map(|(over_ms, rate)| SlowConfig { over_ms, rate }),
        open: OpenConfig { for_ms: shape.open_for_ms, max_ms: shape.open_max_ms, jitter: shape.open_jitter },
        probes: u16::try_from(shape.probes).unwrap_or(u16::MAX),
        probe_timeout_ms: shape.probe_timeout_ms,
        max_keys: shape.max_keys,
        provenance: Provenance(shape.provenance.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()),
    })?;
    // On a manual clock nothing says once a bucket that time goes on; in short buckets it would be said too late.
    let counts = breaker.slot().is_some() && breaker.bears_coarse_time() && opener.opening.now_ms.is_none();
    let handle = BreakerHandle::new(breaker.clone());
    let counter = environment.counters().filter(|_| counts).and_then(Counters::take);
    let places = [breaker.slot(), counter.as_ref().map(|counter| counter.slot)];
    if let Some(counter) = counter {
        handle.count_with(Box::new(counter));
    }
    // This environment's array may be younger than the breaker's last change of state.
    breaker.show();
    let id = opener.keep(Handle::Breaker(handle))?;
    if let Some(Open { handle: Handle::Breaker(handle), .. }) = environment.handles.borrow().get(id) {
        handle.attend(Arc::new(Listener { mailbox, id }));
    }
    environment.leave_all(0, places.map(|slot| slot.map_or(-1.0, f64::from)));
    Ok(id)
}

/// Open the budget of a policy; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_budget(env: Env, opening: Opening, shape: BudgetShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let floor = u16::try_from(shape.floor).unwrap_or(u16::MAX);
    let budget = opener.open(BudgetConfig { ratio: shape.ratio, floor })?;
    opener.keep(Handle::Budget(budget))
}

/// Open a bulkhead; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_bulkhead(env: Env, opening: Opening, shape: BulkheadShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let ledger = opener.ledger()?;
    let bulkhead = opener.open(BulkheadConfig {
        limit: shape.limit,
        queue: shape.queue,
        per_key: shape.per_key,
        lease_ms: shape.lease_ms,
        provenance: Provenance(serde_json::from_str(&shape.provenance).unwrap_or_default()),
    })?;
    opener.keep(Handle::Bulkhead(BulkheadHandle::new(bulkhead, ledger)))
}

/// Open a cache; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_cache(env: Env, opening: Opening, shape: CacheShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let ledger = opener.ledger()?;
    let cache = opener.open(CacheConfig {
        ttl_ms: shape.ttl_ms,
        jitter: shape.jitter,
        stale_ms: shape.stale_ms,
        grace_ms: shape.grace_ms,
        negative_ttl_ms: shape.negative_ttl_ms,
        max_bytes: shape.max_bytes,
        max_value_bytes: shape.max_value_bytes,
        load_timeout_ms: shape.load_timeout_ms,
        codec: shape.codec,
        version: shape.version,
        provenance: Provenance(serde_json::from_str(&shape.provenance).unwrap_or_default()),
    })?;
    opener.keep(Handle::Cache(CacheHandle::new(cache, ledger)))
}

/// Let go of a handle and free its id. With `end`, end its name for everybody; without, only if it was the last to have it open.
#[napi(catch_unwind)]
pub fn let_go(env: Env, id: u32, end: bool) -> Result<()> {
    let environment = environment(env)?;
    let handles = environment.handles.borrow();
    let Some(Open { handle, registry, prefix, name }) = handles.get(id) else { return Ok(()) };
    // A bulkhead's id stays its own until what it counts has come back.
    let (again, stays) = match handle {
        Handle::Bulkhead(handle) => (!handle.let_go(), !handle.is_done()),
        _ => (false, false),
    };
    if again {
        return Ok(());
    }
    macro_rules! let_go {
        ($primitive:expr) => {
            if end { registry.dispose(prefix, name, $primitive) } else { registry.release(prefix, name, $primitive) }
        };
    }
    match handle {
        Handle::Limiter { handle, .. } => let_go!(handle.limiter()),
        Handle::Breaker(handle) => let_go!(handle.breaker()),
        Handle::Budget(budget) => let_go!(budget),
        Handle::Bulkhead(handle) => let_go!(handle.bulkhead()),
        Handle::Cache(handle) => let_go!(handle.cache()),
    }
    drop(handles);
    if !stays {
        environment.forget(id);
    }
    Ok(())
}

/// Whether the primitive behind a handle has ended, or the handle was let go.
#[napi(catch_unwind)]
pub fn has_ended(env: Env, id: u32) -> Result<bool> {
    Ok(environment(env)?.handles.borrow().get(id).is_none_or(|open| match &open.handle {
        Handle::Limiter { handle, .. } => handle.limiter().life().has_ended(),
        Handle::Breaker(handle) => handle.breaker().life().has_ended(),
        Handle::Budget(budget) => budget.life().has_ended(),
        Handle::Bulkhead(handle) => handle.has_ended(),
        Handle::Cache(handle) => handle.cache().life().has_ended(),
    }))
}

/// The statistics of a cache, as JSON.
#[napi(catch_unwind)]
pub fn cache_report(env: Env, id: u32) -> Result<String> {
    serde_json::to_string(&cache_of(env, id)?.0.report()).map_err(|why| internal(&why.to_string()))
}

/// The version a cache stores under now.
#[napi(catch_unwind)]
pub fn cache_version_of(env: Env, id: u32) -> Result<Option<String>> {
    Ok(cache_of(env, id)?.0.version())
}

/// Forget everything in the cache of a name, if it is open.
#[napi(catch_unwind)]
pub fn clear_cache(env: Env, registry_id: Option<u32>, prefix: String, name: String) -> Result<bool> {
    let found = registry(environment(env)?, registry_id)?.0.find::<Cache>(&prefix, &name);
    if let Some(cache) = &found {
        cache.clear();
    }
    Ok(found.is_some())
}

/// The cache behind a handle, and its name.
fn cache_of(env: Env, id: u32) -> Result<(Arc<Cache>, String)> {
    match environment(env)?.handles.borrow().get(id) {
        Some(Open { handle: Handle::Cache(cache), name, .. }) => Ok((cache.cache().clone(), name.clone())),
        _ => Err(raise(Fault::new(Code::Disposed, "it has been disposed of"))),
    }
}

/// Write a cache into a file, on a thread of libuv's. Answers how many values it holds.
#[napi(catch_unwind)]
pub fn cache_dump(
    env: Env,
    id: u32,
    path: String,
    now_ms: Option<f64>,
    wall_ms: Option<f64>,
) -> Result<AsyncTask<Filing>> {
    Filing::new(env, id, path, now_ms.map(|now_ms| moment(now_ms, wall_ms)), Cache::dump)
}

/// Take over what a file holds, on a thread of libuv's. Answers how many values that were.
#[napi(catch_unwind)]
pub fn cache_restore(
    env: Env,
    id: u32,
    path: String,
    now_ms: Option<f64>,
    wall_ms: Option<f64>,
) -> Result<AsyncTask<Filing>> {
    Filing::new(env, id, path, now_ms.map(|now_ms| moment(now_ms, wall_ms)), Cache::restore)
}

type Act = fn(&Cache, &Path, &str, Moment) -> std::result::Result<u64, Fault>;

/// What is done with a cache and a file.
pub struct Filing {
    cache: Arc<Cache>,
    name: String,
    path: PathBuf,
    now: Moment,
    act: Act,
}

impl Filing {
    fn new(env: Env, id: u32, path: String, manual: Option<Moment>, act: Act) -> Result<AsyncTask<Self>> {
        let (cache, name) = cache_of(env, id)?;
        let now = manual.unwrap_or_else(|| Moment { mono: monotonic(), wall: wall() });
        Ok(AsyncTask::new(Filing { cache, name, path: path.into(), now, act }))
    }
}

impl Task for Filing {
    type Output = std::result::Result<u64, Fault>;
    type JsValue = f64;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let done = catch_unwind(AssertUnwindSafe(|| (self.act)(&self.cache, &self.path, &self.name, self.now)));
        Ok(done.unwrap_or_else(|_| Err(Fault::new(Code::Internal, "a defect in spillway; please report it"))))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<f64> {
        output.map(|count| count as f64).map_err(|fault| JsError::from(raise(fault)).into_unknown(env).into())
    }
}

/// A registry of its own, for an isolated spillway; with the time of its manual clock, if it has one.
#[napi(catch_unwind)]
pub fn new_registry(env: Env, now_ms: Option<f64>) -> Result<u32> {
    let origin = now_ms.map_or_else(origin, |now_ms| Moment { mono: manual(now_ms), wall: manual_wall(now_ms) });
    let registry = Arc::new(Registry::new(Arc::new(crate::slots::AllCopies)));
    let environment = environment(env)?;
    environment
        .registries
        .borrow_mut()
        .insert((registry, origin))
        .ok_or_else(|| internal("a million spillways are open"))
}

/// End an isolated registry and everything in it.
#[napi(catch_unwind)]
pub fn close_registry(env: Env, id: u32) -> Result<()> {
    let gone = environment(env)?.registries.borrow_mut().remove(id);
    if let Some((registry, _)) = gone {
        registry.close();
    }
    Ok(())
}

/// Every primitive of a registry, as JSON.
#[napi(catch_unwind)]
pub fn snapshot(env: Env, id: Option<u32>, now_ms: Option<f64>) -> Result<String> {
    let now = now_ms.map_or_else(monotonic, manual);
    Ok(registry(environment(env)?, id)?.0.snapshot(now))
}
