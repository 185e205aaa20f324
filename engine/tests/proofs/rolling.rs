//! The rolling window against a plain list of everything that ever happened.
//! Never shares a bucket with the code: only what a bucket's width means is agreed upon.

use proptest::prelude::*;
use spillway_engine::policy::rolling::{Rolling, Sums};

#[derive(Clone, Copy, Debug)]
struct Call {
    at: u64,
    failed: bool,
    slow: bool,
}

/// The calls of the tenth of the span that `now` falls into, and of the nine before.
fn counted(calls: &[Call], span: u64, now: u64) -> Sums {
    let tenth = (span / 10).max(1);
    let age = |call: &Call| (now / tenth).checked_sub(call.at / tenth);
    let within: Vec<_> = calls.iter().filter(|call| age(call).is_some_and(|age| age < 10)).collect();
    Sums {
        calls: within.len() as u64,
        failures: within.iter().filter(|call| call.failed).count() as u64,
        slow: within.iter().filter(|call| call.slow).count() as u64,
    }
}

#[derive(Clone, Copy, Debug)]
enum Gap {
    Ticks(u64),
    Tenths { count: u64, and: i64 },
    Idle(u64),
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![
        6 => (0..5u64).prop_map(Gap::Ticks),
        3 => (0..=3u64, -1..=1i64).prop_map(|(count, and)| Gap::Tenths { count, and }),
        2 => (8..=21u64, -1..=1i64).prop_map(|(count, and)| Gap::Tenths { count, and }),
        1 => (0..1u64 << 45).prop_map(Gap::Idle),
    ]
}

impl Gap {
    fn after(self, now: u64, span: u64) -> u64 {
        match self {
            Gap::Ticks(ticks) => now + ticks,
            Gap::Tenths { count, and } => (now + count * (span / 10).max(1)).saturating_add_signed(and),
            Gap::Idle(ticks) => now + ticks,
        }
    }
}

fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![1..200u64, 1..86_400_000_000_000u64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sums_are_those_of_a_list_of_all_calls(
        span in spans(),
        start in prop_oneof![0..2_000u64, 0..1u64 << 60],
        steps in prop::collection::vec((gaps(), any::<bool>(), any::<bool>(), 0..3u64), 1..32),
    ) {
        let (mut window, mut calls, mut latest) = (Rolling::new(span), Vec::new(), start);
        for (gap, failed, slow, behind) in steps {
            latest = latest.max(gap.after(latest, span));
            // A thread that read its clock up to two tenths earlier than the one before it.
            let at = latest.saturating_sub(behind * (span / 10));
            window.record(at, failed, slow);
            calls.push(Call { at, failed, slow });
            prop_assert_eq!(window.sums(latest), counted(&calls, span, latest));
            // Who is behind finds what the others counted.
            let counted_last = calls.iter().map(|call| call.at).max().unwrap();
            prop_assert_eq!(window.sums(at), counted(&calls, span, counted_last));
        }
        // And as nothing happens any more.
        for tenths in 0..12 {
            let now = latest + tenths * (span / 10).max(1);
            prop_assert_eq!(window.sums(now), counted(&calls, span, now));
        }
    }
}

#[test]
fn a_call_leaves_the_window_when_ten_tenths_have_passed_and_not_before() {
    let mut window = Rolling::new(100);
    window.record(39, true, true);
    assert_eq!(window.sums(129), Sums { calls: 1, failures: 1, slow: 1 });
    assert_eq!(window.sums(130), Sums::default());
}

#[test]
fn a_bucket_from_an_hour_ago_is_empty_when_its_turn_comes_again() {
    let (mut window, hour) = (Rolling::new(100), 360_000);
    for _ in 0..50 {
        window.record(5, true, false);
    }
    assert_eq!(window.sums(hour + 5), Sums::default());
    window.record(hour + 5, false, false);
    assert_eq!(window.sums(hour + 5), Sums { calls: 1, failures: 0, slow: 0 });
}

#[test]
fn a_call_that_ended_before_the_window_began_does_not_clear_a_newer_bucket() {
    let mut window = Rolling::new(100);
    window.record(1_005, true, false);
    window.record(905, false, false);
    assert_eq!(window.sums(1_005), Sums { calls: 1, failures: 1, slow: 0 });
}

#[test]
fn a_cleared_window_holds_nothing() {
    let mut window = Rolling::new(100);
    window.record(1_005, true, true);
    window.clear();
    assert_eq!(window.sums(1_005), Sums::default());
}
