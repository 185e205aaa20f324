//! The registries that spillways of an environment go by: the process's, and those that have a number. Owns their numbers. Never ends
//! one that other environments share.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::{Result, environment, internal, raise};
use crate::environment::{Environment, Kept};
use crate::hot::{manual, manual_wall};
use crate::slots::AllCopies;
use napi::Env;
use napi_derive::napi;
use spillway_engine::clock::{Moment, monotonic, wall};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::registry::Registry;
use std::sync::{Arc, OnceLock};

/// The registry of this number; without one, the process's.
pub(super) fn kept(environment: &Environment, id: Option<u32>) -> Result<Kept> {
    match id {
        None => Ok(Kept { registry: Environment::shared_registry(), origin: origin(), is_shared: true, store: None }),
        Some(id) => environment
            .registries
            .borrow()
            .get(id)
            .cloned()
            .ok_or_else(|| raise(Fault::new(Code::Disposed, "this spillway is closed"))),
    }
}

/// Give it a number.
pub(super) fn keep(environment: &Environment, kept: Kept) -> Result<u32> {
    environment.registries.borrow_mut().insert(kept).ok_or_else(|| internal("a million spillways are open"))
}

/// What charges on the system's clocks are dated from.
pub(super) fn origin() -> Moment {
    static ORIGIN: OnceLock<Moment> = OnceLock::new();
    *ORIGIN.get_or_init(|| Moment { mono: monotonic(), wall: wall() })
}

/// A registry of its own, for an isolated spillway; with the time of its manual clock, if it has one.
#[napi(catch_unwind)]
pub fn new_registry(env: Env, now_ms: Option<f64>) -> Result<u32> {
    let origin = now_ms.map_or_else(origin, |now_ms| Moment { mono: manual(now_ms), wall: manual_wall(now_ms) });
    let registry = Arc::new(Registry::new(Arc::new(AllCopies)));
    keep(environment(env)?, Kept { registry, origin, is_shared: false, store: None })
}

/// Let go of a registry; one that nobody else has ends, with everything in it.
#[napi(catch_unwind)]
pub fn close_registry(env: Env, id: u32) -> Result<()> {
    let gone = environment(env)?.registries.borrow_mut().remove(id);
    if let Some(Kept { registry, is_shared: false, .. }) = gone {
        registry.close();
    }
    Ok(())
}
