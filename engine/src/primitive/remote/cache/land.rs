//! What becomes of a load this process leads for all: stored under its token, or given up. Owns the tokens. Never stores what was
//! loaded before a change, wherever that was made: the change takes the token away.

use super::message::{self, CHANGED, LANDED, NOTHING};
use super::reply::number_at;
use super::scripts::LAND;
use super::spot::Spot;
use super::{Tier, now};
use crate::clock::Nanos;
use crate::primitive::cache::Encoded;
use crate::redis::{Again, Request};
use crate::store::fingerprint::Fingerprint;
use crate::store::flights::FlightId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const FLIGHT: &[u8; 4] = b"\xF5SWf";

/// What the lead of a key goes by in Redis: magic, process, number, and the version it is of.
pub(super) type Token = [u8; 28];

/// Of the version a token is of: what is loaded under it is of no other, whatever has come since.
fn make_of(token: &Token) -> u64 {
    token.last_chunk().map_or(0, |make| u64::from_le_bytes(*make))
}

/// The leads this process has, by the flight each belongs to. As many as it loads.
#[derive(Default)]
pub(super) struct Leaseholds(Mutex<HashMap<FlightId, Leasehold>>);

struct Leasehold {
    token: Token,
    spot: Arc<Spot>,
    /// Later than every change of the state before the load began.
    born: u64,
    /// False: Redis was asked for it and did not answer.
    sure: bool,
    /// Whether others may have something fresh in memory that what is loaded is to replace.
    replaces: bool,
}

/// How a load ended in memory.
pub(crate) struct Landing<'a> {
    pub(crate) key: Fingerprint,
    pub(crate) encoded: &'a Encoded<'a>,
    pub(crate) ttl: Nanos,
    /// Of what was made of it.
    pub(crate) stamp: u64,
    /// Whether nothing was changed meanwhile that concerns it.
    pub(crate) good: bool,
    /// Whether it is to be kept.
    pub(crate) keeps: bool,
}

impl Tier {
    pub(super) fn new_token(&self) -> Token {
        let words = [self.process, self.next_id(), self.make.load(Ordering::SeqCst)];
        let mut token = [0; 28];
        let bytes = FLIGHT.iter().copied().chain(words.into_iter().flat_map(u64::to_le_bytes));
        token.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        token
    }

    /// The load of a flight begins now, under a token.
    pub(super) fn take_lease(&self, flight: FlightId, token: Token, spot: &Arc<Spot>, sure: bool, replaces: bool) {
        let born = self.replica.moment() + 1;
        let leasehold = Leasehold { token, spot: spot.clone(), born, sure, replaces };
        let before = self.leaseholds.0.lock().insert(flight, leasehold);
        drop(before);
    }

    /// The load of a flight is done.
    pub(crate) fn landed(self: &Arc<Self>, flight: FlightId, landing: Landing<'_>) {
        let Some(leasehold) = self.leaseholds.0.lock().remove(&flight) else { return };
        let Landing { key, encoded, ttl, stamp, good, keeps } = landing;
        let Leasehold { token, spot, born, sure, replaces } = leasehold;
        let (what, kind) = match (good, keeps) {
            (false, _) => ("free", LANDED),
            (true, false) => ("drop", NOTHING),
            (true, true) if replaces => ("replace", CHANGED),
            (true, true) => ("keep", LANDED),
        };
        let stores = good && keeps;
        let request = self.landing(&token, &spot, what, kind);
        let request = if stores {
            let packed = self.pack(&spot, encoded, ttl, make_of(&token));
            let kept_ms = self.kept_ms(ttl, encoded.is_nothing());
            request.arg(&packed.front).arg(born.to_le_bytes()).arg(&packed.back).number(kept_ms)
        } else {
            request
        };
        let (slot, asked) = (spot.slot, now());
        self.ask(
            request,
            move || Some(slot),
            Again::Yes,
            asked + self.deadline,
            move |tier, answer| {
                let Ok(value) = answer else { return };
                if let Some(ms) = number_at(&value, 1) {
                    tier.clock.learn(asked, ms, now());
                }
                match number_at(&value, 0) {
                    Some(1) if stores => tier.counts.stores.add(),
                    // Somebody has changed the key, and the news of it has not come yet. A landing that was resent finds its own token gone, too:
                    // then what is in memory is loaded once more.
                    Some(0)
                        if sure
                            && good
                            && let Some(cache) = tier.cache() =>
                    {
                        cache.forget_stamp(key, stamp, now())
                    }
                    Some(5) => tier.counts.foreign.add(),
                    _ => (),
                }
            },
        );
    }

    /// Nobody in this process loads the flight any more.
    pub(crate) fn give_up(self: &Arc<Self>, flight: FlightId) {
        let Some(Leasehold { token, spot, .. }) = self.leaseholds.0.lock().remove(&flight) else { return };
        let request = self.landing(&token, &spot, "free", LANDED);
        let slot = spot.slot;
        self.ask(request, move || Some(slot), Again::Yes, now() + self.deadline, |_, _| ());
        self.flush();
    }

    fn landing(&self, token: &Token, spot: &Spot, what: &str, kind: u8) -> Request {
        Request::script(&LAND, spot.keys().into_iter()).arg(token).arg(what).arg(&self.channel).arg(message::about(
            kind,
            self.process,
            &spot.id,
        ))
    }
}
