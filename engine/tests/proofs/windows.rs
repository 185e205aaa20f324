//! The fixed and the sliding window against a list of every charge, and against what docs/limiter.md promises of both.
//! Never counts in the code's own bits.

use crate::limiters::TODAY;
use crate::oracles::Windows;
use proptest::prelude::*;
use spillway_engine::policy::Step;
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::rate::{Answer, Charge, Rate, Refund, SLACK, Verdict};
use spillway_engine::policy::sliding_window::{MAX_LIMIT, SlidingWindow};

/// A limit and the length of its window.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    limit: u32,
    width: u64,
}

impl Numbers {
    fn fixed(self) -> FixedWindow {
        FixedWindow::new(self.limit, self.width)
    }

    fn sliding(self) -> SlidingWindow {
        SlidingWindow::new(self.limit, self.width)
    }

    /// By how much of the window an estimate may be rounded against the caller.
    fn rounding(self) -> u64 {
        if self.width < 1 << 44 { 0 } else { self.width >> 20 }
    }
}

/// A cost, near to what matters.
#[derive(Clone, Copy, Debug)]
enum Cost {
    Units(u32),
    Limit { and: i64 },
}

impl Cost {
    fn of(self, limit: u32) -> u32 {
        match self {
            Cost::Units(units) => units,
            Cost::Limit { and } => (i64::from(limit) + and).clamp(0, i64::from(u32::MAX)) as u32,
        }
    }
}

fn costs() -> impl Strategy<Value = Cost> {
    prop_oneof![
        1 => Just(Cost::Units(0)),
        5 => Just(Cost::Units(1)),
        4 => (1..12u32).prop_map(Cost::Units),
        4 => (-3..=1i64).prop_map(|and| Cost::Limit { and }),
        1 => any::<u32>().prop_map(Cost::Units),
    ]
}

/// A span of time, near to what matters.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Ticks(u64),
    /// To where a window begins.
    Edge {
        windows: u64,
        and: i64,
    },
    /// Sixteenths of a window.
    Part(u64),
    /// What the last denial said.
    RetryAfter {
        and: i64,
    },
    Far(u64),
    /// The clock of a thread that read it earlier, or one that jumped.
    Back(u64),
    BackWindows(u64),
}

fn forward() -> impl Strategy<Value = Gap> {
    prop_oneof![
        4 => (0..6u64).prop_map(Gap::Ticks),
        4 => (0..4u64, -2..=2i64).prop_map(|(windows, and)| Gap::Edge { windows, and }),
        4 => (0..40u64).prop_map(Gap::Part),
        3 => (-1..=1i64).prop_map(|and| Gap::RetryAfter { and }),
        1 => (0..1u64 << 18).prop_map(Gap::Far),
    ]
}

fn any_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![
        12 => forward(),
        1 => (0..2_000u64).prop_map(Gap::Back),
        1 => (SLACK - 3..SLACK + 4).prop_map(Gap::Back),
        1 => (0..6u64).prop_map(Gap::BackWindows),
        1 => (0..1u64 << 50).prop_map(Gap::Back),
    ]
}

impl Gap {
    fn after(self, now: u64, width: u64, retry_after: u64) -> u64 {
        // Cut so that a test of many steps stays on the clock, and within what a store lets a word lie.
        let windows = |count: u64| width.saturating_mul(count).min(1 << 58);
        match self {
            Gap::Ticks(ticks) => now + ticks,
            Gap::Edge { windows: count, and } => {
                (now / width * width).saturating_add(windows(count)).saturating_add_signed(and).max(now)
            }
            Gap::Part(parts) => now + (u128::from(width) * u128::from(parts) / 16) as u64,
            Gap::RetryAfter { and } => now + retry_after.saturating_add_signed(and),
            Gap::Far(count) => now + windows(count),
            Gap::Back(ticks) => now.saturating_sub(ticks.min(windows(1 << 18))),
            Gap::BackWindows(count) => now.saturating_sub(windows(count)),
        }
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let small = (1..20u32, 1..400u64);
    let limits = || prop_oneof![3 => 1..1_000u32, 1 => 1..=MAX_LIMIT, 1 => MAX_LIMIT - 3..=MAX_LIMIT];
    // From a millisecond to ten years of nanoseconds; from 2^44 ticks on, a sliding window is counted in coarser ones.
    let real = (limits(), prop_oneof![1_000_000..1_000_000_000u64, 1_000_000_000..1u64 << 44]);
    let huge = (limits(), prop_oneof![(1u64 << 44) - 2..(1 << 44) + 3, 1u64 << 44..315_360_000_000_000_000]);
    prop_oneof![3 => small, 2 => real, 2 => huge].prop_map(|(limit, width)| Numbers { limit, width })
}

fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000u64, TODAY - 5..TODAY + 5, 1..1u64 << 61]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn charge(rate: impl Rate + Copy, word: u64, now: u64, cost: u32) -> (u64, Verdict) {
    Charge { rate, cost }.apply(word, now)
}

type History = Vec<(Gap, Cost, Option<usize>)>;

fn histories() -> impl Strategy<Value = History> {
    prop::collection::vec((any_gap(), costs(), prop::option::weighted(0.15, 0..8usize)), 1..24)
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn every_verdict_of_a_fixed_window_is_that_of_a_list_of_charges(
        numbers in numbers(), start in starts(), steps in histories(),
    ) {
        let rate = numbers.fixed();
        let mut list = Windows::fixed(numbers.limit, numbers.width);
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        let mut admitted = Vec::new();
        for (gap, cost, refund) in steps {
            now = gap.after(now, numbers.width, retry_after);
            if let Some((cost, charged_at)) = refund.and_then(|back| admitted.iter().rev().nth(back).copied()) {
                word = Refund { rate, cost, charged_at }.apply(word, now).0;
                list.refund(cost, charged_at);
                continue;
            }
            let cost = cost.of(numbers.limit);
            let (next, verdict) = charge(rate, word, now, cost);
            prop_assert_eq!(verdict, list.charge(cost, now));
            if verdict.answer == Answer::Allowed && cost > 0 {
                admitted.push((cost, now));
            }
            (word, retry_after) = (next, verdict.retry_after);
        }
    }

    #[test]
    fn every_verdict_of_a_sliding_window_is_that_of_a_list_of_charges_or_a_little_stricter_where_it_is_huge(
        numbers in numbers(), start in starts(), steps in histories(),
    ) {
        let rate = numbers.sliding();
        let rounding = numbers.rounding();
        let mut list = Windows::sliding(numbers.limit, numbers.width);
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        let mut admitted = Vec::new();
        for (gap, cost, refund) in steps {
            now = gap.after(now, numbers.width, retry_after);
            if let Some((cost, charged_at)) = refund.and_then(|back| admitted.iter().rev().nth(back).copied()) {
                word = Refund { rate, cost, charged_at }.apply(word, now).0;
                list.refund(cost, charged_at);
                continue;
            }
            let cost = cost.of(numbers.limit);
            let (next, verdict) = charge(rate, word, now, cost);
            let allowed = verdict.answer == Answer::Allowed;
            prop_assert!(!allowed || cost == 0 || list.fits_at(cost, now, 0), "never more than the estimate admits");
            prop_assert!(allowed || !list.fits_at(cost, now, rounding), "and stricter by no more than the rounding");
            let exact = list.follow(cost, now, allowed);
            prop_assert_eq!((verdict.answer, verdict.reset, verdict.wait), (exact.answer, exact.reset, 0));
            if rounding == 0 {
                prop_assert_eq!(verdict, exact);
            } else {
                // A part of 2^20 of the window is less than a unit of what was spent in the last one.
                prop_assert!(verdict.remaining <= exact.remaining && exact.remaining - verdict.remaining <= 1);
                let late = verdict.retry_after.checked_sub(exact.retry_after);
                prop_assert!(late.is_some_and(|late| late <= rounding));
            }
            if allowed && cost > 0 {
                admitted.push((cost, now));
            }
            (word, retry_after) = (next, verdict.retry_after);
        }
    }
}

/// What holds of both.
fn is_denied_until_exactly_retry_after(rate: impl Rate + Copy, numbers: Numbers, start: u64, steps: &History) {
    let (mut word, mut now, mut retry_after) = (0, start, 0);
    for (gap, cost, _) in steps {
        now = gap.after(now, numbers.width, retry_after);
        let cost = cost.of(numbers.limit);
        let (next, verdict) = charge(rate, word, now, cost);
        (word, retry_after) = (next, verdict.retry_after);
        if verdict.answer == Answer::Limited {
            assert!(retry_after > 0);
            assert_eq!(charge(rate, word, now + retry_after - 1, cost).1.answer, Answer::Limited);
            assert_eq!(charge(rate, word, now + retry_after, cost).1.answer, Answer::Allowed);
        }
    }
}

fn is_empty_after_exactly_reset(rate: impl Rate + Copy, numbers: Numbers, start: u64, steps: &History) {
    let (mut word, mut now, mut retry_after) = (0, start, 0);
    for (gap, cost, _) in steps {
        now = gap.after(now, numbers.width, retry_after);
        let (next, verdict) = charge(rate, word, now, cost.of(numbers.limit));
        (word, retry_after) = (next, verdict.retry_after);
        if cost.of(numbers.limit) == 0 {
            // What a clock that jumped has left is cut by the first charge only.
            continue;
        }
        assert!(rate.expired(word, now + verdict.reset));
        assert!(verdict.reset == 0 || !rate.expired(word, now + verdict.reset - 1));
        for cost in 0..4 {
            let (_, as_if_none) = charge(rate, 0, now + verdict.reset, cost);
            assert_eq!(charge(rate, word, now + verdict.reset, cost).1, as_if_none);
        }
    }
}

/// Each window the clock goes forward into gives its limit once; going back gives nothing.
fn admits_no_more_than_a_limit_for_each_window_entered(
    rate: impl Rate + Copy,
    numbers: Numbers,
    start: u64,
    steps: &History,
) {
    let (mut word, mut now, mut retry_after) = (0, start, 0);
    let (mut admitted, mut entered) = (0, 1);
    for (gap, cost, _) in steps {
        let later = gap.after(now, numbers.width, retry_after);
        entered += u64::from(later / numbers.width > now / numbers.width);
        now = later;
        let cost = cost.of(numbers.limit);
        let (next, verdict) = charge(rate, word, now, cost);
        (word, retry_after) = (next, verdict.retry_after);
        if verdict.answer == Answer::Allowed {
            admitted += u64::from(cost);
        }
        assert!(admitted <= entered * u64::from(numbers.limit));
    }
}

/// A clock that went back by more than a second: as if the key had spent the same in this very window.
fn locks_nobody_out_for_longer_than_one_who_is_limited_now(
    rate: impl Rate + Copy,
    numbers: Numbers,
    start: u64,
    (back, spent, cost): (u64, Cost, Cost),
) {
    let spent = spent.of(numbers.limit).min(numbers.limit);
    let (word, _) = charge(rate, 0, start + SLACK + numbers.width + back, spent);
    let (here, _) = charge(rate, 0, start, spent);
    let cost = cost.of(numbers.limit);
    assert_eq!(charge(rate, word, start, cost).1, charge(rate, here, start, cost).1);
    let (after, verdict) = charge(rate, word, start, numbers.limit.saturating_add(1).max(1));
    assert_eq!(
        (verdict.answer, after),
        (Answer::Impossible, if spent == 0 { word } else { here }),
        "written at the first denial"
    );
    assert_eq!(rate.settle(word, start), if spent == 0 { word } else { here });
    assert_eq!(rate.settle(here, start), here);
}

fn writes_only_an_admitted_cost(rate: impl Rate + Copy, numbers: Numbers, start: u64, steps: &[(Gap, Cost)]) {
    let (mut word, mut now, mut retry_after) = (0, start, 0);
    for (gap, cost) in steps {
        now = gap.after(now, numbers.width, retry_after);
        let cost = cost.of(numbers.limit);
        let (next, verdict) = charge(rate, word, now, cost);
        assert_eq!(next != word, verdict.answer == Answer::Allowed && cost > 0);
        if next != word {
            let back = Refund { rate, cost, charged_at: now }.apply(next, now).0;
            for cost in 0..4 {
                assert_eq!(
                    charge(rate, back, now, cost).1,
                    charge(rate, word, now, cost).1,
                    "given back at once it leaves no trace"
                );
            }
        }
        (word, retry_after) = (next, verdict.retry_after);
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn a_denied_charge_is_admitted_at_exactly_retry_after_and_not_one_tick_before(
        numbers in numbers(), start in starts(), steps in histories(),
    ) {
        is_denied_until_exactly_retry_after(numbers.fixed(), numbers, start, &steps);
        is_denied_until_exactly_retry_after(numbers.sliding(), numbers, start, &steps);
    }

    #[test]
    fn a_key_is_as_if_never_seen_after_exactly_reset_and_not_one_tick_before(
        numbers in numbers(), start in starts(), steps in histories(),
    ) {
        is_empty_after_exactly_reset(numbers.fixed(), numbers, start, &steps);
        is_empty_after_exactly_reset(numbers.sliding(), numbers, start, &steps);
    }

    #[test]
    fn a_clock_that_goes_back_and_forth_gives_a_limit_for_each_window_entered_and_no_more(
        numbers in numbers(), start in starts(), steps in histories(),
    ) {
        admits_no_more_than_a_limit_for_each_window_entered(numbers.fixed(), numbers, start, &steps);
        admits_no_more_than_a_limit_for_each_window_entered(numbers.sliding(), numbers, start, &steps);
    }

    #[test]
    fn a_clock_that_jumped_back_locks_nobody_out_for_longer_than_one_who_is_limited_now(
        numbers in numbers(), start in starts(), (back, spent, cost) in (0..1u64 << 18, costs(), costs()),
    ) {
        // As far as a store lets a word lie.
        let back = back * (numbers.width >> 4).min(1 << 30);
        if numbers.width > 1_000 {
            locks_nobody_out_for_longer_than_one_who_is_limited_now(numbers.fixed(), numbers, start, (back, spent, cost));
            locks_nobody_out_for_longer_than_one_who_is_limited_now(numbers.sliding(), numbers, start, (back, spent, cost));
        }
    }

    #[test]
    fn only_an_admitted_cost_is_ever_written_and_it_can_be_given_back(
        numbers in numbers(), start in starts(), steps in prop::collection::vec((forward(), costs()), 1..16),
    ) {
        writes_only_an_admitted_cost(numbers.fixed(), numbers, start, &steps);
        writes_only_an_admitted_cost(numbers.sliding(), numbers, start, &steps);
    }
}

#[test]
fn a_fixed_window_of_a_day_turns_at_midnight_in_utc() {
    const DAY: u64 = 86_400_000_000_000;
    let rate = FixedWindow::new(1, DAY);
    // The last nanosecond of 31 December 2026, and the first of 2027.
    let midnight = 1_798_761_600_000_000_000;
    let (word, _) = charge(rate, 0, midnight - 1, 1);
    assert_eq!(charge(rate, word, midnight - 1, 1).1.retry_after, 1);
    assert_eq!(charge(rate, word, midnight, 1).1.answer, Answer::Allowed);
}

#[test]
fn a_sliding_window_counts_of_the_last_one_the_share_that_is_still_within_a_windows_length() {
    let rate = SlidingWindow::new(100, 1_000);
    let (word, _) = charge(rate, 0, 10_999, 100);
    for (now, left) in
        [(10_999, 0), (11_000, 0), (11_001, 0), (11_009, 0), (11_010, 1), (11_500, 50), (11_990, 99), (12_000, 100)]
    {
        assert_eq!(charge(rate, word, now, 0).1.remaining, left, "at {now}");
    }
}
