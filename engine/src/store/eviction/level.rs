//! The level below which nobody stays who goes by density, and how it rose. Owns the level as of each moment of late.
//! Never knows an entry; a moment is a number of uses, in the units of stamps.

use std::collections::VecDeque;

/// Moments kept. With sixteen to thirty-two for as many uses as there are entries, they reach back sixteen turns at least.
const MOST: usize = 512;
const MOMENTS_PER_TURN: u64 = 32;

/// A level that only rises.
pub(super) struct Level {
    level: f64,
    /// The level at the beginning of each moment, the latest last. Never empty.
    past: VecDeque<f64>,
    /// The number of the last of them.
    last: u64,
    /// A moment is two to the power of this many units.
    width: u32,
}

impl Level {
    pub(super) fn new() -> Self {
        Level { level: 0.0, past: VecDeque::from([0.0]), last: 0, width: 0 }
    }

    /// It is `now`, and as many uses as there are entries are `turn` units.
    pub(super) fn pass(&mut self, now: u64, turn: u64) {
        while turn >> self.width > MOMENTS_PER_TURN {
            self.widen();
        }
        let moment = now >> self.width;
        if moment.saturating_sub(self.last) >= MOST as u64 {
            self.past.clear();
            self.last = moment - 1;
        }
        while self.last < moment {
            if self.past.len() == MOST {
                self.past.pop_front();
            }
            self.past.push_back(self.level);
            self.last += 1;
        }
    }

    /// Every other moment is forgotten: those of odd number.
    fn widen(&mut self) {
        let mut number = (self.last + 1).saturating_sub(self.past.len() as u64);
        self.past.retain(|_| {
            number += 1;
            number & 1 == 1
        });
        self.width += 1;
        self.last >>= 1;
        if self.past.is_empty() {
            self.past.push_back(self.level);
        }
    }

    /// The level now.
    pub(super) fn now(&self) -> f64 {
        self.level
    }

    /// The level at that time, or as long ago as is known.
    pub(super) fn then(&self, time: u64) -> f64 {
        let back = self.last.saturating_sub(time >> self.width) as usize;
        let at = self.past.len().saturating_sub(1).saturating_sub(back);
        self.past.get(at).copied().unwrap_or(self.level)
    }

    /// Somebody at this height had to go.
    pub(super) fn rise(&mut self, to: f64) {
        self.level = self.level.max(to);
    }

    pub(super) fn bytes(&self) -> usize {
        self.past.capacity() * size_of::<f64>()
    }
}
