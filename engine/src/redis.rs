//! The remote store: Redis and Valkey, one connection for all primitives, off the event loop. Owns how commands get there and how
//! their replies come back. Decides nothing of what a primitive decides, and never keeps anybody waiting past his deadline.

mod cluster;
pub mod examine;
pub mod fleet;
pub mod link;
pub mod name;
pub mod node;
pub mod push;
mod race;
pub mod refusal;
pub mod request;
mod sentinel;
pub mod sign_on;
pub mod stream;
pub mod target;
pub mod thread;
mod tls;
pub mod topology;
mod wire;

/// What Redis answers with.
pub use ::redis::Value;
pub use refusal::Refusal;
pub use request::{Again, Ask, Done, Remote, Request, Script, Trouble};
pub use sign_on::{Server, Signed, dial};
pub use target::{Address, Mode, Secret, Target, Tls};
pub use topology::{Place, Topology};
