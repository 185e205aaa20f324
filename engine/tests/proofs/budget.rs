//! The retry budget against a ledger of every call and second, and the bound it is there for.
//! Never packs anything into a word.

use crate::dice::Dice;
use spillway_engine::policy::budget::{ATTEMPT, Balance, Budget};
use spillway_engine::primitive::budget::{Budget as Shared, BudgetConfig};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const SECOND: u64 = 1_000_000_000;

/// The oracle: deposits in millionths, and what each second has used.
struct Book {
    deposit: u64,
    floor: u64,
    saved: u64,
    second: u64,
    used: u64,
}

impl Book {
    fn take(&mut self, now: u64, calls: u64) -> bool {
        if now / SECOND > self.second {
            self.second = now / SECOND;
            self.used = 0;
        }
        self.saved = (self.saved + calls * self.deposit).min(10 * ATTEMPT);
        if self.saved >= ATTEMPT {
            self.saved -= ATTEMPT;
            return true;
        }
        self.used += 1;
        if self.used > self.floor {
            self.used = self.floor;
            return false;
        }
        true
    }
}

#[test]
fn the_word_answers_as_the_book_does_over_a_hundred_thousand_questions() {
    let mut dice = Dice::new(41);
    for _ in 0..200 {
        let (deposit, floor) = (dice.below(ATTEMPT + 1), dice.below(20));
        let budget = Budget { deposit, floor: floor as u16 };
        let mut book = Book { deposit, floor, saved: 0, second: 0, used: 0 };
        let (mut word, mut now) = (0, 0);
        for _ in 0..500 {
            // Now and then somebody who looked at the clock before comes after.
            now = (now + dice.below(SECOND / 2)).saturating_sub(dice.below(SECOND / 8));
            let calls = dice.below(8);
            let (next, granted) = budget.take(word, now, calls);
            assert_eq!(granted, book.take(now, calls));
            word = next;
            let Balance { deposited, floor: left } = budget.balance(word, now);
            assert_eq!((u64::from(deposited), u64::from(left)), (book.saved / ATTEMPT, floor - book.used));
        }
    }
}

#[test]
fn an_outage_sees_no_more_than_the_ratio_and_the_floor_allow() {
    for rate in [1, 10, 50, 200, 1_000, 20_000] {
        let budget = Budget { deposit: ATTEMPT / 5, floor: 10 };
        let (mut word, mut extra) = (0, 0);
        let calls = rate * 30;
        for call in 0..calls {
            let now = call * SECOND / rate;
            let (mut unhanded, mut tries) = (1, 0);
            while tries < 3 {
                let (next, granted) = budget.take(word, now, unhanded);
                (word, unhanded) = (next, 0);
                if !granted {
                    break;
                }
                (extra, tries) = (extra + 1, tries + 1);
            }
        }
        let bound = calls / 5 + 10 * 30;
        assert!(extra <= bound, "{extra} extra attempts of {calls} calls at {rate} a second, {bound} allowed");
        // It is no use either if it grants next to nothing.
        assert!(extra * 10 >= bound.min(3 * calls) * 9, "only {extra} of {bound} at {rate} a second");
    }
}

#[test]
fn a_healthy_hour_saves_up_ten_attempts_and_not_one_more() {
    let budget = Budget { deposit: ATTEMPT / 5, floor: 0 };
    let (mut word, _) = budget.take(0, 0, u64::MAX);
    let mut granted = 1;
    loop {
        let (next, again) = budget.take(word, SECOND, 0);
        if !again {
            break;
        }
        (word, granted) = (next, granted + 1);
    }
    assert_eq!(granted, 10);
}

#[test]
fn a_second_that_is_over_owes_the_next_nothing() {
    let budget = Budget { deposit: 0, floor: 2 };
    let grants = |word, now| {
        let (first, one) = budget.take(word, now, 1);
        let (second, two) = budget.take(first, now, 1);
        let (third, three) = budget.take(second, now, 1);
        (third, [one, two, three])
    };
    let (word, first) = grants(0, 0);
    assert_eq!(first, [true, true, false]);
    assert_eq!(grants(word, SECOND - 1).1, [false; 3]);
    let (word, next) = grants(word, SECOND);
    assert_eq!(next, [true, true, false]);
    // As long as the word can tell seconds apart, half a year.
    assert_eq!(grants(word, SECOND << 23).1, [true, true, false]);
}

#[test]
fn seconds_begin_with_the_first_who_asks() {
    let budget = Shared::new(BudgetConfig { ratio: 0.0, floor: 3 });
    let began = 7 * SECOND + SECOND / 2;
    let granted = |now| (0..9).filter(|_| budget.take(1, now)).count();
    assert_eq!(granted(began), 3);
    assert_eq!(granted(began + SECOND - 1), 0, "the same second, though the clock's is over");
    assert_eq!(granted(began + SECOND), 3);
    assert_eq!(granted(0), 0, "a clock that goes back gives nothing away");
}

#[test]
fn threads_that_ask_at_once_are_granted_what_one_would_be() {
    let budget = Arc::new(Shared::new(BudgetConfig { ratio: 0.2, floor: 10 }));
    let granted = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (budget, granted) = (budget.clone(), granted.clone());
            thread::spawn(move || {
                for call in 0..10_000 {
                    granted.fetch_add(u64::from(budget.take(1, call / 1_000 * SECOND)), Ordering::Relaxed);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
    let granted = granted.load(Ordering::Relaxed);
    // 8,000 for the calls, and the floor of ten seconds, of which a thread that is ahead of another may have passed over some.
    assert!((8_000 - 10..=8_000 + 100).contains(&granted), "{granted}");
    let report = serde_json::to_value(budget.report(9 * SECOND)).expect("plain data");
    assert_eq!(report["granted"].as_u64(), Some(granted));
    assert_eq!(report["refused"].as_u64(), Some(40_000 - granted));
}
