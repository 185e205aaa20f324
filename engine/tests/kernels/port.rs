//! What a cache is to its flights, as small as a model checker needs it: one value, one tag, letters by environment.
//! Never takes a lock but the checker's.
#![allow(dead_code, reason = "each checker takes what it needs")]

use super::Mutex;
use spillway_engine::clock::Clock;
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use spillway_engine::store::flights::{Boarding, Flights, Lead, Moments, Passenger, Purpose, Stored, Usurping};
use spillway_engine::store::ledger::{Held, Ledger, Letter, News, Post, Receipt, Token};
use spillway_engine::store::waiters::Place;
use std::sync::Arc;

pub const PATIENCE: u64 = 1_000;
const KEY: Key<'static> = Key { fingerprint: Fingerprint { low: 1, high: 1 }, units: &[1] };

/// What is stored, and what happened to it.
#[derive(Default)]
struct Store {
    moment: u64,
    invalidated: u64,
    /// The moment what is stored was born in.
    value: Option<u64>,
}

pub struct Port {
    flights: Flights,
    store: Mutex<Store>,
}

impl Moments for Port {
    fn last(&self) -> u64 {
        self.store.lock().unwrap().moment
    }

    fn last_invalidation(&self) -> u64 {
        self.store.lock().unwrap().invalidated
    }
}

impl Held for Port {
    fn give_back(&self, token: Token, now: Clock<'_>) {
        self.flights.hand_over(Lead::from(token), self, now());
    }

    fn leave(&self, (flight, place): Token, _now: Clock<'_>) -> bool {
        self.flights.leave(flight, Place::from_word(place))
    }
}

/// How often each was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub yours: u32,
    pub landed: u32,
}

struct LetterBox(Arc<Mutex<Said>>);

impl Post for LetterBox {
    fn post(&self, letter: Letter) {
        let mut said = self.0.lock().unwrap();
        match letter.news {
            News::Yours => said.yours += 1,
            // Stands for what has landed, which would need a value.
            News::Expired | News::Landed(..) | News::Admitted { .. } | News::Refused(_) => said.landed += 1,
        }
    }
}

/// An environment.
#[derive(Clone)]
pub struct Side {
    port: Arc<Port>,
    ledger: Arc<Ledger>,
    said: Arc<Mutex<Said>>,
}

/// What somebody who boards is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Present,
    Lead(Receipt),
    Wait(Receipt),
}

impl Port {
    pub fn new() -> Arc<Self> {
        Arc::new(Port { flights: Flights::new(PATIENCE), store: Mutex::new(Store::default()) })
    }

    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    pub fn value(&self) -> Option<u64> {
        self.store.lock().unwrap().value
    }

    /// The moment at which the key was deleted.
    pub fn delete(&self) -> u64 {
        self.flights.mutate(KEY.fingerprint, || {
            let mut store = self.store.lock().unwrap();
            store.moment += 1;
            store.value = None;
            store.moment
        })
    }

    /// The moment at which the tag was invalidated.
    pub fn invalidate(&self) -> u64 {
        let mut store = self.store.lock().unwrap();
        store.moment += 1;
        store.invalidated = store.moment;
        store.value = None;
        store.moment
    }
}

impl Side {
    pub fn new(port: &Arc<Port>) -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let ledger = Arc::new(Ledger::new(Box::new(LetterBox(said.clone()))));
        Side { port: port.clone(), ledger, said }
    }

    pub fn said(&self) -> Said {
        *self.said.lock().unwrap()
    }

    pub fn board(&self, now: u64) -> Told {
        let Port { flights, .. } = &*self.port;
        let receipt = self.ledger.wait(self.port.clone()).unwrap();
        let passenger = Passenger { ledger: self.ledger.clone(), receipt };
        let look = || self.port.value();
        match flights.board(KEY, passenger, Purpose::Missing, &*self.port, now, look) {
            Boarding::Present(_) => {
                self.ledger.forget(receipt);
                Told::Present
            }
            Boarding::Wait(flight, place) => {
                self.ledger.place(receipt, (flight, place.to_word()));
                Told::Wait(receipt)
            }
            Boarding::Lead(lead) => {
                assert!(self.ledger.promote(receipt, lead.into()));
                Told::Lead(receipt)
            }
            Boarding::Taken => panic!("nobody refreshes"),
        }
    }

    pub fn lead(&self) -> Receipt {
        match self.board(0) {
            Told::Lead(receipt) => receipt,
            told => panic!("the first leads, not {told:?}"),
        }
    }

    pub fn wait(&self) -> Receipt {
        match self.board(0) {
            Told::Wait(receipt) => receipt,
            told => panic!("somebody leads, so not {told:?}"),
        }
    }

    /// Whether it landed at all; what is stored and who is told follow from the rest.
    pub fn land(&self, receipt: Receipt, now: u64) -> bool {
        let Some(token) = self.ledger.settle(receipt) else { return false };
        let Some(approach) = self.port.flights.approach(token.into()) else { return false };
        let landed = self.port.flights.land(token.into(), &*self.port, now, |may_store| {
            let mut store = self.port.store.lock().unwrap();
            let invalidated = store.invalidated >= approach.born;
            if may_store && !invalidated {
                store.value = Some(approach.born);
            }
            Stored { invalidated, result: () }
        });
        let Some(landed) = landed else { return false };
        for Passenger { ledger, receipt } in landed.passengers {
            ledger.tell(receipt, News::Expired);
        }
        true
    }

    pub fn fail(&self, receipt: Receipt) {
        self.ledger.give_back(receipt, &|| 0);
    }

    pub fn leave(&self, receipt: Receipt) -> bool {
        self.ledger.leave(receipt, &|| 0)
    }

    pub fn usurp(&self, receipt: Receipt) -> bool {
        let Some((flight, place)) = self.ledger.whereabouts(receipt) else { return false };
        let Usurping::Lead(lead) = self.port.flights.usurp(flight, Place::from_word(place), &*self.port, PATIENCE)
        else {
            return false;
        };
        assert!(self.ledger.promote(receipt, lead.into()), "a turn that was taken is nobody else's");
        true
    }

    pub fn end(&self) {
        self.ledger.close(&|| 0);
    }
}
