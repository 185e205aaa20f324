//! Opening a cache, its statistics, and its files. Owns its shape. Never looks for a key.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::registries::kept;
use super::{Opener, Opening, Result, environment, internal, raise};
use crate::environment::{Handle, Open};
use crate::hot::moment;
use crate::mailbox::Answer;
use napi::bindgen_prelude::{AsyncTask, Either};
use napi::{Env, JsError, Task};
use napi_derive::napi;
use spillway_engine::clock::{Moment, monotonic, wall};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle};
use spillway_engine::primitive::limit::Provenance;
use spillway_engine::primitive::remote::cache::clear_unopened;
use spillway_engine::redis::name::Home;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Codes of answers, as `hot/cache/far.rs` has them.
const DONE: i32 = 0;
const OWED: i32 = 7;

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

/// Forget everything in the cache of a name: whether it was open; over Redis an ask, since other processes may have it, which is answered
/// with 0 when that is done, and 1 left at 0.
#[napi(catch_unwind)]
pub fn clear_cache(env: Env, registry_id: Option<u32>, prefix: String, name: String) -> Result<Either<bool, u32>> {
    let environment = environment(env)?;
    let registry = kept(environment, registry_id)?.registry;
    let found = registry.find::<Cache>(&prefix, &name);
    let Some(far) = registry.far() else {
        if let Some(cache) = &found {
            cache.clear();
        }
        return Ok(Either::A(found.is_some()));
    };
    let (ask, sender) = environment.ask(env.raw()).ok_or_else(|| internal("the environment is not attached"))?;
    let done = move |owed: bool| {
        let mut answer = Answer { code: if owed { OWED } else { DONE }, ..Answer::default() };
        if let Some(first) = answer.numbers.first_mut() {
            *first = 1.0;
        }
        sender.answer(answer);
    };
    match found.as_ref().and_then(|cache| cache.tier()) {
        Some(tier) => tier.clear(monotonic(), Box::new(move |changed| done(changed.owed))),
        None => {
            let home = Home::new(&prefix, "cache", &name);
            clear_unopened(far, &home, monotonic(), move |cleared| done(!cleared));
        }
    }
    Ok(Either::B(ask))
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
