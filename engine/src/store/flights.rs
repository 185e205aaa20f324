//! Single flight: who loads a key, and who waits for that load. Never loads, stores or wakes by itself.
//!
//! A flight is found by its key only as long as its result may be stored. A mutation of the key detaches it: it still lands for
//! those who waited before, while whoever asks afterwards begins another.

use super::fingerprint::Fingerprint;
use super::ledger::{Ledger, Receipt};
use super::waiters::{Place, Waiters};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

const SHARDS: usize = 16;

/// A load, over the life of the store. The shard is in the low bits.
pub type FlightId = u64;

/// Somebody in another environment who waits for the load.
#[derive(Clone)]
pub struct Passenger {
    /// His book.
    pub ledger: Arc<Ledger>,
    /// What he waits with.
    pub receipt: Receipt,
}

struct Flight {
    key: Fingerprint,
    epoch: u64,
    passengers: Waiters<Passenger>,
}

#[derive(Default)]
struct Airport {
    by_key: HashMap<Fingerprint, FlightId>,
    flights: HashMap<FlightId, Flight>,
    next: u64,
}

/// Loads under way.
#[derive(Default)]
pub struct Flights {
    shards: [Mutex<Airport>; SHARDS],
}

/// What somebody who missed is told.
pub enum Boarding<T> {
    /// The value arrived in the meantime.
    Present(T),
    /// Load it, as this flight.
    Lead(FlightId),
    /// Wait for this flight, at this place.
    Wait(FlightId, Place),
}

impl Flights {
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

    /// Join the flight of `key` in `epoch`, or begin one. `look` sees, under the lock, whether the value has landed just now.
    pub fn board<T>(
        &self,
        key: Fingerprint,
        epoch: u64,
        passenger: Passenger,
        look: impl FnOnce() -> Option<T>,
    ) -> Boarding<T> {
        let (number, shard) = self.of_key(key);
        let mut airport = shard.lock();
        if let Some(value) = look() {
            return Boarding::Present(value);
        }
        if let Some(id) = airport.by_key.get(&key).copied()
            && let Some(flight) = airport.flights.get_mut(&id)
            && flight.epoch == epoch
        {
            return Boarding::Wait(id, flight.passengers.push(passenger));
        }
        airport.next += 1;
        let id = airport.next * SHARDS as u64 + number as u64;
        airport.flights.insert(id, Flight { key, epoch, passengers: Waiters::default() });
        airport.by_key.insert(key, id);
        Boarding::Lead(id)
    }

    /// The load of `id` is done. `store` runs under the lock, with the epoch it began in, unless the key was changed
    /// meanwhile. Answers who waited for it, and what `store` answered.
    pub fn land<R>(&self, id: FlightId, store: impl FnOnce(u64) -> R) -> (Vec<Passenger>, Option<R>) {
        let mut airport = self.of_flight(id).lock();
        let Some(mut flight) = airport.flights.remove(&id) else { return (Vec::new(), None) };
        let mut stored = None;
        if airport.by_key.get(&flight.key) == Some(&id) {
            airport.by_key.remove(&flight.key);
            stored = Some(store(flight.epoch));
        }
        drop(airport);
        (std::iter::from_fn(|| flight.passengers.pop()).collect(), stored)
    }

    /// The load of `id` failed, or its leader is gone: the longest waiting passenger that `promote` accepts leads it now.
    /// With none left the flight is over.
    pub fn hand_over(&self, id: FlightId, mut promote: impl FnMut(&Passenger) -> bool) {
        loop {
            let mut airport = self.of_flight(id).lock();
            let Some(flight) = airport.flights.get_mut(&id) else { return };
            let Some(next) = flight.passengers.pop() else {
                let key = flight.key;
                airport.flights.remove(&id);
                if airport.by_key.get(&key) == Some(&id) {
                    airport.by_key.remove(&key);
                }
                return;
            };
            drop(airport);
            if promote(&next) {
                return;
            }
        }
    }

    /// Leave the flight before it has landed. False if the turn has come already.
    pub fn leave(&self, id: FlightId, place: Place) -> bool {
        let mut airport = self.of_flight(id).lock();
        airport.flights.get_mut(&id).and_then(|flight| flight.passengers.leave(place)).is_some()
    }

    /// Change what is stored for `key`, so that no load that began before stores over the change.
    pub fn mutate<R>(&self, key: Fingerprint, change: impl FnOnce() -> R) -> R {
        let mut airport = self.of_key(key).1.lock();
        airport.by_key.remove(&key);
        change()
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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::store::ledger::{Letter, Post};

    struct Nowhere;

    impl Post for Nowhere {
        fn post(&self, _letter: Letter) {}
    }

    #[test]
    fn a_flight_that_is_over_leaves_nothing_behind_however_it_ended() {
        let (flights, ledger) = (Flights::default(), Arc::new(Ledger::new(Box::new(Nowhere))));
        let board = |key| {
            let passenger = Passenger { ledger: ledger.clone(), receipt: 0 };
            match flights.board(Fingerprint { low: key, high: key }, 0, passenger, || None::<()>) {
                Boarding::Lead(id) => id,
                _ => unreachable!("every key is asked for once"),
            }
        };
        for key in 0..100 {
            flights.land(board(3 * key), |_| ());
            flights.hand_over(board(3 * key + 1), |_| true);
            let detached = board(3 * key + 2);
            flights.mutate(Fingerprint { low: 3 * key + 2, high: 3 * key + 2 }, || ());
            flights.hand_over(detached, |_| true);
        }
        let left = |airport: &Airport| airport.by_key.len() + airport.flights.len();
        assert_eq!(flights.shards.iter().map(|shard| left(&shard.lock())).sum::<usize>(), 0);
    }
}
