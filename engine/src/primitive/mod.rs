//! The four and the budget of retries, each joining a policy to a store and counting what happened. Never formats for a user and never reads time.

pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod cache;
pub mod circuit;
pub mod circuits;
pub mod counting;
pub mod gate;
pub mod life;
pub mod limit;
pub mod limiter;
pub mod partition;
pub mod registry;
pub mod remote;
pub mod rule;
pub mod tally;
pub mod together;
