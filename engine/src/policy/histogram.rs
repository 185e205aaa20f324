//! Counts of values in buckets that grow with them: constant room, and a percentile that is never an eighth too high.
//! Never reads time, locks or allocates.
//!
//! Below 8 every value has a bucket of its own; above, each doubling is cut into 8 of the same width. A value is told as the
//! largest of its bucket, and never as more than the largest that was counted: at most 12.5 % above what it was, never below.

/// Of each doubling: 2³ buckets.
const CUT: u32 = 3;
const WIDTH: u64 = 1 << CUT;

/// Values are counted up to here, the larger ones as this: 2⁴⁰ microseconds are twelve days.
const LARGEST: u64 = (1 << 40) - 1;

/// How many buckets there are.
pub const BUCKETS: usize = bucket_of(LARGEST) + 1;

/// The bucket of a value.
pub const fn bucket_of(value: u64) -> usize {
    let value = if value > LARGEST { LARGEST } else { value };
    if value < WIDTH {
        return value as usize;
    }
    let doubling = value.ilog2() - CUT;
    (doubling as u64 * WIDTH + (value >> doubling)) as usize
}

/// The largest value of a bucket.
pub const fn ceiling_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < WIDTH {
        return bucket;
    }
    let doubling = bucket / WIDTH - 1;
    ((bucket % WIDTH + WIDTH + 1) << doubling) - 1
}

/// Counts of values. One writer at a time.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    count: u64,
    sum: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: [0; BUCKETS], count: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Count a value.
    pub fn add(&mut self, value: u64) {
        if let Some(count) = self.counts.get_mut(bucket_of(value)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean, exactly; 0 of none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The largest, exactly; 0 of none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that at least this share of the values do not exceed; 0 of none.
    pub fn percentile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut passed = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            passed += count;
            if passed >= wanted {
                return ceiling_of(bucket).min(self.max);
            }
        }
        self.max
    }
}
