//! Single flight against a plain list of flights.
//! Never loads anything: who leads and who waits is all there is.

use crate::dice::{Dice, key};
use crate::letters::environment;
use spillway_engine::store::flights::{Boarding, FlightId, Flights, Passenger};
use spillway_engine::store::ledger::Receipt;
use spillway_engine::store::waiters::Place;
use std::collections::VecDeque;

struct Flight {
    id: FlightId,
    key: u64,
    epoch: u64,
    /// Whoever asks for the key now finds it, and its result may be stored.
    current: bool,
    waiting: VecDeque<(Receipt, Place)>,
}

#[test]
fn there_is_one_current_flight_a_key_and_everybody_else_waits_for_it_in_turn() {
    let mut dice = Dice::new(8);
    let (ledger, _) = environment();
    for _ in 0..2_000 {
        let flights = Flights::default();
        let (mut list, mut epoch, mut receipt) = (Vec::<Flight>::new(), 0, 0);
        // Flights that are over, and places that are empty.
        let (mut landed, mut gone) = (Vec::new(), Vec::<(FlightId, Place)>::new());
        for _ in 0..200 {
            let number = dice.below(4);
            let any = dice.index(list.len());
            match (dice.below(20), any) {
                (0..9, _) => {
                    receipt += 1;
                    let passenger = Passenger { ledger: ledger.clone(), receipt };
                    let present = dice.below(10) == 0;
                    let boarded = flights.board(key(number), epoch, passenger, || present.then_some("a value"));
                    let flying = list.iter_mut().find(|flight| flight.key == number && flight.current);
                    match (boarded, flying) {
                        (Boarding::Present("a value"), _) => assert!(present),
                        (Boarding::Wait(id, place), Some(flight)) => {
                            assert_eq!((id, flight.epoch, present), (flight.id, epoch, false));
                            flight.waiting.push_back((receipt, place));
                        }
                        (Boarding::Lead(id), flying) => {
                            assert!(!present);
                            if let Some(flight) = flying {
                                assert_ne!(flight.epoch, epoch, "one load a key");
                                flight.current = false;
                            }
                            assert!(list.iter().all(|flight| flight.id != id) && !landed.contains(&id));
                            list.push(Flight { id, key: number, epoch, current: true, waiting: VecDeque::new() });
                        }
                        _ => panic!("told to wait for a flight that is not there"),
                    }
                }
                (9..12, Some(index)) => {
                    let flight = list.swap_remove(index);
                    let (waited, stored) = flights.land(flight.id, |began_in| began_in);
                    let waited = Vec::from_iter(waited.into_iter().map(|passenger| passenger.receipt));
                    assert_eq!(waited, Vec::from_iter(flight.waiting.iter().map(|(receipt, _)| *receipt)));
                    assert_eq!(stored, flight.current.then_some(flight.epoch));
                    landed.push(flight.id);
                    gone.extend(flight.waiting.iter().map(|(_, place)| (flight.id, *place)));
                }
                (12..15, Some(index)) => {
                    // Some of those who are next have gone without a word.
                    let deaf = dice.below(3);
                    let (mut asked, mut expected) = (Vec::new(), Vec::new());
                    flights.hand_over(list[index].id, |next| {
                        asked.push(next.receipt);
                        asked.len() as u64 > deaf
                    });
                    let id = list[index].id;
                    let mut over = true;
                    while let Some((receipt, place)) = list[index].waiting.pop_front() {
                        expected.push(receipt);
                        gone.push((id, place));
                        if expected.len() as u64 > deaf {
                            over = false;
                            break;
                        }
                    }
                    assert_eq!(asked, expected);
                    if over {
                        landed.push(list.swap_remove(index).id);
                    }
                }
                (15..17, Some(index)) => {
                    let flight = &mut list[index];
                    if let Some(which) = dice.index(flight.waiting.len()) {
                        let (_, place) = flight.waiting.remove(which).unwrap();
                        assert!(flights.leave(flight.id, place));
                        gone.push((flight.id, place));
                    }
                }
                (17, _) => {
                    assert_eq!(flights.mutate(key(number), || "changed"), "changed");
                    list.iter_mut().filter(|flight| flight.key == number).for_each(|flight| flight.current = false);
                }
                (18, _) => epoch += dice.below(2),
                _ => {
                    if let Some(index) = dice.index(landed.len()) {
                        let (waited, stored) = flights.land(landed[index], |_| "stored");
                        assert!(waited.is_empty() && stored.is_none(), "a flight lands once");
                        flights.hand_over(landed[index], |_| panic!("nobody waits for it"));
                    }
                    if let Some(index) = dice.index(gone.len()) {
                        let (id, place) = gone[index];
                        assert!(!flights.leave(id, place));
                    }
                }
            }
            assert_eq!((flights.len(), flights.is_empty()), (list.len(), list.is_empty()));
        }
    }
}
