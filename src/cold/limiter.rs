//! Opening a limiter. Owns the shape of its limits. Never counts.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::{Opener, Opening, Result, environment, raise};
use crate::environment::{Handle, Open};
use napi::Env;
use napi_derive::napi;
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::limit::{Algorithm, LimitConfig, Provenance};
use spillway_engine::primitive::limiter::{LimiterConfig, LimiterHandle};
use spillway_engine::primitive::remote::limiter::{FailMode, Mode, RemoteLimiterConfig};

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

/// Open a limiter; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_limiter(env: Env, opening: Opening, shape: Vec<LimitShape>) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let limiter = opener.open(LimiterConfig { limits: configs(shape) })?;
    let origin = opener.origin;
    opener.keep(Handle::Limiter { handle: LimiterHandle::new(limiter), origin })
}

/// See `RemoteLimiterOptions`.
#[napi(object)]
pub struct RemoteLimiterShape {
    pub limits: Vec<LimitShape>,
    pub fail_mode: String,
    pub mode: String,
    pub share: Option<u32>,
    pub remember_denials: bool,
}

/// Open a limiter over Redis; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_remote_limiter(env: Env, opening: Opening, shape: RemoteLimiterShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let limiter = opener.open(RemoteLimiterConfig {
        limits: configs(shape.limits),
        fail_mode: match shape.fail_mode.as_str() {
            "open" => FailMode::Open,
            "local" => FailMode::Local,
            _ => FailMode::Closed,
        },
        mode: if shape.mode == "lease" { Mode::Lease } else { Mode::Strict },
        share: shape.share,
        remember_denials: shape.remember_denials,
    })?;
    opener.keep(Handle::RemoteLimiter(limiter))
}

fn configs(shapes: Vec<LimitShape>) -> Vec<LimitConfig> {
    let config = |limit: LimitShape| LimitConfig {
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
    };
    shapes.into_iter().map(config).collect()
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
        Some(Open { handle: Handle::RemoteLimiter(limiter), .. }) => {
            limiter.plan(limit, window_ms, burst).map(drop).map_err(raise)
        }
        _ => Err(raise(Fault::new(Code::Disposed, "it has been disposed of"))),
    }
}
