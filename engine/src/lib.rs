//! The engine of Spillway: policies, stores and primitives, without Node-API.
//! Never reads JavaScript, never calls it, and never reads time outside [`clock`].
//!
//! Calls go one way: [`primitive`] → [`store`], [`redis`] → [`policy`].
#![forbid(unsafe_code)]
#![cfg_attr(loom, allow(dead_code, reason = "what only the remote store needs has nobody to need it"))]

pub mod clock;
pub mod error;
pub mod policy;
pub mod primitive;
#[cfg(not(loom))]
pub mod redis;
pub mod store;
mod sync;

pub use error::{Code, Fault};
