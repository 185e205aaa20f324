//! What primitives ask through: one way to Redis for the whole process. Owns the tick. Never waits, and never keeps anybody waiting
//! past his deadline.

use super::dial::Plain;
use super::node::{Node, NodeReport};
use super::readiness::Ready;
use super::request::{Ask, Done, Remote, Trouble};
use super::routes::{One, Routes};
use super::thread;
use super::traffic::{Settings, Traffic};
use crate::clock::{MILLI, Nanos, monotonic};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

/// How far past its deadline an answer may be, and how long what nobody flushed may lie.
const TICK: Nanos = 4 * MILLI;
/// Where nothing is on its way and something is amiss.
const SLOW_TICK: Nanos = 40 * MILLI;
/// Without traffic for so long, the tick sleeps.
const QUIET: Nanos = 1000 * MILLI;

/// The way to Redis.
pub struct Link {
    routes: Arc<dyn Routes>,
    traffic: Arc<Traffic>,
    cluster: bool,
}

/// What is shown of a link. Never contains credentials.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkReport {
    /// Whether it is worth asking.
    pub up: bool,
    /// Requests on their way.
    pub in_flight: usize,
    /// Requests not taken because too many were on their way.
    pub full: u64,
    /// Each server.
    pub nodes: Vec<NodeReport>,
}

impl Link {
    /// A link over these servers, which are connected to at once.
    pub fn open(settings: Settings, routes: impl FnOnce(&Arc<Traffic>) -> Arc<dyn Routes>) -> Arc<Self> {
        let traffic = Arc::new(Traffic::new(settings));
        let routes = routes(&traffic);
        let cluster = routes.is_cluster();
        traffic.merges.store(!cluster, Relaxed);
        let _ = traffic.routes.set(Arc::downgrade(&routes));
        thread::spawn(tick(traffic.clone()));
        Arc::new(Link { routes, traffic, cluster })
    }

    /// A link to one server without password or TLS.
    pub fn plain(host: &str, port: u16, settings: Settings) -> Arc<Self> {
        let dial = Arc::new(Plain { host: host.to_owned(), port });
        Link::open(settings, |traffic| Arc::new(One(Node::new(dial, traffic.clone()))))
    }

    /// Tell when a server has let us in, or why none does: by configuration at once, otherwise when the time to connect is over.
    pub fn ready(&self, ready: Ready) {
        self.traffic.readiness.wait(monotonic() + self.traffic.settings.connect_timeout, ready);
        self.traffic.wake.notify_one();
    }

    /// The time within which it answers, where who asks has none of his own.
    pub fn deadline(&self) -> Nanos {
        self.traffic.settings.deadline
    }

    /// Everything that is asked is refused from now on; who waits is told.
    pub fn close(&self) {
        if !self.traffic.closed.swap(true, SeqCst) {
            self.routes.close();
            self.traffic.readiness.close();
            self.traffic.wake.notify_one();
        }
    }

    /// Whether anything of it is still in memory, asked when it itself is gone.
    #[doc(hidden)]
    pub fn alive(&self) -> impl Fn() -> bool + use<> {
        let traffic = Arc::downgrade(&self.traffic);
        move || traffic.strong_count() > 0
    }

    /// As it is now.
    pub fn report(&self) -> LinkReport {
        let mut nodes = Vec::new();
        self.routes.each(&mut |node| nodes.push(node.report()));
        LinkReport {
            up: self.is_up(),
            in_flight: self.traffic.in_flight(),
            full: self.traffic.refused_as_full(),
            nodes,
        }
    }
}

impl Remote for Link {
    fn ask(&self, ask: Ask, done: Done) -> Result<(), (Trouble, Done)> {
        match self.routes.node(ask.slot) {
            Some(node) => node.ask(ask, done),
            None => Err((Trouble::Down, done)),
        }
    }

    fn flush(&self) {
        self.routes.each(&mut |node| node.flush());
    }

    fn is_up(&self) -> bool {
        self.traffic.is_up()
    }

    fn is_cluster(&self) -> bool {
        self.cluster
    }

    fn shards(&self) -> Vec<Option<u16>> {
        self.routes.shards()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// What time brings, until the link is closed: a standing beat while there is traffic, none where there is not.
async fn tick(traffic: Arc<Traffic>) {
    let (mut busy_at, mut settled) = (monotonic(), 0);
    while let Some(routes) = traffic.routes().filter(|_| !traffic.closed.load(SeqCst)) {
        let stalled = traffic.was_stalled(monotonic());
        if stalled {
            // What has come meanwhile is read before anything is called late.
            tokio::task::yield_now().await;
        }
        let now = monotonic();
        let mut amiss = traffic.readiness.tick(now);
        ask_parked(&traffic, &*routes, now);
        routes.each(&mut |node| amiss |= node.tick(now, stalled));
        traffic.beat.store(monotonic(), Relaxed);
        drop(routes);
        let so_far = traffic.settled();
        if traffic.in_flight() > 0 || so_far != settled {
            (busy_at, settled) = (now, so_far);
        }
        if now.saturating_sub(busy_at) <= QUIET {
            tokio::time::sleep(Duration::from_nanos(TICK)).await;
            continue;
        }
        traffic.awake.store(false, SeqCst);
        if traffic.in_flight() == 0 {
            let asked = traffic.wake.notified();
            if amiss {
                let _ = tokio::time::timeout(Duration::from_nanos(SLOW_TICK), asked).await;
            } else {
                asked.await;
            }
        }
        traffic.beat.store(monotonic(), Relaxed);
        traffic.awake.store(true, SeqCst);
    }
    let parked = std::mem::take(&mut *traffic.parked.lock());
    parked.into_iter().for_each(|pending| pending.answer(Err(Trouble::Down)));
}

/// What was refused and belongs to nobody known is asked of whoever has the slot now.
fn ask_parked(traffic: &Traffic, routes: &dyn Routes, now: Nanos) {
    let parked = std::mem::take(&mut *traffic.parked.lock());
    for pending in parked {
        let node = routes.node(pending.slot).filter(|_| now < pending.deadline);
        match node {
            Some(node) => {
                node.ask_again(vec![pending]);
                node.flush();
            }
            None => {
                let why = pending.why.clone().unwrap_or(Trouble::Down);
                pending.answer(Err(why));
            }
        }
    }
}
