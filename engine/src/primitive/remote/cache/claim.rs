//! Who loads a key, over all hosts: what Redis has already, the lead, or a wait for another host's load. Owns the course of that.
//! Never runs a loader.
//!
//! First the entry is looked up by plain commands, so that a hit costs no script; only then the lead is asked for. Who waits looks
//! again when the load is over, when the key is changed, and now and then, since a message may be lost.

use super::fetch::{Hit, Judged, Reader};
use super::record::Id;
use super::reply::number_at;
use super::scripts::CLAIM;
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::policy::freshness::State;
use crate::primitive::cache::Cache;
use crate::redis::{Again, Request, Trouble, Value};
use crate::store::fingerprint::Key;
use crate::store::flights::{Lead, Purpose};
use crate::store::ledger::{Ledger, Receipt};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often a claim looks anew because another entry was there when it wanted to lead.
const LOOKS: u32 = 8;

/// How long a wait goes without a look: at first, and at most.
const FIRST_POLL: Nanos = 50 * MILLI;
const LONGEST_POLL: Nanos = 250 * MILLI;

/// What becomes of a claim.
#[derive(Debug)]
pub enum Claimed {
    /// Here is the value: it has landed, and the receipt is used up.
    Hit(Hit),
    /// Load it, for all hosts. The number grows from leader to leader.
    Lead(u64),
    /// Load it, for this process: Redis was not there in time, or is not believed now.
    Alone,
    /// Load it, for this process: what is there is another application's.
    Foreign,
    /// The receipt leads no more.
    Gone,
}

type Done = Box<dyn FnOnce(Claimed) + Send>;

/// One leader of this process, on his way to be the leader of all.
pub(super) struct Claim {
    ledger: Arc<Ledger>,
    receipt: Receipt,
    lead: Lead,
    pub(super) reader: Reader,
    purpose: Purpose,
    looks: AtomicU32,
    polls: AtomicU32,
    done: Mutex<Option<Done>>,
}

impl Claim {
    fn end(&self, claimed: Claimed) {
        let done = self.done.lock().take();
        if let Some(done) = done {
            done(claimed);
        }
    }

    /// How long to wait for news.
    fn patience(&self, left_ms: u64) -> Nanos {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed).min(8);
        let poll = (FIRST_POLL << polls).min(LONGEST_POLL);
        (left_ms + 1).saturating_mul(MILLI).min(poll)
    }
}

impl Tier {
    /// The leader `receipt` of this process's flight of `key` asks for the lead of all, or for what another's load has brought. Not to
    /// be asked unless [`Tier::is_worth_asking`].
    pub fn claim(
        self: &Arc<Self>,
        ledger: &Arc<Ledger>,
        receipt: Receipt,
        key: Key<'_>,
        purpose: Purpose,
        now: Nanos,
        done: impl FnOnce(Claimed) + Send + 'static,
    ) {
        let Some(token) = ledger.held(receipt) else { return done(Claimed::Gone) };
        let claim = Claim {
            ledger: ledger.clone(),
            receipt,
            lead: Lead::from(token),
            reader: self.reader(key),
            purpose,
            looks: AtomicU32::new(0),
            polls: AtomicU32::new(0),
            done: Mutex::new(Some(Box::new(done))),
        };
        let claim = Arc::new(claim);
        if self.is_starting() {
            self.when_started(move |tier| tier.look_for(claim, super::now()));
        } else {
            self.look_for(claim, now);
        }
    }

    /// Look what there is.
    pub(super) fn look_for(self: &Arc<Self>, claim: Arc<Claim>, now: Nanos) {
        // What is not believed by now is not waited for, either.
        if claim.reader.pending || !self.is_worth_asking(claim.reader.key) {
            return claim.end(Claimed::Alone);
        }
        let spots = [claim.reader.spot.clone()];
        self.look_up(&spots, now, move |tier, answers| {
            match (answers.as_deref().and_then(<[_]>::first), tier.cache()) {
                (Some(answer), Some(cache)) => tier.looked_for(&claim, &cache, answer),
                _ => claim.end(Claimed::Alone),
            }
        });
    }

    fn looked_for(self: &Arc<Self>, claim: &Arc<Claim>, cache: &Arc<Cache>, answer: &Result<Value, Trouble>) {
        let (now, reader) = (now(), &claim.reader);
        let seen = match self.judge(cache, answer, &reader.spot, &[], now) {
            None => return claim.end(Claimed::Alone),
            Some(Judged::Foreign) => return claim.end(Claimed::Foreign),
            Some(Judged::Absent(id)) => id,
            Some(Judged::Present(copied, id)) => {
                let serves = match claim.purpose {
                    Purpose::Missing => copied.state <= State::Stale,
                    Purpose::Refresh => copied.state == State::Fresh,
                    Purpose::Reload => false,
                };
                if serves {
                    self.counts.hits.add();
                    let landed = cache.land_copy(&claim.ledger, claim.receipt, claim.lead, &copied, now);
                    // Who led the flight before may have left a lease.
                    self.give_up(claim.lead.flight);
                    let claimed = landed.map_or(Claimed::Gone, |(value, kept)| {
                        Claimed::Hit(super::fetch::hit_of(value, kept, &copied))
                    });
                    return claim.end(claimed);
                }
                // For grace, and for who loads to go by.
                self.keep(cache, reader, &copied, now);
                Some(id)
            }
        };
        self.counts.misses.add();
        self.ask_lead(claim, seen, now);
    }

    fn ask_lead(self: &Arc<Self>, claim: &Arc<Claim>, seen: Option<Id>, now: Nanos) {
        let spot = &claim.reader.spot;
        let token = self.new_token();
        let reloads = claim.purpose == Purpose::Reload;
        let request = Request::script(&CLAIM, spot.keys().into_iter())
            .arg(seen.as_ref().map_or(&[][..], <[u8; 8]>::as_slice))
            .arg(if reloads { "1" } else { "0" })
            .arg(token)
            .number(self.lease_ms);
        let (slot, claim) = (spot.slot, claim.clone());
        self.ask(
            request,
            move || Some(slot),
            Again::Yes,
            now + self.deadline,
            move |tier, answer| {
                let Ok(value) = answer else {
                    // Perhaps it is ours after all: then what is loaded may be stored under it.
                    tier.take_lease(claim.lead.flight, token, &claim.reader.spot, false, reloads);
                    return claim.end(Claimed::Alone);
                };
                if let Some(ms) = number_at(&value, 1) {
                    tier.clock.learn(now, ms, super::now());
                }
                match (number_at(&value, 0), number_at(&value, 2)) {
                    (Some(1), _) => tier.look_again(&claim),
                    (Some(2), Some(left_ms)) => tier.wait_for(&claim, left_ms),
                    (Some(3), Some(fence)) => tier.lead_all(&claim, token, fence),
                    (Some(5), _) => {
                        tier.counts.foreign.add();
                        claim.end(Claimed::Foreign);
                    }
                    _ => claim.end(Claimed::Alone),
                }
            },
        );
        // On the thread of the connections nobody else says that the turn is over.
        self.flush();
    }

    fn look_again(self: &Arc<Self>, claim: &Arc<Claim>) {
        if claim.looks.fetch_add(1, Ordering::Relaxed) >= LOOKS {
            return claim.end(Claimed::Alone);
        }
        self.look_for(claim.clone(), now());
        self.flush();
    }

    fn lead_all(self: &Arc<Self>, claim: &Arc<Claim>, token: [u8; 28], fence: u64) {
        let Some(cache) = self.cache() else { return claim.end(Claimed::Alone) };
        let reloads = claim.purpose == Purpose::Reload;
        self.take_lease(claim.lead.flight, token, &claim.reader.spot, true, reloads);
        if cache.renew(claim.lead, now()) {
            self.counts.loads_led.add();
            claim.end(Claimed::Lead(fence));
        } else {
            self.give_up(claim.lead.flight);
            claim.end(Claimed::Gone);
        }
    }

    /// Another host loads it, for `left_ms` at most.
    fn wait_for(self: &Arc<Self>, claim: &Arc<Claim>, left_ms: u64) {
        // Who waits in this process must not take the wait for a leader that hangs.
        if !self.cache().is_some_and(|cache| cache.renew(claim.lead, now())) {
            return claim.end(Claimed::Gone);
        }
        if claim.polls.load(Ordering::Relaxed) == 0 {
            self.counts.waits.add();
        }
        let ticket = self.waits.enter(claim);
        let claim = claim.clone();
        self.later(claim.patience(left_ms), move |tier| {
            if tier.waits.leave(&claim.reader.units, ticket) {
                tier.look_for(claim, now());
            }
        });
        // The load may have ended between the answer and the entry into the book only if its message came before: the poll finds it.
    }

    /// Another host has found that there is nothing, and nobody keeps that.
    pub(super) fn told_nothing(self: &Arc<Self>, claim: &Arc<Claim>) {
        let Some(cache) = self.cache() else { return claim.end(Claimed::Alone) };
        if claim.purpose == Purpose::Reload {
            return self.look_for(claim.clone(), now());
        }
        let nothing = crate::primitive::cache::Copied::nothing(cache.life_of(0, true, None, None, now()));
        let landed = cache.land_copy(&claim.ledger, claim.receipt, claim.lead, &nothing, now());
        self.give_up(claim.lead.flight);
        match landed {
            Some((value, _)) => claim.end(Claimed::Hit(super::fetch::hit_of(value, false, &nothing))),
            None => claim.end(Claimed::Gone),
        }
    }
}
