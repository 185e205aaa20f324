//! Limiters for tests: limits by their algorithm, and a moment that both clocks agree on.
//! Never decides anything.
#![allow(dead_code, reason = "each test takes what it needs")]

use crate::dice::key;
use spillway_engine::clock::{Moment, Nanos};
use spillway_engine::primitive::limit::{Algorithm, LimitConfig, Plan, Provenance};
use spillway_engine::primitive::limiter::{Ask, Decision, Limiter, LimiterConfig, LimiterHandle};
use std::sync::Arc;

pub const MILLI: Nanos = 1_000_000;
pub const SECOND: Nanos = 1_000 * MILLI;
pub const HOUR: Nanos = 3_600 * SECOND;
pub const DAY: Nanos = 24 * HOUR;
pub const DAY_MS: f64 = 86_400_000.0;
/// A calendar's time in the year 2026, where every window of up to a day begins.
pub const TODAY: Nanos = 20_500 * DAY;

pub fn bucket(limit: u32, window_ms: f64, burst: u32) -> LimitConfig {
    of(Algorithm::TokenBucket, limit, window_ms, burst)
}

pub fn fixed(limit: u32, window_ms: f64) -> LimitConfig {
    of(Algorithm::FixedWindow, limit, window_ms, limit)
}

pub fn sliding(limit: u32, window_ms: f64) -> LimitConfig {
    of(Algorithm::SlidingWindow, limit, window_ms, limit)
}

pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::TokenBucket, Algorithm::FixedWindow, Algorithm::SlidingWindow];

pub fn of(algorithm: Algorithm, limit: u32, window_ms: f64, burst: u32) -> LimitConfig {
    let name = "it".to_owned();
    LimitConfig {
        name,
        algorithm,
        limit,
        window_ms,
        burst,
        max_keys: 1_000,
        shadow: false,
        provenance: Provenance::default(),
    }
}

pub fn limiter(limits: impl IntoIterator<Item = LimitConfig>) -> Arc<Limiter> {
    Arc::new(Limiter::new(LimiterConfig { limits: limits.into_iter().collect() }).unwrap())
}

pub fn handle(limits: impl IntoIterator<Item = LimitConfig>) -> LimiterHandle {
    LimiterHandle::new(limiter(limits))
}

pub fn at(now: Nanos) -> Moment {
    Moment { mono: now, wall: now }
}

pub fn ask(handle: &LimiterHandle, number: u64, cost: u32) -> Ask<'_> {
    Ask { handle, key: key(number), cost, plan: None }
}

pub fn planned<'a>(handle: &'a LimiterHandle, number: u64, cost: u32, plan: &'a Plan) -> Ask<'a> {
    Ask { plan: Some(plan), ..ask(handle, number, cost) }
}

pub fn consume(handle: &LimiterHandle, number: u64, cost: u32, now: Nanos) -> Decision {
    handle.consume(key(number), cost, at(now)).unwrap()
}

pub fn admits(handle: &LimiterHandle, number: u64, cost: u32, now: Nanos) -> bool {
    consume(handle, number, cost, now).ok()
}

/// How many of `count` single units are admitted.
pub fn admitted(handle: &LimiterHandle, number: u64, count: usize, now: Nanos) -> usize {
    (0..count).filter(|_| admits(handle, number, 1, now)).count()
}

pub fn left(handle: &LimiterHandle, number: u64, now: Nanos) -> u32 {
    handle.peek(key(number), 0, None, at(now)).unwrap().verdict.remaining
}

pub fn report(limiter: &Limiter) -> serde_json::Value {
    serde_json::to_value(limiter.report()).unwrap()
}
