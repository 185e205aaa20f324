//! A rolling window of ten buckets. Owns the arithmetic of rates over time. Never reads time or locks.
//!
//! Each bucket carries the epoch it counts for, so one written an hour ago counts for nothing, however idle it was since.

use super::Ticks;

const BUCKETS: usize = 10;

/// Calls of the last `span` ticks, to a tenth of it.
#[derive(Clone, Debug)]
pub struct Rolling {
    /// Ticks one bucket covers. At least 1.
    width: Ticks,
    buckets: [Bucket; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// `now / width` of its calls, plus [`BUCKETS`]: the window reaches back beyond the zero of a clock that has just begun. A
    /// bucket of another epoch than asked for is empty.
    epoch: u64,
    sums: Sums,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls that ended.
    pub calls: u64,
    /// Of those, the failed.
    pub failures: u64,
    /// Of those, the slow.
    pub slow: u64,
}

impl Rolling {
    /// An empty window over `span` ticks.
    pub fn new(span: Ticks) -> Self {
        Rolling { width: (span / BUCKETS as u64).max(1), buckets: Default::default() }
    }

    /// Count one call that ended at `now`.
    pub fn record(&mut self, now: Ticks, failed: bool, slow: bool) {
        self.add(now, Sums { calls: 1, failures: u64::from(failed), slow: u64::from(slow) });
    }

    /// Count calls that ended at `now`, or in the same tenth of the span.
    pub fn add(&mut self, now: Ticks, more: Sums) {
        self.add_before(now, 0, more);
    }

    /// Count calls that ended `age` before `now`. Those of longer ago than the span change nothing.
    pub fn add_before(&mut self, now: Ticks, age: Ticks, more: Sums) {
        let Some(at) = (now + self.width * BUCKETS as u64).checked_sub(age) else { return };
        let epoch = at / self.width;
        let index = (epoch % BUCKETS as u64) as usize;
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        if bucket.epoch < epoch {
            *bucket = Bucket { epoch, sums: Sums::default() };
        }
        // A call ten buckets older than another that was counted already is out of the window: it changes nothing.
        if bucket.epoch == epoch {
            bucket.sums.calls += more.calls;
            bucket.sums.failures += more.failures;
            bucket.sums.slow += more.slow;
        }
    }

    /// How long the bucket that `now` falls into goes on. At least 1.
    pub fn rest(&self, now: Ticks) -> Ticks {
        self.width - now % self.width
    }

    /// What each bucket that counts at `now` holds, and how long before `now` it began. Who looked at the clock before another
    /// and comes after finds what the other counted: successes that are left out would make a few failures all there is.
    pub fn buckets(&self, now: Ticks) -> impl Iterator<Item = (Ticks, Sums)> + '_ {
        let latest = self.buckets.iter().map(|bucket| bucket.epoch).max().unwrap_or_default();
        let newest = latest.max(now / self.width + BUCKETS as u64);
        let within = move |bucket: &&Bucket| bucket.epoch <= newest && newest - bucket.epoch < BUCKETS as u64;
        let age = move |bucket: &Bucket| (newest - bucket.epoch) * self.width + now % self.width;
        self.buckets.iter().filter(within).map(move |bucket| (age(bucket), bucket.sums))
    }

    /// What the window holds at `now`.
    pub fn sums(&self, now: Ticks) -> Sums {
        let mut total = Sums::default();
        for (_, sums) in self.buckets(now) {
            total.calls += sums.calls;
            total.failures += sums.failures;
            total.slow += sums.slow;
        }
        total
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.buckets = Default::default();
    }
}
