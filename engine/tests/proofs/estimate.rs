//! The estimate of the hit ratio at another size, beside caches that really have that size.
//! Never asks for more than a sample can tell: within three points of a hundred.

use crate::dice::Dice;
use spillway_engine::store::estimate::Estimate;
use spillway_engine::store::eviction::Eviction;
use std::collections::HashMap;

const FOREVER: u64 = u64::MAX;

/// A cache without values, of everything it is asked for.
struct Cache {
    eviction: Eviction,
    slots: HashMap<u64, u32>,
    hits: u32,
    asked: u32,
}

impl Cache {
    fn new(capacity: u64) -> Self {
        Cache { eviction: Eviction::new(capacity), slots: HashMap::new(), hits: 0, asked: 0 }
    }

    fn ask(&mut self, hash: u64, weight: u32) -> bool {
        self.asked += 1;
        if let Some(slot) = self.slots.get(&hash) {
            self.eviction.hit(*slot, 1);
            self.hits += 1;
            return true;
        }
        self.slots.insert(hash, self.eviction.insert(hash, weight));
        while let Some(victim) = self.eviction.victim() {
            self.slots.remove(&self.eviction.hash(victim));
        }
        false
    }

    fn ratio(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.asked)
    }
}

fn hash(number: u64) -> u64 {
    Dice::new(number).word()
}

/// How far the estimate is from caches of half and of double size that are asked for the same.
fn errors(capacity: u64, requests: impl Iterator<Item = (u64, u32)>) -> [f64; 2] {
    let (mut half, mut real, mut double) = (Cache::new(capacity / 2), Cache::new(capacity), Cache::new(capacity * 2));
    let estimate = Estimate::new(capacity);
    for (number, weight) in requests {
        let hash = hash(number);
        half.ask(hash, weight);
        double.ask(hash, weight);
        if real.ask(hash, weight) {
            estimate.hit(hash, weight, FOREVER, 1, 0);
        } else {
            estimate.miss(hash, 0);
            estimate.insert(hash, weight, FOREVER);
        }
    }
    let estimates = estimate.estimates(real.ratio());
    [estimates.half.unwrap() - half.ratio(), estimates.double.unwrap() - double.ratio()]
}

fn close([half, double]: [f64; 2]) {
    assert!(half.abs() < 0.03, "half: {half:+.3}");
    assert!(double.abs() < 0.03, "double: {double:+.3}");
}

/// The logarithm of the number is even: Zipf's law with exponent one.
fn skewed(dice: &mut Dice, keys: f64) -> u64 {
    keys.powf(dice.below(1 << 32) as f64 / (1u64 << 32) as f64) as u64
}

#[test]
fn popular_keys_and_a_sample_of_one_key_in_many() {
    let mut dice = Dice::new(1);
    close(errors(8_000, (0..300_000).map(|_| (skewed(&mut dice, 100_000.0), 1))));
}

#[test]
fn few_keys_are_not_sampled_at_all() {
    let mut dice = Dice::new(2);
    close(errors(200, (0..50_000).map(|_| (dice.below(600), 1))));
}

#[test]
fn a_loop_that_just_does_not_fit() {
    close(errors(3_000, (0..200_000).map(|i| (i % 4_000, 1))));
}

#[test]
fn values_of_different_weight() {
    let mut dice = Dice::new(3);
    let weight = |number: u64| 60 << (hash(number) % 7);
    let requests = (0..200_000).map(|_| skewed(&mut dice, 60_000.0)).map(|number| (number, weight(number)));
    close(errors(2_000_000, requests));
}

/// An estimate beside a cache that is not far from full.
fn awake(capacity: u64) -> Estimate {
    let estimate = Estimate::new(capacity);
    for number in 0..3 * capacity {
        estimate.insert(hash((1 << 50) + number), 1, FOREVER);
    }
    estimate
}

#[test]
fn nothing_is_said_before_enough_was_seen() {
    assert_eq!(Estimate::new(100).estimates(0.5).half, None);
    let estimate = awake(100);
    for number in 0..1_023 {
        estimate.miss(hash(number), 0);
    }
    assert_eq!(estimate.estimates(0.0).half, None);
    estimate.miss(hash(5_000), 0);
    assert_eq!(estimate.estimates(0.0).double, Some(0.0));
}

#[test]
fn a_cache_that_is_far_from_full_would_do_the_same_in_any_size() {
    let estimate = Estimate::new(6_400);
    for number in 0..100 {
        estimate.insert(hash(number), 1, FOREVER);
        estimate.miss(hash(number + 1_000), 0);
    }
    let estimates = estimate.estimates(0.25);
    assert_eq!((estimates.half, estimates.double), (Some(0.25), Some(0.25)));
    estimate.insert(hash(100), 1, FOREVER);
    assert_eq!(estimate.estimates(0.25).half, None, "from here on it takes a sample to tell");
}

#[test]
fn what_is_over_would_not_be_found_in_a_larger_cache_either() {
    // Asked for every 80 ns, of use for 50, and pushed out of the real cache by others after 30.
    let estimate = Estimate::new(30);
    for now in 0..8_000 {
        estimate.miss(hash(now % 80), now);
        estimate.insert(hash(now % 80), 1, now + 50);
    }
    assert_eq!(estimate.estimates(0.0).double, Some(0.0));
}

#[test]
fn what_was_deleted_or_cleared_is_not_there_in_another_size() {
    let estimate = awake(100);
    for number in 0..4_000 {
        estimate.insert(hash(number % 10), 1, FOREVER);
        estimate.remove(hash(number % 10));
        estimate.miss(hash(number % 10), 0);
    }
    assert_eq!(estimate.estimates(0.0).double, Some(0.0));
    estimate.insert(hash(1), 1, FOREVER);
    estimate.clear();
    estimate.miss(hash(1), 0);
    assert_eq!(estimate.estimates(0.0).double, Some(0.0));
}

#[test]
fn many_looks_at_once_miss_once() {
    let estimate = awake(10);
    for number in 0..100 {
        // Of a hundred looks at a key that the real cache had each time, one missed in the smaller: the first.
        estimate.hit(hash(number), 1, FOREVER, 100, 0);
    }
    let half = estimate.estimates(1.0).half.unwrap();
    assert!((half - 0.99).abs() < 1e-9, "{half}");
}

#[test]
fn what_was_seen_long_ago_counts_less() {
    let estimate = awake(10);
    for number in 0..20_000 {
        estimate.miss(hash(number), 0);
    }
    // From now on one key alone, which is there.
    for _ in 0..400_000 {
        estimate.hit(hash(1 << 40), 1, FOREVER, 1, 0);
    }
    let double = estimate.estimates(0.5).double.unwrap();
    assert!(double > 0.99, "{double}");
}
