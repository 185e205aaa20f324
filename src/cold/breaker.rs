//! Opening a breaker, and the budget of a policy. Owns their shapes. Never asks one.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::{Opener, Opening, Result, internal};
use crate::environment::{Handle, Open};
use crate::hot::breaker::Listener;
use crate::slots::Counters;
use napi::Env;
use napi_derive::napi;
use spillway_engine::primitive::breaker::{
    Breaker, BreakerConfig, BreakerHandle, OpenConfig, SlowConfig, WindowConfig,
};
use spillway_engine::primitive::budget::BudgetConfig;
use spillway_engine::primitive::limit::Provenance;
use std::sync::Arc;

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
