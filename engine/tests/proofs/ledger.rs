//! The book of one environment against a plain map of what is held and waited for.
//! Never asks the code under test which receipt comes next.

use crate::dice::Dice;
use crate::letters::environment;
use parking_lot::Mutex;
use spillway_engine::clock::Clock;
use spillway_engine::store::ledger::{Held, Receipt, Token};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Remembers what came back to it.
#[derive(Default)]
struct Lender {
    returned: Mutex<Vec<Token>>,
    left: Mutex<Vec<Token>>,
}

impl Held for Lender {
    fn give_back(&self, token: Token, _now: Clock<'_>) {
        self.returned.lock().push(token);
    }

    fn leave(&self, token: Token, _now: Clock<'_>) -> bool {
        self.left.lock().push(token);
        true
    }
}

fn sorted(tokens: &Mutex<Vec<Token>>) -> Vec<Token> {
    let mut tokens = std::mem::take(&mut *tokens.lock());
    tokens.sort_unstable();
    tokens
}

#[test]
fn the_book_is_a_map_from_receipts_and_a_struck_receipt_stands_for_nothing() {
    let mut dice = Dice::new(3);
    for _ in 0..3_000 {
        let lender = Arc::new(Lender::default());
        let (ledger, _) = environment();
        // Receipt → (is a wait, token); and those that were struck out.
        let (mut book, mut struck) = (BTreeMap::<Receipt, (bool, Token)>::new(), Vec::new());
        for turn in 0..300 {
            let token = (turn, dice.word());
            let any = dice.index(book.len()).map(|index| *book.keys().nth(index).unwrap());
            match (dice.below(10), any) {
                (0..2, _) => {
                    assert!(book.insert(ledger.hold(lender.clone(), token).unwrap(), (false, token)).is_none())
                }
                (2..4, _) => assert!(book.insert(ledger.wait(lender.clone()).unwrap(), (true, (0, 0))).is_none()),
                (4, Some(receipt)) => {
                    ledger.place(receipt, token);
                    let entry = book.get_mut(&receipt).unwrap();
                    if entry.0 {
                        entry.1 = token;
                    }
                }
                (5, Some(receipt)) => {
                    let entry = book.get_mut(&receipt).unwrap();
                    assert_eq!(ledger.promote(receipt, token), entry.0);
                    if entry.0 {
                        *entry = (false, token);
                    }
                }
                (6, Some(receipt)) => {
                    let (waits, token) = book[&receipt];
                    assert_eq!(ledger.settle(receipt), (!waits).then_some(token));
                    if !waits {
                        book.remove(&receipt);
                        struck.push(receipt);
                    }
                }
                (7, Some(receipt)) => {
                    let (waits, token) = book[&receipt];
                    assert_eq!(ledger.forget(receipt), waits.then_some(token));
                    if waits {
                        book.remove(&receipt);
                        struck.push(receipt);
                    }
                }
                (8, Some(receipt)) => {
                    let (waits, token) = book[&receipt];
                    let (gone, to) = if dice.below(2) == 0 {
                        assert_eq!(ledger.leave(receipt, &|| 0), waits);
                        (waits, &lender.left)
                    } else {
                        assert_eq!(ledger.give_back(receipt, &|| 0), !waits);
                        (!waits, &lender.returned)
                    };
                    assert_eq!(sorted(to), Vec::from_iter(gone.then_some(token)));
                    if gone {
                        book.remove(&receipt);
                        struck.push(receipt);
                    }
                }
                _ => {
                    if let Some(index) = dice.index(struck.len()) {
                        let receipt = struck[index];
                        ledger.place(receipt, token);
                        assert!(!ledger.promote(receipt, token));
                        assert_eq!((ledger.settle(receipt), ledger.forget(receipt)), (None, None));
                        assert!(!ledger.give_back(receipt, &|| 0));
                        assert!(!ledger.leave(receipt, &|| 0));
                    }
                }
            }
        }
        assert!(sorted(&lender.returned).is_empty() && sorted(&lender.left).is_empty());

        ledger.close(&|| 0);
        let of = |waits: bool| book.values().filter(move |entry| entry.0 == waits).map(|entry| entry.1);
        let (mut held, mut waited) = (Vec::from_iter(of(false)), Vec::from_iter(of(true)));
        held.sort_unstable();
        waited.sort_unstable();
        assert_eq!(sorted(&lender.returned), held, "what was held when the environment ended comes back");
        assert_eq!(sorted(&lender.left), waited, "what was waited for is left");
        for receipt in book.into_keys() {
            assert_eq!((ledger.settle(receipt), ledger.forget(receipt)), (None, None));
        }
        ledger.close(&|| 0);
        assert!(sorted(&lender.returned).is_empty(), "and all of it only once");
    }
}

#[test]
fn nothing_is_written_into_a_closed_book() {
    let lender = Arc::new(Lender::default());
    let (ledger, _) = environment();
    ledger.close(&|| 0);
    assert_eq!(ledger.hold(lender.clone(), (1, 1)), None);
    assert_eq!(ledger.wait(lender), None);
}

#[test]
fn a_receipt_does_not_come_back_for_the_next_four_thousand_things() {
    let lender = Arc::new(Lender::default());
    let (ledger, _) = environment();
    let first = ledger.hold(lender.clone(), (1, 1)).unwrap();
    assert_eq!(ledger.settle(first), Some((1, 1)));
    for _ in 0..4_000 {
        let next = ledger.hold(lender.clone(), (2, 2)).unwrap();
        assert_eq!(ledger.settle(first), None);
        assert_eq!(ledger.settle(next), Some((2, 2)));
    }
}
