//! The sketch by itself: what a lookup, a raise and a lowering do to its two rows.
//! Never judges how early it limits, only that it is never late.

use crate::dice::{Dice, key};
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::rate::{Answer, Charge, Refund};
use spillway_engine::store::fingerprint::Fingerprint;
use spillway_engine::store::sketch::Sketch;

fn rate(burst: u32) -> Gcra {
    Gcra::new(1, 1_000, burst, 1).unwrap()
}

#[test]
fn a_key_that_meets_another_in_one_row_only_is_not_limited_for_it() {
    let sketch = Sketch::new(2, 0);
    let (alice, bob) = (Fingerprint { low: 0, high: 0 }, Fingerprint { low: 1 << 63, high: 0 });
    let step = Charge { rate: rate(2), cost: 2 };
    assert_eq!(sketch.update(alice, 5_000, &step).unwrap().answer, Answer::Allowed);
    assert_eq!(sketch.word(bob, 5_000, &step), 0);
    assert_eq!(sketch.update(bob, 5_000, &step).unwrap().answer, Answer::Allowed);
    assert_eq!(sketch.update(bob, 5_000, &step).unwrap().answer, Answer::Limited);
}

#[test]
fn a_refund_leaves_the_words_as_they_are_since_they_are_others_too() {
    let sketch = Sketch::new(64, 0);
    sketch.update(key(1), 5_000, &Charge { rate: rate(2), cost: 2 }).unwrap();
    let before = sketch.word(key(1), 5_000, &Charge { rate: rate(2), cost: 1 });
    sketch.update(key(1), 5_000, &Refund { rate: rate(2), cost: 2, charged_at: 5_000 }).unwrap();
    assert_eq!(sketch.word(key(1), 5_000, &Charge { rate: rate(2), cost: 1 }), before);
}

#[test]
fn a_denial_changes_no_word() {
    let sketch = Sketch::new(64, 0);
    sketch.update(key(1), 5_000, &Charge { rate: rate(2), cost: 2 }).unwrap();
    let before = sketch.word(key(1), 5_000, &Charge { rate: rate(2), cost: 1 });
    for _ in 0..1_000 {
        sketch.update(key(1), 5_001, &Charge { rate: rate(2), cost: 1 }).unwrap();
    }
    assert_eq!(sketch.word(key(1), 5_000, &Charge { rate: rate(2), cost: 1 }), before);
}

#[test]
fn its_two_rows_are_all_it_ever_occupies() {
    let sketch = Sketch::new(100, 0);
    let mut dice = Dice::new(7);
    for number in 0..10_000 {
        sketch.update(key(number), dice.below(1 << 40), &Charge { rate: rate(9), cost: 1 }).unwrap();
    }
    assert_eq!(sketch.bytes(), 2 * 100 * 8);
    assert_eq!(Sketch::new(0, 0).bytes(), 2 * 8, "a row is never empty");
}
