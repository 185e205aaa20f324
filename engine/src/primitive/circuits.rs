//! A circuit for each key, in a bounded table. Owns who has a place in it, and whose place is given away.
//! Never gives away that of a key with anything against it: that would hand out a reset.

use super::circuit::{Circuit, Rules};
use crate::clock::Nanos;
use crate::policy::breaker::State;
use crate::store::fingerprint::Fingerprint;
use hashbrown::HashTable;
use parking_lot::RwLock;

/// A key as its 16-bit units, so that every two keys stay apart.
pub type KeyText = Box<[u16]>;

/// Places one newcomer looks at when the table is full.
const LOOKS: usize = 32;

pub(super) struct Circuits {
    max: usize,
    seed: u64,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    numbers: HashTable<u32>,
    #[expect(clippy::vec_box, reason = "a table that grows must not move hundreds of megabytes while everybody waits")]
    places: Vec<Box<Place>>,
    /// Where the next newcomer begins to look.
    hand: usize,
}

struct Place {
    key: Fingerprint,
    text: KeyText,
    circuit: Circuit,
}

impl Table {
    fn number(&self, key: Fingerprint) -> Option<u32> {
        let same = |number: &u32| self.places.get(*number as usize).is_some_and(|place| place.key == key);
        self.numbers.find(key.low, same).copied()
    }

    /// A place for a key that has none. A place that goes from one key to another goes on with its generations, so that permits of
    /// the one are stale for the other.
    fn settle_locked(
        &mut self,
        max: usize,
        rules: &Rules,
        seed: u64,
        key: Fingerprint,
        text: KeyText,
        now: Nanos,
    ) -> Option<u32> {
        let number = if self.places.len() < max {
            let number = self.places.len();
            let circuit = Circuit::new(rules, seed.wrapping_add(number as u64));
            self.places.push(Box::new(Place { key, text, circuit }));
            number as u32
        } else {
            let number = self.quiet_locked(now)?;
            let Table { numbers, places, .. } = self;
            let place = places.get_mut(number as usize)?;
            if let Ok(entry) = numbers.find_entry(place.key.low, |other| *other == number) {
                entry.remove();
            }
            place.circuit.force(State::Closed);
            place.circuit.settle(|_| None);
            (place.key, place.text) = (key, text);
            number
        };
        let Table { numbers, places, .. } = self;
        let hash = |number: &u32| places.get(*number as usize).map_or(0, |place| place.key.low);
        numbers.insert_unique(key.low, number, hash);
        Some(number)
    }

    fn quiet_locked(&mut self, now: Nanos) -> Option<u32> {
        for _ in 0..LOOKS.min(self.places.len()) {
            let number = self.hand;
            self.hand = (self.hand + 1) % self.places.len();
            if self.places.get(number).is_some_and(|place| place.circuit.is_quiet(now)) {
                return Some(number as u32);
            }
        }
        None
    }
}

impl Circuits {
    pub(super) fn new(max: u32, seed: u64) -> Self {
        Circuits { max: max as usize, seed, table: RwLock::default() }
    }

    /// The circuit of a key, with its number and text, made if there is none. None when every place that was looked at is needed.
    pub(super) fn of_key<R>(
        &self,
        rules: &Rules,
        key: Fingerprint,
        text: impl FnOnce() -> KeyText,
        now: Nanos,
        body: impl FnOnce(u32, &KeyText, &Circuit) -> R,
    ) -> Option<R> {
        let known = self.table.read().number(key);
        let number = match known {
            Some(number) => number,
            None => {
                let text = text();
                let mut table = self.table.write();
                // Another thread may have been here meanwhile.
                match table.number(key) {
                    Some(number) => number,
                    None => table.settle_locked(self.max, rules, self.seed, key, text, now)?,
                }
            }
        };
        let table = self.table.read();
        let place = table.places.get(number as usize)?;
        // And given the place away again.
        (place.key == key).then(|| body(number, &place.text, &place.circuit))
    }

    /// The circuit of a key that has one.
    pub(super) fn known<R>(&self, key: Fingerprint, body: impl FnOnce(&KeyText, &Circuit) -> R) -> Option<R> {
        let table = self.table.read();
        let place = table.places.get(table.number(key)? as usize)?;
        Some(body(&place.text, &place.circuit))
    }

    /// The circuit at a place, whoever has it now.
    pub(super) fn at<R>(&self, number: u32, body: impl FnOnce(&KeyText, &Circuit) -> R) -> Option<R> {
        let table = self.table.read();
        table.places.get(number as usize).map(|place| body(&place.text, &place.circuit))
    }

    /// Every key that has a place.
    pub(super) fn each(&self, mut body: impl FnMut(&KeyText, &Circuit)) {
        for place in &self.table.read().places {
            body(&place.text, &place.circuit);
        }
    }
}
