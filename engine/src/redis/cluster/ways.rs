//! The ways to the nodes of a cluster. Owns whether a way was gone before.
//! Never decides which node is the right one; it says when that may be in doubt.

use super::Cluster;
use crate::redis::dial::{Dial, Dialing, Obstacle, Wire};
use crate::redis::obstacle::graver;
use crate::redis::sign_on::sign_on;
use crate::redis::target::{Address, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// The way to one node. Whoever has to go it a second time doubts that it is still the right one.
pub(super) struct Way {
    target: Arc<Target>,
    address: Address,
    doubts: Arc<Notify>,
    dialled: AtomicBool,
}

impl Way {
    pub(super) fn new(target: &Arc<Target>, address: &Address, doubts: &Arc<Notify>) -> Self {
        let (target, address, doubts) = (target.clone(), address.clone(), doubts.clone());
        Way { target, address, doubts, dialled: AtomicBool::new(false) }
    }
}

impl Dial for Way {
    fn dial(&self) -> Dialing<'_> {
        if self.dialled.swap(true, Ordering::Relaxed) {
            self.doubts.notify_one();
        }
        Box::pin(sign_on(&self.target, &self.address, self.target.patience()))
    }

    fn address(&self) -> String {
        self.address.to_string()
    }
}

/// The way to any node, to another one each time: what is published anywhere is heard everywhere.
pub(in crate::redis) struct Anyone {
    cluster: Arc<Cluster>,
}

impl Anyone {
    pub(in crate::redis) fn new(cluster: Arc<Cluster>) -> Arc<Self> {
        Arc::new(Anyone { cluster })
    }

    async fn connect(&self) -> Result<Wire, Obstacle> {
        let addresses = self.cluster.everybody();
        let patience = self.cluster.target.share_of(addresses.len());
        let mut worst = Obstacle::Down("no node of the cluster answers".to_owned());
        for address in addresses {
            match sign_on(&self.cluster.target, &address, patience).await {
                Ok(wire) => return Ok(wire),
                Err(obstacle) => worst = graver(worst, obstacle),
            }
        }
        Err(worst)
    }
}

impl Dial for Anyone {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(self.connect())
    }

    fn address(&self) -> String {
        "any node of the cluster".to_owned()
    }
}
