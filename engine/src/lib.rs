//! The engine of Spillway: policies, stores and primitives, without Node-API.
//! Never reads JavaScript, never calls it, and never reads time outside [`clock`].
//!
//! Calls go one way: [`primitive`] → [`store`], [`redis`] → [`policy`].
#![forbid(unsafe_code)]

pub mod clock;
pub mod error;
pub mod policy;
pub mod primitive;
pub mod redis;
pub mod store;
mod sync;

pub use error::{Code, Fault};
