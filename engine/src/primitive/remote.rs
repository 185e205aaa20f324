//! Primitives whose state lives in Redis. Each joins the remote store to what it decides here when that store is gone.

pub mod bulkhead;
pub mod cache;
pub mod lease;
pub mod limiter;
