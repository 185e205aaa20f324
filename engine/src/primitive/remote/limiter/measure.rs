//! One limit as it is counted in Redis: its cell's name, what the scripts are told of it, and what their answers mean. Owns the
//! arithmetic in microseconds, which is that of the policies. Never asks anything.

use super::steps::{MOST_COUNTED, unit};
use crate::clock::Nanos;
use crate::error::{Code, Fault};
use crate::policy::Ticks;
use crate::policy::fixed_window::FixedWindow;
use crate::policy::gcra::{Gcra, Reserve, Uncountable};
use crate::policy::rate::{Answer, Charge, Verdict};
use crate::policy::sliding_window::{MAX_LIMIT, SlidingWindow};
use crate::policy::{Step, rate};
use crate::primitive::limit::LimitConfig;
use crate::primitive::rule::Algorithm;
use crate::redis::packed;

/// The finest rate: one unit per 10 µs. A decision of a script takes about as long.
const FLOOR: Ticks = 10;

/// How far ahead of now a cell may lie. With now, which is below 2^51 until the year 2041, it stays well below 2^53.
pub(super) const FARTHEST: Ticks = (1 << 52) - 1;

/// Ticks of Redis in a nanosecond's thousands.
pub(super) const MICRO: Nanos = 1_000;

/// How it is counted.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Bucket(Gcra),
    /// With what its windows are shifted by.
    Sliding(SlidingWindow, u32),
    /// In a text that knows its window.
    Fixed(FixedWindow),
    /// By plain commands, in a number of the window's own; each unit counts as so much.
    Counted(FixedWindow, u64),
}

/// A limit, or a plan in its place.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    rule: Rule,
    /// What follows the key's tag in the name of its cell.
    part: String,
    /// The three numbers of the rate, as the judges in Lua take them.
    rate: [String; 3],
    /// All six arguments of a charge of one unit, where they are always the same.
    plain: Option<Vec<u8>>,
    /// One more, of windows that are shifted.
    step: u64,
    limit: u32,
    burst: u32,
    shadow: bool,
}

/// What a script has found in a cell: up to three numbers.
pub(super) type Found = [u64; 3];

impl Measure {
    /// Of a limit. `among` others of its limiter, its cell is called by its name too. `unit_of` is the limit whose steps a plan of
    /// it counts in.
    pub(super) fn new(config: &LimitConfig, among: bool, unit_of: u32) -> Result<Self, Fault> {
        let &LimitConfig { algorithm, limit, window_ms, burst, shadow, ref name, .. } = config;
        let window = (window_ms * 1_000.0).round() as Ticks;
        let rule = match algorithm {
            Algorithm::TokenBucket => match Gcra::new(limit, window, burst, FLOOR) {
                Ok(bucket) if bucket.tolerance() <= FARTHEST => Rule::Bucket(bucket.reaching(FARTHEST)),
                Err(Uncountable::TooFine) => return Err(too_fine(limit, window_ms)),
                _ => return Err(too_long(limit, window_ms, burst)),
            },
            Algorithm::SlidingWindow if limit > MAX_LIMIT => {
                return Err(Fault::new(
                    Code::Option,
                    format!(
                        "`limit` {limit} is more than a sliding window can hold, {MAX_LIMIT}; use a token bucket or a fixed window"
                    ),
                ));
            }
            Algorithm::SlidingWindow => Rule::Sliding(SlidingWindow::new(limit, window), shift_of(window)),
            Algorithm::FixedWindow if among || unit_of > MOST_COUNTED => Rule::Fixed(FixedWindow::new(limit, window)),
            Algorithm::FixedWindow if limit > MOST_COUNTED => {
                return Err(Fault::new(
                    Code::Option,
                    format!(
                        "a `limit` of {limit} in the place of {unit_of} is more than can be counted beside it, {MOST_COUNTED}"
                    ),
                ));
            }
            Algorithm::FixedWindow => Rule::Counted(FixedWindow::new(limit, window), unit(unit_of)),
        };
        let letter = letter_of(&rule) as char;
        let mut part = match rule {
            // Numbers of another unit must never be read as this one's.
            Rule::Counted(..) => format!("{letter}{window}x{unit_of}"),
            _ => format!("{letter}{window}"),
        };
        if among {
            part = format!("{part}:{name}");
        }
        let (rate, step) = match rule {
            Rule::Bucket(bucket) => ([bucket.period(), bucket.tolerance(), bucket.tolerance()], 0),
            Rule::Sliding(_, shift) => {
                ([u64::from(limit), window, window.div_ceil(1 << shift)], if shift > 0 { 1 << shift } else { 0 })
            }
            Rule::Fixed(_) => ([u64::from(limit), window, 0], 0),
            Rule::Counted(_, unit) => ([u64::from(limit), window, unit], 0),
        };
        let rate = rate.map(|number| number.to_string());
        let [one, two, three] = rate.each_ref().map(String::as_bytes);
        let alone = [letter as u8];
        let plain = (step == 0 && !matches!(rule, Rule::Counted(..)))
            .then(|| packed([&alone[..], b"1", one, two, three, b""].into_iter()));
        Ok(Measure { rule, part, rate, plain, step, limit, burst, shadow })
    }

    /// Whether it counts in the same cells.
    pub(super) fn shares_cells(&self, other: &Measure) -> bool {
        self.part == other.part
    }

    /// How the judges in Lua call its algorithm.
    pub(super) fn letter(&self) -> u8 {
        letter_of(&self.rule)
    }

    /// Six arguments for one unit, as they are sent; none where they depend on more.
    pub(super) fn plain(&self) -> Option<&[u8]> {
        self.plain.as_deref()
    }

    /// Whether it counts without denying.
    pub(super) fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Whether it is a token bucket.
    pub(super) fn is_bucket(&self) -> bool {
        matches!(self.rule, Rule::Bucket(_))
    }

    /// What a unit counts as, where plain commands count.
    pub(super) fn unit(&self) -> Option<u64> {
        match self.rule {
            Rule::Counted(_, unit) => Some(unit),
            _ => None,
        }
    }

    /// Units that are ever free at once.
    pub(super) fn most(&self) -> u32 {
        if self.is_bucket() { self.burst } else { self.limit }
    }

    /// Whether its cells remember the charges that were made, so that one that is sent twice counts once.
    pub(super) fn remembers(&self) -> bool {
        self.unit().is_none()
    }

    /// Length of its windows; 0 for a bucket.
    pub(super) fn width(&self) -> Ticks {
        match self.rule {
            Rule::Bucket(_) => 0,
            Rule::Sliding(window, _) => window.width(),
            Rule::Fixed(window) | Rule::Counted(window, _) => window.width(),
        }
    }

    /// What the time of a charge is divided by, or its cost is multiplied with, when it is given back.
    pub(super) fn length(&self) -> Ticks {
        match self.rule {
            Rule::Bucket(bucket) => bucket.period(),
            _ => self.width(),
        }
    }

    /// For how long a charge can be given back.
    pub(super) fn span(&self) -> Ticks {
        match self.rule {
            Rule::Bucket(bucket) => bucket.tolerance(),
            _ => self.width().saturating_mul(2),
        }
    }

    /// The name of its cell, after the tag of the key; of the window with this number, where windows have cells of their own.
    pub(super) fn cell(&self, stem: &[u8], window: u64) -> Vec<u8> {
        let mut name = Vec::with_capacity(stem.len() + self.part.len() + 16);
        name.extend_from_slice(stem);
        name.extend_from_slice(self.part.as_bytes());
        if self.unit().is_some() {
            name.push(b'.');
            name.extend_from_slice(window.to_string().as_bytes());
        }
        name
    }

    /// The same of a limit whose windows have no cells of their own.
    pub(super) fn only_cell(&self, mut stem: Vec<u8>) -> Vec<u8> {
        stem.extend_from_slice(self.part.as_bytes());
        stem
    }

    /// Where blocks of a key are, if this is the only limit: in the cell itself, but for windows with cells of their own.
    pub(super) fn home(&self, stem: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(stem.len() + self.part.len());
        name.extend_from_slice(stem);
        let part = if self.unit().is_some() { "blocked" } else { &self.part };
        name.extend_from_slice(part.as_bytes());
        name
    }

    /// The three numbers of the rate for one question.
    pub(super) fn rate(&self, patience: Ticks) -> [Number<'_>; 3] {
        let [one, two, three] = self.rate.each_ref().map(|text| Number::Text(text));
        match self.rule {
            Rule::Bucket(bucket) => [one, two, Number::Of(bucket.tolerance() + patience)],
            _ => [one, two, three],
        }
    }

    /// One number more: the patience of a bucket, how windows are shifted, which of them has the cell; mostly 0.
    pub(super) fn more(&self, patience: Ticks, window: u64) -> u64 {
        match self.rule {
            Rule::Bucket(_) => patience,
            Rule::Counted(..) => window,
            _ => self.step,
        }
    }

    /// A patience that fits.
    pub(super) fn patience(&self, asked: Nanos) -> Ticks {
        match self.rule {
            Rule::Bucket(bucket) => (asked / MICRO).min(FARTHEST - bucket.tolerance()),
            _ => 0,
        }
    }

    /// What the policy says of a charge to what a script has found; in nanoseconds.
    pub(super) fn verdict(&self, found: Found, now: Ticks, cost: u32, patience: Ticks) -> Verdict {
        let [one, two, three] = found;
        let verdict = match self.rule {
            Rule::Bucket(rate) => Reserve { rate, cost, patience }.apply(one, now).1,
            Rule::Sliding(rate, _) => {
                let word = (one & 0xFF_FFFF) << 40 | (two & 0xF_FFFF) << 20 | three & 0xF_FFFF;
                Charge { rate, cost }.apply(word, now).1
            }
            Rule::Fixed(rate) | Rule::Counted(rate, _) => {
                Charge { rate, cost }.apply(one << 32 | two & 0xFFFF_FFFF, now).1
            }
        };
        in_nanos(verdict)
    }

    /// The verdict on a charge that windows counted by plain commands have admitted or refused, `left` ticks before their end.
    pub(super) fn counted(&self, spent: Option<u32>, left: Ticks) -> Verdict {
        in_nanos(match spent {
            Some(spent) => {
                let remaining = self.limit.saturating_sub(spent);
                Verdict { answer: Answer::Allowed, remaining, retry_after: 0, reset: left, wait: 0 }
            }
            None => Verdict { answer: Answer::Limited, remaining: 0, retry_after: left, reset: left, wait: 0 },
        })
    }

    /// Until when units taken ahead at `now` may be spent: in their window, and of a bucket while they could have refilled.
    pub(super) fn keeps(&self, units: u32, now: Ticks) -> Ticks {
        const LEAST: Ticks = 1_000_000;
        match self.rule {
            Rule::Bucket(bucket) => bucket.period().saturating_mul(units.into()).max(LEAST),
            _ => self.width() - now % self.width().max(1),
        }
    }
}

/// An argument of a script.
pub(super) enum Number<'a> {
    Text(&'a str),
    Of(u64),
}

fn in_nanos(verdict: Verdict) -> Verdict {
    Verdict {
        retry_after: verdict.retry_after.saturating_mul(MICRO),
        reset: verdict.reset.saturating_mul(MICRO),
        wait: verdict.wait.saturating_mul(MICRO),
        ..verdict
    }
}

fn letter_of(rule: &Rule) -> u8 {
    match rule {
        Rule::Bucket(_) => b'b',
        Rule::Sliding(..) => b's',
        Rule::Fixed(_) => b'f',
        Rule::Counted(..) => b'i',
    }
}

/// How far the policy shifts windows, so that a count of 20 bits times the width fits 64.
fn shift_of(window: Ticks) -> u32 {
    (u64::BITS - window.leading_zeros()).saturating_sub(44)
}

fn too_fine(limit: u32, window_ms: f64) -> Fault {
    let advice = "a larger `cost` per call with a smaller `limit` says the same, and so does a fixed window";
    let rate = format!("`limit` {limit} in a `window` of {window_ms} ms is more than one unit per 10 µs");
    Fault::new(Code::RateTooFine, format!("{rate}, the finest rate that Redis counts; {advice}"))
}

fn too_long(limit: u32, window_ms: f64, burst: u32) -> Fault {
    let debt = format!("`burst` {burst} at `limit` {limit} per {window_ms} ms takes over 142 years to refill");
    Fault::new(Code::Option, format!("{debt}; use a smaller `burst` or `window`"))
}

/// The slack of the policies is in their ticks, which are microseconds here: it must never cut what a script has let stand.
const _: () = assert!(rate::SLACK >= 1_000_000);
