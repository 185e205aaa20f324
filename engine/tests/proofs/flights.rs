//! Single flight against a plain list of flights, over environments that come and go.
//! Never loads anything: who leads, who waits and who is written to is all there is.

use crate::dice::{Dice, key};
use crate::letters::{LetterBox, Said, environment};
use spillway_engine::clock::Clock;
use spillway_engine::store::fingerprint::Key;
use spillway_engine::store::flights::{
    Boarding, FlightId, Flights, Lead, Moments, Passenger, Purpose, Stored, Usurping,
};
use spillway_engine::store::ledger::{Held, Ledger, News, Receipt, Token};
use spillway_engine::store::waiters::Place;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const PATIENCE: u64 = 1_000;
const KEYS: u64 = 4;

/// Stands for a store: it only knows what happened when.
#[derive(Default)]
struct Time {
    last: AtomicU64,
    last_invalidation: AtomicU64,
}

impl Time {
    fn pass(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Moments for Time {
    fn last(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }

    fn last_invalidation(&self) -> u64 {
        self.last_invalidation.load(Ordering::SeqCst)
    }
}

/// What a cache is to its flights.
struct Port {
    flights: Flights,
    time: Time,
}

impl Held for Port {
    fn give_back(&self, token: Token, now: Clock<'_>) {
        self.flights.hand_over(Lead::from(token), &self.time, now());
    }

    fn leave(&self, (flight, place): Token, _now: Clock<'_>) -> bool {
        self.flights.leave(flight, Place::from_word(place))
    }
}

struct Side {
    number: usize,
    ledger: Arc<Ledger>,
    letters: Arc<LetterBox>,
}

impl Side {
    fn new(number: usize) -> Self {
        let (ledger, letters) = environment();
        Side { number, ledger, letters }
    }
}

/// An environment and a receipt of it.
type Ticket = (usize, Receipt);

/// Somebody who waits, where, and the last invalidation of any tag before he boarded.
#[derive(Clone, Copy)]
struct Waiting {
    ticket: Ticket,
    place: Place,
    invalidation: u64,
}

struct Flight {
    id: FlightId,
    key: u64,
    leader: Ticket,
    turn: u64,
    since: u64,
    born: u64,
    attached: bool,
    waiting: VecDeque<Waiting>,
}

#[derive(Default)]
struct Model {
    flights: Vec<Flight>,
    letters: BTreeMap<usize, BTreeSet<Said>>,
    /// Leads that were lost to somebody else, or that have landed.
    void: Vec<(Ticket, Lead)>,
    /// Places that are empty.
    gone: Vec<(FlightId, Place)>,
}

impl Model {
    fn attached(&mut self, number: u64) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.key == number && flight.attached)
    }

    fn write(&mut self, (to, receipt): Ticket, said: impl FnOnce(Receipt) -> Said) {
        assert!(self.letters.entry(to).or_default().insert(said(receipt)), "nobody is written to twice");
    }

    /// `leader` begins the load anew.
    fn relead(&mut self, index: usize, leader: Ticket, time: &Time, now: u64) {
        let key = self.flights[index].key;
        let taken = self.attached(key).is_some();
        let flight = &mut self.flights[index];
        flight.attached |= !taken;
        self.void.push((flight.leader, lead_of(flight)));
        flight.turn += 1;
        (flight.leader, flight.since, flight.born) = (leader, now, time.last() + 1);
    }

    /// Who waits longest leads; with nobody left it is over.
    fn hand_over(&mut self, index: usize, time: &Time, now: u64) {
        self.hand_over_past(None, index, time, now);
    }

    /// The same past those of an environment that has ended, of whom each has the turn for a moment.
    fn hand_over_past(&mut self, ended: Option<usize>, index: usize, time: &Time, now: u64) {
        while let Some(next) = self.flights[index].waiting.pop_front() {
            self.gone.push((self.flights[index].id, next.place));
            self.relead(index, next.ticket, time, now);
            if ended != Some(next.ticket.0) {
                return self.write(next.ticket, Said::Yours);
            }
        }
        let over = self.flights.swap_remove(index);
        self.void.push((over.leader, lead_of(&over)));
    }

    /// An environment ends: what is in its book comes back in the order of the book.
    fn end(&mut self, ended: usize, time: &Time, now: u64) {
        let tickets = self.flights.iter().flat_map(|flight| {
            flight.waiting.iter().map(|waits| waits.ticket).chain([flight.leader]).filter(|ticket| ticket.0 == ended)
        });
        let mut receipts = Vec::from_iter(tickets.map(|ticket| ticket.1));
        receipts.sort_by_key(|receipt| receipt & ((1 << 20) - 1));
        for ticket in receipts.into_iter().map(|receipt| (ended, receipt)) {
            if let Some(index) = self.flights.iter().position(|flight| flight.leader == ticket) {
                self.hand_over_past(Some(ended), index, time, now);
            }
            for flight in &mut self.flights {
                if let Some(which) = flight.waiting.iter().position(|waits| waits.ticket == ticket) {
                    self.gone.extend(flight.waiting.remove(which).map(|waits| (flight.id, waits.place)));
                }
            }
        }
    }
}

fn lead_of(flight: &Flight) -> Lead {
    Lead { flight: flight.id, turn: flight.turn }
}

#[test]
fn one_load_a_key_among_all_who_may_share_it_and_one_letter_for_everybody_who_waits() {
    let mut dice = Dice::new(8);
    let purposes = [Purpose::Missing, Purpose::Missing, Purpose::Missing, Purpose::Refresh, Purpose::Reload];
    for round in 0..3_000 {
        let port = Arc::new(Port { flights: Flights::new(PATIENCE), time: Time::default() });
        let (flights, time) = (&port.flights, &port.time);
        let mut sides = Vec::from_iter((0..3).map(Side::new));
        let mut model = Model::default();
        // Of the tag of each key, when it was last invalidated.
        let mut invalidated = [0; KEYS as usize];
        let mut now = 5_000;
        for turn in 0..250 {
            now += dice.one_of(&[0, 0, 1, 10, 100, PATIENCE - 1, PATIENCE]);
            let at = dice.below(3) as usize;
            let number = dice.below(KEYS);
            let side = &sides[at];
            let flying = dice.index(model.flights.len());
            match (dice.below(26), flying) {
                (0..9, _) => {
                    let (purpose, present) = (dice.one_of(&purposes), dice.below(10) == 0);
                    let receipt = side.ledger.wait(port.clone()).unwrap();
                    let ticket = (side.number, receipt);
                    let passenger = Passenger { ledger: side.ledger.clone(), receipt };
                    let units = [number as u16];
                    let look = || present.then_some("a value");
                    let named = Key { fingerprint: key(number), units: &units };
                    let boarded = flights.board(named, passenger, purpose, time, now, look);
                    let index = model.flights.iter().position(|flight| flight.key == number && flight.attached);
                    let late = index.is_some_and(|index| now - model.flights[index].since >= PATIENCE);
                    match boarded {
                        Boarding::Present(value) => {
                            assert_eq!(value, "a value");
                            assert!(present && purpose != Purpose::Reload);
                            assert_eq!(side.ledger.forget(receipt), Some((0, 0)));
                        }
                        Boarding::Taken => {
                            assert!(!present && index.is_some() && !late && purpose == Purpose::Refresh);
                            assert_eq!(side.ledger.forget(receipt), Some((0, 0)));
                        }
                        Boarding::Wait(id, place) => {
                            assert!(!late && purpose != Purpose::Refresh && (!present || purpose == Purpose::Reload));
                            let flight = &mut model.flights[index.unwrap()];
                            assert_eq!(id, flight.id);
                            let invalidation = time.last_invalidation();
                            flight.waiting.push_back(Waiting { ticket, place, invalidation });
                            side.ledger.place(receipt, (id, place.to_word()));
                        }
                        Boarding::Lead(lead) => {
                            assert!(!present || purpose == Purpose::Reload);
                            assert!(side.ledger.promote(receipt, lead.into()));
                            if let Some(index) = index {
                                assert!(late, "one load a key");
                                model.relead(index, ticket, time, now);
                                assert_eq!(lead, lead_of(&model.flights[index]));
                            } else {
                                assert!(model.flights.iter().all(|flight| flight.id != lead.flight));
                                let born = time.last() + 1;
                                let flight = Flight {
                                    id: lead.flight,
                                    key: number,
                                    leader: ticket,
                                    turn: lead.turn,
                                    since: now,
                                    born,
                                    attached: true,
                                    waiting: VecDeque::new(),
                                };
                                model.flights.push(flight);
                            }
                        }
                    }
                }
                (9..13, Some(index)) => {
                    let flight = &model.flights[index];
                    let (lead, born, attached) = (lead_of(flight), flight.born, flight.attached);
                    let concerned = invalidated[flight.key as usize] >= born;
                    let leader = sides.iter().find(|side| side.number == flight.leader.0).unwrap();
                    assert_eq!(leader.ledger.settle(flight.leader.1), Some(lead.into()));
                    let approach = flights.approach(lead).unwrap();
                    assert_eq!((approach.born, approach.key().units), (born, &[flight.key as u16][..]));
                    let landed = flights
                        .land(lead, time, now, |may_store| Stored { invalidated: concerned, result: may_store })
                        .unwrap();
                    assert_eq!(landed.result, attached, "it is stored if nothing has happened to the key");
                    // Whoever boarded since the flight began, and after that an invalidation, is kept.
                    let mut waiting = std::mem::take(&mut model.flights[index].waiting);
                    let id = model.flights[index].id;
                    let kept = waiting.iter().position(|waits| concerned && waits.invalidation >= born);
                    model.flights[index].waiting = waiting.split_off(kept.unwrap_or(waiting.len()));
                    let told = Vec::from_iter(landed.passengers.iter().map(|told| told.receipt));
                    assert_eq!(told, Vec::from_iter(waiting.iter().map(|waits| waits.ticket.1)));
                    for (Waiting { ticket, place, .. }, passenger) in waiting.into_iter().zip(landed.passengers) {
                        assert!(passenger.ledger.tell(passenger.receipt, News::Expired));
                        model.write(ticket, Said::Expired);
                        model.gone.push((id, place));
                    }
                    model.hand_over(index, time, now);
                }
                (13..15, Some(index)) => {
                    let flight = &model.flights[index];
                    let leader = sides.iter().find(|side| side.number == flight.leader.0).unwrap();
                    assert!(leader.ledger.give_back(flight.leader.1, &|| now));
                    model.hand_over(index, time, now);
                }
                (15..17, Some(index)) => {
                    let flight = &mut model.flights[index];
                    if let Some(which) = dice.index(flight.waiting.len()) {
                        let Waiting { ticket, place, .. } = flight.waiting.remove(which).unwrap();
                        let side = sides.iter().find(|side| side.number == ticket.0).unwrap();
                        assert!(side.ledger.leave(ticket.1, &|| now));
                        model.gone.push((flight.id, place));
                    }
                }
                (17..19, Some(index)) => {
                    let flight = &model.flights[index];
                    if let Some(which) = dice.index(flight.waiting.len()) {
                        let Waiting { ticket, place, .. } = flight.waiting[which];
                        let (id, led_for) = (flight.id, now - flight.since);
                        match flights.usurp(id, place, time, now) {
                            Usurping::NotYet(left) => assert_eq!(left, PATIENCE - led_for),
                            Usurping::Lead(lead) => {
                                assert!(led_for >= PATIENCE);
                                model.flights[index].waiting.remove(which);
                                model.relead(index, ticket, time, now);
                                assert_eq!(lead, lead_of(&model.flights[index]));
                                let side = sides.iter().find(|side| side.number == ticket.0).unwrap();
                                assert!(side.ledger.promote(ticket.1, lead.into()));
                                model.gone.push((id, place));
                            }
                            Usurping::Over => panic!("he waits"),
                        }
                    }
                }
                (19, _) => {
                    time.pass();
                    assert_eq!(flights.mutate(key(number), || "changed"), "changed");
                    if let Some(flight) = model.attached(number) {
                        flight.attached = false;
                    }
                }
                (20, _) => {
                    let moment = time.pass();
                    if dice.below(2) == 0 {
                        flights.detach_before(moment);
                        model.flights.iter_mut().for_each(|flight| flight.attached &= flight.born > moment);
                    } else {
                        flights.detach_prefix(&[number as u16]);
                        model.flights.iter_mut().for_each(|flight| flight.attached &= flight.key != number);
                    }
                }
                (21, _) => {
                    let moment = time.pass();
                    invalidated[number as usize] = moment;
                    time.last_invalidation.store(moment, Ordering::SeqCst);
                }
                (22, _) if dice.below(3) == 0 => {
                    // An environment ends with its leads and its waits, and another begins.
                    let ended = std::mem::replace(&mut sides[at], Side::new(turn + 3));
                    ended.ledger.close(&|| now);
                    model.end(ended.number, time, now);
                }
                _ => {
                    if let Some(index) = dice.index(model.void.len()) {
                        let (_, lead) = model.void[index];
                        assert!(flights.approach(lead).is_none());
                        let landed = flights.land(lead, time, now, |_| -> Stored<()> { panic!("his lead is void") });
                        assert!(landed.is_none());
                        flights.hand_over(lead, time, now);
                    }
                    if let Some(index) = dice.index(model.gone.len()) {
                        let (id, place) = model.gone[index];
                        assert!(!flights.leave(id, place));
                        assert_eq!(flights.usurp(id, place, time, now), Usurping::Over);
                    }
                }
            }
            assert_eq!((flights.len(), flights.is_empty()), (model.flights.len(), model.flights.is_empty()));
            for side in &sides {
                let came = side.letters.empty();
                let count = came.len();
                let came = BTreeSet::from_iter(came);
                assert_eq!(came.len(), count);
                assert_eq!(came, model.letters.remove(&side.number).unwrap_or_default(), "round {round}, turn {turn}");
            }
            model.letters.clear();
        }
        for side in &sides {
            side.ledger.close(&|| now);
        }
        assert!(flights.is_empty(), "with everybody gone nothing is left behind");
    }
}
