//! The remote store: Redis and Valkey, one connection for all primitives, off the event loop. Owns how commands get there and how
//! their replies come back. Decides nothing of what a primitive decides, and never keeps anybody waiting past his deadline.

pub mod dial;
mod examine;
pub mod fleet;
pub mod link;
pub mod name;
pub mod node;
mod obstacle;
pub mod push;
mod race;
pub mod reply;
pub mod request;
mod sentinel;
mod sign_on;
mod slots;
mod straight;
mod talk;
pub mod target;
pub mod thread;
mod tls;
mod wire;

/// What Redis answers with.
pub use ::redis::Value;
pub use request::{Again, Ask, Done, Remote, Request, Script, Trouble};
pub use sign_on::Server;
pub use target::{Address, Mode, Secret, Target, Tls};
