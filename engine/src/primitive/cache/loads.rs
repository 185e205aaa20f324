//! The course of a load: who leads it, what lands and who is told. Owns the order of storing, bumping and telling.
//! Never runs a loader and never decides what may be stored: the store does.

use super::config::{LOAD_FAILURES, LOADS, REFRESHES};
use super::{CacheHandle, Encoded};
use crate::clock::{Clock, Nanos};
use crate::error::Fault;
use crate::policy::freshness::State;
use crate::primitive::remote::cache::Landing;
use crate::store::bytes::Look;
use crate::store::fingerprint::Key;
use crate::store::flights::{Boarding, Landed, Lead, Passenger, Purpose, Stored, Usurping};
use crate::store::ledger::{News, Receipt, Token};
use crate::store::waiters::Place;

/// What somebody who boards is told.
pub enum Miss {
    /// The value arrived in the meantime.
    Present(Look),
    /// Load it; land or fail with this receipt.
    Lead(Receipt),
    /// Somebody loads it; a letter comes.
    Wait(Receipt),
    /// Somebody loads it, and nobody has to wait: see [`Purpose::Refresh`].
    Taken,
    /// The environment has ended or waits for a million things.
    Refused,
}

impl CacheHandle {
    /// Load the value, or wait for whoever does.
    pub fn board(&self, key: Key<'_>, purpose: Purpose, now: Nanos) -> Miss {
        let (cache, ledger) = (&*self.cache, &self.ledger);
        let Some(receipt) = ledger.wait(self.cache.clone()) else { return Miss::Refused };
        let passenger = Passenger { ledger: ledger.clone(), receipt };
        let look = || cache.bytes.peek(key.fingerprint, now, &[]).filter(|look| look.state == State::Fresh);
        match cache.flights.board(key, passenger, purpose, &cache.bytes, now, look) {
            Boarding::Present(look) => {
                ledger.forget(receipt);
                Miss::Present(look)
            }
            Boarding::Taken => {
                ledger.forget(receipt);
                Miss::Taken
            }
            Boarding::Wait(flight, place) => {
                ledger.place(receipt, (flight, place.to_word()));
                Miss::Wait(receipt)
            }
            Boarding::Lead(lead) if ledger.promote(receipt, lead.into()) => {
                self.note_lead();
                if purpose == Purpose::Refresh {
                    self.stripe.add(REFRESHES, 1);
                }
                Miss::Lead(receipt)
            }
            Boarding::Lead(lead) => {
                let goes_on = cache.flights.hand_over(lead, &cache.bytes, now);
                cache.let_others_load(lead, goes_on);
                Miss::Refused
            }
        }
    }

    /// The letter for a waiting receipt said that it leads now.
    pub fn note_lead(&self) {
        self.stripe.add(LOADS, 1);
    }

    /// The load is done. The value is stored unless what it was loaded from was changed meanwhile; whoever waited gets it unless he
    /// began to wait after that. A value that is too large counts as a failed load; one that says that there is nothing, and that
    /// is not to be kept, takes out what is stored.
    ///
    /// Answers the stamp of what was made of it, stored or not; none if the lead had been lost.
    pub fn land(&self, receipt: Receipt, encoded: &Encoded<'_>, now: Nanos) -> Result<Option<u64>, Fault> {
        let cache = &*self.cache;
        // None: it was given back.
        let Some(token) = self.ledger.settle(receipt) else { return Ok(None) };
        // None: the loader took too long and another leads.
        let Some(approach) = cache.flights.approach(Lead::from(token)) else { return Ok(None) };
        let draft = cache.draft(approach.key(), encoded);
        if let Err(fault) = cache.check_size(&draft) {
            self.failed(token, now);
            return Err(fault);
        }
        let (key, ttl, keeps) = (draft.key, draft.ttl, !encoded.is_nothing() || draft.ttl > 0);
        let value = cache.bytes.make(&draft, Some(approach.born), now);
        let lead = Lead::from(token);
        let landed = cache.flights.land(lead, &cache.bytes, now, |attached| {
            let invalidated = cache.bytes.invalidated_since(&encoded.tags, approach.born);
            let outgoing = attached.then(|| match keeps {
                true => cache.bytes.insert(key, &value, now).outgoing,
                false => cache.bytes.remove(key, now).1,
            });
            Stored { result: (outgoing, attached && !invalidated), invalidated }
        });
        let Some(Landed { result: (outgoing, good), passengers }) = landed else { return Ok(None) };
        if outgoing.is_some() {
            cache.bump(key);
        }
        if let Some(tier) = cache.tier() {
            tier.landed(lead.flight, Landing { key, encoded, ttl, stamp: value.stamp(), good, keeps });
        }
        drop(outgoing);
        for Passenger { ledger, receipt } in passengers {
            ledger.tell(receipt, News::Landed(value.clone(), ttl));
        }
        Ok(Some(value.stamp()))
    }

    /// The load failed: whoever waits longest loads it himself.
    pub fn fail(&self, receipt: Receipt, now: Clock<'_>) {
        if let Some(token) = self.ledger.settle(receipt) {
            self.failed(token, now());
        }
    }

    fn failed(&self, token: Token, now: Nanos) {
        self.stripe.add(LOAD_FAILURES, 1);
        let lead = Lead::from(token);
        let goes_on = self.cache.flights.hand_over(lead, &self.cache.bytes, now);
        self.cache.let_others_load(lead, goes_on);
    }

    /// Lead instead of waiting, if whoever leads is past his time.
    pub fn usurp(&self, receipt: Receipt, now: Nanos) -> Usurping {
        let cache = &*self.cache;
        let Some((flight, place)) = self.ledger.whereabouts(receipt) else { return Usurping::Over };
        let usurping = cache.flights.usurp(flight, Place::from_word(place), &cache.bytes, now);
        if let Usurping::Lead(lead) = usurping {
            if !self.ledger.promote(receipt, lead.into()) {
                cache.flights.hand_over(lead, &cache.bytes, now);
                return Usurping::Over;
            }
            self.note_lead();
        }
        usurping
    }

    /// Stop waiting. False if a letter is on its way.
    pub fn leave(&self, receipt: Receipt, now: Clock<'_>) -> bool {
        self.ledger.leave(receipt, now)
    }
}
