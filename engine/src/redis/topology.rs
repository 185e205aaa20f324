//! Which server answers for what, now. Owns the table of routes and the numbers of the servers in it.
//! Never sends a request of a primitive, and is never waited for by one: a route is one load.

use super::cluster;
use super::race::{First, first};
use super::refusal::Refusal;
use super::sentinel::Sentinels;
use super::target::{Address, Mode, Target};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How many slots a cluster has.
const SLOTS: usize = 16_384;

/// In the table: nobody answers for that.
const NOBODY: u16 = u16::MAX;

/// Between two looks at how things stand: doubled from the first to the second while nothing is found to have changed.
const SOONEST: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_millis(400);

/// The number of one address. It keeps it as long as the topology lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place(u16);

impl Place {
    /// As an index: places are numbered from 0 on, in the order they were heard of.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The routes of one target. Made by the link, read by whoever asks, kept right by [`Topology::watch`].
pub struct Topology {
    target: Arc<Target>,
    /// Grows only, so that a place means the same address for ever.
    addresses: RwLock<Vec<Arc<Address>>>,
    /// The place of each slot in a cluster; otherwise a single word for all.
    table: Box<[AtomicU16]>,
    /// Why the last look at how things stand found nothing.
    trouble: RwLock<Option<Refusal>>,
    /// Where somebody had trouble last; looked at last, when others can be asked.
    doubted: AtomicU16,
    doubts: Notify,
    version: watch::Sender<u64>,
}

impl Topology {
    /// Of this target. A single server is known from the beginning, everything else once it is watched.
    pub fn new(target: Arc<Target>) -> Arc<Self> {
        let words = if target.mode == Mode::Cluster { SLOTS } else { 1 };
        let topology = Topology {
            target,
            addresses: RwLock::new(Vec::new()),
            table: (0..words).map(|_| AtomicU16::new(NOBODY)).collect(),
            trouble: RwLock::new(None),
            doubted: AtomicU16::new(NOBODY),
            doubts: Notify::new(),
            version: watch::Sender::new(0),
        };
        if topology.target.mode == Mode::Single
            && let Some(address) = topology.target.nodes.first().cloned()
        {
            topology.turn_to(address);
        }
        Arc::new(topology)
    }

    /// What it is of.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Whether a slot decides who is asked.
    pub fn is_cluster(&self) -> bool {
        self.table.len() > 1
    }

    /// Who answers for this slot; for a request without one, whoever is known first. None: not known, for now.
    pub fn place_of(&self, slot: Option<u16>) -> Option<Place> {
        let known = |word: &AtomicU16| Some(word.load(Ordering::Acquire)).filter(|&place| place != NOBODY).map(Place);
        match slot {
            Some(slot) if self.is_cluster() => self.table.get(usize::from(slot)).and_then(known),
            _ => self.table.iter().find_map(known),
        }
    }

    /// The address behind a place.
    pub fn address(&self, place: Place) -> Option<Arc<Address>> {
        self.addresses.read().get(place.index()).cloned()
    }

    /// Every place that answers for something now, each once.
    pub fn places(&self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        let mut last = NOBODY;
        for word in &self.table {
            let place = word.load(Ordering::Acquire);
            if place != last && place != NOBODY && !places.contains(&Place(place)) {
                places.push(Place(place));
            }
            last = place;
        }
        places
    }

    /// Why nobody is known, when nobody is.
    pub fn trouble(&self) -> Option<Refusal> {
        self.trouble.read().clone()
    }

    /// Grows whenever a route has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// A server has said `MOVED`: this slot is answered there from now on. `asked` is who has said so.
    pub fn moved(&self, slot: u16, there: &str, asked: Place) -> Option<Place> {
        let place = self.asked(there, asked)?;
        let word = self.table.get(usize::from(slot)).filter(|_| self.is_cluster())?;
        if word.swap(place.0, Ordering::AcqRel) != place.0 {
            self.changed();
        }
        self.doubts.notify_one();
        Some(place)
    }

    /// The place that a server speaks of, in `ASK` or `MOVED`, as `host:port`.
    pub fn asked(&self, there: &str, asked: Place) -> Option<Place> {
        let asker = self.address(asked)?;
        self.place_at(cluster::told(there, &asker)?)
    }

    /// Something is wrong there: the connection was lost or not to be had, or it cannot be written to. How things stand is looked at
    /// again, in the background and not too often: say it each time.
    pub fn doubt(&self, place: Place) {
        self.doubted.store(place.0, Ordering::Relaxed);
        self.doubts.notify_one();
    }

    /// Keep the routes right, for ever: to be run by whoever owns the link, and dropped with it.
    pub async fn watch(self: Arc<Self>) {
        match self.target.mode {
            Mode::Single => self.take_turns().await,
            Mode::Sentinel => self.watch_sentinels().await,
            Mode::Cluster => self.watch_cluster().await,
        }
    }

    /// Several addresses of a single server: who has trouble is followed by the next.
    async fn take_turns(&self) {
        let mut turn = 0_usize;
        loop {
            self.doubts.notified().await;
            turn = turn.wrapping_add(1);
            let next = turn.checked_rem(self.target.nodes.len()).and_then(|turn| self.target.nodes.get(turn)).cloned();
            if let Some(address) = next {
                self.turn_to(address);
            }
            sleep(SOONEST).await;
        }
    }

    async fn watch_sentinels(&self) {
        let mut sentinels = Sentinels::new(&self.target);
        let mut pause = Pause::new();
        loop {
            match sentinels.find(&self.target).await {
                Ok((master, watching)) => {
                    self.found();
                    pause.after(self.turn_to(master));
                    let news = first(watching.news(), self.doubts.notified()).await;
                    if let First::That(()) = news {
                        pause.take().await;
                    }
                }
                Err(refusal) => {
                    self.not_found(refusal);
                    pause.after(false);
                    pause.take().await;
                }
            }
        }
    }

    async fn watch_cluster(&self) {
        let mut pause = Pause::new();
        loop {
            match cluster::routes(&self.target, &self.in_order()).await {
                Ok(routes) => {
                    self.found();
                    pause.after(self.follow(&routes));
                    self.doubts.notified().await;
                }
                Err(refusal) => {
                    self.not_found(refusal);
                    pause.after(false);
                }
            }
            pause.take().await;
        }
    }

    /// Whom to ask how things stand: who is known to be there, then who was configured, and who is in doubt last.
    fn in_order(&self) -> Vec<Address> {
        let doubted = self.doubted.load(Ordering::Relaxed);
        let (mut order, mut last) = (Vec::new(), Vec::new());
        for place in self.places() {
            if let Some(address) = self.address(place) {
                if place.0 == doubted { last.push((*address).clone()) } else { order.push((*address).clone()) }
            }
        }
        for address in &self.target.nodes {
            if !order.contains(address) && !last.contains(address) {
                order.push(address.clone());
            }
        }
        order.append(&mut last);
        order
    }

    /// Everything is answered there. Whether that is news.
    fn turn_to(&self, address: Address) -> bool {
        let Some(place) = self.place_at(address) else { return false };
        let news = self.table.iter().fold(false, |news, word| news | (word.swap(place.0, Ordering::AcqRel) != place.0));
        if news {
            self.changed();
        }
        news
    }

    /// Each slot is answered as said, and what is not spoken of by nobody. Whether that is news.
    fn follow(&self, routes: &[cluster::Route]) -> bool {
        let mut wanted = vec![NOBODY; self.table.len()];
        for route in routes {
            let place = self.place_at(route.address.clone()).map_or(NOBODY, |place| place.0);
            let span = usize::from(route.from)..=usize::from(route.to);
            wanted.get_mut(span).into_iter().flatten().for_each(|word| *word = place);
        }
        let changes = self.table.iter().zip(wanted).map(|(word, place)| word.swap(place, Ordering::AcqRel) != place);
        let news = changes.fold(false, |news, change| news | change);
        if news {
            self.changed();
        }
        news
    }

    /// The number of this address, a new one if it has none. None once there have been too many, which takes years.
    fn place_at(&self, address: Address) -> Option<Place> {
        let index_of = |known: &[Arc<Address>]| known.iter().position(|other| **other == address);
        if let Some(index) = index_of(&self.addresses.read()) {
            return u16::try_from(index).ok().map(Place);
        }
        let mut addresses = self.addresses.write();
        let index = index_of(&addresses).unwrap_or(addresses.len());
        let place = u16::try_from(index).ok().filter(|&place| place != NOBODY)?;
        if index == addresses.len() {
            addresses.push(Arc::new(address));
        }
        Some(Place(place))
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn found(&self) {
        drop(self.trouble.write().take());
    }

    fn not_found(&self, refusal: Refusal) {
        let old = self.trouble.write().replace(refusal);
        drop(old);
    }
}

/// The least time between two looks.
struct Pause {
    span: Duration,
    until: Instant,
}

impl Pause {
    fn new() -> Self {
        Pause { span: SOONEST, until: Instant::now() }
    }

    fn after(&mut self, news: bool) {
        self.span = if news { SOONEST } else { (self.span * 2).min(LATEST) };
        self.until = Instant::now() + self.span;
    }

    async fn take(&self) {
        sleep_until(self.until).await;
    }
}
