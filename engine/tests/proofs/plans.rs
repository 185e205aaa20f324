//! Other rates for some keys of a limit: what they share with it, and what must not meet.
//! Never a rate that is not a plan's: those are proven by themselves.

use crate::dice::{Dice, key};
use crate::limiters::{
    ALGORITHMS, DAY_MS, HOUR, MILLI, SECOND, TODAY, admits, admitted, at, bucket, fixed, handle, left, of, planned,
    report, sliding,
};
use spillway_engine::Code;
use spillway_engine::primitive::limit::{Algorithm, LimitConfig, Plan};
use spillway_engine::primitive::limiter::{LimiterHandle, consume_all};

const HOUR_MS: f64 = 3_600_000.0;

fn admits_on(handle: &LimiterHandle, number: u64, cost: u32, plan: &Plan, now: u64) -> bool {
    consume_all(&[planned(handle, number, cost, plan)], at(now)).unwrap().ok()
}

#[test]
fn a_key_on_a_larger_plan_has_that_plans_units_and_every_other_key_its_own() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, HOUR_MS, 10)]);
        let plan = handle.limiter().plan(Some(25), None, None).unwrap();
        assert!(admits_on(&handle, 1, 20, &plan, TODAY));
        assert_eq!(admitted(&handle, 2, 30, TODAY), 10);
        assert!(admits_on(&handle, 1, 5, &plan, TODAY) && !admits_on(&handle, 1, 1, &plan, TODAY));
    }
}

#[test]
fn a_plan_of_another_window_drops_nothing_that_was_spent_in_the_limits_own() {
    for own in [fixed(10, 2.0 * HOUR_MS), sliding(10, 2.0 * HOUR_MS)] {
        for window_ms in [1.0, 1_000.0, HOUR_MS] {
            let handle = handle([own.clone()]);
            for number in 0..50 {
                assert_eq!(admitted(&handle, number, 20, TODAY), 10);
            }
            let plan = handle.limiter().plan(None, Some(window_ms), None).unwrap();
            assert!(admits_on(&handle, 100, 1, &plan, TODAY));
            for number in 0..50 {
                assert_eq!(admitted(&handle, number, 20, TODAY), 0, "a window of {window_ms} ms");
            }
        }
    }
}

#[test]
fn at_the_cap_neither_windows_newcomers_sweep_live_cells_of_the_other() {
    const KEYS: u64 = 64;
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let handle = handle([LimitConfig { max_keys: KEYS as u32, ..of(algorithm, 10, 2.0 * HOUR_MS, 10) }]);
        let plan = handle.limiter().plan(None, Some(DAY_MS), None).unwrap();
        for number in 0..KEYS {
            if number % 2 == 0 {
                assert!(admits(&handle, number, 10, TODAY));
            } else {
                assert!(admits_on(&handle, number, 10, &plan, TODAY));
            }
        }
        for newcomer in 0..10 * KEYS {
            admits(&handle, 1_000 + newcomer, 1, TODAY);
            admits_on(&handle, 10_000 + newcomer, 1, &plan, TODAY);
        }
        for number in 0..KEYS {
            let free = if number % 2 == 0 {
                admits(&handle, number, 1, TODAY)
            } else {
                admits_on(&handle, number, 1, &plan, TODAY)
            };
            assert!(!free, "key {number}");
        }
    }
}

#[test]
fn a_reset_forgets_what_the_key_spent_on_a_plan_too() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, HOUR_MS, 10)]);
        let plan = handle.limiter().plan(Some(20), Some(2.0 * HOUR_MS), None).unwrap();
        assert!(admits_on(&handle, 1, 20, &plan, TODAY) && !admits_on(&handle, 1, 1, &plan, TODAY));
        handle.reset(key(1), at(TODAY + 1));
        assert!(admits_on(&handle, 1, 20, &plan, TODAY + 1), "{algorithm:?}");
    }
}

/// A plan that took the limit's own debt for the leftover of a jumped clock would forget it.
#[test]
fn one_call_on_a_smaller_plan_does_not_forget_what_was_spent_on_the_limits_own() {
    let handle = handle([bucket(100, HOUR_MS, 100)]);
    let plan = handle.limiter().plan(None, None, Some(10)).unwrap();
    assert!(admits(&handle, 1, 100, TODAY));
    assert!(!admits_on(&handle, 1, 1, &plan, TODAY));
    assert!(!admits(&handle, 1, 1, TODAY));
    assert_eq!(left(&handle, 1, TODAY), 0);
}

#[test]
fn plans_of_every_size_never_take_each_others_debt_for_a_clock_that_jumped() {
    let mut dice = Dice::new(41);
    for _ in 0..2_000 {
        let handle = handle([bucket(100, HOUR_MS, 100)]);
        let mut plans = Vec::new();
        for _ in 0..1 + dice.below(4) {
            let limit = 1 + dice.below(1_000) as u32;
            let window_ms = dice.one_of(&[1_000.0, 60_000.0, HOUR_MS, DAY_MS, 30.0 * DAY_MS]);
            plans.push(handle.limiter().plan(Some(limit), Some(window_ms), None).unwrap());
        }
        let mut now = TODAY;
        for _ in 0..30 {
            now += dice.one_of(&[0, 1, MILLI, SECOND]);
            let reset = |handle: &LimiterHandle| handle.peek(key(1), 0, None, at(now)).unwrap().verdict.reset;
            let before = reset(&handle);
            let cost = 1 + dice.below(100) as u32;
            match dice.index(plans.len() + 1) {
                Some(index) if index < plans.len() => drop(admits_on(&handle, 1, cost, &plans[index], now)),
                _ => drop(admits(&handle, 1, cost, now)),
            }
            assert!(reset(&handle) >= before, "a charge never shortens a debt");
        }
        assert!(now < TODAY + HOUR);
    }
}

#[test]
fn plans_may_have_sixteen_other_windows_and_an_own_one_does_not_count() {
    let handle = handle([sliding(10, HOUR_MS)]);
    let plan = |limit, window_ms| handle.limiter().plan(limit, window_ms, None);
    for length in 1..=16 {
        assert!(plan(None, Some(f64::from(length) * 1_000.0)).is_ok());
    }
    let fault = plan(Some(7), Some(17_000.0)).err().expect("it is refused");
    assert_eq!(fault.code, Code::Option);
    assert!(fault.message.contains("open a limiter for each"), "{fault}");
    // Those there are, and its own, are as good as ever.
    for (limit, window_ms) in [(7, Some(16_000.0)), (8, Some(1_000.0)), (9, Some(HOUR_MS)), (10, None)] {
        let plan = plan(Some(limit), window_ms).unwrap();
        assert!(
            admits_on(&handle, u64::from(limit), limit, &plan, TODAY)
                && !admits_on(&handle, u64::from(limit), 1, &plan, TODAY)
        );
    }
}

#[test]
fn plans_of_one_window_count_together_and_those_of_two_apart() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let handle = handle([of(algorithm, 10, HOUR_MS, 10)]);
        let plan = |limit, window_ms| handle.limiter().plan(Some(limit), Some(window_ms), None).unwrap();
        let (small, large, other) = (plan(5, DAY_MS), plan(20, DAY_MS), plan(20, DAY_MS / 2.0));
        assert!(admits_on(&handle, 1, 12, &large, TODAY));
        assert!(!admits_on(&handle, 1, 1, &small, TODAY) && admits_on(&handle, 1, 8, &large, TODAY));
        assert!(admits_on(&handle, 1, 20, &other, TODAY) && admits(&handle, 1, 10, TODAY));
        let report = report(handle.limiter());
        assert_eq!((&report["keys"], &report["limits"][0]["keys"]), (&3.into(), &3.into()), "a cell for each window");
    }
}
