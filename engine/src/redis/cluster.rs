//! A cluster: which node answers for which slot, now. Owns the table of slots and the nodes.
//! Never lets anybody wait for it: a route is one load and one look at a short list.

mod refresh;
mod ways;

pub(super) use ways::Anyone;

use super::node::Node;
use super::refusal::Refusal;
use super::routes::Routes;
use super::slots::{Route, at};
use super::target::{Address, Target};
use super::thread;
use super::traffic::Traffic;
use crate::store::fingerprint::random_word;
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use ways::Way;

/// How many slots there are.
const SLOTS: usize = 16_384;

/// In the table: nobody answers for that.
const NOBODY: u16 = u16::MAX;

/// Who has no slot is kept this long, for what is on its way to him: he had some, or will have the one of an `ASK`.
const GUEST: Duration = Duration::from_secs(2);

/// One address. It keeps its index for ever; its node comes and goes.
struct Member {
    address: Address,
    node: Option<Arc<Node>>,
    /// Without a slot: when its node goes.
    kept_until: Option<Instant>,
}

/// The routes of a cluster.
pub(super) struct Cluster {
    target: Arc<Target>,
    traffic: Arc<Traffic>,
    /// Grows only.
    members: RwLock<Vec<Member>>,
    /// Of each slot, the index of the member that answers for it.
    table: Box<[AtomicU16]>,
    /// Somebody has reason to believe that the table is wrong.
    doubts: Arc<Notify>,
    refresh: Mutex<Option<AbortHandle>>,
    turn: AtomicUsize,
    closed: AtomicBool,
}

impl Cluster {
    /// Until its map is known, the first address is asked for everything: it knows whom to send us to.
    pub(super) fn new(target: Arc<Target>, traffic: Arc<Traffic>) -> Arc<Self> {
        let cluster = Arc::new(Cluster {
            target,
            traffic,
            members: RwLock::default(),
            table: (0..SLOTS).map(|_| AtomicU16::new(NOBODY)).collect(),
            doubts: Arc::default(),
            refresh: Mutex::default(),
            // Not the same one for all processes.
            turn: AtomicUsize::new(random_word() as usize),
            closed: AtomicBool::new(false),
        });
        if let Some(seed) = cluster.target.nodes.first().cloned() {
            let routes = [Route { from: 0, to: 16_383, address: seed }];
            cluster.follow(&routes);
            // So that there is somebody to be asked from the beginning.
            drop(cluster.node_at(0));
        }
        *cluster.refresh.lock() = thread::spawn(refresh::run(Arc::downgrade(&cluster)));
        cluster
    }

    /// Each slot is answered as said, and what is not spoken of by nobody. Whether that is news.
    fn follow(&self, routes: &[Route]) -> bool {
        let mut wanted = vec![NOBODY; self.table.len()];
        for route in routes {
            let member = self.member_at(&route.address).unwrap_or(NOBODY);
            let span = usize::from(route.from)..=usize::from(route.to);
            wanted.get_mut(span).into_iter().flatten().for_each(|word| *word = member);
        }
        let changes =
            self.table.iter().zip(&wanted).map(|(word, &member)| word.swap(member, Ordering::AcqRel) != member);
        let news = changes.fold(false, |news, change| news | change);
        self.leave();
        news
    }

    /// End the connections to those that have answered for nothing for a while. Whether there are some whose while is not over.
    fn leave(&self) -> bool {
        let (serving, now) = (self.serving(), Instant::now());
        let (mut left, mut staying) = (Vec::new(), false);
        for (index, member) in self.members.write().iter_mut().enumerate() {
            if member.node.is_none() || serving.iter().any(|&other| usize::from(other) == index) {
                member.kept_until = None;
            } else if *member.kept_until.get_or_insert(now + GUEST) <= now {
                left.extend(member.node.take());
            } else {
                staying = true;
            }
        }
        left.iter().for_each(Node::close);
        staying
    }

    /// The index of this address, a new one if it has none. None once there have been too many, which takes years.
    fn member_at(&self, address: &Address) -> Option<u16> {
        let mut members = self.members.write();
        let index = members.iter().position(|member| member.address == *address).unwrap_or(members.len());
        let member = u16::try_from(index).ok().filter(|&member| member != NOBODY)?;
        if index == members.len() {
            members.push(Member { address: address.clone(), node: None, kept_until: None });
        }
        Some(member)
    }

    /// The node there; its connection is begun when it is first asked for.
    fn node_at(&self, member: u16) -> Option<Arc<Node>> {
        let index = usize::from(member);
        if let Some(node) = self.members.read().get(index).and_then(|member| member.node.clone()) {
            return Some(node);
        }
        let mut members = self.members.write();
        let member = members.get_mut(index)?;
        if member.node.is_none() && !self.closed.load(Ordering::Acquire) {
            let way = Way::new(&self.target, &member.address, &self.doubts);
            // Its task is queued here, and runs when nothing is locked.
            member.node = Some(Node::new(Arc::new(way), self.traffic.clone()));
        }
        member.node.clone()
    }

    /// Who answers for something, each once.
    fn serving(&self) -> Vec<u16> {
        let mut serving: Vec<u16> = Vec::new();
        let mut last = NOBODY;
        for word in &self.table {
            let member = word.load(Ordering::Acquire);
            if member != last && member != NOBODY && !serving.contains(&member) {
                serving.push(member);
            }
            last = member;
        }
        serving
    }

    fn address_of(&self, member: u16) -> Option<Address> {
        self.members.read().get(usize::from(member)).map(|member| member.address.clone())
    }

    /// Whom to ask how things stand: who answers for something, and those that were configured. Another one first each time, as
    /// the one that was asked may be the one that is wrong.
    fn everybody(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> =
            self.serving().into_iter().filter_map(|member| self.address_of(member)).collect();
        for address in &self.target.nodes {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(addresses.len()).unwrap_or(0);
        addresses.rotate_left(turn);
        addresses
    }

    /// Who is meant by a redirection of `from`.
    fn named(&self, from: &Arc<Node>, host: &str, port: u16) -> Option<u16> {
        let is_from = |member: &&Member| member.node.as_ref().is_some_and(|node| Arc::ptr_eq(node, from));
        let asked = self.members.read().iter().find(is_from).map(|member| member.address.clone())?;
        self.member_at(&at(host, port, &asked)?)
    }
}

impl Routes for Cluster {
    fn node(&self, slot: Option<u16>) -> Option<Arc<Node>> {
        let Some(slot) = slot else {
            let first = self.table.first()?.load(Ordering::Acquire);
            if let Some(node) = self.node_at(first).filter(|node| node.is_up()) {
                return Some(node);
            }
            let nodes = || self.serving().into_iter().filter_map(|member| self.node_at(member));
            return nodes().find(|node| node.is_up()).or_else(|| nodes().next());
        };
        let member = self.table.get(usize::from(slot))?.load(Ordering::Acquire);
        if member == NOBODY {
            self.doubts.notify_one();
            return None;
        }
        self.node_at(member)
    }

    fn each(&self, visit: &mut dyn FnMut(&Arc<Node>)) {
        let nodes: SmallVec<[Arc<Node>; 16]> =
            self.members.read().iter().filter_map(|member| member.node.clone()).collect();
        nodes.iter().for_each(visit);
    }

    fn is_cluster(&self) -> bool {
        true
    }

    fn shards(&self) -> Vec<Option<u16>> {
        let slot_of = |member: u16| self.table.iter().position(|word| word.load(Ordering::Acquire) == member);
        let slots = self.serving().into_iter().filter_map(slot_of);
        slots.map(|slot| u16::try_from(slot).ok()).filter(Option::is_some).collect()
    }

    fn refused(&self, from: &Arc<Node>, _slot: Option<u16>, refusal: &Refusal) -> Option<Arc<Node>> {
        let node = match refusal {
            Refusal::Moved { slot, host, port } => {
                self.doubts.notify_one();
                let member = self.named(from, host, *port)?;
                self.table.get(usize::from(*slot))?.store(member, Ordering::Release);
                self.node_at(member)
            }
            Refusal::Ask { host, port, .. } => {
                let member = self.named(from, host, *port)?;
                if let Some(guest) = self.members.write().get_mut(usize::from(member)) {
                    guest.kept_until = Some(Instant::now() + GUEST);
                }
                self.node_at(member)
            }
            Refusal::TryAgain => None,
            Refusal::ReadOnly | Refusal::ClusterDown | Refusal::MasterDown => {
                self.doubts.notify_one();
                None
            }
        };
        // Who sends us to himself has not made up his mind yet.
        node.filter(|node| !Arc::ptr_eq(node, from))
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let refresh = self.refresh.lock().take();
        if let Some(refresh) = refresh {
            refresh.abort();
        }
        let nodes: Vec<Arc<Node>> = self.members.write().iter_mut().filter_map(|member| member.node.take()).collect();
        nodes.iter().for_each(Node::close);
    }
}
