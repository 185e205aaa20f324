//! The golden vectors: writes them with `UPDATE_VECTORS=1`, otherwise holds the code to what is committed.
//! Never takes a number from chance or from a clock: every run makes the same text.
#![cfg(not(any(loom, shuttle)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that panics is a test that fails, and nobody links against one"
)]

#[path = "proofs/dice.rs"]
mod dice;

use dice::Dice;
use serde::Serialize;
use serde_json::{Value, json};
use spillway_engine::clock::MILLI;
use spillway_engine::policy::Step;
use spillway_engine::policy::breaker::{Outcome, State};
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::{Gcra, Reserve};
use spillway_engine::policy::rate::{Answer, Charge, Refund, SLACK, Verdict};
use spillway_engine::policy::sliding_window::{MAX_LIMIT, SlidingWindow};
use spillway_engine::primitive::breaker::{
    Breaker, BreakerConfig, BreakerHandle, OpenConfig, SlowConfig, WindowConfig,
};
use spillway_engine::primitive::gate::Entry;
use spillway_engine::primitive::limit::Provenance;
use std::path::Path;
use std::sync::Arc;

/// Whole numbers of 64 bits as text: JSON's readers make doubles of them.
fn text(number: u64) -> String {
    number.to_string()
}

fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Allowed => "allowed",
        Answer::Limited => "limited",
        Answer::Impossible => "impossible",
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct LimiterConfig {
    algorithm: &'static str,
    limit: u32,
    window: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    bucket: Option<BucketConfig>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    scale: Option<ScaleConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BucketConfig {
    burst: u32,
    period: String,
    tolerance: String,
    reach: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScaleConfig {
    shift: u32,
    scale: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimiterVerdict {
    answer: &'static str,
    remaining: u32,
    retry_after: String,
    reset: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimiterStep {
    op: &'static str,
    now: String,
    cost: u32,
    #[serde(flatten)]
    about: About,
    before: String,
    after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<LimiterVerdict>,
}

/// What some of the operations are told beside the cost.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    charged_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patience: Option<String>,
}

#[derive(Clone, Copy)]
enum Rule {
    Bucket(Gcra),
    Fixed(FixedWindow),
    Sliding(SlidingWindow),
}

/// Runs `$body` with `$rate` bound to the rule's rate.
macro_rules! with_rate {
    ($rule:expr, |$rate:ident| $body:expr) => {
        match $rule {
            Rule::Bucket($rate) => $body,
            Rule::Fixed($rate) => $body,
            Rule::Sliding($rate) => $body,
        }
    };
}

/// One key's history.
struct Key {
    name: String,
    config: LimiterConfig,
    rule: Rule,
    word: u64,
    /// The largest number that had to be computed; the parts of a window's word count by themselves.
    largest: u128,
    steps: Vec<LimiterStep>,
}

impl Key {
    fn new(name: impl Into<String>, limit: u32, window: u64, burst: u32) -> Self {
        Key::patient(name, limit, window, burst, 0)
    }

    /// A bucket whose reservations wait for up to `patience`.
    fn patient(name: impl Into<String>, limit: u32, window: u64, burst: u32, patience: u64) -> Self {
        let rate = Gcra::new(limit, window, burst, 1).unwrap();
        let reach = rate.tolerance() + patience;
        let (period, tolerance) = (text(rate.period()), text(rate.tolerance()));
        let bucket = Some(BucketConfig { burst, period, tolerance, reach: text(reach) });
        let config = LimiterConfig { bucket, ..Key::config("token-bucket", limit, window) };
        Key::of(name, config, Rule::Bucket(rate.reaching(reach)))
    }

    fn fixed(name: impl Into<String>, limit: u32, window: u64) -> Self {
        Key::of(name, Key::config("fixed-window", limit, window), Rule::Fixed(FixedWindow::new(limit, window)))
    }

    fn sliding(name: impl Into<String>, limit: u32, window: u64) -> Self {
        // So far that a count of 20 bits times the scale fits 64.
        let shift = (0..).find(|shift| window >> shift < 1 << 44).unwrap();
        let scale = Some(ScaleConfig { shift, scale: text(window.div_ceil(1 << shift)) });
        let config = LimiterConfig { scale, ..Key::config("sliding-window", limit, window) };
        Key::of(name, config, Rule::Sliding(SlidingWindow::new(limit, window)))
    }

    fn config(algorithm: &'static str, limit: u32, window: u64) -> LimiterConfig {
        LimiterConfig { algorithm, limit, window: text(window), ..LimiterConfig::default() }
    }

    fn of(name: impl Into<String>, config: LimiterConfig, rule: Rule) -> Self {
        Key { name: name.into(), config, rule, word: 0, largest: 0, steps: Vec::new() }
    }

    /// What the largest number of a step is at most.
    fn needs(&self, now: u64, word: u64) -> u128 {
        let wide = |number: u64| u128::from(number);
        match self.rule {
            Rule::Bucket(rate) => wide(word).max(wide(now) + wide(rate.reaching(0).tolerance()) + wide(SLACK)),
            Rule::Fixed(rate) => wide(now) + wide(rate.width()) + wide(SLACK),
            Rule::Sliding(rate) => {
                let products = wide(self.config.limit.into()) * (wide(rate.width()) + 1);
                (wide(now) + 2 * wide(rate.width()) + wide(SLACK)).max(products)
            }
        }
    }

    fn note(&mut self, op: &'static str, now: u64, cost: u32, about: About, after: u64, said: Option<Verdict>) {
        let before = std::mem::replace(&mut self.word, after);
        self.largest = self.largest.max(self.needs(now, before)).max(self.needs(now, after));
        let wait = |verdict: Verdict| (op == "reserve").then(|| text(verdict.wait));
        self.steps.push(LimiterStep {
            op,
            now: text(now),
            cost,
            about,
            before: text(before),
            after: text(after),
            verdict: said.map(|verdict| LimiterVerdict {
                answer: answer(verdict.answer),
                remaining: verdict.remaining,
                retry_after: text(verdict.retry_after),
                reset: text(verdict.reset),
                wait: wait(verdict),
            }),
        });
    }

    fn asked(&self, now: u64, cost: u32) -> (u64, Verdict) {
        with_rate!(self.rule, |rate| Charge { rate, cost }.apply(self.word, now))
    }

    fn charge(&mut self, now: u64, cost: u32) -> Verdict {
        let (after, verdict) = self.asked(now, cost);
        self.note("charge", now, cost, About::default(), after, Some(verdict));
        verdict
    }

    fn peek(&mut self, now: u64, cost: u32) {
        let ((_, asked), (_, held)) = (self.asked(now, cost), self.asked(now, 0));
        let verdict = Verdict { remaining: held.remaining, reset: held.reset, ..asked };
        self.note("peek", now, cost, About::default(), self.word, Some(verdict));
    }

    fn refund(&mut self, now: u64, cost: u32, charged_at: u64) {
        let (after, ()) = with_rate!(self.rule, |rate| Refund { rate, cost, charged_at }.apply(self.word, now));
        let about = About { charged_at: Some(text(charged_at)), ..About::default() };
        self.note("refund", now, cost, about, after, None);
    }

    fn reserve(&mut self, now: u64, cost: u32, patience: u64) -> Verdict {
        let Rule::Bucket(rate) = self.rule else { panic!("only buckets take reservations") };
        let (after, verdict) = Reserve { rate, cost, patience }.apply(self.word, now);
        let about = About { patience: Some(text(patience)), ..About::default() };
        self.note("reserve", now, cost, about, after, Some(verdict));
        verdict
    }

    /// Charge, and if that is denied, again one tick before `retry_after` and exactly then.
    fn insist(&mut self, now: u64, cost: u32) -> u64 {
        let verdict = self.charge(now, cost);
        if verdict.answer == Answer::Limited {
            self.charge(now + verdict.retry_after - 1, cost);
            self.charge(now + verdict.retry_after, cost);
        }
        now + verdict.retry_after
    }

    fn lines(&self) -> String {
        let exact_in_doubles = Some(self.largest < 1 << 53);
        lines(&Head { name: &self.name, exact_in_doubles, config: &self.config }, &self.steps)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a, C> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact_in_doubles: Option<bool>,
    config: C,
}

/// A case: its head on one line, each of its steps on another.
fn lines<C: Serialize, S: Serialize>(head: &Head<'_, C>, steps: &[S]) -> String {
    let steps = Vec::from_iter(steps.iter().map(|step| serde_json::to_string(step).unwrap()));
    let head = serde_json::to_string(head).unwrap();
    format!("{},\"steps\":[\n{}\n]}}", head.strip_suffix('}').unwrap(), steps.join(",\n"))
}

fn limiter_keys() -> Vec<Key> {
    const YEAR: u64 = 365 * 86_400 * 1_000_000_000;
    let mut keys = Vec::new();
    let mut add = |mut key: Key, history: &dyn Fn(&mut Key)| {
        history(&mut key);
        keys.push(key);
    };

    add(Key::new("a burst at once, then one unit a period, to the tick", 10, 1_000, 10), &|key| {
        for _ in 0..11 {
            key.charge(5_000, 1);
        }
        (0..12).fold(5_001, |now, _| key.insist(now, 1) + 7);
    });
    add(Key::new("a burst of one", 1, 1_000, 1), &|key| {
        (0..5).fold(5_000, |now, _| key.insist(now, 1));
    });
    add(Key::new("a burst above the limit and one below it", 5, 1_000, 12), &|key| {
        for _ in 0..13 {
            key.charge(5_000, 1);
        }
        key.insist(5_100, 6);
    });
    add(Key::new("a burst below the limit", 100, 1_000, 3), &|key| {
        for _ in 0..4 {
            key.charge(5_000, 1);
        }
        key.insist(5_005, 2);
    });
    add(Key::new("a period that is rounded up: three in ten ticks is one in four", 3, 10, 3), &|key| {
        for _ in 0..4 {
            key.charge(0, 1);
        }
        (0..8).fold(1, |now, _| key.insist(now, 1));
    });
    add(Key::new("costs, the whole burst and one more than that", 10, 1_000, 10), &|key| {
        for cost in [0, 1, 9, 10, 11, u32::MAX] {
            key.charge(5_000, cost);
        }
        let rested = key.insist(5_001, 10);
        key.charge(rested + 500, 6);
        key.insist(rested + 500, 5);
    });
    add(Key::new("a storm of retries does not push the refill back", 10, 1_000, 10), &|key| {
        key.charge(5_000, 10);
        for now in 5_090..5_102 {
            key.charge(now, 1);
        }
    });
    add(Key::new("a long rest fills the bucket once", 10, 1_000, 10), &|key| {
        key.charge(5_000, 10);
        key.charge(5_999, 10);
        key.charge(6_000, 10);
        key.charge(1_000_000, 10);
        key.charge(1_000_890, 9);
        key.charge(1_000_900, 9);
    });
    add(Key::new("a peek spends nothing and tells what is left now", 10, 1_000, 10), &|key| {
        key.peek(5_000, 1);
        key.charge(5_000, 7);
        for cost in [0, 1, 3, 4, 10, 11] {
            key.peek(5_050, cost);
        }
        key.charge(5_050, 3);
    });
    add(Key::new("a refund is what has not refilled: not thirteen at once", 1, 1, 10), &|key| {
        key.charge(100, 5);
        key.charge(103, 3);
        key.refund(103, 5, 100);
        key.charge(103, 10);
        key.charge(103, 8);
        key.charge(103, 7);
    });
    add(Key::new("a refund at once, a late one, one too late, one to a full bucket", 10, 1_000, 10), &|key| {
        key.charge(5_000, 4);
        key.refund(5_000, 4, 5_000);
        key.charge(5_000, 10);
        key.refund(5_150, 4, 5_000);
        key.refund(5_150, 1, 5_000);
        key.charge(5_150, 10);
        key.refund(9_000, 10, 5_000);
        key.refund(9_000, 10, 9_000);
    });
    add(Key::new("a charge by a clock that is a little behind", 10, 1_000, 10), &|key| {
        key.charge(5_000, 5);
        for now in [4_999, 4_500, 4_499, 4_000] {
            key.peek(now, 1);
            key.charge(now, 1);
        }
        key.refund(4_000, 1, 5_000);
    });
    add(Key::new("the leftover of a clock that jumped, and what is none yet", 10, 1_000, 10), &|key| {
        key.charge(SLACK + 5_000, 10);
        key.charge(5_000, 1);
        key.peek(4_999, 1);
        key.charge(4_999, 0);
        key.charge(4_999, 11);
        key.charge(5_098, 1);
        key.charge(5_099, 1);
    });
    add(Key::new("a leftover is cut by the first denial", 10, 1_000, 10), &|key| {
        key.charge(3 * SLACK, 10);
        key.refund(70, 1, 60);
        key.insist(70, 1);
    });
    add(Key::new("ten units in ten years of nanoseconds", 10, 10 * YEAR, 10), &|key| {
        for _ in 0..11 {
            key.charge(1 << 61, 1);
        }
        key.insist((1 << 61) + 1, 2);
    });
    add(Key::new("a thousand in 365 days of nanoseconds", 1_000, YEAR, 1_000), &|key| {
        key.charge(86_400_000_000_000, 999);
        key.insist(86_400_000_000_001, 2);
    });
    add(Key::new("a million in 365 days of microseconds", 1_000_000, YEAR / 1_000, 1_000_000), &|key| {
        key.charge(1_700_000_000_000_000, 999_999);
        key.insist(1_700_000_000_000_001, 2);
    });
    add(Key::new("the finest local rate", 10_000_000, 1_000_000_000, 1_000_000_000), &|key| {
        key.charge(1_000_000_000, 1_000_000_000);
        key.insist(1_000_000_050, 1);
    });
    add(Key::new("a debt of almost 2^62 ticks", 1, (1 << 61) - 1, 2), &|key| {
        key.charge(1 << 61, 2);
        key.insist((1 << 61) + 12_345, 1);
    });

    let mut dice = Dice::new(11);
    for number in 0..24 {
        // A third each: tiny, microseconds as Redis counts, nanoseconds as we do.
        let (window, start) = match number % 3 {
            0 => (1 + dice.below(500), dice.below(1_000)),
            1 => (1_000 * (1 + dice.below(600_000)), 1_700_000_000_000_000),
            _ => (1_000_000 * (1 + dice.below(86_400_000)), 86_400_000_000_000 * (1 + dice.below(365))),
        };
        let (limit, burst) = (1 + dice.below(window.min(40)) as u32, 1 + dice.below(40) as u32);
        let mut key = Key::new(format!("random history {number}"), limit, window, burst);
        let period = window.div_ceil(u64::from(limit));
        let (mut now, mut admitted) = (start, Vec::new());
        while key.steps.len() < 30 {
            now += match dice.below(8) {
                0..3 => 0,
                3..5 => dice.below(period + 1),
                5 => period * dice.below(4),
                6 => 1,
                _ => period * dice.below(u64::from(burst) * 2),
            };
            let cost = dice.one_of(&[0, 1, 1, 1, 2, 3, burst / 2, burst, burst + 1]);
            match dice.below(8) {
                0 => key.peek(now, cost),
                1 => {
                    if let Some(index) = dice.index(admitted.len()) {
                        let (cost, charged_at) = admitted.swap_remove(index);
                        key.refund(now, cost, charged_at);
                    }
                }
                2 => now = key.insist(now, cost),
                _ => {
                    if key.charge(now, cost).answer == Answer::Allowed {
                        admitted.push((cost, now));
                    }
                }
            }
        }
        keys.push(key);
    }
    keys.append(&mut reserving_keys());
    keys.append(&mut window_keys());
    keys
}

fn reserving_keys() -> Vec<Key> {
    let mut keys = Vec::new();
    let mut add = |mut key: Key, history: &dyn Fn(&mut Key)| {
        history(&mut key);
        keys.push(key);
    };

    add(
        Key::patient(
            "a reservation waits for what the burst lacks, within its patience to the tick",
            10,
            1_000,
            10,
            500,
        ),
        &|key| {
            key.reserve(5_000, 8, 0);
            key.reserve(5_000, 2, 500);
            key.reserve(5_000, 1, 99);
            key.reserve(5_000, 1, 100);
            key.reserve(5_000, 4, 500);
            let denied = key.reserve(5_000, 1, 499);
            key.reserve(5_000 + denied.retry_after - 1, 1, 499);
            key.reserve(5_000 + denied.retry_after, 1, 499);
            key.charge(5_101, 1);
            key.peek(5_601, 1);
            key.charge(5_602, 1);
        },
    );
    add(Key::patient("nobody waits for more than the burst, or for nothing", 10, 1_000, 10, 5_000), &|key| {
        for cost in [0, 11, u32::MAX, 10, 0, 10] {
            key.reserve(5_000, cost, 5_000);
        }
    });
    add(Key::patient("a reservation is given back, before it begins and after", 10, 1_000, 10, 2_000), &|key| {
        key.charge(5_000, 10);
        key.reserve(5_000, 5, 2_000);
        key.refund(5_100, 5, 5_000);
        key.reserve(5_100, 6, 2_000);
        key.refund(5_900, 6, 5_100);
        key.charge(5_900, 5);
    });
    add(
        Key::patient(
            "what lies as far ahead as a reservation may is no leftover, one tick more is",
            10,
            1_000,
            10,
            3_000,
        ),
        &|key| {
            key.charge(SLACK + 5_000, 10);
            key.reserve(SLACK + 5_000, 10, 3_000);
            key.reserve(SLACK + 5_000, 10, 3_000);
            key.reserve(SLACK + 5_000, 10, 3_000);
            key.charge(5_000, 1);
            key.peek(4_999, 1);
            key.reserve(4_999, 1, 100);
        },
    );
    let mut dice = Dice::new(13);
    for number in 0..8 {
        let (limit, window, burst) = (1 + dice.below(40) as u32, 100 + dice.below(50_000), 1 + dice.below(20) as u32);
        let period = window.div_ceil(u64::from(limit));
        let most = period * (1 + dice.below(30));
        let mut key = Key::patient(format!("random reservations {number}"), limit, window, burst, most);
        let (mut now, mut admitted) = (dice.below(1_000_000), Vec::new());
        while key.steps.len() < 30 {
            now += dice.one_of(&[0, 0, 0, 1, period, period * 3 + 1]);
            let cost = dice.one_of(&[1, 1, 2, burst / 2, burst, burst + 1]);
            let verdict = match (dice.below(6), dice.index(admitted.len())) {
                (0, Some(index)) => {
                    let (cost, charged_at) = admitted.swap_remove(index);
                    key.refund(now, cost, charged_at);
                    continue;
                }
                (1, _) => key.charge(now, cost),
                _ => {
                    let patience = dice.below(most + 1);
                    key.reserve(now, cost, patience)
                }
            };
            if verdict.answer == Answer::Allowed {
                admitted.push((cost, now));
            }
        }
        keys.push(key);
    }
    keys
}

fn window_keys() -> Vec<Key> {
    const DAY: u64 = 86_400_000_000_000;
    /// The first nanosecond of 2027 in UTC.
    const NEW_YEAR: u64 = 1_798_761_600_000_000_000;
    let mut keys = Vec::new();
    let mut add = |key: Key, history: &dyn Fn(&mut Key)| {
        let mut key = key;
        history(&mut key);
        keys.push(key);
    };
    type Make = fn(String, u32, u64) -> Key;
    let both: [(&str, Make, u32); 2] = [
        ("fixed", |name, limit, window| Key::fixed(name, limit, window), 32),
        ("sliding", |name, limit, window| Key::sliding(name, limit, window), 24),
    ];
    for (kind, make, bits) in both {
        let named = |name: &str| format!("{kind} window: {name}");
        add(make(named("a limit at once, then when the window turns, to the tick"), 10, 1_000), &|key| {
            for _ in 0..11 {
                key.charge(5_200, 1);
            }
            (0..6).fold(5_300, |now, _| key.insist(now, 4) + 7);
            (0..6).fold(9_999, |now, _| key.insist(now, 1));
        });
        add(make(named("costs, the whole limit and one more than that"), 10, 1_000), &|key| {
            for cost in [0, 1, 9, 10, 11, u32::MAX] {
                key.charge(5_000, cost);
            }
            let rested = key.insist(5_001, 10);
            key.insist(rested + 500, 5);
        });
        add(make(named("a limit of one"), 1, 1_000), &|key| {
            (0..5).fold(5_000, |now, _| key.insist(now, 1));
        });
        add(make(named("a storm of retries writes nothing"), 10, 1_000), &|key| {
            key.charge(5_990, 10);
            for now in 5_995..6_005 {
                key.charge(now, 10);
            }
        });
        add(make(named("a peek spends nothing and tells what is left now"), 10, 1_000), &|key| {
            key.peek(5_000, 1);
            key.charge(5_000, 7);
            for cost in [0, 1, 3, 4, 10, 11] {
                key.peek(5_050, cost);
                key.peek(6_050, cost);
            }
            key.charge(5_050, 3);
        });
        add(make(named("a refund is into the window that was charged, or it is nothing"), 10, 1_000), &|key| {
            key.charge(5_100, 4);
            key.refund(5_200, 4, 5_100);
            key.charge(5_300, 10);
            key.refund(6_100, 4, 5_300);
            key.charge(6_100, 4);
            key.refund(6_100, 6, 5_300);
            key.refund(6_200, 9, 6_100);
            key.charge(6_300, 1);
        });
        add(make(named("a clock that is a little behind counts in the window that is stored"), 10, 1_000), &|key| {
            key.charge(5_000, 6);
            for now in [4_999, 4_000, 3_999, 1] {
                key.peek(now, 1);
                key.charge(now, 1);
            }
            key.charge(1, 1);
            key.refund(4_999, 1, 4_999);
            key.refund(4_999, 1, 5_000);
            key.insist(4_500, 5);
        });
        add(
            make(named("the leftover of a clock that jumped counts as spent now, and what is none yet"), 10, 1_000),
            &|key| {
                key.charge(SLACK + 5_000, 9);
                key.peek(5_000, 1);
                key.peek(4_999, 1);
                key.charge(4_999, 0);
                key.charge(4_999, 11);
                key.charge(4_999, 1);
                key.insist(4_999, 1);
            },
        );
        add(make(named("a leftover is cut by the first denial"), 10, 1_000), &|key| {
            key.charge(3 * SLACK, 10);
            key.insist(70, 1);
        });
        add(make(named("the numbers of windows wrap"), 10, 1_000), &|key| {
            let wrap = (1 << bits) * 1_000;
            key.charge(wrap - 1_500, 3);
            key.charge(wrap - 1, 4);
            key.charge(wrap - 1, 4);
            key.charge(wrap, 4);
            key.charge(wrap + 999, 4);
            key.charge(wrap - 1, 3);
            key.refund(wrap + 1_000, 1, wrap + 999);
            key.charge(wrap + 1_000, 9);
            key.insist(2 * wrap + 10, 11);
        });
        add(make(named("a day in UTC, in nanoseconds"), 1_000, DAY), &|key| {
            key.charge(NEW_YEAR - 1, 999);
            key.insist(NEW_YEAR - 1, 2);
            key.insist(NEW_YEAR + 1, 1_000);
        });
        add(make(named("a day in UTC, in microseconds"), 1_000, DAY / 1_000), &|key| {
            key.charge(NEW_YEAR / 1_000 - 1, 999);
            key.insist(NEW_YEAR / 1_000 - 1, 2);
            key.insist(NEW_YEAR / 1_000 + 1, 500);
        });
        add(make(named("the shortest local window"), 5, MILLI), &|key| {
            key.charge(NEW_YEAR + 500_000, 5);
            (0..4).fold(NEW_YEAR + 600_000, |now, _| key.insist(now, 2));
        });
        add(make(named("the largest limit of both"), MAX_LIMIT, 60_000_000), &|key| {
            key.charge(1_798_761_600_000_000, MAX_LIMIT);
            key.insist(1_798_761_600_000_001, 1);
            key.insist(1_798_761_630_000_000, MAX_LIMIT - 1);
        });
    }
    add(Key::fixed("fixed window: the largest limit", u32::MAX, DAY), &|key| {
        key.charge(NEW_YEAR, u32::MAX - 1);
        key.insist(NEW_YEAR, 2);
        key.charge(NEW_YEAR + DAY, 1);
    });
    add(
        Key::sliding(
            "sliding window: of the last one counts the share within a window's length, rounded up",
            100,
            1_000,
        ),
        &|key| {
            key.charge(10_999, 99);
            for now in [10_999, 11_000, 11_001, 11_009, 11_010, 11_011, 11_500, 11_989, 11_990, 11_999, 12_000] {
                key.peek(now, 2);
            }
            key.charge(11_500, 50);
            for now in [11_500, 11_999, 12_000, 12_020, 12_999, 13_000] {
                key.peek(now, 51);
            }
        },
    );
    add(
        Key::sliding("sliding window: at worst one less than twice the limit in one true window", 100, 1_000_000),
        &|key| {
            key.charge(10_999_999, 100);
            key.charge(11_999_998, 99);
            key.insist(11_999_998, 1);
        },
    );
    add(Key::sliding("sliding window: retry after is in this window, the next or the one after", 10, 1_000), &|key| {
        key.charge(5_500, 6);
        key.charge(6_100, 3);
        for cost in [2, 3, 7, 8, 10] {
            key.peek(6_200, cost);
        }
        key.insist(6_200, 10);
    });
    for (name, window) in [
        ("just short of a shift", (1u64 << 44) - 1),
        ("the first that is shifted", 1 << 44),
        ("odd and shifted: the scale is rounded up", (1 << 44) + 1),
        ("a year", 365 * DAY),
        ("ten years and a tick", 3_650 * DAY + 1),
    ] {
        add(Key::sliding(format!("sliding window: {name}"), MAX_LIMIT, window), &|key| {
            let start = NEW_YEAR / window * window;
            key.charge(start + window / 3, MAX_LIMIT - 7);
            for now in [start + window - 1, start + window, start + window + 1, start + window + window / 2 + 1] {
                key.peek(now, 8);
            }
            key.insist(start + window + 5, 8);
            key.insist(start + window + window / 2, MAX_LIMIT / 2);
            key.insist(start + window + window / 2, 100_000);
        });
    }

    let mut dice = Dice::new(14);
    for number in 0..24 {
        // A quarter each: tiny, microseconds as Redis counts, nanoseconds as we do, and as long as it takes to be shifted.
        let (window, start) = match number / 2 % 4 {
            0 => (1 + dice.below(500), dice.below(1_000)),
            1 => (1_000 * (1 + dice.below(600_000)), NEW_YEAR / 1_000),
            2 => (MILLI * (1 + dice.below(10_000_000)), NEW_YEAR),
            _ => ((1 << 44) + dice.below(1 << 55), NEW_YEAR),
        };
        let limit = 1 + dice.below(40) as u32;
        let (kind, make, _) = both[number % 2];
        let mut key = make(format!("{kind} window: random history {}", number / 2), limit, window);
        let (mut now, mut admitted) = (start, Vec::new());
        while key.steps.len() < 30 {
            now = match dice.below(10) {
                0..3 => now,
                3..5 => now + dice.below(window),
                5 => now / window * window + window,
                6 => now / window * window + window - 1,
                7 => now + 1,
                8 => now.saturating_sub(dice.below(window.min(SLACK) / 2 + 1)),
                _ => now + window * dice.below(4),
            };
            let cost = dice.one_of(&[0, 1, 1, 1, 2, 3, limit / 2, limit, limit + 1]);
            match dice.below(8) {
                0 => key.peek(now, cost),
                1 => {
                    if let Some(index) = dice.index(admitted.len()) {
                        let (cost, charged_at) = admitted.swap_remove(index);
                        key.refund(now, cost, charged_at);
                    }
                }
                2 => now = key.insist(now, cost),
                _ => {
                    if key.charge(now, cost).answer == Answer::Allowed {
                        admitted.push((cost, now));
                    }
                }
            }
        }
        keys.push(key);
    }
    keys
}

fn limiter_vectors() -> String {
    let cases = Vec::from_iter(limiter_keys().iter().map(Key::lines));
    format!("{{\"format\":2,\"slack\":\"{SLACK}\",\"cases\":[\n{}\n]}}\n", cases.join(",\n"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BreakerStep {
    op: &'static str,
    now: u64,
    #[serde(flatten)]
    about: Value,
    state: &'static str,
    generation: u32,
    issued: u16,
    ok: u16,
}

/// One breaker's history.
struct Timeline {
    name: String,
    config: BreakerConfig,
    handle: BreakerHandle,
    /// Permits that are out, of whatever generation.
    permits: Vec<u32>,
    steps: Vec<BreakerStep>,
}

impl Timeline {
    fn new(name: impl Into<String>, config: BreakerConfig) -> Self {
        let handle = BreakerHandle::new(Arc::new(Breaker::new(config.clone(), 0)));
        Timeline { name: name.into(), config, handle, permits: Vec::new(), steps: Vec::new() }
    }

    fn note(&mut self, op: &'static str, now: u64, about: Value) {
        let control = self.handle.breaker().control();
        self.steps.push(BreakerStep {
            op,
            now,
            about,
            state: control.state().as_str(),
            generation: control.generation(),
            issued: control.issued(),
            ok: control.ok(),
        });
    }

    fn enter(&mut self, now: u64) -> Option<u32> {
        let entry = self.handle.enter(now * MILLI);
        let (permit, about) = match entry {
            Entry::Admitted(permit) => (Some(permit), json!({ "admitted": permit })),
            Entry::Refused(wait) => (None, json!({ "refused": { "wait": wait } })),
        };
        self.permits.extend(permit);
        self.note("enter", now, about);
        permit
    }

    fn stale(&self) -> u64 {
        serde_json::to_value(self.handle.breaker().report(0)).unwrap()["stale"].as_u64().unwrap()
    }

    fn exit(&mut self, now: u64, permit: u32, outcome: Outcome, took: u64) {
        if let Some(index) = self.permits.iter().position(|out| *out == permit) {
            self.permits.remove(index);
        }
        let (before, stale) = (self.handle.breaker().state(), self.stale());
        self.handle.exit(permit, outcome, took as f64, now * MILLI);
        let left = match self.handle.breaker().state() {
            _ if self.stale() > stale => "stale",
            State::Open => "opened",
            State::Closed if before == State::HalfOpen => "closed",
            State::Closed if outcome != Outcome::Ignore => "counted",
            _ => "noted",
        };
        let outcome = match outcome {
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Ignore => "ignore",
        };
        self.note("exit", now, json!({ "permit": permit, "outcome": outcome, "took": took, "left": left }));
    }

    /// One call from its beginning to its end, at `now`.
    fn call(&mut self, now: u64, outcome: Outcome, took: u64) {
        let permit = self.enter(now).expect("the timeline lets it in");
        self.exit(now, permit, outcome, took);
    }

    fn calls(&mut self, count: usize, now: u64, outcome: Outcome) {
        (0..count).for_each(|_| self.call(now, outcome, 1));
    }

    fn isolate(&mut self, now: u64) {
        self.handle.breaker().isolate();
        self.note("isolate", now, json!({}));
    }

    fn reset(&mut self, now: u64) {
        self.handle.breaker().reset();
        self.note("reset", now, json!({}));
    }

    fn lines(&self) -> String {
        let BreakerConfig {
            window, failure_rate, min_calls, consecutive, slow, open, probes, probe_timeout_ms, ..
        } = &self.config;
        let WindowConfig::Ms(window_ms) = window else { panic!("the vectors have windows of time") };
        let whole = |number: f64| number as u64;
        let config = json!({
            "windowMs": whole(*window_ms), "failureRate": failure_rate, "minCalls": min_calls,
            "consecutive": consecutive,
            "slow": slow.as_ref().map(|slow| json!({ "overMs": whole(slow.over_ms), "rate": slow.rate })),
            "open": { "forMs": whole(open.for_ms), "maxMs": whole(open.max_ms), "jitter": 0 },
            "probes": probes, "probeTimeoutMs": whole(*probe_timeout_ms),
        });
        lines(&Head { name: &self.name, exact_in_doubles: None, config }, &self.steps)
    }
}

/// Half of four calls within a second; open for 100 ms and up to 400; two probes of 50 ms.
fn plain() -> BreakerConfig {
    BreakerConfig {
        window: WindowConfig::Ms(1_000.0),
        failure_rate: 0.5,
        min_calls: 4,
        consecutive: None,
        slow: None,
        open: OpenConfig { for_ms: 100.0, max_ms: 400.0, jitter: 0.0 },
        probes: 2,
        probe_timeout_ms: 50.0,
        max_keys: None,
        provenance: Provenance::default(),
    }
}

fn breaker_timelines() -> Vec<Timeline> {
    use Outcome::{Fail, Ignore, Ok};
    let mut timelines = Vec::new();
    let mut add = |name: &str, config: BreakerConfig, history: &dyn Fn(&mut Timeline)| {
        let mut timeline = Timeline::new(name, config);
        history(&mut timeline);
        timelines.push(timeline);
    };

    add("opens at the rate, not before the least number of calls", plain(), &|line| {
        line.calls(1, 1_000, Ok);
        line.calls(2, 1_000, Fail);
        line.calls(1, 1_000, Ok);
        line.calls(1, 1_000, Ok);
        line.calls(1, 1_000, Fail);
        line.enter(1_000);
    });
    add("examines rates only after a failure or a slow call", plain(), &|line| {
        line.calls(3, 1_000, Fail);
        line.calls(1, 1_000, Ok);
        line.calls(1, 1_000, Fail);
    });
    add("a tenth of the window is the finest it forgets by", plain(), &|line| {
        line.calls(3, 1_099, Fail);
        line.calls(1, 2_100, Fail);
        line.calls(2, 2_199, Fail);
        line.calls(1, 3_099, Fail);
    });
    add("failures of an hour ago count for nothing", plain(), &|line| {
        line.calls(3, 1_000, Fail);
        line.calls(3, 3_601_000, Fail);
        line.calls(1, 3_601_001, Fail);
    });
    add(
        "failures in a row, ended by a success and not by an ignored call",
        BreakerConfig { consecutive: Some(3), min_calls: 1_000, ..plain() },
        &|line| {
            line.calls(2, 0, Fail);
            line.calls(1, 0, Ok);
            line.calls(2, 0, Fail);
            line.calls(1, 3_600_000, Ignore);
            line.calls(1, 3_600_000, Fail);
        },
    );
    add(
        "slow calls open too, and only those longer than the bound are slow",
        BreakerConfig { slow: Some(SlowConfig { over_ms: 20.0, rate: 0.75 }), ..plain() },
        &|line| {
            for took in [20, 21, 21, 21] {
                line.call(500, Ok, took);
            }
        },
    );
    add("half-open closes when every probe is ok", plain(), &|line| {
        line.calls(4, 1_000, Fail);
        line.enter(1_099);
        line.enter(1_100);
        line.enter(1_120);
        line.enter(1_120);
        line.exit(1_130, 2, Ok, 30);
        line.enter(1_130);
        line.exit(1_140, 2, Ok, 20);
        line.calls(3, 1_140, Fail);
        line.calls(1, 1_140, Ok);
        line.calls(1, 1_140, Fail);
    });
    add(
        "one failed probe opens again, for twice as long up to the bound, and a recovery starts over",
        BreakerConfig { probes: 1, ..plain() },
        &|line| {
            line.calls(4, 0, Fail);
            let mut now = 100;
            for lasts in [200, 400, 400, 400] {
                line.call(now, Fail, 1);
                line.enter(now + lasts - 1);
                now += lasts;
            }
            line.call(now, Ok, 1);
            line.calls(4, now, Fail);
            line.enter(now + 99);
            line.enter(now + 100);
        },
    );
    add("a probe that hangs opens again, and what it brings at last is stale", plain(), &|line| {
        line.calls(4, 0, Fail);
        line.enter(100);
        line.enter(140);
        line.enter(189);
        line.enter(190);
        line.enter(389);
        line.exit(390, 2, Ok, 290);
        line.enter(390);
    });
    add("with no probe out half-open goes on for as long as it takes", plain(), &|line| {
        line.calls(4, 0, Fail);
        line.call(100, Ok, 1);
        line.call(3_600_000, Ok, 1);
    });
    add("an ignored probe gives its permit back and decides nothing", plain(), &|line| {
        line.calls(4, 0, Fail);
        line.enter(100);
        line.enter(100);
        line.exit(100, 2, Ignore, 1);
        line.enter(101);
        line.exit(102, 2, Ignore, 1);
        line.exit(102, 2, Ignore, 1);
        line.exit(102, 2, Ok, 1);
        line.enter(10_000);
    });
    add("a stale success does not close and a stale failure does not open", plain(), &|line| {
        line.enter(0);
        line.enter(0);
        line.calls(4, 0, Fail);
        line.exit(50, 0, Fail, 50);
        line.enter(100);
        line.exit(110, 0, Ok, 110);
        line.exit(120, 2, Ok, 20);
        line.call(130, Ok, 1);
        line.exit(140, 2, Fail, 1);
    });
    add("isolated until reset, which forgets", plain(), &|line| {
        line.calls(3, 0, Fail);
        line.enter(0);
        line.isolate(10);
        line.enter(10);
        line.enter(3_600_000);
        line.exit(3_600_000, 0, Fail, 1);
        line.reset(3_600_001);
        line.calls(3, 3_600_001, Fail);
        line.calls(1, 3_600_001, Fail);
        line.reset(3_600_002);
        line.calls(1, 3_600_002, Ok);
    });

    let mut dice = Dice::new(12);
    for number in 0..16 {
        let config = BreakerConfig {
            window: WindowConfig::Ms((10 * (1 + dice.below(50))) as f64),
            failure_rate: dice.one_of(&[0.1, 0.25, 0.5, 0.75, 1.0]),
            min_calls: 1 + dice.below(5) as u32,
            consecutive: dice.one_of(&[None, None, Some(2), Some(4)]),
            slow: dice.one_of(&[None, Some(())]).map(|()| SlowConfig { over_ms: 20.0, rate: 0.5 }),
            open: OpenConfig { for_ms: (1 + dice.below(80)) as f64, max_ms: 200.0, jitter: 0.0 },
            probes: 1 + dice.below(3) as u16,
            probe_timeout_ms: (1 + dice.below(60)) as f64,
            max_keys: None,
            provenance: Provenance::default(),
        };
        let mut line = Timeline::new(format!("random timeline {number}"), config);
        let mut now = dice.below(1_000_000);
        while line.steps.len() < 60 {
            now += dice.one_of(&[0, 0, 0, 1, 3, 10, 25, 60, 150]);
            match (dice.below(16), dice.index(line.permits.len())) {
                (0, _) if dice.below(4) == 0 => line.isolate(now),
                (1, _) if dice.below(3) == 0 => line.reset(now),
                (2..8, Some(index)) => {
                    let outcome = dice.one_of(&[Ok, Ok, Ok, Fail, Fail, Fail, Ignore]);
                    line.exit(now, line.permits[index], outcome, dice.below(40));
                }
                _ => {
                    line.enter(now);
                }
            }
        }
        timelines.push(line);
    }
    timelines
}

fn breaker_vectors() -> String {
    let cases = Vec::from_iter(breaker_timelines().iter().map(Timeline::lines));
    format!("{{\"format\":1,\"cases\":[\n{}\n]}}\n", cases.join(",\n"))
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

fn hold(name: &str, made: &str) {
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        std::fs::write(path(name), made).unwrap();
    }
    let committed = std::fs::read_to_string(path(name)).unwrap_or_default();
    for (number, (made, committed)) in made.lines().zip(committed.lines()).enumerate() {
        assert_eq!(made, committed, "vectors/{name}, line {}", number + 1);
    }
    // If the change is meant: UPDATE_VECTORS=1 cargo test -p spillway-engine --test vectors
    assert!(made == committed, "vectors/{name} is not as long as what the code makes");
}

#[test]
fn the_limiter_makes_the_vectors_that_are_committed() {
    hold("limiter.json", &limiter_vectors());
}

#[test]
fn the_breaker_makes_the_vectors_that_are_committed() {
    hold("breaker.json", &breaker_vectors());
}

/// Another engine has nothing but the text: this one follows the formulas of engine/vectors/README.md with wide integers.
#[test]
fn the_limiter_vectors_can_be_followed_from_their_text_alone() {
    let vectors: Value = serde_json::from_str(&limiter_vectors()).unwrap();
    let slack = number(&vectors["slack"]);
    let mut followed = [0; 3];
    for case in vectors["cases"].as_array().unwrap() {
        let config = &case["config"];
        let mut word = 0;
        for step in case["steps"].as_array().unwrap() {
            assert_eq!(number(&step["before"]), word, "each step begins where the last one ended");
            word = match config["algorithm"].as_str().unwrap() {
                "token-bucket" => {
                    followed[0] += 1;
                    follow_bucket(config, step, slack, word)
                }
                "fixed-window" => {
                    followed[1] += 1;
                    follow_window(config, step, slack, word, 32, None)
                }
                _ => {
                    followed[2] += 1;
                    follow_window(config, step, slack, word, 20, Some(24))
                }
            };
            assert_eq!(number(&step["after"]), word, "{} {step}", case["name"]);
        }
    }
    assert!(followed.iter().all(|steps| *steps > 400), "{followed:?}");
}

fn number(value: &Value) -> i128 {
    value.as_str().map_or_else(|| i128::from(value.as_u64().unwrap()), |text| text.parse().unwrap())
}

/// What a step is expected to say; nothing of a refund.
fn says(step: &Value, answer: &str, remaining: i128, retry_after: i128, reset: i128) {
    let verdict = &step["verdict"];
    assert_eq!(verdict["answer"], answer, "{step}");
    let said = ["remaining", "retryAfter", "reset"].map(|field| number(&verdict[field]));
    assert_eq!(said, [remaining, if answer == "limited" { retry_after } else { 0 }, reset], "{step}");
}

/// The word after a step of a bucket.
fn follow_bucket(config: &Value, step: &Value, slack: i128, word: i128) -> i128 {
    let [limit, window, burst, period, tolerance, reach] =
        ["limit", "window", "burst", "period", "tolerance", "reach"].map(|field| number(&config[field]));
    assert_eq!((period, tolerance), ((window + limit - 1) / limit, burst * period));
    let [now, cost] = ["now", "cost"].map(|field| number(&step[field]));
    if step["op"] == "refund" {
        let owed = (cost * period - (now - number(&step["chargedAt"])).max(0)).max(0);
        return if word <= now { word } else { (word - owed).max(now) };
    }
    let patience = step.get("patience").map_or(0, number);
    let jumped = word > now + reach + slack;
    let base = if jumped { now + tolerance } else { word.max(now) };
    let next = base + cost * period;
    let allowed = cost == 0 || cost <= burst && next - now <= tolerance + patience;
    let spends = allowed && step["op"] != "peek";
    let held = if spends { next } else { base };
    let answer = match () {
        () if allowed => "allowed",
        () if cost > burst => "impossible",
        () => "limited",
    };
    says(step, answer, (tolerance - (held - now)).max(0) / period, next - tolerance - patience - now, held - now);
    if step["op"] == "reserve" {
        let wait = if spends && cost > 0 { (next - tolerance - now).max(0) } else { 0 };
        assert_eq!(number(&step["verdict"]["wait"]), wait);
    }
    match step["op"].as_str().unwrap() {
        "peek" => word,
        _ if spends && cost > 0 => next,
        _ if jumped && cost > 0 => base,
        _ => word,
    }
}

/// The word after a step of a window that counts in `bits`; one that slides has two counts and an id of so many bits.
fn follow_window(config: &Value, step: &Value, slack: i128, word: i128, bits: u32, slides: Option<u32>) -> i128 {
    let [limit, window] = ["limit", "window"].map(|field| number(&config[field]));
    let [now, cost] = ["now", "cost"].map(|field| number(&step[field]));
    let ids = 1i128 << slides.unwrap_or(32);
    let mask = (1i128 << bits) - 1;
    let (stored, mut previous, mut current) = match slides {
        Some(_) => (word >> (2 * bits), word >> bits & mask, word & mask),
        None => (word >> bits, 0, word & mask),
    };
    let pack = |id: i128, previous: i128, current: i128| match slides {
        Some(_) => (id % ids) << (2 * bits) | previous << bits | current,
        None => (id % ids) << bits | current,
    };
    if step["op"] == "refund" {
        let charged = number(&step["chargedAt"]) / window % ids;
        return if stored == charged { pack(stored, previous, (current - cost).max(0)) } else { word };
    }
    // How many windows the stored one is ahead, as a signed difference.
    let (own, mut into) = (now / window, now % window);
    let ahead = (stored - own).rem_euclid(ids);
    let ahead = if ahead >= ids / 2 { ahead - ids } else { ahead };
    let (mut id, mut end, mut jumped) = (own, window - into, false);
    if previous == 0 && current == 0 {
    } else if ahead < 0 {
        (previous, current) = (if ahead == -1 && slides.is_some() { current } else { 0 }, 0);
    } else if ahead > 0 && ahead * window - into <= slack {
        (id, end) = (own + ahead, end + ahead * window);
        into = 0;
    } else {
        jumped = ahead > 0;
    }
    let (shift, scale) = slides.map_or((0, window), |_| (number(&config["shift"]), number(&config["scale"])));
    let share = |previous: i128, into: i128| (previous * (scale - (into >> shift)) + scale - 1) / scale;
    let spent = share(previous, into) + current;
    let allowed = cost == 0 || spent + cost <= limit;
    let spends = allowed && step["op"] != "peek" && cost > 0;
    // The first place in a window at which so much of the last one still counts as is left, or its end.
    let place = |previous: i128, left: i128| {
        let at = |step: i128| share(previous, step << shift) <= left;
        let (mut no, mut yes) = (-1, (window >> shift) + 1);
        while yes - no > 1 {
            let middle = (no + yes) / 2;
            if at(middle) { yes = middle } else { no = middle }
        }
        (yes << shift).min(window)
    };
    let room = limit - cost;
    let retry_after = match () {
        () if slides.is_none() => end,
        () if room >= current => end - window + place(previous, room - current),
        () => end + place(current, room),
    };
    let held = if spends { current + cost } else { current };
    let reset = match () {
        () if held > 0 && slides.is_some() => end + window,
        () if held > 0 || previous > 0 => end,
        () => 0,
    };
    let answer = match () {
        () if allowed => "allowed",
        () if cost > limit => "impossible",
        () => "limited",
    };
    let left = limit - spent - if spends { cost } else { 0 };
    says(step, answer, left.max(0), retry_after, reset);
    match () {
        () if spends => pack(id, previous, held),
        () if jumped && cost > 0 && step["op"] != "peek" => pack(id, previous, current),
        () => word,
    }
}
