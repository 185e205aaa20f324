//! How the table of slots is kept right: asked for at once, then whenever somebody doubts it. Owns the pauses in between.
//! Never keeps the cluster alive: it ends with it.

use super::{Cluster, GUEST};
use crate::redis::race::{First, first};
use crate::redis::slots;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks: doubled from the first to the second while nothing is found to have changed.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_millis(400);

pub(super) async fn run(cluster_of: Weak<Cluster>) {
    let mut pause = SOONEST;
    loop {
        let Some((target, nodes, doubts)) =
            cluster_of.upgrade().map(|cluster| (cluster.target.clone(), cluster.everybody(), cluster.doubts.clone()))
        else {
            return;
        };
        let found = slots::routes(&target, &nodes).await;
        let Some(cluster) = cluster_of.upgrade() else { return };
        match found {
            Ok(routes) => {
                let news = cluster.follow(&routes);
                drop(cluster);
                pause = if news { SOONEST } else { (pause * 2).min(LATEST) };
                while let First::That(()) = first(doubts.notified(), sleep(GUEST)).await {
                    let Some(cluster) = cluster_of.upgrade() else { return };
                    if !cluster.leave() {
                        drop(cluster);
                        doubts.notified().await;
                        break;
                    }
                }
            }
            Err(obstacle) => {
                if obstacle.is_lasting() {
                    cluster.traffic.readiness.hindered(&obstacle);
                }
                pause = (pause * 2).min(LATEST);
            }
        }
        sleep(pause).await;
    }
}
