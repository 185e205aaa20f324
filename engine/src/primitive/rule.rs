//! How a limit counts: an algorithm with its numbers. Owns which numbers an algorithm can count with. Never charges anything.

use crate::clock::{MILLI, Nanos};
use crate::error::{Code, Fault};
use crate::policy::fixed_window::FixedWindow;
use crate::policy::gcra::{Gcra, Uncountable};
use crate::policy::sliding_window::{MAX_LIMIT, SlidingWindow};
use serde::Serialize;

/// The finest local rate: one unit per 100 ns.
const FLOOR: Nanos = 100;

/// How a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// GCRA.
    TokenBucket,
    /// So many in each window of the calendar.
    FixedWindow,
    /// So many in any window's length, by estimate.
    SlidingWindow,
}

/// An algorithm with its numbers.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// On the monotonic clock.
    TokenBucket(Gcra),
    /// On the calendar.
    FixedWindow(FixedWindow),
    /// On the calendar.
    SlidingWindow(SlidingWindow),
}

impl Rule {
    /// An algorithm with numbers.
    pub fn new(algorithm: Algorithm, limit: u32, window_ms: f64, burst: u32) -> Result<Self, Fault> {
        let window = (window_ms * MILLI as f64).round() as Nanos;
        match algorithm {
            Algorithm::TokenBucket => match Gcra::new(limit, window, burst, FLOOR) {
                Ok(bucket) => Ok(Rule::TokenBucket(bucket)),
                Err(Uncountable::TooFine) => Err(too_fine(limit, window_ms)),
                Err(Uncountable::TooLong) => Err(too_long(limit, window_ms, burst)),
            },
            Algorithm::FixedWindow => Ok(Rule::FixedWindow(FixedWindow::new(limit, window))),
            Algorithm::SlidingWindow if limit > MAX_LIMIT => Err(too_many(limit)),
            Algorithm::SlidingWindow => Ok(Rule::SlidingWindow(SlidingWindow::new(limit, window))),
        }
    }

    /// How far ahead of now a bucket's word lies at most, and for how long at most a charge can be given back.
    pub fn reach(&self) -> Nanos {
        match self {
            Rule::TokenBucket(bucket) => bucket.tolerance(),
            // A charge of a sliding window counts into the next one.
            Rule::FixedWindow(window) => window.width().saturating_mul(2),
            Rule::SlidingWindow(window) => window.width().saturating_mul(2),
        }
    }
}

fn too_fine(limit: u32, window_ms: f64) -> Fault {
    let advice = "a larger `cost` per call with a smaller `limit` says the same";
    let rate = format!("`limit` {limit} in a `window` of {window_ms} ms is more than one unit per 100 ns");
    Fault::new(Code::RateTooFine, format!("{rate}, the finest rate that can be counted; {advice}"))
}

fn too_long(limit: u32, window_ms: f64, burst: u32) -> Fault {
    let debt = format!("`burst` {burst} at `limit` {limit} per {window_ms} ms takes over 146 years to refill");
    Fault::new(Code::Option, format!("{debt}; use a smaller `burst` or `window`"))
}

fn too_many(limit: u32) -> Fault {
    let advice = "use a token bucket or a fixed window, or let a smaller `limit` count larger units";
    Fault::new(Code::Option, format!("`limit` {limit} is more than a sliding window can hold, {MAX_LIMIT}; {advice}"))
}
