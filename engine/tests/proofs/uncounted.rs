//! Calls that went well and were counted in memory of their thread, under real threads that fail, reset and leave meanwhile.
//! Never loses one and never counts one twice.

use parking_lot::Mutex;
use serde_json::Value;
use spillway_engine::clock::MILLI;
use spillway_engine::policy::breaker::{Outcome, State};
use spillway_engine::primitive::breaker::{Breaker, BreakerConfig, BreakerHandle, OpenConfig, WindowConfig};
use spillway_engine::primitive::circuit::OkCounter;
use spillway_engine::primitive::gate::Entry;
use spillway_engine::primitive::limit::Provenance;
use spillway_engine::store::generations::Generations;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

fn config(window: WindowConfig) -> BreakerConfig {
    BreakerConfig {
        window,
        failure_rate: 0.5,
        min_calls: 10,
        consecutive: Some(4),
        slow: None,
        open: OpenConfig { for_ms: 1.0, max_ms: 1.0, jitter: 0.0 },
        probes: 1,
        probe_timeout_ms: 1_000.0,
        max_keys: None,
        provenance: Provenance::default(),
    }
}

/// The number that an environment is shown.
#[derive(Default)]
struct Shown(AtomicI32);

impl Generations for Shown {
    fn bump(&self, _slot: u32) {}

    fn show(&self, _slot: u32, number: i32) {
        self.0.store(number, Ordering::Release);
    }
}

#[derive(Clone, Default)]
struct Counter(Arc<AtomicU32>);

impl OkCounter for Counter {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

/// What JavaScript does: a call that began in `generation` went well.
fn went_well(handle: &BreakerHandle, shown: &Shown, counter: &Counter, generation: u32, now: u64) {
    if shown.0.load(Ordering::Acquire) == generation as i32 + 1 {
        // Only this thread writes it.
        counter.0.store(counter.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    } else {
        handle.exit(generation, Outcome::Ok, 0.0, now);
    }
}

fn report(breaker: &Breaker, now: u64) -> Value {
    serde_json::to_value(breaker.report(now)).unwrap()
}

fn opened(window: WindowConfig) -> (Arc<Breaker>, Arc<Shown>, BreakerHandle, Counter) {
    let (shown, counter) = (Arc::new(Shown::default()), Counter::default());
    let breaker = Arc::new(Breaker::new(config(window), 1).shown(shown.clone()));
    let handle = BreakerHandle::new(breaker.clone());
    handle.count_with(Box::new(counter.clone()));
    breaker.show();
    (breaker, shown, handle, counter)
}

#[test]
fn what_was_counted_lands_in_the_bucket_of_the_turn_it_was_counted_in() {
    const SECOND: u64 = 1_000 * MILLI;
    let (breaker, shown, handle, counter) = opened(WindowConfig::Ms(10_000.0));
    assert_eq!(handle.turn(500 * MILLI), 500 * MILLI, "until the bucket ends");
    (0..5).for_each(|_| went_well(&handle, &shown, &counter, 0, 0));
    assert_eq!(report(&breaker, 9_999 * MILLI)["window"]["calls"], 5);
    assert_eq!(report(&breaker, 10 * SECOND)["window"]["calls"], 0, "however late it is asked for");
    assert_eq!(handle.turn(9 * SECOND), SECOND);
    (0..3).for_each(|_| went_well(&handle, &shown, &counter, 0, 0));
    handle.exit(0, Outcome::Fail, 0.0, 3_600 * SECOND);
    assert_eq!(report(&breaker, 3_600 * SECOND)["window"], serde_json::json!({ "calls": 1, "failures": 1, "slow": 0 }));
    assert_eq!(report(&breaker, 3_600 * SECOND)["ok"], 8);
}

#[test]
fn oks_of_an_hour_ago_do_not_dilute_a_failing_minute() {
    let (breaker, shown, handle, counter) = opened(WindowConfig::Ms(60_000.0));
    handle.turn(0);
    (0..1_000).for_each(|_| went_well(&handle, &shown, &counter, 0, 0));
    let hour = 3_600_000 * MILLI;
    for _ in 0..4 {
        assert_eq!(breaker.state(), State::Closed);
        handle.exit(0, Outcome::Fail, 0.0, hour);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_handle_that_goes_leaves_what_it_counted() {
    let (breaker, shown, handle, counter) = opened(WindowConfig::Calls(100));
    handle.turn(0);
    (0..7).for_each(|_| went_well(&handle, &shown, &counter, 0, 0));
    drop(handle);
    counter.0.store(1_000, Ordering::Release);
    let said = report(&breaker, 0);
    assert_eq!((&said["ok"], &said["window"]["calls"]), (&Value::from(7), &Value::from(7)));
}

#[test]
fn a_counter_that_wraps_goes_on() {
    let counter = Counter(Arc::new(AtomicU32::new(u32::MAX - 1)));
    let (breaker, shown, ..) = opened(WindowConfig::Calls(100));
    let handle = BreakerHandle::new(breaker.clone());
    handle.count_with(Box::new(counter.clone()));
    (0..5).for_each(|_| went_well(&handle, &shown, &counter, 0, 0));
    assert_eq!(report(&breaker, 0)["ok"], 5);
}

#[test]
fn no_call_is_lost_or_counted_twice_while_threads_trip_probe_reset_and_leave() {
    const THREADS: u64 = 3;
    for window in [WindowConfig::Ms(1_000.0), WindowConfig::Calls(50)] {
        let (breaker, shown, ..) = opened(window);
        let ended = Mutex::new(0u64);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (breaker, shown, ended) = (&breaker, &shown, &ended);
                scope.spawn(move || {
                    let mut dice = crate::dice::Dice::new(thread);
                    let mut mine = 0;
                    for round in 0..200u64 {
                        let (handle, counter) = (BreakerHandle::new(breaker.clone()), Counter::default());
                        handle.count_with(Box::new(counter.clone()));
                        for step in 0..200u64 {
                            let now = (round * 200 + step) * MILLI;
                            if step % 20 == 0 {
                                handle.turn(now);
                            }
                            let number = shown.0.load(Ordering::Acquire);
                            let entry = if number > 0 { Entry::Admitted(number as u32 - 1) } else { handle.enter(now) };
                            let Entry::Admitted(generation) = entry else { continue };
                            mine += 1;
                            match dice.below(12) {
                                0 => handle.exit(generation, Outcome::Fail, 0.0, now),
                                _ => went_well(&handle, shown, &counter, generation, now),
                            }
                            if dice.below(100) == 0 {
                                breaker.reset();
                            }
                        }
                    }
                    *ended.lock() += mine;
                });
            }
        });
        let said = report(&breaker, 0);
        let sum: u64 = ["ok", "failed", "stale"].iter().map(|of| said[of].as_u64().unwrap()).sum();
        assert_eq!(sum, *ended.lock(), "{said}");
    }
}
