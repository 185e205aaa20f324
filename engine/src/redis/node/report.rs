//! What is shown of a node. Owns its counters. Never shows credentials.

use super::Node;
use crate::clock::MILLI;
use serde::Serialize;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

#[derive(Default)]
pub(super) struct Counts {
    pub(super) asked: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) connections: AtomicU64,
    /// A moving average of replies, in nanoseconds. Written by one thread.
    pub(super) latency: AtomicU64,
}

/// What is shown of a node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Where it is.
    pub address: String,
    /// `up`, `connecting`, `down` or `denied`.
    pub state: &'static str,
    /// Why it is not up.
    pub reason: Option<String>,
    /// Of replies lately, in milliseconds.
    pub latency_ms: f64,
    /// Requests taken.
    pub asked: u64,
    /// Requests that were answered, by errors too.
    pub answered: u64,
    /// Requests whose deadline has passed.
    pub late: u64,
    /// Requests whose connection was lost.
    pub lost: u64,
    /// Requests not taken because the breaker was open.
    pub refused: u64,
    /// Connections made.
    pub connections: u64,
    /// How often the breaker has opened.
    pub opened: u64,
}

impl Node {
    /// As it is now.
    pub fn report(&self) -> NodeReport {
        let (opened, why) = self.health.told();
        let (connected, obstacle) = {
            let desk = self.desk.lock();
            (desk.connection.is_some(), desk.obstacle.clone())
        };
        let state = match &obstacle {
            Some(obstacle) if obstacle.is_lasting() => "denied",
            _ if self.health.is_open() => "down",
            _ if connected => "up",
            _ => "connecting",
        };
        NodeReport {
            address: self.address(),
            state,
            reason: obstacle.map(|obstacle| obstacle.to_string()).or(why),
            latency_ms: self.counts.latency.load(Relaxed) as f64 / MILLI as f64,
            asked: self.counts.asked.load(Relaxed),
            answered: self.counts.answered.load(Relaxed),
            late: self.counts.late.load(Relaxed),
            lost: self.counts.lost.load(Relaxed),
            refused: self.counts.refused.load(Relaxed),
            connections: self.counts.connections.load(Relaxed),
            opened,
        }
    }
}
