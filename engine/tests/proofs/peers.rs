//! The bugs of peers that were reproduced, each as the test that would have caught it.
//! Never more than the bug: the whole of a rule is proven beside it.

use crate::dice::key;
use crate::letters::{Said, environment};
use crate::limiters::{ALGORITHMS, DAY_MS, HOUR, MILLI, SECOND, TODAY, at, bucket, fixed, handle, of, sliding};
use serde_json::Value;
use spillway_engine::policy::breaker::{Outcome, State};
use spillway_engine::policy::rolling::Rolling;
use spillway_engine::primitive::breaker::{Breaker, BreakerConfig, BreakerHandle, OpenConfig, WindowConfig};
use spillway_engine::primitive::bulkhead::{Bulkhead, BulkheadConfig, BulkheadHandle, Grant};
use spillway_engine::primitive::gate::Entry;
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::limit::Provenance;
use spillway_engine::primitive::limiter::{LimiterHandle, Reason};
use spillway_engine::primitive::registry::{OnMismatch, Registry};
use spillway_engine::store::generations::NoCopies;
use std::sync::Arc;

const START: u64 = TODAY;

fn limiter(limit: u32, window_ms: f64, burst: u32) -> LimiterHandle {
    handle([bucket(limit, window_ms, burst)])
}

/// How many of `count` single units are admitted at `now`.
fn admitted(limiter: &LimiterHandle, count: usize, now: u64) -> usize {
    (0..count).filter(|_| limiter.consume(key(1), 1, at(now)).unwrap().reason == Reason::Allowed).count()
}

/// A GCRA limiter in Rust lets the arrival time fall behind now, by up to a burst.
#[test]
fn a_burst_of_10_admits_10_and_not_17_after_nine_idle_seconds() {
    let limiter = limiter(1, 1_000.0, 10);
    assert_eq!(admitted(&limiter, 20, START), 10);
    assert_eq!(admitted(&limiter, 20, START + 8_900 * MILLI), 8);
    assert_eq!(admitted(&limiter, 20, START + 100 * SECOND), 10);
    assert_eq!(admitted(&limiter, 20, START + 108_900 * MILLI), 8);
}

/// The same limiter.
#[test]
fn a_burst_of_1_limits() {
    let limiter = limiter(1, 1_000.0, 1);
    assert_eq!(admitted(&limiter, 20, START), 1);
    assert_eq!(admitted(&limiter, 20, START + SECOND - 1), 0);
    assert_eq!(admitted(&limiter, 20, START + SECOND), 1);
}

/// A limiter for serverless spends on a rejection, in its sliding window: 9 and 5 are 14 of 10.
#[test]
fn a_rejected_call_spends_nothing_so_nine_and_five_of_ten_are_nine() {
    for algorithm in ALGORITHMS {
        let limiter = handle([of(algorithm, 10, DAY_MS, 10)]);
        assert_eq!(limiter.consume(key(1), 9, at(START)).unwrap().reason, Reason::Allowed);
        for _ in 0..100 {
            assert_eq!(limiter.consume(key(1), 5, at(START)).unwrap().reason, Reason::Limited);
        }
        assert_eq!(admitted(&limiter, 5, START), 1, "{algorithm:?}");
    }
}

/// Nor does a call that one of several limits rejects spend of the others.
#[test]
fn a_call_that_one_limit_rejects_spends_of_none() {
    for algorithm in ALGORITHMS {
        let limiter = handle([of(algorithm, 10, DAY_MS, 10), of(algorithm, 3, DAY_MS, 3)]);
        for _ in 0..100 {
            assert_eq!(limiter.consume(key(1), 4, at(START)).unwrap().reason, Reason::Impossible);
        }
        assert_eq!(admitted(&limiter, 3, START), 3, "{algorithm:?}");
        for _ in 0..100 {
            assert_eq!(limiter.consume(key(1), 1, at(START)).unwrap().reason, Reason::Limited);
        }
        limiter.reset(key(1), at(START + 1));
        assert_eq!(admitted(&limiter, 20, START + 1), 3);
    }
}

/// The same limiter's fixed window keeps a cached count beyond its end.
#[test]
fn a_window_that_has_ended_is_over_whoever_looked_last() {
    for config in [fixed(5, 1_000.0), sliding(5, 1_000.0)] {
        let limiter = handle([config]);
        for window in 0..100 {
            // Two windows on, nothing of a sliding one is left either.
            let now = START + window * 2 * SECOND;
            assert_eq!(admitted(&limiter, 20, now), 5, "in window {window}");
            assert_eq!(limiter.peek(key(1), 1, None, at(now + SECOND - 1)).unwrap().reason, Reason::Limited);
        }
    }
}

/// The same limiter's token bucket goes below zero, so a storm of retries locks a client out for as long as it lasts.
#[test]
fn a_storm_of_retries_does_not_push_the_refill_back() {
    for config in [fixed(10, 1_000.0), sliding(10, 1_000.0)] {
        let limiter = handle([config]);
        assert_eq!(admitted(&limiter, 10, START), 10);
        let wait = limiter.consume(key(1), 1, at(START)).unwrap().verdict.retry_after;
        for millis in 0..1_000 {
            let later = START + millis * MILLI;
            assert_eq!(limiter.consume(key(1), 1, at(later)).unwrap().verdict.retry_after, wait - millis * MILLI);
        }
        assert!(limiter.consume(key(1), 1, at(START + wait)).unwrap().ok());
    }
    let limiter = limiter(10, 10_000.0, 10);
    assert_eq!(admitted(&limiter, 10, START), 10);
    for millis in 0..1_000 {
        let decision = limiter.consume(key(1), 1, at(START + millis * MILLI)).unwrap();
        assert_eq!((decision.reason, decision.verdict.retry_after), (Reason::Limited, SECOND - millis * MILLI));
    }
    assert_eq!(admitted(&limiter, 10, START + SECOND), 1);
}

/// A flexible limiter arms a timer of more milliseconds than 31 bits hold, which fires at once.
#[test]
fn a_window_of_more_than_24_days_limits_to_its_last_tick() {
    for days in [25.0, 50.0, 365.0, 3_650.0] {
        let limiter = limiter(3, days * DAY_MS, 3);
        let unit = (days * DAY_MS) as u64 * MILLI / 3;
        assert_eq!(admitted(&limiter, 20, START), 3);
        assert_eq!(admitted(&limiter, 20, START + unit - 1), 0);
        assert_eq!(admitted(&limiter, 20, START + unit), 1);
    }
}

/// The same of windows: to the last tick of 25 days and more, and of ten years.
#[test]
fn a_window_of_the_calendar_of_more_than_24_days_limits_to_its_last_tick() {
    for days in [25u64, 50, 365, 3_650] {
        let width = days * 24 * HOUR;
        let begins = START / width * width;
        let fixed = handle([fixed(3, days as f64 * DAY_MS)]);
        assert_eq!(admitted(&fixed, 20, begins), 3);
        assert_eq!(admitted(&fixed, 20, begins + width - 1), 0);
        assert_eq!(admitted(&fixed, 20, begins + width), 3);
        let sliding = handle([sliding(3, days as f64 * DAY_MS)]);
        assert_eq!(admitted(&sliding, 20, begins), 3);
        assert_eq!(admitted(&sliding, 20, begins + width), 0);
        assert_eq!(admitted(&sliding, 20, begins + width + width / 3 - width / 1_000), 0);
        assert_eq!(admitted(&sliding, 20, begins + width + width / 3 + width / 1_000), 1);
    }
}

/// The same limiter's shortest windows never end.
#[test]
fn a_window_of_less_than_a_second_refills() {
    for config in [fixed(2, 10.0), sliding(2, 10.0)] {
        let limiter = handle([config]);
        for round in 0..100 {
            assert_eq!(admitted(&limiter, 20, START + round * 20 * MILLI), 2);
        }
    }
    let limiter = limiter(2, 10.0, 2);
    for round in 0..100 {
        assert_eq!(admitted(&limiter, 20, START + round * 10 * MILLI), 2);
    }
}

/// A framework's throttler keeps a timer a hit, and runs out of memory.
#[test]
fn a_hundred_thousand_hits_of_a_key_take_the_memory_of_one() {
    for algorithm in ALGORITHMS {
        let limiter = handle([of(algorithm, 1_000_000, DAY_MS, 1_000_000)]);
        admitted(&limiter, 1, START);
        let bytes = limiter.limiter().bytes();
        admitted(&limiter, 100_000, START);
        assert_eq!(limiter.limiter().bytes(), bytes);
    }
}

/// A limiter over a bounded LRU forgets whoever was not seen for a while: an attacker floods it, and his own count is gone.
#[test]
fn a_flood_of_other_keys_does_not_reset_an_attackers_own_counter() {
    for algorithm in ALGORITHMS {
        let limiter = handle([LimitConfig { max_keys: 100, ..of(algorithm, 5, DAY_MS, 5) }]);
        assert_eq!(admitted(&limiter, 20, START), 5);
        for other in 2..20_000 {
            limiter.consume(key(other), 1, at(START + other)).unwrap();
        }
        assert_eq!(admitted(&limiter, 20, START + 20_000), 0, "{algorithm:?}");
        // Nor of one who came when it was full already.
        assert!(limiter.consume(key(30_000), 5, at(START)).unwrap().verdict.remaining <= 5);
        assert!(!limiter.consume(key(30_000), 1, at(START)).unwrap().ok());
    }
}

/// Opens at half of ten calls within ten seconds, or as `change` has it.
fn breaker(change: impl FnOnce(&mut BreakerConfig)) -> BreakerHandle {
    let mut config = BreakerConfig {
        window: WindowConfig::Ms(10_000.0),
        failure_rate: 0.5,
        min_calls: 10,
        consecutive: None,
        slow: None,
        open: OpenConfig { for_ms: 5_000.0, max_ms: 60_000.0, jitter: 0.0 },
        probes: 1,
        probe_timeout_ms: 15_000.0,
        max_keys: None,
        provenance: Provenance::default(),
    };
    change(&mut config);
    BreakerHandle::new(Arc::new(Breaker::new(config, 1)))
}

fn enter(handle: &BreakerHandle, now: u64) -> u32 {
    match handle.enter(now) {
        Entry::Admitted(permit) => permit,
        refused => panic!("{refused:?}"),
    }
}

fn call(handle: &BreakerHandle, outcome: Outcome, now: u64) {
    handle.exit(enter(handle, now), outcome, 1.0, now);
}

fn state(handle: &BreakerHandle) -> State {
    handle.breaker().state()
}

fn report(handle: &BreakerHandle, now: u64) -> Value {
    serde_json::to_value(handle.breaker().report(now)).unwrap()
}

/// Ten failures: the breaker opens at `now`.
fn open(handle: &BreakerHandle, now: u64) {
    for _ in 0..10 {
        call(handle, Outcome::Fail, now);
    }
    assert_eq!(state(handle), State::Open);
}

/// The most used breaker closes at any success while half-open, also one of a call from before it opened.
#[test]
fn a_stale_success_does_not_close_a_half_open_breaker() {
    let handle = breaker(|_| ());
    let stale = enter(&handle, START);
    open(&handle, START);
    let probe = enter(&handle, START + 5 * SECOND);
    handle.exit(stale, Outcome::Ok, 5_000.0, START + 5 * SECOND);
    assert_eq!((state(&handle), report(&handle, START)["stale"].clone()), (State::HalfOpen, 1.into()));
    handle.exit(probe, Outcome::Fail, 1.0, START + 6 * SECOND);
    assert_eq!(state(&handle), State::Open);
}

/// The best-typed resilience library opens at any failure while half-open, also one of a call from before it opened.
#[test]
fn a_stale_failure_does_not_reopen_a_breaker_during_its_probe() {
    let handle = breaker(|_| ());
    let stale = enter(&handle, START);
    open(&handle, START);
    let probe = enter(&handle, START + 5 * SECOND);
    handle.exit(stale, Outcome::Fail, 5_000.0, START + 5 * SECOND);
    assert_eq!(state(&handle), State::HalfOpen);
    handle.exit(probe, Outcome::Ok, 1.0, START + 6 * SECOND);
    assert_eq!(state(&handle), State::Closed);
}

/// A call from before the breaker opened fails when it has closed again: the new window has not seen it.
#[test]
fn a_stale_failure_does_not_count_in_the_window_after_a_recovery() {
    let handle = breaker(|config| config.min_calls = 1);
    let stale = enter(&handle, START);
    call(&handle, Outcome::Fail, START);
    call(&handle, Outcome::Ok, START + 5 * SECOND);
    assert_eq!(state(&handle), State::Closed);
    handle.exit(stale, Outcome::Fail, 6_000.0, START + 6 * SECOND);
    assert_eq!(state(&handle), State::Closed);
    assert_eq!(report(&handle, START + 6 * SECOND)["window"]["calls"], 0);
}

/// The most used breaker stays half-open for ever when its probe never settles.
#[test]
fn a_probe_that_hangs_does_not_leave_a_breaker_half_open_for_ever() {
    let handle = breaker(|_| ());
    open(&handle, START);
    let hung = enter(&handle, START + 5 * SECOND);
    assert_eq!(handle.enter(START + 20 * SECOND - MILLI), Entry::Refused(Some(1)));
    assert_eq!(handle.enter(START + 20 * SECOND), Entry::Refused(Some(10_000)), "it opens again, for twice as long");
    let probe = enter(&handle, START + 30 * SECOND);
    handle.exit(hung, Outcome::Ok, 25_000.0, START + 30 * SECOND);
    assert_eq!(state(&handle), State::HalfOpen, "and what the hung one brings at last is stale");
    handle.exit(probe, Outcome::Ok, 1.0, START + 30 * SECOND);
    assert_eq!(state(&handle), State::Closed);
}

/// The most used breaker counts its own capacity rejections as failures of the dependency.
#[test]
fn refusals_of_our_own_never_open_a_breaker() {
    let handle = breaker(|config| config.consecutive = Some(3));
    for _ in 0..1_000 {
        call(&handle, Outcome::Ignore, START);
    }
    assert_eq!((state(&handle), report(&handle, START)["window"]["calls"].clone()), (State::Closed, 0.into()));
}

/// In the most used breaker, answers from its cache dilute the error rate.
#[test]
fn what_never_reached_the_dependency_does_not_dilute_the_failure_rate() {
    let handle = breaker(|_| ());
    for _ in 0..9 {
        call(&handle, Outcome::Fail, START);
        for _ in 0..100 {
            call(&handle, Outcome::Ignore, START);
        }
    }
    assert_eq!(state(&handle), State::Closed);
    call(&handle, Outcome::Fail, START);
    assert_eq!(state(&handle), State::Open);
}

/// Nor does it end a row of failures.
#[test]
fn what_never_reached_the_dependency_does_not_end_a_row_of_failures() {
    let handle = breaker(|config| config.consecutive = Some(3));
    for outcome in [Outcome::Fail, Outcome::Fail, Outcome::Ignore, Outcome::Fail] {
        call(&handle, outcome, START);
    }
    assert_eq!(state(&handle), State::Open);
}

/// The most used breaker sorts every sample of its window at each failure: 15 ms at 20,000 of them.
#[test]
fn a_window_is_ten_buckets_however_many_calls_it_holds() {
    let mut window = Rolling::new(10_000);
    for call in 0..1_000_000 {
        window.record(call / 100, call % 2 == 0, false);
    }
    assert_eq!(window.sums(9_999).calls, 1_000_000);
    assert!(size_of::<Rolling>() <= 10 * 40 + 16, "a handful of words a bucket and nothing on the heap");
}

/// A restored open breaker of the most used kind starts probing at once. Here a name opened again is the same breaker.
#[test]
fn a_breaker_opened_again_by_its_name_does_not_skip_its_open_time() {
    let registry = Registry::new(Arc::new(NoCopies));
    let config = breaker(|_| ()).breaker().config().clone();
    let by_name = || registry.open::<Breaker>("", "stripe", config.clone(), OnMismatch::Throw).unwrap();
    open(&BreakerHandle::new(by_name()), START);
    let again = BreakerHandle::new(by_name());
    assert_eq!(again.enter(START + SECOND), Entry::Refused(Some(4_000)));
}

/// The sampling breaker of the best-typed library trips on failures of an hour ago.
#[test]
fn failures_of_an_hour_ago_do_not_open_a_breaker() {
    let handle = breaker(|_| ());
    for _ in 0..9 {
        call(&handle, Outcome::Fail, START);
    }
    call(&handle, Outcome::Fail, START + HOUR);
    assert_eq!(
        (state(&handle), report(&handle, START + HOUR)["window"]["failures"].clone()),
        (State::Closed, 1.into())
    );
}

/// A breaker on Redis holds its lock while the user's function runs.
#[test]
fn nothing_is_locked_while_a_permit_is_out() {
    let breaker = breaker(|_| ()).breaker().clone();
    let outer = BreakerHandle::new(breaker.clone());
    let permit = enter(&outer, START);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let inner = BreakerHandle::new(breaker.clone());
            call(&inner, Outcome::Fail, START);
            assert_eq!(report(&inner, START)["failed"], 1);
            breaker.isolate();
            breaker.reset();
        });
    });
    outer.exit(permit, Outcome::Ok, 1.0, START);
    assert_eq!(report(&outer, START)["stale"], 1);
}

/// The rank of `normal`.
const NORMAL: usize = 1;

/// The bulkhead of the best-typed library rejects a call that it had already queued.
#[test]
fn a_call_once_queued_is_never_rejected_for_want_of_room() {
    let bulkhead = Arc::new(Bulkhead::new(BulkheadConfig { limit: 1, queue: 1, ..BulkheadConfig::default() }));
    let (ledger, letters) = environment();
    let handle = BulkheadHandle::new(bulkhead, ledger);
    let Grant::Permit(running) = handle.acquire(None, NORMAL, &|| START) else { panic!() };
    let Grant::Queued(waiting) = handle.acquire(None, NORMAL, &|| START) else { panic!() };
    for _ in 0..100 {
        assert_eq!(handle.acquire(None, NORMAL, &|| START), Grant::Full);
        assert_eq!(handle.try_acquire(None, &|| START), Grant::Full);
    }
    handle.release(running, &|| START);
    assert_eq!(handle.try_acquire(None, &|| START), Grant::Full, "and nobody overtakes it");
    assert_eq!(letters.empty(), [Said::Yours(waiting)]);
}

/// An aborted wait that stays in the queue swallows the permit it is called up for.
#[test]
fn a_waiter_that_left_does_not_take_a_permit_with_it() {
    let bulkhead = Arc::new(Bulkhead::new(BulkheadConfig { limit: 1, queue: 2, ..BulkheadConfig::default() }));
    let (ledger, letters) = environment();
    let handle = BulkheadHandle::new(bulkhead, ledger);
    let Grant::Permit(running) = handle.acquire(None, NORMAL, &|| START) else { panic!() };
    let (Grant::Queued(aborted), Grant::Queued(patient)) =
        (handle.acquire(None, NORMAL, &|| START), handle.acquire(None, NORMAL, &|| START))
    else {
        panic!()
    };
    assert!(handle.leave(aborted, &|| START));
    handle.release(running, &|| START);
    assert_eq!(letters.empty(), [Said::Yours(patient)]);
    handle.release(patient, &|| START);
    assert!(matches!(handle.try_acquire(None, &|| START), Grant::Permit(_)));
}

/// A permit released twice lets one more in than there is room for.
#[test]
fn a_second_release_gives_nothing_back() {
    let bulkhead = Arc::new(Bulkhead::new(BulkheadConfig { limit: 2, queue: 0, ..BulkheadConfig::default() }));
    let (ledger, _) = environment();
    let handle = BulkheadHandle::new(bulkhead, ledger);
    let (Grant::Permit(first), Grant::Permit(_)) =
        (handle.acquire(None, NORMAL, &|| START), handle.acquire(None, NORMAL, &|| START))
    else {
        panic!()
    };
    handle.release(first, &|| START);
    handle.release(first, &|| START);
    assert!(matches!(handle.acquire(None, NORMAL, &|| START), Grant::Permit(_)));
    assert_eq!(handle.acquire(None, NORMAL, &|| START), Grant::Full);
}
