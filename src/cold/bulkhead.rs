//! Opening a bulkhead. Owns its shape. Never gives a permit.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::{Opener, Opening, Result};
use crate::environment::Handle;
use napi::Env;
use napi_derive::napi;
use spillway_engine::primitive::bulkhead::{BulkheadConfig, BulkheadHandle};
use spillway_engine::primitive::limit::Provenance;

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
