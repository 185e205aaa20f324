//! How a node gets a connection and loses it. Owns the attempts and the end of each connection. Never answers from what came late.

use super::connection::{Connection, End};
use super::health::Tidings;
use super::pending::Pending;
use super::{Node, replies};
use crate::clock::monotonic;
use crate::redis::dial::{Obstacle, Wire};
use crate::redis::request::{Again, Trouble};
use crate::store::fingerprint::random_word;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// An attempt that takes longer gets company: a server that comes back answers a fresh one at once.
const PATIENCE: Duration = Duration::from_millis(500);
/// Attempts under way at most.
const ATTEMPTS: usize = 4;
/// Between failed attempts, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_millis(250);
/// Between attempts that fail by configuration.
const LASTING_PAUSE: Duration = Duration::from_millis(1000);
/// A connection that held so long has been one.
const HELD: Duration = Duration::from_secs(1);

/// A task that ends with whoever holds this.
struct Errand(AbortHandle);

impl Drop for Errand {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Connect, and when that ends, connect again.
pub(super) async fn live(node: Arc<Node>) {
    let mut pause = Duration::ZERO;
    loop {
        let wire = reach(&node, pause).await;
        let since = monotonic();
        let (connection, ear, relayed) = Connection::new(wire);
        let read = Errand(tokio::spawn(replies::read(node.clone(), connection.clone(), ear)).abort_handle());
        let write = Errand(tokio::spawn(connection.clone().write_on(node.clone(), relayed)).abort_handle());
        let closed = {
            let mut desk = node.desk.lock();
            desk.connection = Some(connection.clone());
            desk.obstacle = None;
            desk.next_probe = 0;
            desk.closed
        };
        if closed {
            return;
        }
        node.counts.connections.fetch_add(1, Relaxed);
        // Where nothing can be asked yet, the probe that changes that tells it.
        if !node.health.is_open() {
            node.traffic.readiness.reached();
        }
        node.flush();
        node.tick(since, false);
        let end = connection.ended().await;
        drop((read, write));
        let held = Duration::from_nanos(monotonic().saturating_sub(since));
        pause = if held < HELD { FIRST_PAUSE } else { Duration::ZERO };
        bury(&node, &connection, &end);
    }
}

/// A connection, however long it takes.
async fn reach(node: &Arc<Node>, pause: Duration) -> Wire {
    let mut attempts: JoinSet<Result<Wire, Obstacle>> = JoinSet::new();
    let limit = Duration::from_nanos(node.traffic.settings.connect_timeout);
    let mut pause = pause;
    loop {
        if !pause.is_zero() {
            sleep(pause.mul_f64(0.75 + (random_word() >> 11) as f64 / (1_u64 << 54) as f64)).await;
        }
        if attempts.len() < ATTEMPTS {
            let dial = node.dial.clone();
            attempts.spawn(async move {
                let silent = |_| Err(Obstacle::Down(format!("{} does not answer", dial.address())));
                timeout(limit, dial.dial()).await.unwrap_or_else(silent)
            });
        }
        pause = match timeout(PATIENCE.min(limit), attempts.join_next()).await {
            Ok(Some(Ok(Ok(wire)))) => return wire,
            Ok(Some(Ok(Err(obstacle)))) => {
                let lasting = obstacle.is_lasting();
                node.hindered(obstacle);
                if lasting { LASTING_PAUSE } else { (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE) }
            }
            // An attempt that has panicked is one that has failed.
            Ok(_) => LAST_PAUSE,
            Err(_) => {
                node.hindered(Obstacle::Down(format!("{} does not answer", node.address())));
                Duration::ZERO
            }
        };
    }
}

/// Settle what a connection has left behind.
fn bury(node: &Arc<Node>, connection: &Arc<Connection>, end: &End) {
    {
        let mut desk = node.desk.lock();
        if desk.connection.as_ref().is_some_and(|present| Arc::ptr_eq(present, connection)) {
            desk.connection = None;
        }
        desk.retired_at = None;
    }
    let left = connection.pipeline.lock().close();
    let left = left.into_iter().flat_map(|entry| entry.askers).filter(Pending::is_awaited);
    let (again, lost): (Vec<_>, Vec<_>) = left.partition(|pending| pending.again == Again::Yes);
    // A connection is one failure, however much was on its way.
    if *end != End::Retired {
        node.count(Tidings { failed: 1, ..Tidings::default() }, monotonic(), || said(end));
    }
    node.counts.lost.fetch_add(lost.len() as u64, Relaxed);
    node.ask_again(again);
    lost.into_iter().for_each(|pending| pending.answer(Err(Trouble::Lost)));
}

fn said(end: &End) -> String {
    match end {
        End::Broken(why) | End::Garbage(why) => why.clone(),
        End::Silent => "the server does not answer".to_owned(),
        End::Retired => "another server has to be found".to_owned(),
    }
}
