//! The last so many calls, two bits each. Owns which call is pushed out by which. Never grows beyond its size, and never knows time.

use crate::policy::rolling::Sums;

/// Calls whose two bits fill a word.
const A_WORD: usize = 32;
/// The `failed` bit of every call of a word; the `slow` bit stands above it.
const FAILED: u64 = 0x5555_5555_5555_5555;

/// A ring of calls that ended. It holds no more words than calls have come.
#[derive(Clone, Debug)]
pub struct Ring {
    /// At least 1.
    size: usize,
    /// Where the next call goes; once the ring is full, the oldest is there.
    next: usize,
    words: Vec<u64>,
    sums: Sums,
}

impl Ring {
    /// Of the last `size` calls. None yet.
    pub fn new(size: u32) -> Self {
        Ring { size: (size as usize).max(1), next: 0, words: Vec::new(), sums: Sums::default() }
    }

    /// One more call ended.
    pub fn push(&mut self, failed: bool, slow: bool) {
        let at = self.next % A_WORD * 2;
        let bits = (u64::from(failed) | u64::from(slow) << 1) << at;
        let full = self.sums.calls == self.size as u64;
        let Some(word) = self.word() else { return };
        let gone = *word >> at & 0b11;
        *word = *word & !(0b11 << at) | bits;
        self.sums.failures = self.sums.failures - (gone & 1) + u64::from(failed);
        self.sums.slow = self.sums.slow - (gone >> 1) + u64::from(slow);
        self.sums.calls += u64::from(!full);
        self.next = (self.next + 1) % self.size;
    }

    /// So many more calls ended well, and not slowly.
    pub fn push_well(&mut self, count: u64) {
        let mut left = count.min(self.size as u64) as usize;
        while left > 0 {
            if self.next.is_multiple_of(A_WORD) && left >= A_WORD && self.next + A_WORD <= self.size {
                let gone = self.word().map(std::mem::take).unwrap_or_default();
                self.sums.failures -= u64::from((gone & FAILED).count_ones());
                self.sums.slow -= u64::from((gone & !FAILED).count_ones());
                self.sums.calls = (self.sums.calls + A_WORD as u64).min(self.size as u64);
                self.next = (self.next + A_WORD) % self.size;
                left -= A_WORD;
            } else {
                self.push(false, false);
                left -= 1;
            }
        }
    }

    /// The word where the next call goes, made if there is none yet.
    fn word(&mut self) -> Option<&mut u64> {
        let index = self.next / A_WORD;
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        self.words.get_mut(index)
    }

    /// What it holds.
    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// The calls, the oldest first: whether each failed and whether it was slow.
    pub fn calls(&self) -> impl Iterator<Item = (bool, bool)> + '_ {
        let held = self.sums.calls as usize;
        let oldest = if held == self.size { self.next } else { 0 };
        (0..held).map(move |age| {
            let index = (oldest + age) % self.size;
            let bits = self.words.get(index / A_WORD).map_or(0, |word| word >> (index % A_WORD * 2));
            (bits & 1 != 0, bits & 2 != 0)
        })
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        *self = Ring { size: self.size, next: 0, words: Vec::new(), sums: Sums::default() };
    }
}
