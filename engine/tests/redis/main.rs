//! The remote store against real servers, which the tests start themselves, in one binary since linking is slow.
//! Needs `redis-server` on the path, and says so where it is missing.
#![cfg(all(unix, not(any(loom, shuttle))))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test that panics is a test that fails, and nobody links against one"
)]

mod asking;
mod certificates;
mod clusters;
mod crossing;
#[path = "../proofs/dice.rs"]
mod dice;
mod fleet;
mod holders;
mod impostor;
mod limiter_cells;
mod limiter_cluster;
mod limiter_lease;
mod limiter_traces;
mod limiter_vectors;
mod limiters;
mod link;
mod manual;
mod opening;
mod outage;
mod push;
mod refusals;
mod replies;
mod sentinels;
mod server;
mod sign_on;
mod tier;
