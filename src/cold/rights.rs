//! Opening what gives out rights: a lease, and a bulkhead over hosts. Owns their shapes. Never gives out any.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::{Opener, Opening, Result, internal};
use crate::environment::Handle;
use napi::Env;
use napi_derive::napi;
use spillway_engine::primitive::limit::Provenance;
use spillway_engine::primitive::remote::books::FailMode;
use spillway_engine::primitive::remote::bulkhead::RemoteBulkheadConfig;
use spillway_engine::primitive::remote::keeper::Holder;
use spillway_engine::primitive::remote::lease::LeaseConfig;
use spillway_engine::primitive::remote::rights::RightsHandle;
use std::sync::Arc;

/// See `BulkheadOptions`, with Redis.
#[napi(object)]
pub struct RemoteBulkheadShape {
    pub limit: u32,
    pub queue: u32,
    pub per_key: bool,
    pub lease_ms: f64,
    pub max_stall_ms: f64,
    pub fail_mode: String,
    /// Where each value came from, as JSON.
    pub provenance: String,
}

/// See `LeaseOptions`.
#[napi(object)]
pub struct LeaseShape {
    pub holders: u32,
    pub ttl_ms: f64,
    pub max_stall_ms: f64,
}

impl Opener<'_> {
    fn holder(&self) -> Result<Arc<Holder>> {
        self.environment.holder().cloned().ok_or_else(|| internal("the environment is not attached"))
    }
}

/// Open a bulkhead over hosts, in a registry over Redis; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_remote_bulkhead(env: Env, opening: Opening, shape: RemoteBulkheadShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let holder = opener.holder()?;
    let bulkhead = opener.open(RemoteBulkheadConfig {
        limit: shape.limit,
        queue: shape.queue,
        per_key: shape.per_key,
        lease_ms: shape.lease_ms,
        max_stall_ms: shape.max_stall_ms,
        fail_mode: match shape.fail_mode.as_str() {
            "open" => FailMode::Open,
            "closed" => FailMode::Closed,
            _ => FailMode::Local,
        },
        provenance: Provenance(serde_json::from_str(&shape.provenance).unwrap_or_default()),
    })?;
    opener.keep(Handle::RemoteBulkhead(RightsHandle::new(bulkhead, holder)))
}

/// Open a lease, over Redis where the registry is; answers its id in this environment.
#[napi(catch_unwind)]
pub fn open_lease(env: Env, opening: Opening, shape: LeaseShape) -> Result<u32> {
    let opener = Opener::new(env, opening)?;
    let holder = opener.holder()?;
    let LeaseShape { holders, ttl_ms, max_stall_ms } = shape;
    let lease = opener.open(LeaseConfig { holders, ttl_ms, max_stall_ms })?;
    opener.keep(Handle::Lease(RightsHandle::new(lease, holder)))
}
