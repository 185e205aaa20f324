//! The limiter as a thread holds it: peek, refund, reset and the counters, over cells that are proven elsewhere.
//! Never reaches below a handle.

use crate::dice::key;
use spillway_engine::Code;
use spillway_engine::policy::gcra::Answer;
use spillway_engine::primitive::limiter::{Limiter, LimiterConfig, LimiterHandle};
use std::sync::{Arc, Barrier};

const MILLI: u64 = 1_000_000;
const DAY_MS: f64 = 86_400_000.0;
const START: u64 = 3_600_000 * MILLI;

fn limiter(limit: u32, window_ms: f64, burst: u32) -> Arc<Limiter> {
    Arc::new(Limiter::new(LimiterConfig { limit, window_ms, burst, max_keys: 1_000 }).unwrap())
}

fn handle(limit: u32, window_ms: f64, burst: u32) -> LimiterHandle {
    LimiterHandle::new(limiter(limit, window_ms, burst))
}

fn admits(handle: &LimiterHandle, number: u64, cost: u32, now: u64) -> bool {
    handle.consume(key(number), cost, now).unwrap().answer == Answer::Allowed
}

fn left(handle: &LimiterHandle, number: u64, now: u64) -> u32 {
    handle.peek(key(number), 0, now).unwrap().remaining
}

fn report(limiter: &Limiter) -> serde_json::Value {
    serde_json::to_value(limiter.report()).unwrap()
}

#[test]
fn a_peek_answers_what_consume_would_and_spends_nothing() {
    let handle = handle(10, 10.0, 10);
    assert!(admits(&handle, 1, 7, START));
    for cost in 0..12 {
        let peeked = handle.peek(key(1), cost, START).unwrap();
        let answer = match cost {
            0..=3 => Answer::Allowed,
            4..=10 => Answer::Limited,
            _ => Answer::Impossible,
        };
        assert_eq!((peeked.answer, peeked.remaining, peeked.reset), (answer, 3, 7 * MILLI), "what is left is left now");
        assert_eq!(peeked.retry_after, if answer == Answer::Limited { u64::from(cost - 3) * MILLI } else { 0 });
    }
    assert!(admits(&handle, 1, 3, START));
    assert_eq!(left(&handle, 2, START), 10, "a key nobody has seen is full");
    assert_eq!(report(handle.limiter())["keys"], 1, "and to look at it makes no cell");
}

#[test]
fn a_refund_gives_back_what_has_not_refilled() {
    let handle = handle(10, 10.0, 10);
    assert!(admits(&handle, 1, 5, START));
    assert!(admits(&handle, 1, 3, START + 3 * MILLI));
    handle.refund(key(1), 5, START, START + 3 * MILLI);
    assert!(!admits(&handle, 1, 10, START + 3 * MILLI), "three are spent: ten more would be thirteen at once");
    assert_eq!(left(&handle, 1, START + 3 * MILLI), 7);
}

#[test]
fn a_charge_from_before_a_reset_gives_nothing_back() {
    let handle = handle(10, 10.0, 10);
    assert!(admits(&handle, 1, 10, START));
    handle.reset(key(1), START + 1);
    assert!(admits(&handle, 1, 10, START + 2));
    handle.refund(key(1), 10, START, START + 3);
    assert_eq!(left(&handle, 1, START + 3), 0, "what it spent was forgotten with the reset");
    handle.refund(key(1), 10, START + 2, START + 3);
    assert_eq!(left(&handle, 1, START + 3), 10, "a charge made since is given back");
}

#[test]
fn a_reset_key_has_its_full_burst_again_and_no_other_key_has() {
    let handle = handle(10, 10.0, 10);
    assert!(admits(&handle, 1, 10, START) && admits(&handle, 2, 10, START));
    handle.reset(key(1), START);
    assert_eq!((left(&handle, 1, START), left(&handle, 2, START)), (10, 0));
}

#[test]
fn eight_threads_with_a_handle_each_spend_exactly_the_limit_and_count_every_answer() {
    let limiter = limiter(1_000, 365.0 * DAY_MS, 1_000);
    let start = Barrier::new(8);
    let admitted: usize = std::thread::scope(|scope| {
        let threads = Vec::from_iter((0..8).map(|_| {
            let (limiter, start) = (&limiter, &start);
            scope.spawn(move || {
                let handle = LimiterHandle::new(limiter.clone());
                start.wait();
                (0..100_000).filter(|_| admits(&handle, 1, 1, START)).count()
            })
        }));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 1_000);
    let said = report(&limiter);
    assert_eq!((said["allowed"].clone(), said["limited"].clone()), (1_000.into(), 799_000.into()));
}

#[test]
fn what_a_handle_counted_outlives_it() {
    let limiter = limiter(3, DAY_MS, 3);
    for _ in 0..5 {
        let handle = LimiterHandle::new(limiter.clone());
        admits(&handle, 1, 1, START);
        drop(handle);
        LimiterHandle::new(limiter.clone());
    }
    let said = report(&limiter);
    assert_eq!((said["allowed"].clone(), said["limited"].clone()), (3.into(), 2.into()));
}

#[test]
fn a_rate_too_fine_or_a_burst_too_long_is_refused_with_what_to_write_instead() {
    let refused = |limit, window_ms, burst| {
        Limiter::new(LimiterConfig { limit, window_ms, burst, max_keys: 1 }).err().expect("it is refused")
    };
    let fault = refused(1_000_000, 99.0, 1);
    assert_eq!(fault.code, Code::RateTooFine);
    assert!(fault.message.contains("a larger `cost` per call with a smaller `limit`"), "{fault}");
    assert!(Limiter::new(LimiterConfig { limit: 1_000_000, window_ms: 100.0, burst: 1, max_keys: 1 }).is_ok());
    let fault = refused(1, 3_650.0 * DAY_MS, 1_000_000_000);
    assert_eq!(fault.code, Code::Option);
    assert!(fault.message.contains("use a smaller `burst` or `window`"), "{fault}");
}
