//! Where state lives. Decides nothing: every rule is handed in as a step, or asked of [`crate::policy`].

pub mod blocks;
pub mod bytes;
pub mod cells;
pub mod dump;
pub mod entry;
pub mod estimate;
pub mod eviction;
pub mod fingerprint;
pub mod flights;
pub mod generations;
pub mod ledger;
pub mod partitions;
pub mod resets;
mod restore;
pub mod ring;
mod segments;
mod shard;
pub mod sketch;
pub mod tags;
pub mod turnstile;
pub mod waiters;
pub mod word;
