//! Single flight: who loads a key, and who waits for that load. Owns who leads and who may have what comes of it.
//! Never loads, stores or decides what is current: it is told. Nobody is written to, and nothing dropped, under a lock of its own.
//!
//! A flight is found by its key as long as its result may be stored. A mutation of the key detaches it: it still lands for those
//! who waited before, while whoever asks afterwards begins another. An invalidation of tags cannot detach, since the tags are
//! known only when the flight lands: then whoever boarded after the invalidation is kept back for another load.
//!
//! Each change of the leader begins the load anew: `turn` counts the leaders, and a leader of an earlier turn is void.

use super::fingerprint::{Fingerprint, Key};
use super::ledger::{Ledger, Receipt, Token};
use super::waiters::{Place, Waiters};
use crate::clock::Nanos;
use crate::sync::Mutex;
use ahash::RandomState;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

const SHARDS: usize = 16;

/// A load, over the life of the store. The shard is in the low bits.
pub type FlightId = u64;

/// Where a cache's time stands, in mutations: read when a flight begins and when somebody boards.
pub trait Moments {
    /// The moment of the last mutation.
    fn last(&self) -> u64;
    /// The moment of the last invalidation of any tag.
    fn last_invalidation(&self) -> u64;
}

/// Somebody who waits for a load in an environment.
#[derive(Clone)]
pub struct Passenger {
    /// His book.
    pub ledger: Arc<Ledger>,
    /// What he waits with.
    pub receipt: Receipt,
}

/// A passenger, and the last invalidation of any tag before he boarded.
struct Seated {
    passenger: Passenger,
    invalidation: u64,
}

/// The right to land a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// Which flight.
    pub flight: FlightId,
    /// As which of its leaders.
    pub turn: u64,
}

impl From<Lead> for Token {
    fn from(Lead { flight, turn }: Lead) -> Token {
        (flight, turn)
    }
}

impl From<Token> for Lead {
    fn from((flight, turn): Token) -> Lead {
        Lead { flight, turn }
    }
}

/// Why somebody boards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// There is nothing to serve: load or wait, unless it is there by now.
    Missing,
    /// There is something to serve meanwhile: load, unless it is there by now or somebody loads already.
    Refresh,
    /// Load or wait, whatever is there.
    Reload,
}

/// What somebody who boards is told.
pub enum Boarding<T> {
    /// The value arrived in the meantime.
    Present(T),
    /// Load it.
    Lead(Lead),
    /// Wait for this flight, at this place.
    Wait(FlightId, Place),
    /// Somebody loads it already: see [`Purpose::Refresh`].
    Taken,
}

/// What a passenger who is tired of waiting is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usurping {
    /// He leads, and the leader there was is void.
    Lead(Lead),
    /// The leader has this much of his time left.
    NotYet(Nanos),
    /// He waits no more: a letter is on its way.
    Over,
}

/// A flight that is about to come down: what is needed to make what will be stored, where no lock is held.
pub struct Approach {
    key: Fingerprint,
    units: Arc<[u16]>,
    /// Later than every mutation before the load began.
    pub born: u64,
}

impl Approach {
    /// Whose flight it is.
    pub fn key(&self) -> Key<'_> {
        Key { fingerprint: self.key, units: &self.units }
    }
}

/// What whoever stores says of a landing.
pub struct Stored<R> {
    /// Whether what it brought had been invalidated meanwhile, by a tag: then it is nothing for who boarded after that.
    pub invalidated: bool,
    /// What else he has to say.
    pub result: R,
}

/// How a landing went.
pub struct Landed<R> {
    /// What the storing answered.
    pub result: R,
    /// Who gets the value. They are off the flight: the caller writes to them.
    pub passengers: Vec<Passenger>,
}

struct Flight {
    key: Fingerprint,
    units: Arc<[u16]>,
    /// Later than every mutation before the present leader began to load.
    born: u64,
    turn: u64,
    /// When the present leader began.
    since: Nanos,
    passengers: Waiters<Seated>,
}

#[derive(Default)]
struct Airport {
    /// The flights that are attached.
    by_key: HashMap<Fingerprint, FlightId, RandomState>,
    flights: HashMap<FlightId, Flight, RandomState>,
    next: u64,
}

impl Flight {
    /// Begin the load anew, under another leader.
    fn relead(&mut self, id: FlightId, moments: &impl Moments, now: Nanos) -> Lead {
        self.turn += 1;
        self.since = now;
        self.born = moments.last() + 1;
        Lead { flight: id, turn: self.turn }
    }
}

impl Airport {
    fn is_attached(&self, id: FlightId, key: Fingerprint) -> bool {
        self.by_key.get(&key) == Some(&id)
    }

    /// A load that begins now may be stored, whatever became of the one before; unless another has the key.
    fn attach(&mut self, id: FlightId, key: Fingerprint) {
        if let Entry::Vacant(place) = self.by_key.entry(key) {
            place.insert(id);
        }
    }

    fn detach(&mut self, id: FlightId, key: Fingerprint) {
        if self.is_attached(id, key) {
            self.by_key.remove(&key);
        }
    }

    /// The flight `lead` is in charge of, if he still is.
    fn led_by(&mut self, lead: Lead) -> Option<&mut Flight> {
        self.flights.get_mut(&lead.flight).filter(|flight| flight.turn == lead.turn)
    }

    /// The longest waiting passenger leads from now on.
    fn promote(&mut self, id: FlightId, moments: &impl Moments, now: Nanos) -> Option<(Lead, Passenger)> {
        let flight = self.flights.get_mut(&id)?;
        let next = flight.passengers.pop()?;
        let (lead, key) = (flight.relead(id, moments, now), flight.key);
        self.attach(id, key);
        Some((lead, next.passenger))
    }
}

/// Loads under way.
pub struct Flights {
    shards: [Mutex<Airport>; SHARDS],
    /// After so long a leader may lose the lead to whoever waits.
    patience: Nanos,
}

impl Flights {
    /// Nothing is loading. Who leads has `patience` before others may take over.
    pub fn new(patience: Nanos) -> Self {
        Flights { shards: Default::default(), patience }
    }

    fn shard(&self, number: usize) -> &Mutex<Airport> {
        #[allow(clippy::indexing_slicing, reason = "the remainder is below the array's length")]
        &self.shards[number % SHARDS]
    }

    fn of_key(&self, key: Fingerprint) -> (usize, &Mutex<Airport>) {
        let number = (key.high % SHARDS as u64) as usize;
        (number, self.shard(number))
    }

    fn of_flight(&self, id: FlightId) -> &Mutex<Airport> {
        self.shard((id % SHARDS as u64) as usize)
    }

    /// Join the flight of `key`, or begin one, or take over one whose leader is past his time. `look` sees, under the lock, whether
    /// the value has landed just now.
    pub fn board<T>(
        &self,
        Key { fingerprint: key, units }: Key<'_>,
        passenger: Passenger,
        purpose: Purpose,
        moments: &impl Moments,
        now: Nanos,
        look: impl FnOnce() -> Option<T>,
    ) -> Boarding<T> {
        let (number, shard) = self.of_key(key);
        let mut airport = shard.lock();
        if purpose != Purpose::Reload
            && let Some(value) = look()
        {
            return Boarding::Present(value);
        }
        if let Some(id) = airport.by_key.get(&key).copied()
            && let Some(flight) = airport.flights.get_mut(&id)
        {
            return if now.saturating_sub(flight.since) >= self.patience {
                Boarding::Lead(flight.relead(id, moments, now))
            } else if purpose == Purpose::Refresh {
                Boarding::Taken
            } else {
                let seated = Seated { passenger, invalidation: moments.last_invalidation() };
                Boarding::Wait(id, flight.passengers.push(seated))
            };
        }
        airport.next += 1;
        let id = airport.next * SHARDS as u64 + number as u64;
        let born = moments.last() + 1;
        let flight = Flight { key, units: units.into(), born, turn: 0, since: now, passengers: Waiters::default() };
        airport.flights.insert(id, flight);
        airport.by_key.insert(key, id);
        Boarding::Lead(Lead { flight: id, turn: 0 })
    }

    /// What the flight of `lead` will bring something to. None if he leads no more.
    pub fn approach(&self, lead: Lead) -> Option<Approach> {
        let mut airport = self.of_flight(lead.flight).lock();
        let Flight { key, units, born, .. } = airport.led_by(lead)?;
        Some(Approach { key: *key, units: units.clone(), born: *born })
    }

    /// The load of `lead` is done. `store` runs under the lock, and is told whether the flight is attached: only then may what it
    /// brings be stored. None, and nothing done, if he leads no more.
    ///
    /// Those who may not have the value stay aboard, and the longest waiting of them leads.
    pub fn land<R>(
        &self,
        lead: Lead,
        moments: &impl Moments,
        now: Nanos,
        store: impl FnOnce(bool) -> Stored<R>,
    ) -> Option<Landed<R>> {
        let id = lead.flight;
        let mut airport = self.of_flight(id).lock();
        let key = airport.led_by(lead)?.key;
        let attached = airport.is_attached(id, key);
        let Stored { invalidated, result } = store(attached);
        let flight = airport.led_by(lead)?;
        let born = flight.born;
        // Nobody boards before whoever boarded earlier, so those who may have it come first.
        let mut passengers = Vec::new();
        while flight.passengers.first().is_some_and(|next| !invalidated || next.invalidation < born) {
            passengers.extend(flight.passengers.pop().map(|next| next.passenger));
        }
        let next = airport.promote(id, moments, now);
        let over = if next.is_none() {
            airport.detach(id, key);
            airport.flights.remove(&id)
        } else {
            None
        };
        drop(airport);
        drop(over);
        if let Some((lead, next)) = next
            && !call(lead, &next)
        {
            self.hand_over(lead, moments, now);
        }
        Some(Landed { result, passengers })
    }

    /// The load of `lead` failed, or he is gone: the longest waiting passenger who is still there leads now. With none left the
    /// flight is over. Nothing, if he leads no more. Whether the flight goes on.
    pub fn hand_over(&self, mut lead: Lead, moments: &impl Moments, now: Nanos) -> bool {
        while let Some((next_lead, next)) = self.pass_on(lead, moments, now) {
            if call(next_lead, &next) {
                return true;
            }
            lead = next_lead;
        }
        self.of_flight(lead.flight).lock().flights.contains_key(&lead.flight)
    }

    /// The load of `lead` begins only now, and may be stored whatever has changed before. Whether he leads.
    pub fn renew(&self, lead: Lead, moments: &impl Moments, now: Nanos) -> bool {
        let mut airport = self.of_flight(lead.flight).lock();
        let Some(flight) = airport.led_by(lead) else { return false };
        (flight.since, flight.born) = (now, moments.last() + 1);
        let key = flight.key;
        airport.attach(lead.flight, key);
        true
    }

    /// Do something about `key` while nobody changes it, and without detaching who loads it.
    pub fn beside<R>(&self, key: Fingerprint, act: impl FnOnce() -> R) -> R {
        let _airport = self.of_key(key).1.lock();
        act()
    }

    fn pass_on(&self, lead: Lead, moments: &impl Moments, now: Nanos) -> Option<(Lead, Passenger)> {
        let id = lead.flight;
        let mut airport = self.of_flight(id).lock();
        let key = airport.led_by(lead)?.key;
        let next = airport.promote(id, moments, now);
        if next.is_some() {
            return next;
        }
        airport.detach(id, key);
        let over = airport.flights.remove(&id);
        drop(airport);
        drop(over);
        None
    }

    /// A passenger takes the lead from a leader who is past his time.
    pub fn usurp(&self, id: FlightId, place: Place, moments: &impl Moments, now: Nanos) -> Usurping {
        let mut airport = self.of_flight(id).lock();
        let Some(flight) = airport.flights.get_mut(&id) else { return Usurping::Over };
        let (led_for, key) = (now.saturating_sub(flight.since), flight.key);
        if flight.passengers.get(place).is_none() {
            return Usurping::Over;
        }
        if led_for < self.patience {
            return Usurping::NotYet(self.patience - led_for);
        }
        let usurper = flight.passengers.leave(place);
        let lead = flight.relead(id, moments, now);
        airport.attach(id, key);
        drop(airport);
        drop(usurper);
        Usurping::Lead(lead)
    }

    /// Leave the flight before it has landed. False if the turn has come already.
    pub fn leave(&self, id: FlightId, place: Place) -> bool {
        let left = {
            let mut airport = self.of_flight(id).lock();
            airport.flights.get_mut(&id).and_then(|flight| flight.passengers.leave(place))
        };
        left.is_some()
    }

    /// Change what is stored for `key`, so that no load that began before stores over the change.
    pub fn mutate<R>(&self, key: Fingerprint, change: impl FnOnce() -> R) -> R {
        let mut airport = self.of_key(key).1.lock();
        if !airport.by_key.is_empty() {
            airport.by_key.remove(&key);
        }
        change()
    }

    /// Nobody joins a flight any more that began before `moment`.
    pub fn detach_before(&self, moment: u64) {
        self.detach_where(|flight| flight.born <= moment);
    }

    /// Nobody joins a flight any more whose key begins with `prefix`.
    pub fn detach_prefix(&self, prefix: &[u16]) {
        self.detach_where(|flight| flight.units.starts_with(prefix));
    }

    fn detach_where(&self, concerned: impl Fn(&Flight) -> bool) {
        for shard in &self.shards {
            let Airport { by_key, flights, .. } = &mut *shard.lock();
            by_key.retain(|_, id| !flights.get(id).is_none_or(&concerned));
        }
    }

    /// Loads under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().flights.len()).sum()
    }

    /// Whether nothing is loading.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Tell `next` that he leads. The turn is his already, so that no letter is overtaken by whoever takes it from him.
fn call(lead: Lead, next: &Passenger) -> bool {
    next.ledger.call(next.receipt, lead.into(), || ())
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::store::ledger::{Letter, Post};

    struct Nowhere;

    impl Post for Nowhere {
        fn post(&self, _letter: Letter) {}
    }

    struct Never;

    impl Moments for Never {
        fn last(&self) -> u64 {
            0
        }

        fn last_invalidation(&self) -> u64 {
            0
        }
    }

    #[test]
    fn a_flight_that_is_over_leaves_nothing_behind_however_it_ended() {
        let (flights, ledger) = (Flights::new(1), Arc::new(Ledger::new(Box::new(Nowhere))));
        let fingerprint = |key| Fingerprint { low: key, high: key };
        let board = |key| {
            let passenger = Passenger { ledger: ledger.clone(), receipt: 0 };
            match flights.board(
                Key { fingerprint: fingerprint(key), units: &[] },
                passenger,
                Purpose::Missing,
                &Never,
                0,
                || None::<()>,
            ) {
                Boarding::Lead(lead) => lead,
                _ => unreachable!("every key is asked for once"),
            }
        };
        let store = |_| Stored { invalidated: true, result: () };
        for key in 0..100 {
            flights.land(board(4 * key), &Never, 0, store);
            flights.hand_over(board(4 * key + 1), &Never, 0);
            let detached = board(4 * key + 2);
            flights.mutate(fingerprint(4 * key + 2), || ());
            flights.hand_over(detached, &Never, 0);
            let detached = board(4 * key + 3);
            flights.detach_before(1);
            flights.land(detached, &Never, 0, store);
        }
        let left = |airport: &Airport| airport.by_key.len() + airport.flights.len();
        assert_eq!(flights.shards.iter().map(|shard| left(&shard.lock())).sum::<usize>(), 0);
    }
}
