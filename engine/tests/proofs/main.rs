//! The engine against oracles that think differently, and against the bugs of its peers, in one binary since linking is slow.
//! Never sleeps and never reads a clock: time is an argument.
#![cfg(not(any(loom, shuttle)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that panics is a test that fails, and nobody links against one"
)]

mod breaker;
mod budget;
mod bulkhead;
mod bytes;
mod cache;
mod cache_stale;
mod cells;
mod crowd;
mod dice;
mod divisor;
mod dump;
mod estimate;
mod eviction;
mod fingerprint;
mod flights;
mod freshness;
mod gate;
mod gcra;
mod histogram;
mod lattice;
mod ledger;
mod letters;
mod limiter;
mod limiters;
mod oracles;
mod partitions;
mod peers;
mod plans;
mod registry;
mod rights;
mod ring;
mod rolling;
mod several;
mod sketch;
mod uncounted;
mod waiters;
mod windows;
mod worst;
mod wraps;
