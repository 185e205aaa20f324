//! Units taken ahead and denials remembered, by key. Owns how much may be held, and until when. Never asks anything.
//!
//! A process holds at most `share − 1` units of a key that nobody has asked it for yet, what it is waiting for included. So whatever
//! N processes admit beyond the limit is at most N · (share − 1): what they held when it was reached. In windows it is nothing at
//! all, because a window's units are spent in that window or never.
//!
//! ```text
//! 63                      24 23               0
//! |  ends_ms:40             |     units:24     |
//! ```
//!
//! - `units` may be spent while the time, in milliseconds since the limiter was made, is below `ends_ms`.

use crate::clock::{MILLI, Nanos};
use crate::policy::Ticks;
use crate::policy::rate::{Answer, Verdict};
use crate::store::fingerprint::Fingerprint;
use dashmap::DashMap;
use parking_lot::Mutex;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The most units that can be held of one key.
pub(super) const MOST: u32 = (1 << 24) - 1;

/// For how long a share should last.
const AHEAD: Nanos = 25 * MILLI;

/// A share grows by so many times at once, so that a single burst does not take all there is.
const GROWTH: u32 = 4;

/// For how long credit is kept at most: a block reaches it no sooner.
const LONGEST: Nanos = 10_000 * MILLI;

/// Between two searches for keys that hold nothing any more.
const SWEEP: Nanos = 1_000 * MILLI;

/// What this process knows of some keys.
pub(super) struct Credits {
    table: DashMap<Fingerprint, Arc<Credit>, BuildHasherDefault<Already>>,
    most_keys: usize,
    /// When time begins.
    origin: Nanos,
    swept: AtomicU64,
}

/// A fingerprint is as good as a hash.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = self.0.rotate_left(32) ^ word;
    }
}

impl Credits {
    /// Nothing of nobody.
    pub(super) fn new(most_keys: usize, origin: Nanos) -> Self {
        Credits { table: DashMap::default(), most_keys, origin, swept: AtomicU64::new(0) }
    }

    /// Keys something is known of.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// What is known of a key.
    #[inline]
    pub(super) fn find<R>(&self, key: Fingerprint, look: impl FnOnce(&Arc<Credit>) -> Option<R>) -> Option<R> {
        self.table.get(&key).and_then(|credit| look(&credit))
    }

    /// The place of a key, made now if there is room for one more.
    pub(super) fn place(&self, key: Fingerprint, now: Nanos) -> Option<Arc<Credit>> {
        if let Some(there) = self.table.get(&key) {
            return Some(there.clone());
        }
        if self.table.len() >= self.most_keys && !self.sweep(now) {
            return None;
        }
        Some(self.table.entry(key).or_default().clone())
    }

    /// Forget a key.
    pub(super) fn forget(&self, key: Fingerprint) {
        if let Some((_, credit)) = self.table.remove(&key) {
            // A refill that is on its way lands in what nobody finds any more.
            credit.word.store(0, Ordering::Relaxed);
        }
    }

    /// Forget the keys that hold nothing; whether there is room now.
    fn sweep(&self, now: Nanos) -> bool {
        let swept = self.swept.load(Ordering::Relaxed);
        if now.saturating_sub(swept) < SWEEP && swept != 0 {
            return false;
        }
        if self.swept.compare_exchange(swept, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        let time = self.time(now);
        self.table.retain(|_, credit| {
            credit.asking.load(Ordering::Relaxed)
                || credit.held(time) > 0
                || credit.denied_until.load(Ordering::Relaxed) > now
        });
        self.table.len() < self.most_keys
    }

    /// Milliseconds since the limiter was made, rounded up: nothing is spent too late.
    #[inline]
    pub(super) fn time(&self, now: Nanos) -> u64 {
        now.saturating_sub(self.origin).div_ceil(MILLI)
    }

    /// When credit that may be spent for `span` from `now` on ends.
    pub(super) fn end(&self, now: Nanos, span: Nanos) -> u64 {
        (now.saturating_sub(self.origin).saturating_add(span.min(LONGEST))) / MILLI
    }
}

/// What is held of one key.
#[derive(Default)]
pub(super) struct Credit {
    word: AtomicU64,
    /// Whether somebody asks for more.
    asking: AtomicBool,
    /// Units that were asked for since the share was last sized, and when that was.
    wanted: AtomicU32,
    sized_at: AtomicU64,
    share: AtomicU32,
    /// When what is held was charged, by the clock of Redis; what is left there, and until when it counts by the clock here.
    taken_at: AtomicU64,
    left: AtomicU32,
    counts_until: AtomicU64,
    /// No charge of what it says is admitted before that.
    denied_until: AtomicU64,
    denial: Mutex<Option<Denial>>,
}

/// What Redis has refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Denial {
    pub(super) cost: u32,
    pub(super) remaining: u32,
    pub(super) until: Nanos,
    pub(super) reset: Nanos,
}

/// What a share is made of.
pub(super) struct Share {
    pub(super) units: u32,
    pub(super) end: u64,
    /// When it was charged, by the clock of Redis.
    pub(super) taken_at: Ticks,
    pub(super) left: u32,
    pub(super) counts_until: Nanos,
}

fn pack(units: u32, end: u64) -> u64 {
    end << 24 | u64::from(units)
}

fn unpack(word: u64) -> (u32, u64) {
    ((word & u64::from(MOST)) as u32, word >> 24)
}

impl Credit {
    /// Units that can be spent at `time`.
    pub(super) fn held(&self, time: u64) -> u32 {
        let (units, end) = unpack(self.word.load(Ordering::Relaxed));
        if time < end { units } else { 0 }
    }

    /// Spend; how many are left then. None if there are not so many, or they have ended.
    #[inline]
    pub(super) fn spend(&self, cost: u32, time: u64) -> Option<u32> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let (units, end) = unpack(seen);
            let left = units.checked_sub(cost).filter(|_| time < end)?;
            // Relaxed is enough: the word is all there is to it.
            match self.word.compare_exchange_weak(seen, pack(left, end), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(left),
                Err(changed) => seen = changed,
            }
        }
    }

    /// Somebody wants so many: what the next share goes by.
    #[inline]
    pub(super) fn want(&self, cost: u32) {
        // Not one operation: a count that is lost under a race makes the next share a unit smaller.
        self.wanted.store(self.wanted.load(Ordering::Relaxed).saturating_add(cost), Ordering::Relaxed);
    }

    /// Units to hold at most, by what was wanted since it was asked last: the next share less the one that is spent at once.
    pub(super) fn size(&self, cap: u32, now: Nanos) -> u32 {
        let wanted = self.wanted.swap(0, Ordering::Relaxed);
        let since = now.saturating_sub(self.sized_at.swap(now, Ordering::Relaxed)).max(MILLI);
        let pace = u128::from(wanted) * u128::from(AHEAD) / u128::from(since);
        let grown = self.share.load(Ordering::Relaxed).saturating_mul(GROWTH).saturating_add(GROWTH);
        let share = u32::try_from(pace).unwrap_or(u32::MAX).min(grown).min(cap).max(1);
        self.share.store(share, Ordering::Relaxed);
        share - 1
    }

    /// Whether so few are left that more should be on their way.
    #[inline]
    pub(super) fn is_low(&self, left: u32) -> bool {
        left < self.share.load(Ordering::Relaxed) / 2 && !self.asking.load(Ordering::Relaxed)
    }

    /// Whoever gets true asks for more, and says so when it has come or not.
    pub(super) fn begin(&self) -> bool {
        !self.asking.swap(true, Ordering::Acquire)
    }

    /// It has come, or not.
    pub(super) fn end(&self) {
        self.asking.store(false, Ordering::Release);
    }

    /// More has come. What would be more than `cap` allows to hold is let go.
    pub(super) fn land(&self, share: Share, cap: u32, time: u64) {
        let Share { units, end, taken_at, left, counts_until } = share;
        // Dated by the oldest that is held: less of it is given back.
        if self.held(time) == 0 {
            self.taken_at.store(taken_at, Ordering::Relaxed);
        }
        self.left.store(left, Ordering::Relaxed);
        self.counts_until.store(counts_until, Ordering::Relaxed);
        if units == 0 {
            return;
        }
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let (there, ended) = unpack(seen);
            let there = if time < ended { there } else { 0 };
            let next = pack((there + units).min(cap.saturating_sub(1)).min(MOST), end);
            if let Err(changed) = self.word.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                seen = changed;
                continue;
            }
            return;
        }
    }

    /// When what is held was charged, at the earliest.
    #[inline]
    pub(super) fn taken_at(&self) -> Ticks {
        self.taken_at.load(Ordering::Relaxed)
    }

    /// The verdict on units spent of it.
    #[inline]
    pub(super) fn verdict(&self, left: u32, now: Nanos) -> Verdict {
        let remaining = self.left.load(Ordering::Relaxed).saturating_add(left);
        let reset = self.counts_until.load(Ordering::Relaxed).saturating_sub(now);
        Verdict { answer: Answer::Allowed, remaining, retry_after: 0, reset, wait: 0 }
    }

    /// Redis has refused this.
    pub(super) fn deny(&self, denial: Denial) {
        *self.denial.lock() = Some(denial);
        self.denied_until.store(denial.until, Ordering::Release);
    }

    /// What was refused may be admitted.
    pub(super) fn absolve(&self) {
        self.denied_until.store(0, Ordering::Release);
    }

    /// The verdict on what was refused before, while that holds. Other costs were not asked for.
    #[inline]
    pub(super) fn denies(&self, cost: u32, now: Nanos) -> Option<Verdict> {
        if self.denied_until.load(Ordering::Acquire) <= now {
            return None;
        }
        let denial = (*self.denial.lock()).filter(|denial| denial.cost == cost && denial.until > now)?;
        Some(Verdict {
            answer: Answer::Limited,
            remaining: denial.remaining,
            retry_after: denial.until - now,
            reset: denial.reset.saturating_sub(now),
            wait: 0,
        })
    }
}
