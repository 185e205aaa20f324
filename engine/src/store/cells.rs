//! Keys and their words, capped. Never evicts a live cell, since that would hand an attacker a reset, and never holds a key's text.
//!
//! A word is changed under the shard's read lock, a cell is removed under its write lock, so a charge can never land on a cell
//! that has become another key's. Not a DashMap: sweeping a bounded slice needs access to a table by bucket number.

use super::fingerprint::Fingerprint;
use super::sketch::Sketch;
use super::word;
use crate::policy::{Step, Ticks};
use crate::sync::{AtomicU64, Ordering};
use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
use hashbrown::HashTable;
use std::sync::{OnceLock, PoisonError};

/// Cells of a full shard: what a table of 16,384 buckets holds at seven eighths. It is also half of what the next size holds,
/// from where on the table cleans up in place: churn never grows it a second time, and a key never costs over 60 bytes.
const FULL_SHARD: usize = 14_336;

/// Buckets a newcomer to a full shard looks through for expired cells.
const SLICE: usize = 64;

/// Cells a table gets places for with its first: what 128 buckets hold. While keys are few, they then seldom share a line of
/// memory, which two threads that charge different keys would take from each other at every charge.
const SPARSE: usize = 112;

/// Key → 64-bit word.
pub struct Cells {
    shards: Box<[Shard]>,
    /// Cells one shard may have.
    room: usize,
    /// Made when the first newcomer finds no room.
    sketch: OnceLock<Sketch>,
    /// 0 if newcomers that find no room are refused.
    sketch_width: usize,
    overflowed: AtomicU64,
}

/// A line of its own, so that two shards' locks never share one.
#[repr(align(128))]
struct Shard(ShardedLock<Table>);

impl Shard {
    /// A panic in between leaves no cell half changed, so a poisoned lock is as good as any.
    #[inline]
    fn read(&self) -> ShardedLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> ShardedLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Table {
    cells: HashTable<Cell>,
    /// The bucket the next sweep starts at.
    cursor: usize,
    /// Words older than a quarter of what their steps remember were dropped at this time.
    tidied_at: Ticks,
}

/// 24 bytes: two words of fingerprint and no padding.
struct Cell {
    low: u64,
    high: u64,
    word: AtomicU64,
}

impl Cell {
    fn is(&self, key: Fingerprint) -> bool {
        self.low == key.low && self.high == key.high
    }
}

impl Cells {
    /// Room for `max_keys` keys; a little more where the random spread over shards needs it.
    pub fn new(max_keys: usize) -> Self {
        let max_keys = max_keys.max(1);
        let (count, room) = layout(max_keys);
        Cells {
            shards: (0..count).map(|_| Shard(ShardedLock::default())).collect(),
            room,
            sketch: OnceLock::new(),
            sketch_width: max_keys.div_ceil(16).max(64),
            overflowed: AtomicU64::new(0),
        }
    }

    /// As [`Cells::new`], without an overflow: a newcomer that finds no room is refused.
    pub fn exact(max_keys: usize) -> Self {
        Cells { sketch_width: 0, ..Cells::new(max_keys) }
    }

    fn shard(&self, key: Fingerprint) -> Option<&Shard> {
        self.shards.get(key.place(self.shards.len()))
    }

    /// Apply a step to the key's word. A key that has none starts from zero, or from the sketch if it has been counted there.
    ///
    /// The step is made under the shard's lock, so that it sees whatever was published before [`Cells::wait_for_readers`]. None
    /// only if there is no room and no sketch.
    #[inline]
    pub fn update<S: Step>(&self, key: Fingerprint, now: Ticks, step: impl Fn() -> S) -> Option<S::Verdict> {
        let shard = self.shard(key)?;
        {
            let table = shard.read();
            if let Some(cell) = table.cells.find(key.low, |cell| cell.is(key)) {
                let step = step();
                if now.saturating_sub(table.tidied_at) < step.memory() {
                    return Some(word::update(&cell.word, now, &step));
                }
            }
        }
        self.update_newcomer(shard, key, now, step)
    }

    #[cold]
    fn update_newcomer<S: Step>(
        &self,
        shard: &Shard,
        key: Fingerprint,
        now: Ticks,
        step: impl Fn() -> S,
    ) -> Option<S::Verdict> {
        // Held to the end, the charge in the sketch included: otherwise another thread could make the cell from the sketch's
        // word in between, and this charge would be lost to it.
        let mut table = shard.write();
        let step = &step();
        self.tidy_locked(&mut table, now, step);
        if let Some(cell) = table.cells.find(key.low, |cell| cell.is(key)) {
            return Some(word::update(&cell.word, now, step));
        }
        let start = self.sketch.get().map_or(0, |sketch| {
            sketch.tidy(now, step);
            sketch.word(key, now, step)
        });
        let (next, verdict) = step.apply(start, now);
        // A denial, or a refund: what the sketch says of the key, it says of others too.
        if step.join(start, next) == start || step.expired(next, now) {
            return Some(verdict);
        }
        if table.cells.len() >= self.room {
            // Where a newcomer would be refused otherwise, room is looked for everywhere.
            let slices = if self.sketch_width == 0 { table.cells.num_buckets().div_ceil(SLICE) } else { 1 };
            for _ in 0..slices {
                sweep_locked(&mut table, now, step);
                if table.cells.len() < self.room {
                    break;
                }
            }
        }
        if table.cells.len() < self.room {
            if table.cells.is_empty() {
                table.cells.reserve(self.room.min(SPARSE), |cell| cell.low);
            }
            let cell = Cell { low: key.low, high: key.high, word: AtomicU64::new(next) };
            table.cells.insert_unique(key.low, cell, |cell| cell.low);
            return Some(verdict);
        }
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        if self.sketch_width == 0 {
            return None;
        }
        self.sketch.get_or_init(|| Sketch::new(self.sketch_width, now)).update(key, now, step)
    }

    /// Drop the words whose age could soon be mistaken: all, if even the youngest is too old to mean anything.
    fn tidy_locked<S: Step>(&self, table: &mut Table, now: Ticks, step: &S) {
        match untidied(table.tidied_at, now, step) {
            Untidied::No => return,
            Untidied::Yes => table.cells.retain(|cell| !step.expired(cell.word.load(Ordering::Relaxed), now)),
            Untidied::Forgotten => table.cells.clear(),
        }
        table.tidied_at = now;
    }

    /// When it returns, every update that was running has ended, and each that begins makes its step anew.
    pub fn wait_for_readers(&self) {
        for shard in &self.shards {
            drop(shard.write());
        }
    }

    /// What a step would answer, changing nothing.
    pub fn look<S: Step>(&self, key: Fingerprint, now: Ticks, step: impl Fn() -> S) -> Option<S::Verdict> {
        let table = self.shard(key)?.read();
        let step = step();
        let word = match table.cells.find(key.low, |cell| cell.is(key)) {
            Some(_) if untidied(table.tidied_at, now, &step) == Untidied::Forgotten => 0,
            Some(cell) => cell.word.load(Ordering::Relaxed),
            None => self.sketch.get().map_or(0, |sketch| sketch.word(key, now, &step)),
        };
        Some(step.apply(word, now).1)
    }

    /// Forget the key's cell. What the sketch holds stays: it is others' too.
    pub fn remove(&self, key: Fingerprint) {
        if let Some(shard) = self.shard(key)
            && let Ok(entry) = shard.write().cells.find_entry(key.low, |cell| cell.is(key))
        {
            entry.remove();
        }
    }

    /// Keys that have a cell, live or expired.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().cells.len()).sum()
    }

    /// Whether no key has a cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some keys are counted in the sketch.
    #[inline]
    pub fn overflows(&self) -> bool {
        self.sketch.get().is_some()
    }

    /// Charges that were made in the sketch.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Bytes of tables and sketch.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(|shard| shard.read().cells.allocation_size()).sum();
        tables + self.sketch.get().map_or(0, Sketch::bytes)
    }
}

/// What has become of words since the expired ones were last dropped.
#[derive(PartialEq, Eq)]
pub(super) enum Untidied {
    /// Their ages can be told.
    No,
    /// Soon they cannot.
    Yes,
    /// All are so old that they have expired: whoever writes one later than `memory` after the last time tidies up first.
    Forgotten,
}

pub(super) fn untidied<S: Step>(tidied_at: Ticks, now: Ticks, step: &S) -> Untidied {
    let memory = step.memory();
    match now.checked_sub(tidied_at) {
        _ if memory == Ticks::MAX => Untidied::No,
        // The clock went back: ages can be told as far as that, and from there it counts from here on.
        None if tidied_at - now < memory => Untidied::No,
        None => Untidied::Yes,
        Some(since) if since < memory => Untidied::No,
        Some(since) if since < memory.saturating_add(memory / 2) => Untidied::Yes,
        Some(_) => Untidied::Forgotten,
    }
}

/// How many shards, and how many cells each: keys fall on shards like balls into bins, so beyond one shard each gets four
/// standard deviations above its mean.
fn layout(max_keys: usize) -> (usize, usize) {
    if max_keys <= FULL_SHARD {
        return (1, max_keys);
    }
    let spare = |mean: usize| 4 * mean.isqrt();
    let mut count = max_keys.div_ceil(FULL_SHARD);
    while max_keys.div_ceil(count) + spare(max_keys.div_ceil(count)) > FULL_SHARD {
        count += 1;
    }
    let mean = max_keys.div_ceil(count);
    (count, mean + spare(mean))
}

/// Look through the next slice of buckets and drop the expired cells in it.
fn sweep_locked<S: Step>(table: &mut Table, now: Ticks, step: &S) {
    let buckets = table.cells.num_buckets();
    for _ in 0..SLICE.min(buckets) {
        let bucket = table.cursor % buckets;
        table.cursor = bucket + 1;
        if let Ok(entry) = table.cells.get_bucket_entry(bucket)
            && step.expired(entry.get().word.load(Ordering::Relaxed), now)
        {
            entry.remove();
        }
    }
}
