//! GCRA against a bucket that fills drop by drop, and against a list of everything that was ever admitted.
//! Never computes a theoretical arrival time: that would repeat the code's own mistake.

use proptest::prelude::*;
use spillway_engine::policy::Step;
use spillway_engine::policy::gcra::{Gcra, Reserve, Uncountable};
use spillway_engine::policy::rate::{Answer, Charge, Rate, Refund, SLACK, Verdict};

/// A bucket of credit. One tick brings one credit until it is full; a unit costs `period` of it.
#[derive(Clone, Copy)]
struct Bucket {
    period: i128,
    units: i128,
    /// The most credit it lends to those who wait.
    lends: i128,
    /// What it held at `at`. Less than nothing only for somebody whose clock is behind.
    credit: i128,
    at: i128,
}

impl Bucket {
    fn of(rate: &Gcra) -> Self {
        let (period, units) = (i128::from(rate.period()), i128::from(rate.burst()));
        Bucket { period, units, lends: 0, credit: period * units, at: 0 }
    }

    fn lending(rate: &Gcra, most: u64) -> Self {
        Bucket { lends: most.into(), ..Bucket::of(rate) }
    }

    fn full(&self) -> i128 {
        self.period * self.units
    }

    fn credit(&self, now: u64) -> i128 {
        (self.credit + i128::from(now) - self.at).min(self.full())
    }

    fn hold(&mut self, credit: i128, now: u64) {
        (self.credit, self.at) = (credit, i128::from(now));
    }

    fn charge(&mut self, cost: u32, now: u64) -> Verdict {
        self.reserve(cost, 0, now)
    }

    /// As a charge of credit that is there within `patience` ticks.
    fn reserve(&mut self, cost: u32, patience: u64, now: u64) -> Verdict {
        let patience = i128::from(patience);
        let mut credit = self.credit(now);
        if credit < -i128::from(SLACK) - self.lends {
            credit = 0;
            if cost > 0 {
                self.hold(0, now);
            }
        }
        let price = i128::from(cost) * self.period;
        let (answer, retry_after) = if i128::from(cost) > self.units {
            (Answer::Impossible, 0)
        } else if cost > 0 && price > credit + patience {
            (Answer::Limited, price - credit - patience)
        } else {
            (Answer::Allowed, 0)
        };
        let mut wait = 0;
        if answer == Answer::Allowed && cost > 0 {
            credit -= price;
            wait = (-credit).max(0);
            self.hold(credit, now);
        }
        Verdict {
            answer,
            remaining: u32::try_from(credit.max(0) / self.period).unwrap(),
            retry_after: u64::try_from(retry_after).unwrap(),
            reset: u64::try_from(self.full() - credit).unwrap(),
            wait: u64::try_from(wait).unwrap(),
        }
    }

    fn refund(&mut self, cost: u32, charged_at: u64, now: u64) {
        let credit = self.credit(now);
        if credit < self.full() {
            let dripped = i128::from(now.saturating_sub(charged_at));
            let back = (i128::from(cost) * self.period - dripped).max(0);
            self.hold((credit + back).min(self.full()), now);
        }
    }
}

/// A cost, near to what matters.
#[derive(Clone, Copy, Debug)]
enum Cost {
    Units(u32),
    Burst { and: i64 },
}

impl Cost {
    fn of(self, rate: &Gcra) -> u32 {
        match self {
            Cost::Units(units) => units,
            Cost::Burst { and } => (i64::from(rate.burst()) + and).clamp(0, i64::from(u32::MAX)) as u32,
        }
    }
}

fn costs() -> impl Strategy<Value = Cost> {
    prop_oneof![
        1 => Just(Cost::Units(0)),
        5 => Just(Cost::Units(1)),
        3 => (1..12u32).prop_map(Cost::Units),
        3 => (-2..=1i64).prop_map(|and| Cost::Burst { and }),
        1 => any::<u32>().prop_map(Cost::Units),
    ]
}

/// A span of time, near to what matters.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Ticks(u64),
    Periods {
        count: u64,
        and: i64,
    },
    Burst {
        and: i64,
    },
    /// What the last denial said.
    RetryAfter {
        and: i64,
    },
    Years(u64),
    /// The clock of a thread that read it earlier, or one that jumped.
    Back(u64),
}

fn forward() -> impl Strategy<Value = Gap> {
    prop_oneof![
        4 => (0..6u64).prop_map(Gap::Ticks),
        4 => (0..25u64, -1..=1i64).prop_map(|(count, and)| Gap::Periods { count, and }),
        1 => (-1..=1i64).prop_map(|and| Gap::Burst { and }),
        3 => (-1..=1i64).prop_map(|and| Gap::RetryAfter { and }),
        1 => (0..3u64).prop_map(Gap::Years),
    ]
}

fn any_gap() -> impl Strategy<Value = Gap> {
    prop_oneof![
        12 => forward(),
        1 => (0..2_000u64).prop_map(Gap::Back),
        1 => (SLACK - 3..SLACK + 4).prop_map(Gap::Back),
        1 => (0..1u64 << 50).prop_map(Gap::Back),
    ]
}

impl Gap {
    fn after(self, now: u64, rate: &Gcra, retry_after: u64) -> u64 {
        const YEAR: u64 = 365 * 86_400 * 1_000_000_000;
        // Spans are cut so that a test of many steps stays on the clock.
        let bounded = |span: u64, and: i64| (span.min(1 << 56) as i64 + and).max(0) as u64;
        match self {
            Gap::Ticks(ticks) => now + ticks,
            Gap::Periods { count, and } => now + bounded(rate.period().saturating_mul(count), and),
            Gap::Burst { and } => now + bounded(rate.period() * u64::from(rate.burst()), and),
            Gap::RetryAfter { and } => now + bounded(retry_after, and),
            Gap::Years(years) => now + years * YEAR,
            Gap::Back(ticks) => now.saturating_sub(ticks),
        }
    }
}

prop_compose! {
    fn small_rates()(limit in 1..20u32, window in 1..400u64, burst in 1..20u32) -> Gcra {
        Gcra::new(limit, window, burst, 1).unwrap()
    }
}

fn real_rates() -> impl Strategy<Value = Gcra> {
    let window = prop_oneof![1_000_000..1_000_000_000u64, 1_000_000_000..315_360_000_000_000_000u64];
    let units = || prop_oneof![4 => 1..1_000u32, 1 => 1..1_000_000_000u32];
    (units(), window, units()).prop_filter_map("a rate that can be counted", |(limit, window, burst)| {
        Gcra::new(limit, window, burst, 100).ok()
    })
}

fn rates() -> impl Strategy<Value = Gcra> {
    prop_oneof![2 => small_rates(), 1 => real_rates()]
}

fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000u64, 1..1u64 << 40, 1u64 << 61..1u64 << 62]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn charge(rate: Gcra, word: u64, now: u64, cost: u32) -> (u64, Verdict) {
    Charge { rate, cost }.apply(word, now)
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn every_verdict_is_that_of_a_bucket_that_fills_drop_by_drop(
        rate in rates(),
        start in starts(),
        steps in prop::collection::vec((any_gap(), costs(), prop::option::weighted(0.15, 0..8usize)), 1..32),
    ) {
        let mut bucket = Bucket::of(&rate);
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        let mut admitted = Vec::new();
        for (gap, cost, refund) in steps {
            now = gap.after(now, &rate, retry_after);
            if let Some((cost, charged_at)) = refund.and_then(|back| admitted.iter().rev().nth(back).copied()) {
                word = Refund { rate, cost, charged_at }.apply(word, now).0;
                bucket.refund(cost, charged_at, now);
                continue;
            }
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            prop_assert_eq!(verdict, bucket.charge(cost, now));
            if verdict.answer == Answer::Allowed && cost > 0 {
                admitted.push((cost, now));
            }
            word = next;
            retry_after = verdict.retry_after;
        }
    }
}

/// Patience, near to what matters: nothing, ticks, a few units, much.
fn patiences() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 2 => 0..8u64, 4 => 0..5_000u64, 2 => 0..1u64 << 55]
}

proptest! {
    #![proptest_config(cases(100_000))]

    #[test]
    fn every_reservation_is_that_of_a_bucket_that_lends(
        rate in rates(),
        start in starts(),
        steps in prop::collection::vec(
            (any_gap(), costs(), patiences(), prop::option::weighted(0.15, 0..8usize)), 1..20),
    ) {
        let most = steps.iter().map(|(_, _, patience, _)| *patience).max().unwrap();
        let rate = rate.reaching(rate.tolerance() + most);
        let mut bucket = Bucket::lending(&rate, most);
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        let mut admitted = Vec::new();
        for (gap, cost, patience, refund) in steps {
            now = gap.after(now, &rate, retry_after);
            if let Some((cost, charged_at)) = refund.and_then(|back| admitted.iter().rev().nth(back).copied()) {
                word = Refund { rate, cost, charged_at }.apply(word, now).0;
                bucket.refund(cost, charged_at, now);
                continue;
            }
            let cost = cost.of(&rate);
            // One in a few is no reservation.
            let (next, verdict) = if patience % 4 == 1 {
                let answered = charge(rate, word, now, cost);
                prop_assert_eq!(answered.1, bucket.charge(cost, now));
                answered
            } else {
                let reserve = |word, now| Reserve { rate, cost, patience }.apply(word, now);
                let (next, verdict) = reserve(word, now);
                prop_assert_eq!(verdict, bucket.reserve(cost, patience, now));
                prop_assert!(verdict.wait <= patience);
                if verdict.answer == Answer::Limited {
                    prop_assert_eq!(reserve(next, now + verdict.retry_after - 1).1.answer, Answer::Limited);
                    prop_assert_eq!(reserve(next, now + verdict.retry_after).1.wait, patience, "and it waits as long as it may");
                }
                if verdict.wait > 0 && cost > 0 {
                    // Whoever waits that long begins when a plain charge would have been admitted.
                    let held = rate.settle(word, now);
                    prop_assert_eq!(charge(rate, held, now + verdict.wait - 1, cost).1.answer, Answer::Limited);
                    prop_assert_eq!(charge(rate, held, now + verdict.wait, cost).1.answer, Answer::Allowed);
                }
                (next, verdict)
            };
            if verdict.answer == Answer::Allowed && cost > 0 {
                admitted.push((cost, now));
            }
            word = next;
            retry_after = verdict.retry_after;
        }
    }

    /// Whether the clock goes back by a little or by years: going back refills nothing.
    #[test]
    fn a_clock_that_goes_back_and_forth_gives_the_burst_and_what_refills_while_it_goes_forward_and_no_more(
        rate in rates(),
        start in starts(),
        steps in prop::collection::vec((any_gap(), costs()), 1..32),
    ) {
        let (mut word, mut now, mut retry_after, mut admitted, mut gone) = (0, start, 0, 0, 0);
        for (gap, cost) in steps {
            let later = gap.after(now, &rate, retry_after);
            gone += u128::from(later.saturating_sub(now));
            now = later;
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            (word, retry_after) = (next, verdict.retry_after);
            if verdict.answer == Answer::Allowed {
                admitted += u128::from(cost);
            }
            prop_assert!(admitted <= u128::from(rate.burst()) + gone / u128::from(rate.period()));
        }
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn in_any_span_at_most_the_burst_and_what_refills_in_it_is_admitted(
        rate in rates(),
        start in starts(),
        steps in prop::collection::vec((forward(), costs()), 1..40),
    ) {
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        let mut admitted: Vec<(u64, u32)> = Vec::new();
        for (gap, cost) in steps {
            now = gap.after(now, &rate, retry_after);
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            (word, retry_after) = (next, verdict.retry_after);
            if verdict.answer == Answer::Allowed {
                admitted.push((now, cost));
            }
        }
        for (first, &(from, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for &(to, cost) in &admitted[first..] {
                sum += u64::from(cost);
                prop_assert!(sum <= u64::from(rate.burst()) + (to - from) / rate.period());
            }
        }
    }

    #[test]
    fn a_denied_charge_is_admitted_at_exactly_retry_after_and_not_one_tick_before(
        rate in rates(),
        start in starts(),
        steps in prop::collection::vec((any_gap(), costs()), 1..24),
    ) {
        let (mut word, mut now, mut retry_after) = (0, start, 0);
        for (gap, cost) in steps {
            now = gap.after(now, &rate, retry_after);
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            (word, retry_after) = (next, verdict.retry_after);
            if verdict.answer == Answer::Limited {
                prop_assert!(retry_after > 0);
                prop_assert_eq!(charge(rate, word, now + retry_after - 1, cost).1.answer, Answer::Limited);
                prop_assert_eq!(charge(rate, word, now + retry_after, cost).1.answer, Answer::Allowed);
            }
        }
    }

    #[test]
    fn a_bucket_is_full_after_exactly_reset_and_not_one_tick_before(
        rate in rates(),
        start in starts(),
        first in costs(),
        second in costs(),
        gap in forward(),
    ) {
        let (word, verdict) = charge(rate, 0, start, first.of(&rate));
        let now = gap.after(start, &rate, verdict.retry_after);
        let (word, verdict) = charge(rate, word, now, second.of(&rate));
        let whole = |now| charge(rate, word, now, rate.burst()).1.answer;
        prop_assert_eq!(whole(now + verdict.reset), Answer::Allowed);
        if verdict.reset > 0 {
            prop_assert_eq!(whole(now + verdict.reset - 1), Answer::Limited);
        }
    }

    #[test]
    fn only_an_admitted_cost_is_ever_written(
        rate in rates(),
        now in starts(),
        ahead in any::<u64>(),
        cost in costs(),
    ) {
        // Any word that is no leftover of a clock that jumped.
        let word = now + ahead % (rate.period() * u64::from(rate.burst()) + SLACK + 1);
        let cost = cost.of(&rate);
        let (next, verdict) = charge(rate, word, now, cost);
        let spends = verdict.answer == Answer::Allowed && cost > 0;
        prop_assert_eq!(next, if spends { word + u64::from(cost) * rate.period() } else { word });
    }

    #[test]
    fn an_expired_word_means_the_same_as_none(rate in rates(), now in starts(), ago in any::<u64>(), cost in costs()) {
        let step = Charge { rate, cost: cost.of(&rate) };
        let word = now - ago % (now + 1);
        prop_assert!(step.expired(word, now));
        prop_assert!(!step.expired(now + 1, now));
        let ((after, verdict), (after_none, verdict_of_none)) = (step.apply(word, now), step.apply(0, now));
        prop_assert_eq!(verdict, verdict_of_none);
        prop_assert!(after == after_none || (step.expired(after, now) && step.expired(after_none, now)));
    }

    #[test]
    fn the_rate_is_never_faster_than_asked_and_less_than_a_tick_a_unit_slower(
        limit in 1..1_000u32,
        window in 1_000..1_000_000u64,
        burst in 1..50u32,
        steps in prop::collection::vec((forward(), costs()), 1..32),
    ) {
        let rate = Gcra::new(limit, window, burst, 1).unwrap();
        prop_assert!(u128::from(rate.period() - 1) * u128::from(limit) < u128::from(window));
        // The exact bucket: a tick brings `limit` drops, a unit costs `window` of them, nothing is rounded.
        let full = u128::from(burst) * u128::from(window);
        let (mut drops, mut word, mut now, mut retry_after) = (full, 0, 0, 0);
        for (gap, cost) in steps {
            let later = gap.after(now, &rate, retry_after);
            drops = full.min(drops + u128::from(later - now) * u128::from(limit));
            now = later;
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            (word, retry_after) = (next, verdict.retry_after);
            if verdict.answer == Answer::Allowed {
                let left = drops.checked_sub(u128::from(cost) * u128::from(window));
                prop_assert!(left.is_some(), "admitted {} with {} of {} drops there", cost, drops, full);
                drops = left.unwrap();
            }
        }
    }

    /// Every charge that was given back is struck from history. What is left of it must be a history that an untouched
    /// bucket admits: then a refund never made room for more than was given back.
    #[test]
    fn what_was_refunded_never_makes_more_room_than_if_it_had_not_been_charged(
        rate in small_rates(),
        steps in prop::collection::vec((forward(), costs(), prop::option::weighted(0.3, any::<prop::sample::Index>())), 1..40),
    ) {
        let (mut word, mut now, mut retry_after) = (0, 0, 0);
        let mut kept: Vec<(u32, u64)> = Vec::new();
        for (gap, cost, refund) in steps {
            now = gap.after(now, &rate, retry_after);
            if let Some(index) = refund && !kept.is_empty() {
                let (cost, charged_at) = kept.remove(index.index(kept.len()));
                word = Refund { rate, cost, charged_at }.apply(word, now).0;
                continue;
            }
            let cost = cost.of(&rate);
            let (next, verdict) = charge(rate, word, now, cost);
            (word, retry_after) = (next, verdict.retry_after);
            if verdict.answer == Answer::Allowed {
                kept.push((cost, now));
            }
        }
        let mut bucket = Bucket::of(&rate);
        for (cost, at) in kept {
            prop_assert_eq!(bucket.charge(cost, at).answer, Answer::Allowed);
        }
    }

    #[test]
    fn what_is_left_is_a_whole_number_of_units_beside_every_multiple_of_the_period(
        rate in rates(),
        now in starts(),
        units in any::<prop::sample::Index>(),
        and in -2..=2i64,
    ) {
        let full = rate.period() * u64::from(rate.burst());
        let credit = (rate.period() * units.index(rate.burst() as usize + 1) as u64).saturating_add_signed(and).min(full);
        let left = charge(rate, now + full - credit, now, 0).1.remaining;
        prop_assert_eq!(u64::from(left), credit / rate.period());
    }

    #[test]
    fn a_charge_given_back_at_once_leaves_no_trace(rate in rates(), now in starts(), spent in 0..u64::MAX, cost in costs()) {
        let (cost, full) = (cost.of(&rate), rate.period() * u64::from(rate.burst()));
        let before = now + spent % (full + 1);
        let (charged, verdict) = charge(rate, before, now, cost);
        if verdict.answer == Answer::Allowed {
            prop_assert_eq!(Refund { rate, cost, charged_at: now }.apply(charged, now).0, before);
        }
    }
}

fn ten_at_a_unit_a_tick() -> Gcra {
    Gcra::new(1, 1, 10, 1).unwrap()
}

#[test]
fn a_late_refund_of_five_does_not_let_thirteen_through_at_once() {
    let rate = ten_at_a_unit_a_tick();
    let (word, _) = charge(rate, 0, 100, 5);
    let (word, _) = charge(rate, word, 103, 3);
    let (word, ()) = Refund { rate, cost: 5, charged_at: 100 }.apply(word, 103);
    assert_eq!(charge(rate, word, 103, 10).1.answer, Answer::Limited);
    assert_eq!(charge(rate, word, 103, 7).1.answer, Answer::Allowed);
    assert_eq!(charge(rate, word, 103, 8).1.answer, Answer::Limited);
}

#[test]
fn a_refund_of_what_has_refilled_by_itself_gives_nothing() {
    let rate = ten_at_a_unit_a_tick();
    let (word, _) = charge(rate, 0, 100, 5);
    let (word, _) = charge(rate, word, 104, 5);
    assert_eq!(Refund { rate, cost: 5, charged_at: 100 }.apply(word, 105).0, word);
}

#[test]
fn a_refund_to_a_full_bucket_writes_nothing() {
    let rate = ten_at_a_unit_a_tick();
    assert_eq!(Refund { rate, cost: 5, charged_at: 100 }.apply(105, 105).0, 105);
    assert_eq!(Refund { rate, cost: 5, charged_at: 100 }.apply(0, 105).0, 0);
}

#[test]
fn a_cost_above_the_burst_is_impossible_however_long_one_waits() {
    let rate = ten_at_a_unit_a_tick();
    for now in [0, 10, 1 << 60] {
        let (word, verdict) = charge(rate, 0, now, 11);
        assert_eq!((word, verdict.answer, verdict.retry_after, verdict.remaining), (0, Answer::Impossible, 0, 10));
    }
}

#[test]
fn a_free_call_is_ok_even_in_full_debt_and_says_what_is_left() {
    let rate = ten_at_a_unit_a_tick();
    let (word, _) = charge(rate, 0, 100, 10);
    let (after, verdict) = charge(rate, word, 102, 0);
    assert_eq!(after, word);
    assert_eq!(verdict, Verdict { answer: Answer::Allowed, remaining: 2, retry_after: 0, reset: 8, wait: 0 });
}

#[test]
fn a_word_left_behind_by_a_clock_that_jumped_locks_nobody_out_for_longer_than_the_burst() {
    let rate = ten_at_a_unit_a_tick();
    let (word, _) = charge(rate, 0, 1 << 60, 10);
    let (word, verdict) = charge(rate, word, 1_000, 1);
    assert_eq!((word, verdict.answer, verdict.retry_after), (1_010, Answer::Limited, 1));
    assert_eq!(charge(rate, word, 1_001, 1).1.answer, Answer::Allowed);
}

#[test]
fn a_thread_whose_clock_is_a_little_behind_does_not_take_a_charge_for_a_jump() {
    let rate = ten_at_a_unit_a_tick();
    let (word, _) = charge(rate, 0, SLACK + 500, 10);
    let (after, verdict) = charge(rate, word, 500, 1);
    assert_eq!((after, verdict.answer, verdict.retry_after), (word, Answer::Limited, SLACK + 1));
    assert_eq!(charge(rate, word, 499, 1).0, 509);
}

#[test]
fn a_period_below_the_floor_is_too_fine_and_a_debt_past_the_word_too_long() {
    assert_eq!(Gcra::new(10_000_001, 1_000_000_000, 1, 100).map(|rate| rate.period()), Ok(100));
    assert_eq!(Gcra::new(10_000_000, 990_000_000, 1, 100), Err(Uncountable::TooFine));
    assert_eq!(Gcra::new(1, 0, 1, 1), Err(Uncountable::TooFine));
    let window = 1 << 61;
    assert!(Gcra::new(1, window, 1, 1).is_ok());
    assert_eq!(Gcra::new(1, window, 2, 1), Err(Uncountable::TooLong));
    assert_eq!(Gcra::new(1, u64::MAX, u32::MAX, 1), Err(Uncountable::TooLong));
}
