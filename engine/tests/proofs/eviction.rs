//! The order of eviction against a model that knows nothing but who is there, and its hit ratios on traces made here.
//! Never a trace of anybody's: what is asked for follows from the numbers of the request.

use crate::dice::{Dice, key};
use proptest::prelude::*;
use spillway_engine::store::eviction::{Eviction, Slot};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Who is there, by slot: hash and weight.
struct Model {
    eviction: Eviction,
    capacity: u64,
    there: HashMap<Slot, (u64, u32)>,
    victims: Vec<u64>,
}

impl Model {
    fn new(capacity: u64) -> Self {
        Model { eviction: Eviction::new(capacity), capacity, there: HashMap::new(), victims: Vec::new() }
    }

    /// Insert, and let go whoever has to; the newcomer stays unless it is alone.
    fn insert(&mut self, hash: u64, weight: u32) {
        let slot = self.eviction.insert(hash, weight);
        assert!(self.there.insert(slot, (hash, weight)).is_none(), "slot {slot} was given twice");
        while let Some(victim) = self.eviction.victim() {
            assert!(self.weight() > self.capacity, "a victim although there is room");
            assert!(victim != slot || self.there.len() == 1, "the newcomer is its own victim");
            let (of, _) = self.there.remove(&victim).expect("the victim was there");
            assert_eq!(self.eviction.hash(victim), of, "the victim's hash is still to be had");
            self.victims.push(of);
        }
        assert!(self.weight() <= self.capacity, "no more victims although there is too much");
    }

    fn remove(&mut self, slot: Slot) {
        self.eviction.remove(slot);
        self.there.remove(&slot);
    }

    fn reweigh(&mut self, slot: Slot, weight: u32) {
        self.eviction.reweigh(slot, weight);
        self.there.insert(slot, (self.there[&slot].0, weight));
    }

    fn weight(&self) -> u64 {
        self.there.values().map(|(_, weight)| u64::from(*weight)).sum()
    }

    fn check(&self) {
        assert_eq!(self.eviction.len(), self.there.len());
        assert_eq!(self.eviction.is_empty(), self.there.is_empty());
        assert_eq!(self.eviction.weight(), self.weight());
        for (slot, (hash, _)) in &self.there {
            assert_eq!(self.eviction.hash(*slot), *hash);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Ask {
        key: u64,
        weight: u32,
        times: u32,
    },
    Remove {
        key: u64,
    },
    Reweigh {
        key: u64,
        weight: u32,
    },
    /// Something is done to a slot nobody has.
    Stray {
        slot: Slot,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..60u64, 1..40u32, 0..4u32).prop_map(|(key, weight, times)| Step::Ask { key, weight, times }),
        2 => (0..60u64).prop_map(|key| Step::Remove { key }),
        2 => (0..60u64, 0..400u32).prop_map(|(key, weight)| Step::Reweigh { key, weight }),
        1 => any::<u32>().prop_map(|slot| Step::Stray { slot }),
    ]
}

/// The slot of a key, as the store's table would find it.
fn slot_of(model: &Model, hash: u64) -> Option<Slot> {
    model.there.iter().find(|(_, entry)| entry.0 == hash).map(|(slot, _)| *slot)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_lost_and_weights_add_up(capacity in 1..600u64, steps in prop::collection::vec(step(), 1..300)) {
        let mut model = Model::new(capacity);
        for step in steps {
            match step {
                Step::Ask { key: number, weight, times } => {
                    let hash = key(number).low;
                    match slot_of(&model, hash) {
                        Some(slot) => model.eviction.hit(slot, times),
                        None => model.insert(hash, weight),
                    }
                }
                Step::Remove { key: number } => {
                    if let Some(slot) = slot_of(&model, key(number).low) {
                        model.remove(slot);
                        model.remove(slot);
                    }
                }
                Step::Reweigh { key: number, weight } => {
                    if let Some(slot) = slot_of(&model, key(number).low) {
                        model.reweigh(slot, weight);
                    }
                }
                Step::Stray { slot } => {
                    if !model.there.contains_key(&slot) {
                        model.eviction.hit(slot, 1);
                        model.eviction.reweigh(slot, 7);
                        model.eviction.remove(slot);
                    }
                }
            }
            model.check();
        }
    }
}

/// Requests one after the other, as numbers of keys.
type Trace = Vec<u64>;

fn loop_over(keys: u64, requests: usize) -> Trace {
    (0..keys).cycle().take(requests).collect()
}

/// The most frequent is asked for half as often again as the next but one, and so on, from `first` on.
fn zipf(dice: &mut Dice, first: u64, keys: u64, requests: usize) -> Trace {
    let ranks: Vec<f64> = (1..=keys)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / (rank as f64).powf(0.9);
            Some(*sum)
        })
        .collect();
    let whole = ranks[ranks.len() - 1];
    let mut ask = || {
        let at = whole * dice.below(1 << 40) as f64 / (1u64 << 40) as f64;
        first + ranks.partition_point(|sum| *sum < at) as u64
    };
    (0..requests).map(|_| ask()).collect()
}

/// Whoever was asked for shortly before is asked for again, and newcomers come all the time.
fn recent(dice: &mut Dice, reach: u64, requests: usize) -> Trace {
    let mut newest = 0;
    let mut last: VecDeque<u64> = VecDeque::new();
    (0..requests)
        .map(|_| {
            let back = dice.below(reach).min(dice.below(reach)) as usize;
            let asked = if dice.below(4) > 0 { last.get(back).copied() } else { None };
            let asked = asked.unwrap_or_else(|| {
                newest += 1;
                newest
            });
            if let Some(at) = last.iter().position(|key| *key == asked) {
                last.remove(at);
            }
            last.push_front(asked);
            last.truncate(reach as usize);
            asked
        })
        .collect()
}

/// Each key is asked for twice, `apart` newcomers later, and never again.
fn twice(apart: u64, requests: usize) -> Trace {
    (0..requests as u64).flat_map(|new| [Some(new), new.checked_sub(apart)]).flatten().take(requests).collect()
}

/// Hits in a hundred requests of the latter half.
fn hit_ratio(trace: &[u64], capacity: u64, weigh: impl Fn(u64) -> u32) -> f64 {
    let mut eviction = Eviction::new(capacity);
    let (mut slots, mut keys) = (HashMap::new(), HashMap::new());
    let mut hits = 0;
    for (i, number) in trace.iter().enumerate() {
        if let Some(slot) = slots.get(number) {
            eviction.hit(*slot, 1);
            hits += usize::from(i >= trace.len() / 2);
            continue;
        }
        let slot = eviction.insert(key(*number).low, weigh(*number));
        slots.insert(*number, slot);
        keys.insert(slot, *number);
        while let Some(victim) = eviction.victim() {
            slots.remove(&keys[&victim]);
        }
    }
    200.0 * hits as f64 / trace.len() as f64
}

fn unit(_: u64) -> u32 {
    1
}

/// The same for LRU.
fn lru(trace: &[u64], capacity: u64, weigh: impl Fn(u64) -> u32) -> f64 {
    let (mut used, mut order) = (HashMap::new(), BTreeMap::new());
    let (mut weight, mut hits) = (0, 0);
    for (i, number) in trace.iter().enumerate() {
        match used.insert(*number, i) {
            Some(before) => {
                order.remove(&before);
                hits += usize::from(i >= trace.len() / 2);
            }
            None => weight += u64::from(weigh(*number)),
        }
        order.insert(i, *number);
        while weight > capacity {
            let (_, oldest) = order.pop_first().unwrap();
            used.remove(&oldest);
            weight -= u64::from(weigh(oldest));
        }
    }
    200.0 * hits as f64 / trace.len() as f64
}

/// That it is at least so good, and what it was.
#[track_caller]
fn at_least(wanted: f64, got: f64) {
    assert!(got >= wanted, "{got:.2} %, and {wanted:.2} % were wanted");
}

#[test]
fn a_loop_longer_than_the_cache_keeps_what_fits_of_it() {
    for capacity in [100, 700, 5_000] {
        let trace = loop_over(capacity * 3 / 2, 40 * capacity as usize);
        assert_eq!(lru(&trace, capacity, unit), 0.0);
        at_least(64.0, hit_ratio(&trace, capacity, unit));
    }
}

#[test]
fn the_most_frequent_of_steady_keys_stay() {
    let trace = zipf(&mut Dice::new(1), 0, 20_000, 150_000);
    let best =
        |capacity: u64| 200.0 * trace.iter().skip(75_000).filter(|key| **key < capacity).count() as f64 / 150_000.0;
    for capacity in [200, 2_000] {
        at_least(best(capacity) - 5.0, hit_ratio(&trace, capacity, unit));
        at_least(lru(&trace, capacity, unit) + 4.0, hit_ratio(&trace, capacity, unit));
    }
}

#[test]
fn a_scan_does_not_flush_what_is_used() {
    let mut dice = Dice::new(2);
    let calm = zipf(&mut dice, 0, 4_000, 100_000);
    // Ten requests of a scan, of keys never asked for again, between every ten others.
    let mut scanned = Vec::new();
    for (i, chunk) in calm.chunks(10).enumerate() {
        scanned.extend_from_slice(chunk);
        scanned.extend((0..10).map(|j| 1_000_000 + 10 * i as u64 + j));
    }
    let calm = hit_ratio(&calm, 600, unit);
    at_least(calm / 2.0 - 1.5, hit_ratio(&scanned, 600, unit));
}

#[test]
fn what_was_frequent_once_gives_way_to_what_is_frequent_now() {
    let mut dice = Dice::new(3);
    let drifting: Trace = (0..40).flat_map(|phase| zipf(&mut dice, 2_000 * phase, 6_000, 10_000)).collect();
    for (capacity, over_lru) in [(300, 3.0), (1_500, -0.5)] {
        at_least(lru(&drifting, capacity, unit) + over_lru, hit_ratio(&drifting, capacity, unit));
    }
}

#[test]
fn where_recency_is_all_it_is_as_good_as_lru() {
    let trace = recent(&mut Dice::new(4), 400, 80_000);
    for capacity in [100, 350] {
        at_least(lru(&trace, capacity, unit) - 1.5, hit_ratio(&trace, capacity, unit));
    }
}

#[test]
fn keys_asked_for_twice_are_kept_for_the_second_time() {
    // LRU would need room for as many again: those who had their second use stand in the way.
    let trace = twice(700, 100_000);
    assert!(lru(&trace, 1_000, unit) < 1.0);
    at_least(40.0, hit_ratio(&trace, 1_000, unit));
}

#[test]
fn a_change_of_ways_is_followed() {
    // In turn, a loop, of which LIRS and its like keep what fits, and keys that come back once, for which they do nothing. One
    // who does not change gets 33 % of it all, or 25 %.
    let mut trace = Vec::new();
    for phase in 0..4 {
        let first = 1_000_000 * (phase / 2);
        let way = if phase % 2 == 0 { loop_over(750, 40_000) } else { twice(350, 40_000) };
        trace.extend(way.into_iter().map(|number| first + number));
    }
    at_least(46.0, hit_ratio(&trace, 500, unit));
}

#[test]
fn where_sizes_differ_many_small_ones_go_before_one_large_one() {
    let weigh = |number: u64| if number.is_multiple_of(3) { 20_000 } else { 500 };
    let trace = zipf(&mut Dice::new(6), 0, 8_000, 100_000);
    for capacity in [500_000, 2_000_000] {
        at_least(lru(&trace, capacity, weigh) + 12.0, hit_ratio(&trace, capacity, weigh));
    }
}

#[test]
fn the_order_is_the_same_in_every_run() {
    let mut dice = Dice::new(7);
    let trace: Trace = zipf(&mut dice, 0, 5_000, 30_000).into_iter().chain(loop_over(1_200, 30_000)).collect();
    let run = || {
        let mut model = Model::new(800);
        let mut slots = HashMap::new();
        for number in &trace {
            match slots
                .get(number)
                .filter(|slot| model.there.get(slot).is_some_and(|entry| entry.0 == key(*number).low))
            {
                Some(slot) => model.eviction.hit(*slot, 1),
                None => {
                    model.insert(key(*number).low, 1);
                    slots.insert(*number, slot_of(&model, key(*number).low).unwrap());
                }
            }
        }
        model.victims
    };
    let victims = run();
    assert!(victims.len() > 10_000);
    assert_eq!(victims, run());
}

#[test]
fn through_every_change_of_ways_nobody_is_lost() {
    // Long enough for each setting to be followed, with weights, removals and rewrites on the way.
    let mut dice = Dice::new(8);
    let mut model = Model::new(40_000);
    let mut slots: HashMap<u64, Slot> = HashMap::new();
    for phase in 0..10 {
        let trace = match phase % 5 {
            0 => loop_over(1_500, 20_000),
            1 => zipf(&mut dice, 0, 10_000, 20_000),
            2 => recent(&mut dice, 400, 20_000),
            3 => twice(700, 20_000),
            _ => zipf(&mut dice, 50_000, 3_000, 20_000),
        };
        for number in trace {
            let hash = key(number).low;
            let weight = if phase < 5 { 40 } else { 1 + (hash >> 56) as u32 };
            let slot =
                slots.get(&number).copied().filter(|slot| model.there.get(slot).is_some_and(|entry| entry.0 == hash));
            match slot {
                Some(slot) if dice.below(100) == 0 => model.remove(slot),
                Some(slot) if dice.below(100) == 0 => model.reweigh(slot, 1 + dice.below(80) as u32),
                Some(slot) => model.eviction.hit(slot, 1 + dice.below(2) as u32),
                None => {
                    let slot = model.eviction.insert(hash, weight);
                    assert!(model.there.insert(slot, (hash, weight)).is_none());
                    slots.insert(number, slot);
                    while let Some(victim) = model.eviction.victim() {
                        assert!(victim != slot);
                        assert!(model.there.remove(&victim).is_some());
                    }
                    assert!(model.eviction.weight() <= 40_000);
                }
            }
        }
        model.check();
    }
}

#[test]
fn what_it_keeps_of_an_entry_is_small() {
    for (entries, most) in [(100u64, 60_000), (2_000, 200_000), (300_000, 300_000 * 40)] {
        let mut eviction = Eviction::new(entries);
        let mut seen = HashSet::new();
        for number in 0..4 * entries {
            seen.insert(eviction.insert(key(number).low, 1));
            while eviction.victim().is_some() {}
        }
        assert_eq!(eviction.len() as u64, entries);
        assert!(seen.len() as u64 <= entries + 1, "slots are used again");
        assert!(eviction.bytes() <= most, "{} bytes for {entries} entries", eviction.bytes());
    }
}

#[test]
fn a_cache_of_large_values_does_not_remember_its_small_ones_for_ever() {
    // From a hundred thousand entries to a hundred, and on: whatever follows the number of entries follows it down again.
    let mut eviction = Eviction::new(100_000);
    for number in 0..200_000 {
        eviction.insert(key(number).low, 1);
        while eviction.victim().is_some() {}
    }
    let trace = loop_over(150, 30_000);
    let (mut slots, mut keys, mut hits) = (HashMap::new(), HashMap::new(), 0);
    for number in &trace {
        if let Some(slot) = slots.get(number) {
            eviction.hit(*slot, 1);
            hits += 1;
            continue;
        }
        let slot = eviction.insert(key(1_000_000 + number).low, 1_000);
        slots.insert(*number, slot);
        keys.insert(slot, *number);
        while let Some(victim) = eviction.victim() {
            if let Some(number) = keys.remove(&victim) {
                slots.remove(&number);
            }
        }
    }
    assert!(eviction.len() <= 100);
    at_least(50.0, 100.0 * f64::from(hits) / trace.len() as f64);
}
