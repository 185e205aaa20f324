//! The capped cells against an exact map without a cap, under floods, sweeps and threads.
//! Never trusts the sketch's own arithmetic: what it admits is replayed by the map.

use crate::dice::{Dice, key};
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::rate::{Answer, Charge, Rate, Refund, Verdict};
use spillway_engine::policy::sliding_window::SlidingWindow;
use spillway_engine::policy::{Step, Ticks};
use spillway_engine::store::cells::Cells;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex};

const SECOND: Ticks = 1_000_000_000;
const YEAR: Ticks = 365 * 86_400 * SECOND;
const START: Ticks = 1_000 * SECOND;

fn rate(limit: u32, window: Ticks, burst: u32) -> Gcra {
    Gcra::new(limit, window, burst, 100).unwrap()
}

fn charge(cells: &Cells, number: u64, now: Ticks, rate: Gcra, cost: u32) -> Verdict {
    cells.update(key(number), now, || Charge { rate, cost }).unwrap()
}

fn admits(cells: &Cells, number: u64, now: Ticks, rate: Gcra) -> bool {
    charge(cells, number, now, rate, 1).answer == Answer::Allowed
}

/// Every key's word, for ever.
#[derive(Default)]
struct Exact(HashMap<u64, u64>);

impl Exact {
    fn apply<S: Step>(&mut self, number: u64, now: Ticks, step: &S) -> S::Verdict {
        let word = self.0.entry(number).or_insert(0);
        let (next, verdict) = step.apply(*word, now);
        *word = next;
        verdict
    }
}

#[test]
fn a_flood_of_newcomers_evicts_no_live_cell_so_an_attacker_cannot_reset_his_own_counter() {
    const KEYS: u64 = 1_000;
    let (cells, rate) = (Cells::new(KEYS as usize), rate(3, YEAR, 3));
    // Each of the first has spent another part of its three.
    for number in 0..KEYS {
        for _ in 0..number % 4 {
            assert!(admits(&cells, number, START, rate));
        }
        if number % 4 == 0 {
            assert!(admits(&cells, number, START, rate));
        }
    }
    for newcomer in KEYS..11 * KEYS {
        charge(&cells, newcomer, START + newcomer, rate, 1);
    }
    let later = START + 11 * KEYS;
    for number in 0..KEYS {
        let left = charge(&cells, number, later, rate, 0).remaining;
        assert_eq!(u64::from(left), 3 - (number % 4).max(1), "key {number} has what it had");
    }
    assert_eq!(cells.len() as u64, KEYS);
    assert!(cells.overflowed() > 0);
}

const WINDOW: Ticks = 10_000;

/// A limit of one to nine.
fn some(dice: &mut Dice) -> u32 {
    1 + dice.below(9) as u32
}

fn some_bucket(dice: &mut Dice) -> Gcra {
    rate(some(dice), WINDOW, some(dice))
}

fn some_fixed_window(dice: &mut Dice) -> FixedWindow {
    FixedWindow::new(some(dice), WINDOW)
}

fn some_sliding_window(dice: &mut Dice) -> SlidingWindow {
    SlidingWindow::new(some(dice), WINDOW)
}

#[test]
fn with_room_for_every_key_it_is_an_exact_map() {
    is_an_exact_map(some_bucket);
    is_an_exact_map(some_fixed_window);
    is_an_exact_map(some_sliding_window);
}

fn is_an_exact_map<R: Rate + Copy>(some: impl Fn(&mut Dice) -> R) {
    let mut dice = Dice::new(5);
    for _ in 0..200 {
        let keys = 1 + dice.below(40);
        let (cells, mut exact) = (Cells::new(keys as usize), Exact::default());
        let rate = some(&mut dice);
        let (mut now, mut charges) = (START, Vec::<(u64, u32, Ticks)>::new());
        for _ in 0..600 {
            now += dice.one_of(&[0, 0, 0, 1, WINDOW / 7, WINDOW, 3 * WINDOW]);
            let number = dice.below(keys);
            match dice.below(8) {
                0 => {
                    cells.remove(key(number));
                    exact.0.remove(&number);
                    charges.retain(|(of, ..)| *of != number);
                }
                1 => {
                    if let Some(index) = dice.index(charges.len()) {
                        let (number, cost, charged_at) = charges.swap_remove(index);
                        let refund = Refund { rate, cost, charged_at };
                        cells.update(key(number), now, || refund).unwrap();
                        exact.apply(number, now, &refund);
                    }
                }
                2 => {
                    let step = Charge { rate, cost: dice.below(11) as u32 };
                    let word = exact.0.get(&number).copied().unwrap_or(0);
                    assert_eq!(cells.look(key(number), now, || step).unwrap(), step.apply(word, now).1);
                }
                _ => {
                    let step = Charge { rate, cost: dice.below(11) as u32 };
                    let verdict = cells.update(key(number), now, || step).unwrap();
                    assert_eq!(verdict, exact.apply(number, now, &step));
                    if verdict.answer == Answer::Allowed {
                        charges.push((number, step.cost, now));
                    }
                }
            }
        }
        assert_eq!(cells.overflowed(), 0);
        assert!(cells.len() as u64 <= keys);
    }
}

/// The map only learns what the cells admitted. If it would once have said no, the cells admitted too much.
#[test]
fn keys_beyond_the_cap_may_be_limited_early_and_never_late() {
    are_limited_early_and_never_late(some_bucket);
    are_limited_early_and_never_late(some_fixed_window);
    are_limited_early_and_never_late(some_sliding_window);
}

fn are_limited_early_and_never_late<R: Rate + Copy>(some: impl Fn(&mut Dice) -> R) {
    let mut dice = Dice::new(6);
    let (mut admitted, mut early) = (0u64, 0u64);
    for _ in 0..150 {
        let room = 1 + dice.below(60);
        let keys = room * (2 + dice.below(8));
        let (cells, mut exact) = (Cells::new(room as usize), Exact::default());
        let rate = some(&mut dice);
        let (mut now, mut charges) = (START, Vec::<(u64, u32, Ticks)>::new());
        for _ in 0..4_000 {
            now += dice.one_of(&[0, 0, 0, 0, 1, 100, WINDOW / 6]);
            if dice.below(4_000) == 0 {
                now += SECOND;
            }
            // Some keys come often, most seldom.
            let spread = dice.below(keys) + 1;
            let number = dice.below(spread);
            match dice.below(40) {
                0 => {
                    cells.remove(key(number));
                    exact.0.remove(&number);
                    charges.retain(|(of, ..)| *of != number);
                }
                1..4 => {
                    if let Some(index) = dice.index(charges.len()) {
                        let (number, cost, charged_at) = charges.swap_remove(index);
                        let refund = Refund { rate, cost, charged_at };
                        cells.update(key(number), now, || refund).unwrap();
                        exact.apply(number, now, &refund);
                    }
                }
                _ => {
                    let step = Charge { rate, cost: 1 + dice.below(3) as u32 };
                    let looked = cells.look(key(number), now, || step).unwrap();
                    let verdict = cells.update(key(number), now, || step).unwrap();
                    assert_eq!(looked, verdict, "to look and to ask see the same word");
                    if verdict.answer == Answer::Allowed {
                        assert_eq!(exact.apply(number, now, &step).answer, Answer::Allowed);
                        charges.push((number, step.cost, now));
                        admitted += 1;
                    } else {
                        let word = exact.0.get(&number).copied().unwrap_or(0);
                        early += u64::from(step.apply(word, now).1.answer == Answer::Allowed);
                    }
                }
            }
        }
        assert!(cells.len() as u64 <= room);
    }
    assert!(admitted > 50_000 && early > 0, "the test meets both: {admitted} admitted, {early} limited early");
}

#[test]
fn the_cell_of_a_key_that_has_refilled_is_used_again() {
    let (cells, rate) = (Cells::new(100), rate(1, SECOND, 1));
    for round in 0..50 {
        for number in 0..100 {
            assert!(admits(&cells, round * 100 + number, START + round * 2 * SECOND, rate));
        }
        assert_eq!(cells.len(), 100);
    }
    assert_eq!(cells.overflowed(), 0);
}

#[test]
fn one_expired_cell_among_thousands_of_live_ones_is_found_by_few_newcomers() {
    const KEYS: u64 = 10_000;
    let (cells, short, long) = (Cells::new(KEYS as usize), rate(1, SECOND, 1), rate(1, YEAR, 1));
    for number in 0..KEYS {
        let rate = if number == 1_234 { short } else { long };
        assert!(admits(&cells, number, START, rate));
    }
    // Each looks through 64 of at most 32,768 buckets.
    let found = (0..512).any(|newcomer| {
        charge(&cells, KEYS + newcomer, START + 2 * SECOND, long, 1);
        cells.overflowed() <= newcomer
    });
    assert!(found);
    assert_eq!(cells.len() as u64, KEYS);
    assert!(admits(&cells, 1_234, START + 2 * SECOND, long), "and it is the expired one that went");
}

#[test]
fn a_cell_made_for_a_key_of_the_sketch_starts_from_what_it_has_spent() {
    let (cells, rate) = (Cells::new(1), rate(2, YEAR, 2));
    assert!(admits(&cells, 0, START, rate));
    assert!(admits(&cells, 1, START, rate));
    assert!(admits(&cells, 1, START, rate));
    assert_eq!((cells.len(), cells.overflowed()), (1, 2));
    cells.remove(key(0));
    // Half a year later one unit is there, and the first charge makes the cell.
    let later = START + YEAR / 2;
    assert!(admits(&cells, 1, later, rate));
    assert!(!admits(&cells, 1, later, rate));
    assert_eq!((cells.len(), cells.overflowed()), (1, 2));
}

#[test]
fn a_denied_or_free_newcomer_takes_no_cell() {
    let (cells, rate) = (Cells::new(10), rate(2, YEAR, 2));
    charge(&cells, 1, START, rate, 0);
    charge(&cells, 2, START, rate, 3);
    cells.update(key(3), START, || Refund { rate, cost: 1, charged_at: START }).unwrap();
    cells.look(key(4), START, || Charge { rate, cost: 1 }).unwrap();
    assert!(cells.is_empty());
}

#[test]
fn as_many_keys_as_it_is_made_for_find_a_cell_each() {
    for keys in [1, 2, 64, 1_000, 14_336, 14_337, 40_000, 100_000, 300_000] {
        let (cells, rate) = (Cells::new(keys), rate(1, YEAR, 1));
        for number in 0..keys as u64 {
            assert!(admits(&cells, number, START, rate));
        }
        assert_eq!((cells.len(), cells.overflowed()), (keys, 0));
        for number in 0..keys as u64 {
            charge(&cells, keys as u64 + number, START, rate, 1);
        }
        assert!(cells.len() <= keys + keys / 20, "{} cells of {keys}", cells.len());
    }
}

const MILLION: u64 = 1_000_000;

#[test]
fn a_million_live_keys_and_ten_million_more_stay_below_64_bytes_a_key_and_flat() {
    let (cells, rate) = (Cells::new(MILLION as usize), rate(1, YEAR, 1));
    for number in 0..MILLION {
        charge(&cells, number, START, rate, 1);
    }
    let full = cells.bytes();
    assert!(full as u64 <= 64 * MILLION, "{full} bytes");
    for newcomer in MILLION..11 * MILLION {
        charge(&cells, newcomer, START, rate, 1);
    }
    let flooded = cells.bytes();
    assert!(flooded as u64 <= 64 * MILLION, "{flooded} bytes");
    assert!(flooded <= full + full / 10, "{full} bytes became {flooded}");
    assert!(!admits(&cells, 0, START, rate));
}

#[test]
fn ten_million_keys_that_come_and_expire_stay_below_64_bytes_a_key_and_flat() {
    // Each key lives as long as the next million and a quarter take to come.
    let (cells, rate) = (Cells::new(MILLION as usize), rate(1, MILLION * 5 / 4 * 100, 1));
    let (mut most, mut after_two) = (0, 0);
    for number in 0..10 * MILLION {
        charge(&cells, number, START + number * 100, rate, 1);
        if number % (MILLION / 4) == 0 {
            most = most.max(cells.bytes());
            assert!(most as u64 <= 64 * MILLION, "{most} bytes after {number} keys");
        }
        if number == 2 * MILLION {
            after_two = cells.bytes();
        }
    }
    assert!(most <= after_two + after_two / 10, "{after_two} bytes became {most}");
    // A quarter too many for the cells, and no more than that was ever counted in the sketch for long.
    assert!(cells.len() as u64 >= MILLION);
}

/// The sum over eight threads of what `ask` was admitted in 100,000 attempts each.
fn storm(ask: impl Fn(u64) -> bool + Sync) -> u32 {
    let (start, admitted) = (Barrier::new(8), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (start, admitted, ask) = (&start, &admitted, &ask);
            scope.spawn(move || {
                start.wait();
                let mine = (0..100_000).filter(|_| ask(thread)).count();
                admitted.fetch_add(mine as u32, Ordering::Relaxed);
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn eight_threads_spend_exactly_the_limit_of_a_key() {
    let (cells, rate) = (Cells::new(1_000), rate(1_000, YEAR, 1_000));
    assert_eq!(storm(|_| admits(&cells, 7, START, rate)), 1_000);
}

#[test]
fn eight_threads_never_spend_more_than_the_limit_of_a_key_without_a_cell() {
    let (cells, rate) = (Cells::new(1), rate(1_000, YEAR, 1_000));
    assert!(admits(&cells, 0, START, rate));
    // Nobody shares its words, so it is not limited early either.
    assert_eq!(storm(|_| admits(&cells, 7, START, rate)), 1_000);
    assert_eq!((cells.len(), cells.overflowed() > 0), (1, true));
}

#[test]
fn eight_threads_on_keys_that_share_words_of_the_sketch_never_spend_more_than_the_limit_of_any() {
    const KEYS: u64 = 300;
    let (cells, rate) = (Cells::new(1), rate(20, YEAR, 20));
    assert!(admits(&cells, KEYS, START, rate));
    let spent: Vec<_> = (0..KEYS).map(|_| AtomicU32::new(0)).collect();
    let dice = Vec::from_iter((0..8).map(|thread| Mutex::new(Dice::new(thread))));
    storm(|thread| {
        let number = dice[thread as usize].lock().unwrap().below(KEYS);
        let admitted = admits(&cells, number, START, rate);
        spent[number as usize].fetch_add(u32::from(admitted), Ordering::Relaxed);
        admitted
    });
    let spent = Vec::from_iter(spent.into_iter().map(AtomicU32::into_inner));
    assert!(spent.iter().all(|spent| *spent <= 20), "{spent:?}");
    assert!(spent.iter().sum::<u32>() > 64 * 20 / 2, "and most of what the words can hold is given out");
}

/// Threads make, sweep, lose and make again the same few cells while others charge them.
#[test]
fn a_charge_never_lands_on_a_cell_that_has_become_another_keys() {
    const KEYS: u64 = 64;
    let (cells, rate) = (Cells::new(16), rate(1_000, 1_000 * SECOND, 5));
    // A key's clock stands still for a round; whoever is swept in between was full again.
    for round in 0..40 {
        let now = START + round * 1_000 * SECOND;
        let spent: Vec<_> = (0..KEYS).map(|_| AtomicU32::new(0)).collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (cells, spent) = (&cells, &spent);
                scope.spawn(move || {
                    let mut dice = Dice::new(round * 4 + thread);
                    for _ in 0..5_000 {
                        let number = dice.below(KEYS);
                        if admits(cells, number, now, rate) {
                            spent[number as usize].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(spent.iter().all(|spent| spent.load(Ordering::Relaxed) <= 5));
        assert!(cells.len() <= 16);
    }
}

/// What was published before it is seen by every step made after it, and by none that is still being applied without it.
#[test]
fn when_wait_for_readers_returns_every_update_that_was_running_has_ended() {
    let (cells, rate) = (Cells::new(100), rate(10, YEAR, 10));
    assert!(admits(&cells, 1, START, rate), "with a cell of its own it is charged under the lock that readers share");
    let (begun, returned) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let step = || {
                begun.store(1, Ordering::SeqCst);
                for _ in 0..20_000_000 {
                    std::hint::spin_loop();
                    assert_eq!(returned.load(Ordering::SeqCst), 0, "this one is still running");
                }
                Charge { rate, cost: 1 }
            };
            cells.update(key(1), START, step).unwrap();
        });
        while begun.load(Ordering::SeqCst) == 0 {
            std::hint::spin_loop();
        }
        cells.wait_for_readers();
        returned.store(1, Ordering::SeqCst);
    });
}
