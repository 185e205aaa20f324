//! Random histories of keys, through memory and through Redis: the same verdicts, whatever is done and in which order.
//! Times are whole microseconds, and so is the time a unit takes to refill: memory counts in nanoseconds.

use crate::dice::Dice;
use crate::limiters::{
    TODAY, all, at, block, bucket, consume, fixed, of, open, peek, refund, reserve, reset, sliding, strict, unblock,
};
use crate::limiters::{Text, consume_on, micros_up};
use crate::manual::{MICRO, Manual};
use crate::server::Server;
use spillway_engine::primitive::limit::{Algorithm, LimitConfig};
use spillway_engine::primitive::limiter::{self, Ask, Decision, Limiter, LimiterConfig, LimiterHandle, Reason};
use spillway_engine::primitive::remote::limiter::{RemoteDecision, RemoteLimiter, RemoteReason};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Memory and Redis, side by side.
struct Pair {
    memory: LimiterHandle,
    redis: Arc<RemoteLimiter>,
}

impl Pair {
    fn new(name: &str, limits: Vec<LimitConfig>, store: &Arc<Manual>) -> Self {
        let memory = LimiterHandle::new(Arc::new(Limiter::new(LimiterConfig { limits: limits.clone() }).unwrap()));
        Pair { memory, redis: open(name, strict(limits), store) }
    }
}

/// What both of them said, in words that can be compared: nanoseconds of memory as the microseconds in which they end.
fn told(decision: &Decision) -> (u8, bool, (usize, usize), u32, u64, u64, u64) {
    let Decision { reason, shadowed, spoke, verdict } = decision;
    let reason = match reason {
        Reason::Allowed => 0,
        Reason::Limited => 1,
        Reason::Impossible => 2,
        Reason::Blocked => 3,
    };
    let spans = [verdict.retry_after, verdict.reset, verdict.wait].map(micros_up);
    (reason, *shadowed, *spoke, verdict.remaining, spans[0], spans[1], spans[2])
}

fn told_by_redis(decision: &RemoteDecision) -> (u8, bool, (usize, usize), u32, u64, u64, u64) {
    let RemoteDecision { reason, shadowed, spoke, verdict, .. } = decision;
    assert_ne!(*reason, RemoteReason::Unavailable, "Redis was asked");
    let spans = [verdict.retry_after, verdict.reset, verdict.wait].map(micros_up);
    (*reason as u8, *shadowed, *spoke, verdict.remaining, spans[0], spans[1], spans[2])
}

/// The same, but that plain commands know the end of a window only to a few microseconds, and not how much is left to whom asks for the
/// impossible.
fn same(memory: &Decision, redis: &RemoteDecision, what: &dyn std::fmt::Debug) {
    assert_eq!(memory.ok(), redis.ok, "{what:?}: {memory:?} {redis:?}");
    let (one, two) = (told(memory), told_by_redis(redis));
    if redis.reason == RemoteReason::Impossible {
        // Known without asking, so also of a key that is blocked.
        return assert!(matches!(memory.reason, Reason::Impossible | Reason::Blocked), "{what:?}: {memory:?}");
    }
    assert_eq!((one.0, one.1, one.2, one.3, one.6), (two.0, two.1, two.2, two.3, two.6), "{what:?}");
    let close = |one: u64, two: u64| one <= two && two - one <= 2_000;
    assert!(close(one.4, two.4) && close(one.5, two.5), "{what:?}: {one:?} {two:?}");
}

/// A limit whose unit refills in whole microseconds, or whose window is short enough not to be shifted in memory.
fn random_limit(dice: &mut Dice, algorithm: Algorithm) -> LimitConfig {
    let limit = dice.one_of(&[1, 2, 3, 5, 10, 60, 1_000]);
    match algorithm {
        Algorithm::TokenBucket => {
            let period = dice.one_of(&[10, 22, 1_000, 250_000, 60_000_000]);
            let burst = dice.one_of(&[1, 2, 5, 10, 100, limit]);
            bucket(limit, (u64::from(limit) * period) as f64 / 1_000.0, burst)
        }
        algorithm => {
            let window = dice.one_of(&[1.0, 10.0, 999.0, 1_000.0, 60_000.0, 86_400_000.0 / 6.0]);
            of(algorithm, limit, window, limit)
        }
    }
}

fn trace(dice: &mut Dice, store: &Arc<Manual>, number: u64, algorithm: Algorithm, counts: &mut [u64; 6]) {
    let limit = random_limit(dice, algorithm);
    let pair = Pair::new(&format!("trace {number}"), vec![limit.clone()], store);
    let key = Text::new("ada");
    let print = key.key().fingerprint;
    let mut charges: Vec<(u32, u64, RemoteDecision)> = Vec::new();
    let mut last_wait = 0;
    let mut log: Vec<String> = Vec::new();
    let other = if limit.algorithm == Algorithm::TokenBucket { limit.window_ms } else { limit.window_ms * 2.0 };
    let plans = [(Some(limit.limit * 2), None), (None, Some(other))];
    for step in 0..12 {
        match dice.below(10) {
            0..3 => store.pass(last_wait),
            3..5 => store.pass(dice.below(3)),
            5..7 => store.pass(dice.below((limit.window_ms * 1_200.0) as u64)),
            7 => store.pass(dice.below(3) * (limit.window_ms * 1_000.0) as u64),
            _ => {}
        }
        let now = store.now();
        let cost = match dice.below(6) {
            0 => 0,
            1..4 => 1,
            4 => dice.below(u64::from(limit.burst) + 2) as u32,
            _ => dice.below(4) as u32,
        };
        let deed = dice.below(20);
        log.push(format!("{deed}/{cost} at {}", now.mono / MICRO));
        let what = (number, step, cost, &limit, log.join(", "));
        match deed {
            0..11 => {
                let (memory, redis) =
                    (pair.memory.consume(print, cost, now).unwrap(), consume(&pair.redis, &key, cost, now));
                same(&memory, &redis, &("consume", &what));
                last_wait = micros_up(memory.verdict.retry_after);
                counts[0] += u64::from(memory.ok());
                counts[1] += u64::from(!memory.ok());
                if memory.ok() && cost > 0 {
                    charges.push((cost, now.mono, redis));
                }
            }
            11 | 12 => {
                let memory = pair.memory.peek(print, cost, None, now).unwrap();
                let redis = peek(&pair.redis, &key, cost, now);
                assert_eq!(told(&memory), told_by_redis(&redis), "peek {what:?}");
                counts[2] += 1;
            }
            13 if algorithm == Algorithm::TokenBucket => {
                let patience = dice.below(4) * dice.below((limit.window_ms * 1_000.0) as u64 + 1) * MICRO;
                let memory = pair.memory.reserve(print, cost, patience, now).unwrap();
                let redis = reserve(&pair.redis, &key, cost, patience, now);
                same(&memory, &redis, &("reserve", patience, what));
                if memory.ok() && cost > 0 {
                    charges.push((cost, now.mono, redis));
                }
            }
            13..16 => {
                let Some(index) = dice.index(charges.len()) else { continue };
                let (cost, charged, decision) = charges.swap_remove(index);
                let ask = Ask { handle: &pair.memory, key: print, cost, plan: None };
                LimiterHandle::refund(ask, false, at(charged), now);
                refund(&pair.redis, &key, cost, &decision, now);
                counts[3] += 1;
            }
            16 => {
                pair.memory.reset(print, now);
                reset(&pair.redis, &key, now).unwrap();
                counts[4] += 1;
            }
            17 => {
                let micros = 1 + dice.below((limit.window_ms * 500.0) as u64 + 1);
                pair.memory.block(print, now.mono + micros * MICRO, now);
                block(&pair.redis, &key, micros * MICRO, now).unwrap();
                counts[5] += 1;
            }
            18 => {
                let memory = pair.memory.unblock(print, now);
                assert_eq!(unblock(&pair.redis, &key, now), Ok(memory), "unblock {what:?}");
            }
            _ => {
                let (units, window) = dice.one_of(&plans);
                let (Ok(here), Ok(there)) =
                    (pair.memory.limiter().plan(units, window, None), pair.redis.plan(units, window, None))
                else {
                    continue;
                };
                let ask = Ask { handle: &pair.memory, key: print, cost, plan: Some(&here) };
                let memory = limiter::consume_all(&[ask], now).unwrap();
                let redis = consume_on(&pair.redis, &key, cost, &there, now);
                same(&memory, &redis, &("plan", units, window, what));
            }
        }
    }
}

fn traces(algorithm: Algorithm, count: u64, seed: u64) {
    let server = Server::start();
    let store = Arc::new(Manual::to(server.port, TODAY));
    let mut dice = Dice::new(seed);
    let mut counts = [0; 6];
    for number in 0..count {
        if number % 2_000 == 1_999 {
            store.raw(&[b"FLUSHALL"]);
        }
        trace(&mut dice, &store, number, algorithm, &mut counts);
    }
    let plain = store.count("INCRBY");
    println!(
        "{algorithm:?}: admitted, denied, peeks, refunds, resets, blocks {counts:?}, plain {plain}, {} s later",
        (store.micros() - TODAY) / 1_000_000
    );
    assert!(counts.iter().all(|&count_of| count_of > count / 5), "{counts:?}");
    assert!(algorithm != Algorithm::FixedWindow || plain > count / 20, "{plain} by plain commands");
}

#[test]
fn random_traces_of_token_buckets_are_the_same_in_memory_and_in_redis() {
    traces(Algorithm::TokenBucket, 16_000, 1);
}

#[test]
fn random_traces_of_fixed_windows_are_the_same_in_memory_and_in_redis() {
    traces(Algorithm::FixedWindow, 14_000, 2);
}

#[test]
fn random_traces_of_sliding_windows_are_the_same_in_memory_and_in_redis() {
    traces(Algorithm::SlidingWindow, 14_000, 3);
}

/// Limiters of one to three limits, some in shadow, alone and two at once, with charges of the same key in one call.
#[test]
fn random_traces_of_several_limits_are_the_same_in_memory_and_in_redis() {
    let server = Server::start();
    let store = Arc::new(Manual::to(server.port, TODAY));
    let mut dice = Dice::new(4);
    let (mut admitted, mut denied, mut together) = (0, 0, 0);
    for number in 0..6_000 {
        if number % 1_000 == 999 {
            store.raw(&[b"FLUSHALL"]);
        }
        let apart = number % 4 == 3;
        store.cluster.store(apart, Ordering::Relaxed);
        let limits = |dice: &mut Dice, some: u64| {
            let algorithms = [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingWindow];
            let one = |which: u64| {
                let algorithm = dice.one_of(&algorithms);
                let shadow = dice.below(4) == 0 && !apart;
                LimitConfig { name: format!("limit {which}"), shadow, ..random_limit(dice, algorithm) }
            };
            (0..some).map(one).collect::<Vec<_>>()
        };
        let some = 1 + dice.below(3);
        let first = Pair::new(&format!("first {number}"), limits(&mut dice, some), &store);
        let some = 1 + dice.below(2);
        let second = Pair::new(&format!("second {number}"), limits(&mut dice, some), &store);
        let keys = [Text::new("ada"), Text::new("bob")];
        let mut charges: Vec<(usize, u32, u64, RemoteDecision)> = Vec::new();
        for step in 0..10 {
            match dice.below(6) {
                0 => store.pass(dice.below(50)),
                1 => store.pass(dice.below(100_000)),
                2 => store.pass(dice.below(2_000_000)),
                _ => {}
            }
            let now = store.now();
            let cost = dice.below(5) as u32;
            let which = dice.below(2) as usize;
            let key = &keys[which];
            let print = key.key().fingerprint;
            let what = (number, step, cost, which, store.micros());
            match dice.below(8) {
                0..3 => {
                    let (memory, redis) =
                        (first.memory.consume(print, cost, now).unwrap(), consume(&first.redis, key, cost, now));
                    same(&memory, &redis, &("consume", what, first.redis.config()));
                    if memory.ok() && cost > 0 {
                        charges.push((which, cost, now.mono, redis));
                        admitted += 1;
                    } else {
                        denied += 1;
                    }
                }
                3 => {
                    let memory = first.memory.peek(print, cost, None, now).unwrap();
                    same(&memory, &peek(&first.redis, key, cost, now), &("peek", what));
                }
                4 => {
                    let Some(index) = dice.index(charges.len()) else { continue };
                    let (which, cost, charged, decision) = charges.swap_remove(index);
                    let ask = Ask { handle: &first.memory, key: keys[which].key().fingerprint, cost, plan: None };
                    LimiterHandle::refund(ask, decision.shadowed, at(charged), now);
                    refund(&first.redis, &keys[which], cost, &decision, now);
                }
                5 => {
                    if dice.below(3) == 0 {
                        let micros = dice.below(100_000) + 1;
                        first.memory.block(print, now.mono + micros * MICRO, now);
                        block(&first.redis, key, micros * MICRO, now).unwrap();
                    }
                }
                _ => {
                    let other = &keys[dice.below(2) as usize];
                    let again = if apart { &keys[1 - which] } else { key };
                    let memory = limiter::consume_all(
                        &[
                            Ask { handle: &first.memory, key: print, cost, plan: None },
                            Ask { handle: &second.memory, key: other.key().fingerprint, cost: 1, plan: None },
                            Ask { handle: &first.memory, key: again.key().fingerprint, cost: 2, plan: None },
                        ],
                        now,
                    );
                    let redis =
                        all(&[(&first.redis, key, cost), (&second.redis, other, 1), (&first.redis, again, 2)], now);
                    let memory = memory.unwrap();
                    together += u32::from(memory.ok());
                    if apart {
                        // Asked apart, each says what it can of itself.
                        assert_eq!(memory.ok(), redis.ok, "{what:?}: {memory:?} {redis:?}");
                    } else {
                        same(&memory, &redis, &("all", what, first.redis.config(), second.redis.config()));
                    }
                }
            }
        }
    }
    println!("admitted {admitted}, denied {denied}, together {together}");
    assert!(admitted > 5_000 && denied > 2_000 && together > 2_000, "{admitted} {denied} {together}");
}

/// A window that memory has to shift: here the policies themselves, in microseconds, are what Redis is held to.
#[test]
fn a_window_of_a_year_counts_to_the_unit() {
    let server = Server::start();
    let store = Arc::new(Manual::to(server.port, TODAY));
    let year = 365.0 * 86_400_000.0;
    for limits in [vec![sliding(1_000, year)], vec![fixed(1_000, year)], vec![bucket(1_000, year, 1_000)]] {
        let limiter = open(&format!("{:?}", limits[0].algorithm), strict(limits), &store);
        let key = Text::new("ada");
        let spend = |times: u32| (0..times).filter(|_| consume(&limiter, &key, 1, store.now()).ok).count();
        assert_eq!(spend(1_200), 1_000);
        assert_eq!(peek(&limiter, &key, 1, store.now()).verdict.remaining, 0);
    }
}
