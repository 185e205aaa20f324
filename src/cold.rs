//! Opening, configuring and statistics, as comfortable `#[napi]`. Owns how a handle is opened and let go, whatever its kind. Never on
//! a hot path.
//!
//! Every option has been validated by the JavaScript that calls this; what comes here fits its type.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

mod breaker;
mod bulkhead;
mod cache;
mod limiter;
pub(crate) mod redis;
mod registries;
mod rights;

use crate::environment::{Environment, Handle, Id, Kept, Open};
use crate::hot::manual;
use napi::Env;
use napi_derive::napi;
use registries::kept;
use spillway_engine::clock::{Moment, monotonic};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::registry::{OnMismatch, Registry};
use spillway_engine::store::ledger::Ledger;
use std::sync::Arc;

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

struct Opener<'env> {
    environment: &'env Environment,
    registry: Arc<Registry>,
    origin: Moment,
    opening: Opening,
}

impl<'env> Opener<'env> {
    fn new(env: Env, opening: Opening) -> Result<Self> {
        let environment = environment(env)?;
        let Kept { registry, origin, .. } = kept(environment, opening.registry)?;
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
        Handle::RemoteLimiter(limiter) => let_go!(limiter),
        Handle::Breaker(handle) => let_go!(handle.breaker()),
        Handle::Budget(budget) => let_go!(budget),
        Handle::Bulkhead(handle) => let_go!(handle.bulkhead()),
        Handle::RemoteBulkhead(handle) => let_go!(handle.primitive()),
        Handle::Lease(handle) => let_go!(handle.primitive()),
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
        Handle::RemoteLimiter(limiter) => limiter.life().has_ended(),
        Handle::Breaker(handle) => handle.breaker().life().has_ended(),
        Handle::Budget(budget) => budget.life().has_ended(),
        Handle::Bulkhead(handle) => handle.has_ended(),
        Handle::RemoteBulkhead(handle) => handle.primitive().life().has_ended(),
        Handle::Lease(handle) => handle.primitive().life().has_ended(),
        Handle::Cache(handle) => handle.cache().life().has_ended(),
    }))
}

/// Every primitive of a registry, as JSON.
#[napi(catch_unwind)]
pub fn snapshot(env: Env, id: Option<u32>, now_ms: Option<f64>) -> Result<String> {
    let now = now_ms.map_or_else(monotonic, manual);
    Ok(kept(environment(env)?, id)?.registry.snapshot(now))
}
