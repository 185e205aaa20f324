//! The four and the budget of retries, each joining a policy to a store and counting what happened. Never formats for a user and never reads time.
//!
//! Under loom there is no network, and nothing that reaches over one: its kernels are none of that.

pub mod breaker;
pub mod budget;
pub mod bulkhead;
#[cfg(not(loom))]
pub mod cache;
pub mod circuit;
pub mod circuits;
pub mod counting;
pub mod gate;
pub mod life;
pub mod limit;
pub mod limiter;
pub mod partition;
#[cfg(not(loom))]
pub mod registry;
#[cfg(not(loom))]
pub mod remote;
pub mod rule;
pub mod tally;
pub mod together;
