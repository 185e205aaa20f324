//! The remote store: Redis and Valkey, one connection for all primitives, off the event loop. Owns how commands get there and how
//! their replies come back. Decides nothing of what a primitive decides, and never keeps anybody waiting past his deadline.

mod batch;
mod cluster;
mod connect;
pub mod dial;
mod examine;
pub mod fleet;
pub mod link;
mod merge;
pub mod name;
pub mod node;
mod obstacle;
mod open;
mod pack;
pub mod push;
mod race;
pub mod readiness;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod routes;
mod script;
mod sentinel;
mod sign_on;
mod slots;
mod straight;
mod talk;
pub mod target;
pub mod thread;
mod tls;
pub mod traffic;
pub mod wire;

/// What Redis answers with.
pub use ::redis::Value;
pub use batch::after_batch;
pub use dial::Obstacle;
pub use examine::{Examined, Findings, examine};
pub use fleet::{Fleet, Member};
pub use open::{Opened, open};
pub use pack::packed;
pub use push::{Listener, Listening, Push};
pub use request::{Again, Ask, Done, Remote, Request, Trouble};
pub use script::{Grouped, Script};
pub use sign_on::Server;
pub use target::{Address, Mode, Secret, Target, Tls};
