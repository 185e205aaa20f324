//! The limiter as a thread holds it: peek, refund, reset and the counters, over cells that are proven elsewhere.
//! Never reaches below a handle.

use crate::dice::key;
use crate::limiters::{
    ALGORITHMS, DAY_MS, MILLI, TODAY, admits, ask, at, bucket, fixed, handle, left, limiter, of, report, sliding,
};
use spillway_engine::Code;
use spillway_engine::clock::Moment;
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::limiter::{Limiter, LimiterConfig, LimiterHandle, Reads, Reason};
use std::sync::Barrier;

const START: u64 = TODAY;

#[test]
fn a_peek_answers_what_consume_would_and_spends_nothing() {
    let handle = handle([bucket(10, 10.0, 10)]);
    assert!(admits(&handle, 1, 7, START));
    for cost in 0..12 {
        let peeked = handle.peek(key(1), cost, None, at(START)).unwrap();
        let reason = match cost {
            0..=3 => Reason::Allowed,
            4..=10 => Reason::Limited,
            _ => Reason::Impossible,
        };
        let verdict = peeked.verdict;
        assert_eq!(
            (peeked.reason, verdict.remaining, verdict.reset),
            (reason, 3, 7 * MILLI),
            "what is left is left now"
        );
        assert_eq!(verdict.retry_after, if reason == Reason::Limited { u64::from(cost - 3) * MILLI } else { 0 });
    }
    assert!(admits(&handle, 1, 3, START));
    assert_eq!(left(&handle, 2, START), 10, "a key nobody has seen is full");
    assert_eq!(report(handle.limiter())["limits"][0]["keys"], 1, "and to look at it makes no cell");
}

#[test]
fn a_refund_gives_back_what_has_not_refilled() {
    let handle = handle([bucket(10, 10.0, 10)]);
    assert!(admits(&handle, 1, 5, START));
    assert!(admits(&handle, 1, 3, START + 3 * MILLI));
    LimiterHandle::refund(ask(&handle, 1, 5), false, at(START), at(START + 3 * MILLI));
    assert!(!admits(&handle, 1, 10, START + 3 * MILLI), "three are spent: ten more would be thirteen at once");
    assert_eq!(left(&handle, 1, START + 3 * MILLI), 7);
}

#[test]
fn a_refund_into_a_window_that_has_ended_gives_nothing_back() {
    for config in [fixed(10, 10.0), sliding(10, 10.0)] {
        let handle = handle([config]);
        assert!(admits(&handle, 1, 5, START));
        assert!(admits(&handle, 1, 3, START + 12 * MILLI));
        let before = left(&handle, 1, START + 12 * MILLI);
        LimiterHandle::refund(ask(&handle, 1, 5), false, at(START), at(START + 12 * MILLI));
        assert_eq!(left(&handle, 1, START + 12 * MILLI), before);
        LimiterHandle::refund(ask(&handle, 1, 3), false, at(START + 12 * MILLI), at(START + 13 * MILLI));
        assert_eq!(left(&handle, 1, START + 12 * MILLI), before + 3);
    }
}

#[test]
fn a_charge_from_before_a_reset_gives_nothing_back() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, 10.0, 10)]);
        let refund = |charged_at, now| LimiterHandle::refund(ask(&handle, 1, 10), false, at(charged_at), at(now));
        assert!(admits(&handle, 1, 10, START));
        handle.reset(key(1), at(START + 1));
        assert!(admits(&handle, 1, 10, START + 2));
        refund(START, START + 3);
        assert_eq!(left(&handle, 1, START + 3), 0, "what it spent was forgotten with the reset");
        refund(START + 2, START + 3);
        assert_eq!(left(&handle, 1, START + 3), 10, "a charge made since is given back");
        // At the same moment nobody can tell which came first.
        assert!(admits(&handle, 1, 10, START + 4));
        handle.reset(key(1), at(START + 4));
        assert!(admits(&handle, 1, 10, START + 4));
        refund(START + 4, START + 5);
        assert_eq!(left(&handle, 1, START + 5), 0);
    }
}

#[test]
fn a_reset_key_has_its_full_burst_again_and_no_other_key_has() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, 10.0, 10)]);
        assert!(admits(&handle, 1, 10, START) && admits(&handle, 2, 10, START));
        handle.reset(key(1), at(START));
        assert_eq!((left(&handle, 1, START), left(&handle, 2, START)), (10, 0));
    }
}

#[test]
fn eight_threads_with_a_handle_each_spend_exactly_the_limit_and_count_every_answer() {
    for algorithm in ALGORITHMS {
        let limiter = limiter([of(algorithm, 1_000, 365.0 * DAY_MS, 1_000)]);
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
}

#[test]
fn what_a_handle_counted_outlives_it() {
    let limiter = limiter([bucket(3, DAY_MS, 3)]);
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
    let made = |config: LimitConfig| Limiter::new(LimiterConfig { limits: vec![config] });
    let refused = |config| made(config).err().expect("it is refused");
    let fault = refused(bucket(1_000_000, 99.0, 1));
    assert_eq!(fault.code, Code::RateTooFine);
    assert!(fault.message.contains("a larger `cost` per call with a smaller `limit`"), "{fault}");
    assert!(made(bucket(1_000_000, 100.0, 1)).is_ok());
    let fault = refused(bucket(1, 3_650.0 * DAY_MS, 1_000_000_000));
    assert_eq!(fault.code, Code::Option);
    assert!(fault.message.contains("use a smaller `burst` or `window`"), "{fault}");
    let fault = refused(sliding(1 << 20, DAY_MS));
    assert_eq!(fault.code, Code::Option);
    assert!(
        fault.message.contains("1048575") && fault.message.contains("use a token bucket or a fixed window"),
        "{fault}"
    );
    assert!(made(sliding((1 << 20) - 1, DAY_MS)).is_ok() && made(fixed(u32::MAX, DAY_MS)).is_ok());
    assert_eq!(Limiter::new(LimiterConfig { limits: vec![] }).err().map(|fault| fault.code), Some(Code::Option));
}

#[test]
fn buckets_and_blocks_go_by_the_monotonic_clock_and_windows_by_the_calendar() {
    let moment = |mono, wall| Moment { mono, wall };
    let spend = |handle: &LimiterHandle, cost, now| handle.consume(key(1), cost, now).unwrap();
    let bucket = handle([bucket(10, 10.0, 10)]);
    assert_eq!(bucket.limiter().reads(), Reads { mono: true, wall: false });
    assert!(spend(&bucket, 10, moment(START, 0)).ok());
    assert!(!spend(&bucket, 1, moment(START, START)).ok());
    assert!(spend(&bucket, 10, moment(START + 10 * MILLI, 7)).ok());
    LimiterHandle::refund(ask(&bucket, 1, 10), false, moment(START + 10 * MILLI, 7), moment(START + 11 * MILLI, 7));
    assert_eq!(bucket.peek(key(1), 0, None, moment(START + 11 * MILLI, 0)).unwrap().verdict.remaining, 10);
    bucket.reset(key(1), moment(START + 12 * MILLI, 0));
    for config in [fixed(10, 10.0), sliding(10, 10.0)] {
        let window = handle([config.clone()]);
        assert_eq!(window.limiter().reads(), Reads { mono: false, wall: true });
        assert!(spend(&window, 10, moment(0, START)).ok());
        assert!(!spend(&window, 1, moment(START, START)).ok());
        assert!(spend(&window, 10, moment(0, START + 20 * MILLI)).ok());
        LimiterHandle::refund(ask(&window, 1, 4), false, moment(5, START + 20 * MILLI), moment(6, START + 21 * MILLI));
        assert_eq!(window.peek(key(1), 0, None, moment(9, START + 21 * MILLI)).unwrap().verdict.remaining, 4);
        window.reset(key(1), moment(0, START + 21 * MILLI));
        LimiterHandle::refund(ask(&window, 1, 4), false, moment(5, START + 21 * MILLI), moment(6, START + 21 * MILLI));
        assert!(spend(&window, 9, moment(0, START + 21 * MILLI)).ok());

        // A block makes the other clock matter too; whoever asked without reading it came before the block.
        assert!(window.block(key(1), START + MILLI, moment(START, 3)));
        assert_eq!(window.limiter().reads(), Reads { mono: true, wall: true });
        assert_eq!(spend(&window, 0, moment(START, START)).reason, Reason::Blocked);
        assert!(spend(&window, 0, moment(START + MILLI, START)).ok());
        assert!(spend(&window, 1, moment(0, START + 21 * MILLI)).ok());
        let both = handle([config, crate::limiters::bucket(1, 1.0, 1)]);
        assert_eq!(both.limiter().reads(), Reads { mono: true, wall: true });
    }
}
