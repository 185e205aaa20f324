//! One server, over one connection at a time. Owns what is asked of it until it is answered. Never decides whose a slot is.

mod connection;
mod health;
mod life;
mod pending;
mod pipeline;
mod replies;
mod report;

pub(super) use pending::Pending;
pub use report::NodeReport;

use super::dial::{Dial, Obstacle};
use super::request::{Again, Ask, Done, Request, Trouble};
use super::thread;
use super::traffic::Traffic;
use crate::clock::{MILLI, Nanos, monotonic};
use connection::{Connection, End};
use health::{Health, Tidings};
use parking_lot::Mutex;
use report::Counts;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::{Arc, OnceLock};
use tokio::task::AbortHandle;

/// So many do not wait for the end of a turn.
const TURN: usize = 256;
/// Nor do so many where the server has nothing to do: it begins with them while the others are still being asked.
const START: usize = 32;
/// Timeouts in a row that end a connection.
const SILENT: u32 = 3;
/// A retired connection may wait so long for its last replies.
const LAST_REPLIES: Nanos = 20 * MILLI;
/// Between probes.
const PROBES: Nanos = 100 * MILLI;

#[derive(Default)]
struct Desk {
    asked: Vec<Pending>,
    /// What is asked lay there a tick ago: nobody seems to flush.
    lying: bool,
    connection: Option<Arc<Connection>>,
    /// Nobody will be asked any more.
    closed: bool,
    retired_at: Option<(Nanos, Arc<Connection>)>,
    next_probe: Nanos,
    obstacle: Option<Obstacle>,
}

/// One server.
pub struct Node {
    dial: Arc<dyn Dial>,
    traffic: Arc<Traffic>,
    desk: Mutex<Desk>,
    health: Health,
    counts: Counts,
    /// A probe is on its way.
    probing: AtomicBool,
    life: OnceLock<AbortHandle>,
}

impl Node {
    /// A node that begins to connect at once.
    pub fn new(dial: Arc<dyn Dial>, traffic: Arc<Traffic>) -> Arc<Self> {
        traffic.one_up();
        let node = Arc::new(Node {
            dial,
            traffic,
            desk: Mutex::default(),
            health: Health::new(),
            counts: Counts::default(),
            probing: AtomicBool::new(false),
            life: OnceLock::new(),
        });
        match thread::spawn(life::live(node.clone())) {
            Some(handle) => drop(node.life.set(handle)),
            None => node.hindered(Obstacle::Down("the system gives no thread for connections".to_owned())),
        }
        node
    }

    /// Where it is, without credentials.
    pub fn address(&self) -> String {
        self.dial.address()
    }

    /// Whether it is worth asking.
    pub fn is_up(&self) -> bool {
        !self.health.is_open()
    }

    /// Whether a connection is there.
    pub fn is_connected(&self) -> bool {
        self.desk.lock().connection.is_some()
    }

    /// Ask, as [`super::request::Remote::ask`].
    pub fn ask(&self, ask: Ask, done: Done) -> Result<(), (Trouble, Done)> {
        if self.health.is_open() {
            self.counts.refused.fetch_add(1, Relaxed);
            return Err((self.trouble(), done));
        }
        let Some(ticket) = self.traffic.admit(ask.request.weight()) else { return Err((Trouble::Full, done)) };
        let pending = Pending::new(ask, done, Some(ticket));
        let mut desk = self.desk.lock();
        if desk.closed {
            drop(desk);
            return Err((Trouble::Down, pending.take_back()));
        }
        desk.asked.push(pending);
        let many = desk.asked.len();
        let idle = || desk.connection.as_ref().is_some_and(|connection| connection.is_idle());
        let full = many >= TURN || (many == START && idle());
        drop(desk);
        self.counts.asked.fetch_add(1, Relaxed);
        if full {
            self.flush();
        }
        Ok(())
    }

    /// Why nothing is asked.
    fn trouble(&self) -> Trouble {
        match &self.desk.lock().obstacle {
            Some(obstacle) if obstacle.is_lasting() => Trouble::Denied(obstacle.to_string()),
            _ => Trouble::Down,
        }
    }

    /// Ask again what was refused elsewhere, or here: before all that came later.
    pub(super) fn ask_again(&self, refused: Vec<Pending>) {
        if refused.is_empty() {
            return;
        }
        let mut desk = self.desk.lock();
        if desk.closed {
            drop(desk);
            return refused.into_iter().for_each(|pending| pending.answer(Err(Trouble::Down)));
        }
        desk.asked.splice(0..0, refused);
    }

    /// Send what was asked.
    pub fn flush(&self) {
        loop {
            let connection = {
                let desk = self.desk.lock();
                if desk.asked.is_empty() {
                    return;
                }
                desk.connection.clone()
            };
            let Some(connection) = connection else { return };
            let take = || {
                let mut desk = self.desk.lock();
                desk.lying = false;
                std::mem::take(&mut desk.asked)
            };
            let back = |unsent| self.ask_again(unsent);
            if !connection.send(self.traffic.merges.load(Relaxed), take, back) {
                return;
            }
        }
    }

    /// Leave this connection and find the server anew: it is no longer the one to be asked. What is on its way may still be answered.
    pub fn redial(&self) {
        let mut desk = self.desk.lock();
        let Some(connection) = desk.connection.take() else { return };
        connection.retired.store(true, Relaxed);
        desk.retired_at = Some((monotonic(), connection.clone()));
        drop(desk);
        if connection.pipeline.lock().is_empty() {
            connection.finish(End::Retired);
        }
    }

    /// Everything that time brings. On the thread of the connections. Whether there is more to come of it.
    /// What is late because this process was `stalled` is late, but not the server's doing.
    pub(super) fn tick(self: &Arc<Self>, now: Nanos, stalled: bool) -> bool {
        let (connection, retired, lying) = {
            let mut desk = self.desk.lock();
            let lies = !desk.asked.is_empty();
            let lay = std::mem::replace(&mut desk.lying, lies);
            (desk.connection.clone(), desk.retired_at.clone(), lay && lies)
        };
        if lying {
            self.flush();
        }
        let mut overdue = self.overdue_at_desk(now);
        let mut blamed = overdue.len() as u32;
        for connection in connection.iter().chain(retired.iter().map(|(_, connection)| connection)) {
            let (late, by_server) = connection.pipeline.lock().overdue(now, self.slow());
            // Replies that go on coming excuse those that our own have kept waiting; silence excuses nobody.
            let flows = now.saturating_sub(connection.heard_at.load(Relaxed)) < self.slow();
            let by_server = if flows { by_server } else { late.len() as u32 };
            let in_a_row = connection.late_in_a_row.fetch_add(by_server, AcqRel) + by_server;
            blamed += by_server;
            overdue.extend(late);
            if in_a_row >= SILENT {
                connection.finish(End::Silent);
            }
        }
        if let Some((since, connection)) = retired
            && now.saturating_sub(since) > LAST_REPLIES
        {
            connection.finish(End::Retired);
        }
        if !overdue.is_empty() {
            self.counts.late.fetch_add(overdue.len() as u64, Relaxed);
            if !stalled && blamed > 0 {
                let failed = Tidings { failed: u64::from(blamed), ..Tidings::default() };
                self.count(failed, now, || Trouble::Late.to_string());
            }
            overdue.into_iter().for_each(pending::Overdue::tell);
        }
        if self.health.is_open() && connection.is_some() {
            self.probe(now);
        }
        self.health.is_open()
    }

    fn overdue_at_desk(&self, now: Nanos) -> Vec<pending::Overdue> {
        let mut desk = self.desk.lock();
        if !desk.asked.iter().any(|pending| pending.deadline <= now) {
            return Vec::new();
        }
        let mut passed: Vec<_> = desk.asked.extract_if(.., |pending| pending.deadline <= now).collect();
        drop(desk);
        passed.iter_mut().filter_map(Pending::expire).collect()
    }

    /// Ask the server whether it is well, past its breaker.
    fn probe(self: &Arc<Self>, now: Nanos) {
        let mut desk = self.desk.lock();
        if now < desk.next_probe || self.probing.swap(true, Acquire) {
            return;
        }
        desk.next_probe = now + PROBES;
        let node = self.clone();
        let done = Box::new(move |answer: Result<_, Trouble>| {
            node.probing.store(false, Relaxed);
            let then = monotonic();
            if answer.is_ok() && then.saturating_sub(now) < node.slow() && node.health.probed(then) {
                node.traffic.one_up();
                node.traffic.readiness.reached();
            }
        });
        let deadline = now + self.traffic.settings.deadline;
        let ask = Ask { request: Request::command("PING"), slot: None, again: Again::No, deadline };
        desk.asked.insert(0, Pending::new(ask, done, None));
        drop(desk);
        self.flush();
    }

    /// Replies that take longer than this are slow.
    fn slow(&self) -> Nanos {
        self.traffic.settings.deadline / 2
    }

    fn count(&self, tidings: Tidings, now: Nanos, why: impl FnOnce() -> String) {
        if self.health.count(tidings, now, why) {
            self.traffic.one_down();
        }
    }

    /// No connection has come about.
    fn hindered(&self, obstacle: Obstacle) {
        if self.health.cut(obstacle.to_string()) {
            self.traffic.one_down();
        }
        let old = self.desk.lock().obstacle.replace(obstacle.clone());
        drop(old);
        self.traffic.readiness.hindered(&obstacle);
    }

    /// Nothing is asked any more; who waits is told. The connection ends.
    pub fn close(self: &Arc<Self>) {
        let node = self.clone();
        let told = thread::spawn(async move { node.end() });
        if told.is_none() {
            self.end();
        }
    }

    fn end(&self) {
        if let Some(life) = self.life.get() {
            life.abort();
        }
        let mut desk = self.desk.lock();
        if std::mem::replace(&mut desk.closed, true) {
            return;
        }
        let (asked, connection) = (std::mem::take(&mut desk.asked), desk.connection.take());
        let retired = desk.retired_at.take().map(|(_, connection)| connection);
        drop(desk);
        if self.health.cut("closed".to_owned()) {
            self.traffic.one_down();
        }
        asked.into_iter().for_each(|pending| pending.answer(Err(Trouble::Down)));
        for connection in connection.into_iter().chain(retired) {
            connection.finish(End::Retired);
            let entries = connection.pipeline.lock().close();
            entries.into_iter().flat_map(|entry| entry.askers).for_each(|pending| pending.answer(Err(Trouble::Lost)));
        }
    }
}
