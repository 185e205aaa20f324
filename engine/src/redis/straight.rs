//! The way to a server whose addresses are known. Owns the order they are tried in.
//! Never asks anybody else where it is.

use super::dial::{Dial, Dialing, Obstacle, Wire};
use super::obstacle::graver;
use super::sign_on::sign_on;
use super::target::{Address, Target};
use std::sync::Arc;

/// One server; with several addresses, the first that lets us in as its master.
pub(super) struct Straight {
    target: Arc<Target>,
}

impl Straight {
    pub(super) fn new(target: Arc<Target>) -> Arc<Self> {
        Arc::new(Straight { target })
    }

    async fn connect(&self) -> Result<Wire, Obstacle> {
        let mut worst = Obstacle::Down("no address".to_owned());
        let patience = self.target.share_of(self.target.nodes.len());
        for address in &self.target.nodes {
            match sign_on(&self.target, address, patience).await {
                Ok(wire) => return Ok(wire),
                Err(obstacle) => worst = graver(obstacle, worst),
            }
        }
        Err(worst)
    }
}

impl Dial for Straight {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(self.connect())
    }

    fn address(&self) -> String {
        self.target.nodes.first().map(Address::to_string).unwrap_or_default()
    }
}
