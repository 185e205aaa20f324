//! What several keys share: the join of two words says at least what either says, the meet no more than either.
//! Never compares bits where the verdict is what matters.

use proptest::prelude::*;
use spillway_engine::policy::Step;
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::rate::{Answer, Charge, Rate, Verdict};
use spillway_engine::policy::sliding_window::SlidingWindow;

const LIMIT: u32 = 12;
const WIDTH: u64 = 100;

/// Spends `first` at the end of the window before, `second` in the middle of this one.
fn written<R: Rate>(rate: &R, window: u64, first: u32, second: u32) -> u64 {
    let middle = window * WIDTH + WIDTH / 2;
    let (word, _) = rate.charge(0, window * WIDTH - 1, first);
    rate.charge(word, middle, second).0
}

/// The same to every charge from `now` on.
fn is_same<R: Rate + Copy>(rate: R, one: u64, other: u64, now: u64) -> bool {
    [0, 1, 17, 49, 50, 99, 100, 101, 150, 199, 200, 250, 300].into_iter().all(|later| {
        let charge = |word, cost| Charge { rate, cost }.apply(word, now + later).1;
        (0..=LIMIT + 1).all(|cost| charge(one, cost) == charge(other, cost))
    })
}

type Spent = (u64, u32, u32);

fn obeys_the_laws_of_a_lattice<R: Rate + Copy>(rate: R, base: u64, spent: [Spent; 3]) {
    let [a, b, c] = spent.map(|(window, first, second)| written(&rate, base + window, first, second));
    // Every window of theirs has begun.
    let now = (base + spent.iter().map(|(window, ..)| window).max().unwrap()) * WIDTH + WIDTH / 2;
    let (join, meet) = (|x, y| rate.join(x, y), |x, y| rate.meet(x, y));
    let same = |x, y| is_same(rate, x, y, now);
    assert!(same(join(a, a), a) && same(meet(a, a), a), "idempotent");
    assert!(same(join(a, b), join(b, a)) && same(meet(a, b), meet(b, a)), "commutative");
    assert!(same(join(a, join(b, c)), join(join(a, b), c)), "a join is associative");
    assert!(same(meet(a, meet(b, c)), meet(meet(a, b), c)), "a meet is associative");
    assert!(same(join(a, meet(a, b)), a) && same(meet(a, join(a, b)), a), "absorbing");
    assert!(same(join(a, 0), a) && same(meet(a, 0), 0), "no word is the least");
    assert_eq!(join(join(a, b), b), join(a, b), "to raise a word by what it says already writes nothing");
}

fn covers_what_either_has_spent<R: Rate + Copy>(rate: R, base: u64, spent: [Spent; 2], later: u64, cost: u32) {
    let [a, b] = spent.map(|(window, first, second)| written(&rate, base + window, first, second));
    let now = (base + spent[0].0.max(spent[1].0)) * WIDTH + later;
    let charge = |word| Charge { rate, cost }.apply(word, now).1;
    let (one, other, join, meet) = (charge(a), charge(b), charge(rate.join(a, b)), charge(rate.meet(a, b)));
    let denies = |verdict: &Verdict| verdict.answer != Answer::Allowed;
    assert!(denies(&join) || !denies(&one) && !denies(&other), "what either denies their join denies");
    assert!(!denies(&meet) || denies(&one) && denies(&other), "what their meet denies both deny");
    let left = |word| Charge { rate, cost: 0 }.apply(word, now).1.remaining;
    assert!(left(rate.join(a, b)) <= left(a).min(left(b)));
    assert!(left(rate.meet(a, b)) >= left(a).max(left(b)));
    assert!(join.retry_after >= one.retry_after.max(other.retry_after));
    assert!(meet.retry_after <= one.retry_after.min(other.retry_after) || !denies(&meet));
    assert!(rate.expired(rate.join(a, b), now) <= (rate.expired(a, now) && rate.expired(b, now)));
    assert!(rate.expired(rate.meet(a, b), now) >= (rate.expired(a, now) || rate.expired(b, now)));
}

/// A sketch keeps a word that both of two keys have charged: neither may ever find less of its own in it.
fn never_hides_a_charge_of_ones_own<R: Rate + Copy>(rate: R, base: u64, charges: &[(u64, bool, u32)]) {
    let (mut shared, mut own, mut now) = (0, [0, 0], base * WIDTH);
    for &(gap, which, cost) in charges {
        now += gap;
        let own = &mut own[usize::from(which)];
        // What the other row would say may be as little as its own word.
        let state = rate.meet(rate.settle(shared, now), *own);
        let (next, verdict) = Charge { rate, cost }.apply(state, now);
        let (kept, alone) = Charge { rate, cost }.apply(*own, now);
        if verdict.answer == Answer::Allowed {
            assert_eq!(alone.answer, Answer::Allowed, "never admitted what it would be denied alone");
            *own = kept;
        }
        shared = rate.join(shared, next);
    }
}

fn spent() -> impl Strategy<Value = Spent> {
    (0..4u64, 0..=LIMIT, 0..=LIMIT)
}

fn bases() -> impl Strategy<Value = u64> {
    // At the beginning, anywhere, and where the numbers of windows wrap.
    prop_oneof![1..5u64, 1..1u64 << 40, (1u64 << 24) - 3..(1 << 24) + 2, (1u64 << 32) - 3..(1 << 32) + 2]
}

fn gcra() -> Gcra {
    Gcra::new(LIMIT, WIDTH, LIMIT, 1).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn join_and_meet_obey_the_laws_of_a_lattice(base in bases(), spent in [spent(), spent(), spent()]) {
        obeys_the_laws_of_a_lattice(gcra(), base, spent);
        obeys_the_laws_of_a_lattice(FixedWindow::new(LIMIT, WIDTH), base, spent);
        obeys_the_laws_of_a_lattice(SlidingWindow::new(LIMIT, WIDTH), base, spent);
    }

    #[test]
    fn join_covers_what_either_has_spent_and_meet_no_more_than_both(
        base in bases(), spent in [spent(), spent()], later in 50..400u64, cost in 1..=LIMIT,
    ) {
        covers_what_either_has_spent(gcra(), base, spent, later, cost);
        covers_what_either_has_spent(FixedWindow::new(LIMIT, WIDTH), base, spent, later, cost);
        covers_what_either_has_spent(SlidingWindow::new(LIMIT, WIDTH), base, spent, later, cost);
    }

    #[test]
    fn a_word_that_two_keys_raise_never_hides_a_charge_of_either(
        base in bases(),
        charges in prop::collection::vec((prop_oneof![3 => 0..20u64, 1 => 0..250u64], any::<bool>(), 1..=LIMIT), 1..24),
    ) {
        never_hides_a_charge_of_ones_own(gcra(), base, &charges);
        never_hides_a_charge_of_ones_own(FixedWindow::new(LIMIT, WIDTH), base, &charges);
        never_hides_a_charge_of_ones_own(SlidingWindow::new(LIMIT, WIDTH), base, &charges);
    }
}
