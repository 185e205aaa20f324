//! The histogram against all of its values, sorted.
//! Never looks at how the buckets are numbered.

use crate::dice::Dice;
use spillway_engine::policy::histogram::{BUCKETS, Histogram, bucket_of, ceiling_of};

const LARGEST: u64 = (1 << 40) - 1;

/// A number of any length up to forty bits.
fn value(dice: &mut Dice) -> u64 {
    dice.word() >> (24 + dice.below(40))
}

#[test]
fn a_value_is_told_as_at_most_an_eighth_more_and_never_as_less() {
    let mut dice = Dice::new(11);
    let random = (0..200_000).map(|_| value(&mut dice));
    let edges = (0..40).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    for value in random.chain(edges).chain(0..5_000).chain([LARGEST]) {
        let told = ceiling_of(bucket_of(value));
        assert!(told >= value && (told - value) * 8 <= value, "{value} is told as {told}");
    }
}

#[test]
fn buckets_follow_one_another_without_a_gap_and_the_last_takes_all_that_is_larger() {
    assert_eq!(bucket_of(0), 0);
    for bucket in 0..BUCKETS - 1 {
        assert_eq!(bucket_of(ceiling_of(bucket)), bucket);
        assert_eq!(bucket_of(ceiling_of(bucket) + 1), bucket + 1);
    }
    assert_eq!(ceiling_of(BUCKETS - 1), LARGEST);
    assert_eq!([bucket_of(LARGEST), bucket_of(LARGEST + 1), bucket_of(u64::MAX)], [BUCKETS - 1; 3]);
}

#[test]
fn percentiles_are_those_of_the_sorted_values_but_for_the_width_of_a_bucket() {
    let mut dice = Dice::new(12);
    for _ in 0..2_000 {
        let (mut histogram, mut sorted) = (Histogram::default(), Vec::new());
        for _ in 0..1 + dice.below(200) {
            let value = value(&mut dice);
            histogram.add(value);
            sorted.push(value);
        }
        sorted.sort_unstable();
        assert_eq!((histogram.count(), histogram.max()), (sorted.len() as u64, *sorted.last().unwrap()));
        let mean = sorted.iter().sum::<u64>() as f64 / sorted.len() as f64;
        assert!((histogram.mean() - mean).abs() <= mean * 1e-9);
        for share in [0.0, 0.5, 0.95, 0.99, 1.0] {
            // The least value that at least this share do not exceed.
            let exact = *sorted
                .iter()
                .find(|value| {
                    sorted.iter().filter(|other| other <= value).count() as f64 >= share * sorted.len() as f64
                })
                .unwrap();
            let told = histogram.percentile(share);
            assert!(told >= exact && (told - exact) * 8 <= exact, "{share}: {exact} is told as {told}");
            assert!(told <= histogram.max());
        }
    }
}

#[test]
fn of_nothing_everything_is_zero() {
    let histogram = Histogram::default();
    assert_eq!((histogram.count(), histogram.max(), histogram.percentile(0.99)), (0, 0, 0));
    assert_eq!(histogram.mean(), 0.0);
}
