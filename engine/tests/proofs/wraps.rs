//! Windows whose numbers wrap: a millisecond's do so within 50 days, or within 5 hours.
//! Never asks a rate about a word that is too old: that is the store's to prevent.

use crate::dice::{Dice, key};
use crate::limiters::{MILLI, TODAY};
use crate::oracles::Windows;
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::rate::{Answer, Charge, Rate};
use spillway_engine::policy::sliding_window::SlidingWindow;
use spillway_engine::store::cells::Cells;
use spillway_engine::store::fingerprint::Fingerprint;

fn spend<R: Rate + Copy>(cells: &Cells, key: Fingerprint, rate: R, cost: u32, now: u64) -> bool {
    cells.update(key, now, || Charge { rate, cost }).unwrap().answer == Answer::Allowed
}

/// Keys of one shard of two.
fn of_shard(shard: u64, number: u64) -> Fingerprint {
    let key = key(number);
    Fingerprint { low: key.low, high: key.high >> 1 | shard << 63 }
}

/// The tables tidy up each at its own time, so one may take charges long after another has last tidied the sketch.
fn a_charge_in_the_sketch_outlives_the_tidying_of_a_table(rate: impl Rate + Copy) {
    const ROOM: u64 = 7_536;
    let cells = Cells::new(14_400);
    let memory = rate.memory();
    for number in 0..=ROOM {
        assert!(spend(&cells, of_shard(1, number), rate, 5, TODAY));
    }
    assert_eq!(cells.overflowed(), 1, "the sketch is made");
    let first = (TODAY + memory / 10 * 9) / MILLI * MILLI + MILLI / 2;
    for number in 0..ROOM {
        assert!(spend(&cells, of_shard(0, number), rate, 5, first));
    }
    // In the middle of a window, just before the table is tidied again.
    let second = first + memory - 1;
    for number in 0..ROOM {
        assert!(spend(&cells, of_shard(0, number), rate, 5, second));
    }
    let newcomer = of_shard(0, ROOM);
    assert!(spend(&cells, newcomer, rate, 5, second));
    assert_eq!(cells.overflowed(), 2);
    assert!(!spend(&cells, newcomer, rate, 1, second));
    assert!(!spend(&cells, newcomer, rate, 1, second + 1));
}

#[test]
fn a_charge_in_the_sketch_outlives_the_tidying_of_a_table_of_fixed_windows() {
    a_charge_in_the_sketch_outlives_the_tidying_of_a_table(FixedWindow::new(5, MILLI));
}

#[test]
fn a_charge_in_the_sketch_outlives_the_tidying_of_a_table_of_sliding_windows() {
    a_charge_in_the_sketch_outlives_the_tidying_of_a_table(SlidingWindow::new(5, MILLI));
}

/// Keys that rest for about as long as it takes their windows' numbers to wrap, once or many times, by halves and quarters.
fn a_key_that_rested_for_ages_is_as_if_never_seen(wrap: u64, rate: impl Rate + Copy, list: &Windows, room: usize) {
    let mut dice = Dice::new(wrap);
    for round in 0..1_500 {
        const KEYS: u64 = 4;
        let cells = Cells::new(room);
        let mut lists = Vec::from_iter((0..KEYS).map(|_| list.clone()));
        let mut now = TODAY + dice.below(wrap) * MILLI;
        for _ in 0..200 {
            let number = dice.below(KEYS);
            now += match dice.below(12) {
                0..5 => dice.below(2 * MILLI),
                5..9 => 0,
                // Quarters of a wrap are eighths of the numbers' reach, and of what a store lets a word lie.
                _ if dice.below(4) > 0 => dice.below(5) * MILLI,
                _ => {
                    let quarters = dice.one_of(&[1, 2, 3, 4, 4, 8, 12, 40]);
                    ((quarters * wrap / 4).saturating_add_signed(dice.below(7) as i64 - 3)) * MILLI
                }
            };
            let cost = 1 + dice.below(5) as u32;
            let looked = cells.look(key(number), now, || Charge { rate, cost }).unwrap();
            let asked = cells.update(key(number), now, || Charge { rate, cost }).unwrap();
            assert_eq!(looked, asked, "to look and to ask see the same word");
            let list = &mut lists[number as usize];
            if room as u64 >= KEYS {
                assert_eq!(asked, list.charge(cost, now), "round {round}");
            } else if asked.answer == Answer::Allowed {
                assert_eq!(list.charge(cost, now).answer, Answer::Allowed, "limited early maybe, never late");
            }
        }
        assert_eq!(cells.overflowed() > 0, (room as u64) < KEYS);
    }
}

#[test]
fn a_fixed_window_that_rested_for_ages_is_as_if_never_seen() {
    let (rate, list) = (FixedWindow::new(5, MILLI), Windows::fixed(5, MILLI));
    for room in [4, 1] {
        a_key_that_rested_for_ages_is_as_if_never_seen(1 << 32, rate, &list, room);
    }
}

#[test]
fn a_sliding_window_that_rested_for_ages_is_as_if_never_seen() {
    let (rate, list) = (SlidingWindow::new(5, MILLI), Windows::sliding(5, MILLI));
    for room in [4, 1] {
        a_key_that_rested_for_ages_is_as_if_never_seen(1 << 24, rate, &list, room);
    }
}

/// Nobody is locked out by what a word says after its number has come round again.
#[test]
fn a_key_spent_before_a_wrap_is_free_after_it_in_a_cell_and_in_the_sketch() {
    fn free(rate: impl Rate + Copy, wrap: u64) {
        let cells = Cells::new(1);
        for number in [0, 1] {
            assert!(spend(&cells, key(number), rate, 5, TODAY));
        }
        assert_eq!((cells.len(), cells.overflowed()), (1, 1));
        for ages in [wrap / 2 - 1, wrap / 2, wrap / 2 + 1, wrap - 1, wrap, wrap + 1, 7 * wrap] {
            for number in [0, 1] {
                let looked = cells.look(key(number), TODAY + ages * MILLI, || Charge { rate, cost: 5 }).unwrap();
                assert_eq!(
                    (looked.answer, looked.remaining),
                    (Answer::Allowed, 0),
                    "key {number} after {ages} windows"
                );
            }
        }
        assert!(spend(&cells, key(1), rate, 5, TODAY + wrap * MILLI), "the sketch has forgotten");
        assert!(spend(&cells, key(0), rate, 5, TODAY + wrap * MILLI));
    }
    free(FixedWindow::new(5, MILLI), 1 << 32);
    free(SlidingWindow::new(5, MILLI), 1 << 24);
}

/// The calendar is set back by years while every key has spent its limit, half of them in the sketch.
fn a_calendar_that_is_set_back_locks_nobody_out_and_frees_nobody(rate: impl Rate + Copy, width: u64) {
    const KEYS: u64 = 8;
    const YEAR: u64 = 365 * 86_400 * 1_000 * MILLI;
    let cells = Cells::new(KEYS as usize / 2);
    for number in 0..KEYS {
        assert!(spend(&cells, key(number), rate, 5, TODAY));
    }
    assert_eq!((cells.len() as u64, cells.overflowed()), (KEYS / 2, KEYS / 2));
    let mut now = TODAY;
    for back in [2 * YEAR, 1_001 * MILLI + 3 * width, 30 * YEAR] {
        // By more than their numbers reach would free keys of the shortest windows, once.
        now = (now - back.min(width << 20)) / width * width;
        for number in 0..KEYS {
            let denied = cells.update(key(number), now, || Charge { rate, cost: 1 }).unwrap();
            assert_eq!(denied.answer, Answer::Limited, "key {number}: going back frees nobody");
            assert!(denied.retry_after <= 2 * width && denied.retry_after <= width + width / 5 + 1);
        }
        for number in 0..KEYS {
            // Two windows on all of it is over: in a cell surely, in the sketch unless a neighbour has spent since.
            let looked = cells.look(key(number), now + 2 * width, || Charge { rate, cost: 5 }).unwrap();
            assert_eq!(looked.answer, Answer::Allowed, "key {number}");
        }
        for number in 0..KEYS {
            let asked = cells.update(key(number), now + 2 * width, || Charge { rate, cost: 5 }).unwrap();
            let is_cell = number < KEYS / 2;
            assert!(asked.answer == Answer::Allowed || !is_cell, "key {number}");
        }
        now += 2 * width;
        for number in 0..KEYS {
            assert!(!spend(&cells, key(number), rate, 5, now), "key {number}");
        }
        // All are spent again, for the next time the clock goes back.
        for number in 0..KEYS {
            while spend(&cells, key(number), rate, 1, now) {}
        }
    }
}

#[test]
fn a_calendar_that_is_set_back_locks_nobody_out_of_fixed_windows_and_frees_nobody() {
    for width in [MILLI, 60_000 * MILLI, 86_400_000 * MILLI] {
        a_calendar_that_is_set_back_locks_nobody_out_and_frees_nobody(FixedWindow::new(5, width), width);
    }
}

#[test]
fn a_calendar_that_is_set_back_locks_nobody_out_of_sliding_windows_and_frees_nobody() {
    for width in [MILLI, 60_000 * MILLI, 86_400_000 * MILLI] {
        a_calendar_that_is_set_back_locks_nobody_out_and_frees_nobody(SlidingWindow::new(5, width), width);
    }
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out_of_buckets_and_frees_nobody() {
    for width in [MILLI, 60_000 * MILLI, 86_400_000 * MILLI] {
        let bucket = Gcra::new(5, width, 5, 100).unwrap();
        a_calendar_that_is_set_back_locks_nobody_out_and_frees_nobody(bucket, width);
    }
}
