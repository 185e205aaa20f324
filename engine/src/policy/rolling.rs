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
    /// `now / width` of its calls. A bucket of another epoch than asked for is empty.
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
        let epoch = now / self.width;
        let index = (epoch % BUCKETS as u64) as usize;
        let Some(bucket) = self.buckets.get_mut(index) else { return };
        if bucket.epoch < epoch {
            *bucket = Bucket { epoch, sums: Sums::default() };
        }
        // A call ten buckets older than another that was counted already is out of the window: it changes nothing.
        if bucket.epoch == epoch {
            bucket.sums.calls += 1;
            bucket.sums.failures += u64::from(failed);
            bucket.sums.slow += u64::from(slow);
        }
    }

    /// What the window holds at `now`.
    pub fn sums(&self, now: Ticks) -> Sums {
        let newest = now / self.width;
        let mut total = Sums::default();
        for bucket in &self.buckets {
            if bucket.epoch <= newest && newest - bucket.epoch < BUCKETS as u64 {
                total.calls += bucket.sums.calls;
                total.failures += bucket.sums.failures;
                total.slow += bucket.sums.slow;
            }
        }
        total
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.buckets = Default::default();
    }
}
