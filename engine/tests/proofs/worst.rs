//! The most that each algorithm admits in one true window, looked for by climbing: the table of docs/limiter.md as a test.
//! Never a bound that nobody comes close to: each is reached.

use crate::dice::Dice;
use spillway_engine::policy::Step;
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::rate::{Answer, Charge, Rate};
use spillway_engine::policy::sliding_window::SlidingWindow;

/// What an attacker does: waits so many ticks, then asks for so much, or for as much as there is.
type Plan = Vec<(u64, u32)>;

/// The most that was admitted from any tick on in `span` ticks.
fn most_in(span: u64, rate: impl Rate + Copy, plan: &Plan) -> u32 {
    let (mut word, mut now, mut admitted) = (0, 1_000_000, Vec::<(u64, u32)>::new());
    for &(gap, cost) in plan {
        now += gap;
        let free = Charge { rate, cost: 0 }.apply(word, now).1.remaining;
        let cost = cost.min(free);
        let (next, verdict) = Charge { rate, cost }.apply(word, now);
        assert_eq!(verdict.answer, Answer::Allowed);
        word = next;
        admitted.push((now, cost));
    }
    let from = |first: usize| {
        let (start, _) = admitted[first];
        admitted[first..].iter().take_while(|(at, _)| at - start < span).map(|(_, cost)| cost).sum()
    };
    (0..admitted.len()).map(from).max().unwrap_or(0)
}

/// Climbs from random plans, one change at a time.
fn climb(seed: u64, span: u64, rate: impl Rate + Copy) -> u32 {
    let mut dice = Dice::new(seed);
    let mut best = 0;
    for _ in 0..40 {
        let step = |dice: &mut Dice| {
            let gap = match dice.below(4) {
                0 => 0,
                1 => 1 + dice.below(3),
                2 => dice.below(span + 1),
                _ => dice.below(2 * span),
            };
            (gap, if dice.below(3) == 0 { dice.below(8) as u32 } else { u32::MAX })
        };
        let mut plan = Vec::from_iter((0..12).map(|_| step(&mut dice)));
        let mut height = most_in(span, rate, &plan);
        for _ in 0..3_000 {
            let mut other = plan.clone();
            let index = dice.below(plan.len() as u64) as usize;
            match dice.below(3) {
                0 => other[index] = step(&mut dice),
                1 => other[index].0 = (other[index].0 + dice.below(5)).saturating_sub(2),
                _ => other[index].1 = u32::MAX,
            }
            let reached = most_in(span, rate, &other);
            if reached >= height {
                (plan, height) = (other, reached);
            }
        }
        best = best.max(height);
    }
    best
}

#[test]
fn a_token_bucket_admits_in_one_true_window_its_burst_and_what_refills_in_it() {
    for (seed, (limit, window, burst)) in
        [(10, 100, 10), (10, 100, 3), (10, 100, 25), (7, 100, 7), (1, 100, 1)].into_iter().enumerate()
    {
        let rate = Gcra::new(limit, window, burst, 1).unwrap();
        // The last tick of a window is one before the next: S is the width less one.
        let bound = burst + ((window - 1) / rate.period()) as u32;
        assert_eq!(climb(seed as u64, window, rate), bound, "{limit} in {window}, {burst} at once");
        // Whoever needs never more than a limit in any window halves it.
        let halved = Gcra::new(10, 100, 5, 1).unwrap();
        assert!(climb(seed as u64, 50, halved) <= 10);
    }
}

#[test]
fn a_fixed_window_admits_twice_its_limit_in_one_true_window_and_no_more() {
    for (seed, limit) in [1, 5, 10, 40].into_iter().enumerate() {
        assert_eq!(climb(10 + seed as u64, 100, FixedWindow::new(limit, 100)), 2 * limit);
    }
}

/// The estimate takes what was spent in the last window as spread evenly; an attacker spends it at the end.
#[test]
fn a_sliding_window_admits_one_less_than_twice_its_limit_in_one_true_window_and_no_more() {
    for (seed, limit) in [1, 5, 10, 40].into_iter().enumerate() {
        assert_eq!(climb(20 + seed as u64, 100, SlidingWindow::new(limit, 100)), 2 * limit - 1);
    }
    // 1.99 of a hundred.
    let asks = |cost: u32| vec![(999_999, cost), (0, u32::MAX), (999_998, u32::MAX), (0, u32::MAX)];
    assert_eq!(most_in(1_000_000, SlidingWindow::new(100, 1_000_000), &asks(100)), 199);
}

/// Even so, over many windows together no more than a limit for each passes.
#[test]
fn over_many_windows_a_sliding_window_admits_a_limit_for_each_and_one() {
    let mut dice = Dice::new(30);
    for _ in 0..2_000 {
        let limit = 1 + dice.below(20) as u32;
        let rate = SlidingWindow::new(limit, 100);
        let (mut word, mut total) = (0, 0);
        let start = 1_000_000 + dice.below(100);
        let mut now = start;
        for _ in 0..100 {
            now += dice.below(40);
            let (next, verdict) = Charge { rate, cost: 1 + dice.below(4) as u32 }.apply(word, now);
            if verdict.answer == Answer::Allowed {
                total += Charge { rate, cost: 0 }.apply(word, now).1.remaining - verdict.remaining;
            }
            word = next;
        }
        let windows = now / 100 - start / 100 + 1;
        assert!(u64::from(total) <= windows * u64::from(limit));
    }
}
