//! Rights that expire by themselves, of all who ask or of each key: what a bulkhead over hosts and a lease have in common.
//! Owns the line of each key. Never decides who is next: a line does.

use super::Far;
use super::books::{Books, FailMode, Office, Terms};
use super::ear::Ear;
use super::holders::far::FarHolders;
use super::holders::near::NearHolders;
use super::holders::{Holders, Spot, Ticket, Told, channel};
use super::keeper::{Holder, Keeper};
use super::line::Line;
use super::sleeper::{Sleeper, Timepiece};
use crate::clock::{Nanos, wall};
use crate::redis::name::Home;
use crate::store::ledger::Receipt;
use crate::store::waiters::RANKS;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Lines before the first look for those nobody needs.
const FEW: usize = 64;

/// What rights are made of.
#[derive(Clone, Copy, Debug)]
pub struct RightsConfig {
    /// At most so many are out, of each key.
    pub limit: u32,
    /// Places to wait, in this process.
    pub queue: u32,
    /// How long a right is good unless it is renewed.
    pub ttl: Nanos,
    /// How long the JavaScript of an environment may hang before nobody renews for it.
    pub max_stall: Nanos,
    /// What is decided while the store cannot be asked.
    pub fail_mode: FailMode,
}

#[derive(Default)]
struct Lines {
    by_key: HashMap<Vec<u8>, Arc<Line>>,
    /// With so many, look for those nobody needs.
    sweep_at: usize,
}

/// See the top of this file.
pub struct Rights {
    office: Arc<Office>,
    home: Home,
    lines: Mutex<Lines>,
    ear: Option<Ear>,
}

/// Rights out of all lines, and who waits by rank.
pub(super) struct Load {
    pub(super) in_use: u64,
    pub(super) waiting: [usize; RANKS],
    pub(super) keys: usize,
}

impl Rights {
    /// Of the primitive at `home`, with who keeps its holders, and the time.
    pub fn new(config: RightsConfig, home: Home, holders: Arc<dyn Holders>, time: Arc<dyn Timepiece>) -> Self {
        let keeper = Keeper::new(holders.clone(), time.clone(), config.max_stall);
        let RightsConfig { limit, queue, ttl, fail_mode, .. } = config;
        let terms = Terms { limit, queue: queue as usize, ttl, fail_mode };
        let office = Arc::new(Office { terms, holders, keeper, time, books: Books::default() });
        Rights { office, home, lines: Mutex::default(), ear: None }
    }

    /// For all hosts. What nobody holds is remembered for `keep`, see [`FarHolders::new`].
    pub fn far(config: RightsConfig, home: Home, far: &Far, keep: Nanos) -> Arc<Self> {
        let holders = Arc::new(FarHolders::new(far.remote.clone(), &home, keep, far.deadline));
        let mut rights = Rights::new(config, home, holders, Sleeper::shared());
        Arc::new_cyclic(|this| {
            rights.ear = far.push.clone().map(|push| Ear::new(push, channel(&rights.home), this.clone()));
            rights
        })
    }

    /// For the threads of this process.
    pub fn near(config: RightsConfig, home: Home) -> Arc<Self> {
        let time = Sleeper::shared();
        let holders = Arc::new(NearHolders::new(time.clone(), || wall() / 1_000));
        Arc::new(Rights::new(config, home, holders, time))
    }

    /// Ask for a right of a key. None when it is refused at once; else a letter tells what came of it, and may be there already.
    pub fn ask(&self, holder: &Arc<Holder>, key: &[u8], rank: usize, willing: bool) -> Option<Receipt> {
        if willing && let Some(ear) = &self.ear {
            ear.open();
        }
        self.line(key).ask(holder, rank, willing)
    }

    /// Give back what `holder` holds under `receipt`, and tell when the store knows.
    pub fn release(&self, holder: &Arc<Holder>, receipt: Receipt, ticket: Ticket, told: Told<bool>) {
        let time = || self.office.time.now();
        match self.office.keeper.line_of(ticket) {
            Some(line) => match holder.ledger.settle(receipt) {
                Some(token) => line.back(token, Some(told)),
                None => told(Ok(false)),
            },
            None => {
                // Let in by the fail mode, or lost.
                holder.ledger.give_back(receipt, &time);
                told(Ok(false));
            }
        }
    }

    /// Renew it now; tells whether it is held.
    pub fn renew(&self, ticket: Ticket, told: Told<bool>) {
        self.office.keeper.renew(ticket, told);
    }

    /// How long it is good for, as far as this process knows; none if it is not.
    pub fn left(&self, ticket: Ticket) -> Option<Nanos> {
        self.office.keeper.left(ticket)
    }

    /// By which token the store knows it.
    pub fn token(&self, ticket: Ticket) -> String {
        ticket.token(self.office.terms.ttl)
    }

    /// Something came free elsewhere, at the spot of this key in the store; an empty one stands for all.
    pub fn freed(&self, spot: &[u8]) {
        let woken: Vec<_> = {
            let lines = self.lines.lock();
            match spot {
                [] => lines.by_key.values().cloned().collect(),
                spot => lines.by_key.get(spot).cloned().into_iter().collect(),
            }
        };
        for line in woken {
            line.look();
        }
    }

    /// Send now what was asked.
    pub fn flush(&self) {
        self.office.holders.flush();
    }

    fn line(&self, key: &[u8]) -> Arc<Line> {
        let spot = Spot::new(&self.home, key);
        let (line, gone) = {
            let mut lines = self.lines.lock();
            let gone = lines.sweep_locked();
            let line = match lines.by_key.get(&spot.key) {
                Some(line) => line.clone(),
                None => {
                    let line = Line::new(self.office.clone(), spot.clone());
                    lines.by_key.insert(spot.key, line.clone());
                    line
                }
            };
            (line, gone)
        };
        drop(gone);
        line
    }

    pub(super) fn books(&self) -> &Books {
        &self.office.books
    }

    pub(super) fn load(&self) -> Load {
        let all: Vec<_> = self.lines.lock().by_key.values().cloned().collect();
        let mut load = Load { in_use: 0, waiting: [0; RANKS], keys: 0 };
        for (out, queued) in all.iter().map(|line| line.load()) {
            load.in_use += out;
            load.keys += usize::from(out > 0);
            load.waiting.iter_mut().zip(queued).for_each(|(sum, queued)| *sum += queued);
        }
        load
    }

    /// Releases that have not reached the store.
    pub(super) fn owed(&self) -> usize {
        self.office.keeper.load().1
    }
}

/// One environment's way to a bulkhead over hosts, or to a lease.
pub struct RightsHandle<P> {
    primitive: Arc<P>,
    holder: Arc<Holder>,
}

impl<P> RightsHandle<P> {
    /// A handle of that environment.
    pub fn new(primitive: Arc<P>, holder: Arc<Holder>) -> Self {
        RightsHandle { primitive, holder }
    }

    /// The primitive itself.
    pub fn primitive(&self) -> &Arc<P> {
        &self.primitive
    }

    /// The environment.
    pub fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }
}

impl Lines {
    /// Drop the lines that only this map has: nobody holds, asks or waits there.
    fn sweep_locked(&mut self) -> Vec<Arc<Line>> {
        if self.by_key.len() < self.sweep_at.max(FEW) {
            return Vec::new();
        }
        let idle: Vec<_> =
            self.by_key.iter().filter(|(_, line)| Arc::strong_count(line) == 1).map(|(key, _)| key.clone()).collect();
        let gone = idle.iter().filter_map(|key| self.by_key.remove(key)).collect();
        self.sweep_at = 2 * self.by_key.len();
        gone
    }
}
