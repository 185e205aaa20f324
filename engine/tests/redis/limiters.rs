//! Limiters over Redis for tests, with whatever time a test says. Never decides anything.

use crate::manual::{MICRO, Manual};
use spillway_engine::clock::{MILLI, Moment, Nanos};
use spillway_engine::primitive::limit::{Algorithm, LimitConfig, Provenance};
use spillway_engine::primitive::registry::Identity;
use spillway_engine::primitive::remote::Far;
use spillway_engine::primitive::remote::limiter::{
    FailMode, Mode, RemoteAsk, RemoteDecision, RemoteLimiter, RemoteLimiterConfig, RemotePlan, consume_all,
};
use spillway_engine::redis::{Remote, Trouble};
use spillway_engine::store::fingerprint::{Fingerprint, Key};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Microseconds of a calendar's time in the year 2026, where every window of up to a day begins.
pub const TODAY: u64 = 20_500 * 86_400_000_000;

pub fn of(algorithm: Algorithm, limit: u32, window_ms: f64, burst: u32) -> LimitConfig {
    let (name, provenance) = ("it".to_owned(), Provenance::default());
    LimitConfig { name, algorithm, limit, window_ms, burst, max_keys: 1_000, shadow: false, provenance }
}

pub fn bucket(limit: u32, window_ms: f64, burst: u32) -> LimitConfig {
    of(Algorithm::TokenBucket, limit, window_ms, burst)
}

pub fn fixed(limit: u32, window_ms: f64) -> LimitConfig {
    of(Algorithm::FixedWindow, limit, window_ms, limit)
}

pub fn sliding(limit: u32, window_ms: f64) -> LimitConfig {
    of(Algorithm::SlidingWindow, limit, window_ms, limit)
}

pub fn strict(limits: Vec<LimitConfig>) -> RemoteLimiterConfig {
    let (fail_mode, mode) = (FailMode::Closed, Mode::Strict);
    RemoteLimiterConfig { limits, fail_mode, mode, share: None, remember_denials: false }
}

pub fn lease(limit: LimitConfig, share: Option<u32>) -> RemoteLimiterConfig {
    RemoteLimiterConfig { mode: Mode::Lease, share, remember_denials: true, ..strict(vec![limit]) }
}

pub fn identity(name: &str) -> Identity {
    Identity { prefix: "test".to_owned(), kind: "limiter", name: name.to_owned() }
}

pub fn at(now: Nanos) -> Moment {
    Moment { mono: now, wall: now }
}

/// A key's text as a caller has it.
pub struct Text(pub Vec<u16>);

impl Text {
    pub fn new(text: &str) -> Self {
        Text(text.encode_utf16().collect())
    }

    pub fn key(&self) -> Key<'_> {
        Key { fingerprint: Fingerprint::of_units(&self.0), units: &self.0 }
    }
}

/// One process's limiter at a manual store.
pub fn open(name: &str, config: RemoteLimiterConfig, store: &Arc<Manual>) -> Arc<RemoteLimiter> {
    let far = Far::new(store.clone(), 50 * MILLI);
    let clock = store.clone();
    let limiter = RemoteLimiter::with_clocks(config, &identity(name), &far, Arc::new(move || clock.now()));
    Arc::new(limiter.unwrap())
}

/// One process's limiter on a real link.
pub fn open_on(name: &str, config: RemoteLimiterConfig, remote: Arc<dyn Remote>) -> Arc<RemoteLimiter> {
    Arc::new(RemoteLimiter::new(config, &identity(name), &Far::new(remote, 2_000 * MILLI)).unwrap())
}

/// What comes of a question, now or later.
pub fn said<T: Send + 'static>(ask: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Option<T>) -> T {
    let (sender, receiver) = channel();
    match ask(Box::new(move |said| sender.send(said).unwrap())) {
        Some(said) => said,
        None => receiver.recv_timeout(Duration::from_secs(10)).expect("whoever asks is answered"),
    }
}

/// As a bridge asks: what can be said at once, and Redis otherwise.
pub fn consume(limiter: &Arc<RemoteLimiter>, key: &Text, cost: u32, now: Moment) -> RemoteDecision {
    limiter
        .decide(key.key(), cost, now)
        .unwrap_or_else(|| said(|answer| limiter.consume(key.key(), cost, None, now, answer)))
}

pub fn consume_on(
    limiter: &Arc<RemoteLimiter>,
    key: &Text,
    cost: u32,
    plan: &RemotePlan,
    now: Moment,
) -> RemoteDecision {
    said(|answer| limiter.consume(key.key(), cost, Some(plan), now, answer))
}

pub fn peek(limiter: &Arc<RemoteLimiter>, key: &Text, cost: u32, now: Moment) -> RemoteDecision {
    said(|answer| limiter.peek(key.key(), cost, None, now, answer))
}

pub fn reserve(limiter: &Arc<RemoteLimiter>, key: &Text, cost: u32, patience: Nanos, now: Moment) -> RemoteDecision {
    said(|answer| limiter.reserve(key.key(), cost, patience, now, answer))
}

pub fn refund(limiter: &Arc<RemoteLimiter>, key: &Text, cost: u32, of: &RemoteDecision, now: Moment) {
    said(|answer| {
        let at_once = limiter.refund(key.key(), cost, None, of.charge, of.shadowed, now, answer);
        at_once.then_some(Ok(()))
    })
    .unwrap();
}

pub type Changed = Result<bool, Trouble>;

pub fn reset(limiter: &Arc<RemoteLimiter>, key: &Text, now: Moment) -> Changed {
    said(|answer| {
        limiter.reset(key.key(), now, answer);
        None
    })
}

pub fn block(limiter: &Arc<RemoteLimiter>, key: &Text, duration: Nanos, now: Moment) -> Changed {
    said(|answer| {
        limiter.block(key.key(), duration, now, answer);
        None
    })
}

pub fn unblock(limiter: &Arc<RemoteLimiter>, key: &Text, now: Moment) -> Changed {
    said(|answer| {
        limiter.unblock(key.key(), now, answer);
        None
    })
}

pub fn all(asks: &[(&Arc<RemoteLimiter>, &Text, u32)], now: Moment) -> RemoteDecision {
    let asks = Vec::from_iter(asks.iter().map(|&(limiter, key, cost)| RemoteAsk { limiter, key: key.key(), cost }));
    said(|answer| consume_all(&asks, now, answer))
}

/// What a snapshot says of it.
pub fn report(limiter: &RemoteLimiter) -> serde_json::Value {
    serde_json::to_value(limiter.report()).unwrap()
}

/// As microseconds, rounded up.
pub fn micros_up(span: Nanos) -> u64 {
    span.div_ceil(MICRO)
}
