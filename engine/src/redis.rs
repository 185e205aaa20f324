//! The remote store: Redis and Valkey, one connection for all primitives, off the event loop. Owns how commands get there and how
//! their replies come back. Decides nothing of what a primitive decides, and never keeps anybody waiting past his deadline.

pub mod cluster;
pub mod dial;
pub mod fleet;
pub mod link;
mod merge;
pub mod name;
pub mod node;
pub mod push;
pub mod readiness;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod routes;
pub mod sentinel;
pub mod target;
pub mod thread;
pub mod traffic;
pub mod wire;

/// What Redis answers with.
pub use ::redis::Value;
pub use request::{Again, Ask, Done, Remote, Request, Script, Trouble};
