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
    /// The length of its windows; 0 for a bucket, which has none.
    pub fn width(&self) -> Nanos {
        match self {
            Rule::TokenBucket(_) => 0,
            Rule::FixedWindow(window) => window.width(),
            Rule::SlidingWindow(window) => window.width(),
        }
    }

    /// An algorithm with numbers.
    pub fn new(algorithm: Algorithm, limit: u32, window_ms: f64, burst: u32) -> Result<Self, Fault> {
        let window = (window_ms * MILLI as f64).round() as Nanos;
        match algorithm {
        Algorithm::TokenBucket => Gcra::new(limit, window, burst, FLOOR).map(Rule::TokenBucket).map_err(|why| match why {
            Uncountable::TooFine => Fault::new(
                Code::RateTooFine,
                format!(
                    "`limit` {limit} in a `window` of {window_ms} ms is more than one unit per 100 ns, the finest rate that can \
                     be counted; a larger `cost` per call with a smaller `limit` says the same"
                ),
            ),
            Uncountable::TooLong => Fault::new(
                Code::Option,
                format!(
                    "`burst` {burst} at `limit` {limit} per {window_ms} ms takes over 146 years to refill; use a smaller `burst` \
                     or `window`"
                ),
            ),
        }),
        Algorithm::FixedWindow => Ok(Rule::FixedWindow(FixedWindow::new(limit, window))),
        Algorithm::SlidingWindow if limit > MAX_LIMIT => Err(Fault::new(
            Code::Option,
            format!(
                "`limit` {limit} is more than a sliding window can hold, {MAX_LIMIT}; use a token bucket or a fixed window, or \
                 let a `limit` of {MAX_LIMIT} or less count larger units"
            ),
        )),
        Algorithm::SlidingWindow => Ok(Rule::SlidingWindow(SlidingWindow::new(limit, window))),
    }
    }
}
