//! Keys and their words, capped. Never evicts a live cell, since that would hand an attacker a reset, and never holds a key's text.
//!
//! A word is changed under the shard's read lock, a cell is removed under its write lock, so a charge can never land on a cell
//! that has become another key's. Not a DashMap: sweeping a bounded slice needs access to a table by bucket number.

use super::fingerprint::Fingerprint;
use super::sketch::Sketch;
use super::word;
use crate::policy::{Step, Ticks};
use crate::sync::{AtomicU64, Ordering};
use hashbrown::HashTable;
use parking_lot::RwLock;
use std::sync::OnceLock;

/// Cells of a full shard: what a table of 16,384 buckets holds at seven eighths. It is also half of what the next size holds,
/// from where on the table cleans up in place: churn never grows it a second time, and a key never costs over 60 bytes.
const FULL_SHARD: usize = 14_336;

/// Buckets a newcomer to a full shard looks through for expired cells.
const SLICE: usize = 64;

/// Key → 64-bit word.
pub struct Cells {
    shards: Box<[Shard]>,
    /// Cells one shard may have.
    room: usize,
    /// Made when the first newcomer finds no room.
    sketch: OnceLock<Sketch>,
    sketch_width: usize,
    overflowed: AtomicU64,
}

/// A line of its own, so that two shards' locks never share one.
#[repr(align(128))]
struct Shard(RwLock<Table>);

#[derive(Default)]
struct Table {
    cells: HashTable<Cell>,
    /// The bucket the next sweep starts at.
    cursor: usize,
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
            shards: (0..count).map(|_| Shard(RwLock::default())).collect(),
            room,
            sketch: OnceLock::new(),
            sketch_width: max_keys.div_ceil(16).max(64),
            overflowed: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: Fingerprint) -> Option<&RwLock<Table>> {
        self.shards.get(key.place(self.shards.len())).map(|shard| &shard.0)
    }

    /// Apply `step` to the key's word. A key that has none starts from zero, or from the sketch if it has been counted there.
    ///
    /// None only if the store has no shards, which [`Cells::new`] rules out.
    pub fn update<S: Step>(&self, key: Fingerprint, now: Ticks, step: &S) -> Option<S::Verdict> {
        let shard = self.shard(key)?;
        {
            let table = shard.read();
            if let Some(cell) = table.cells.find(key.low, |cell| cell.is(key)) {
                return Some(word::update(&cell.word, now, step));
            }
        }
        self.update_newcomer(shard, key, now, step)
    }

    #[cold]
    fn update_newcomer<S: Step>(
        &self,
        shard: &RwLock<Table>,
        key: Fingerprint,
        now: Ticks,
        step: &S,
    ) -> Option<S::Verdict> {
        // Held to the end, the charge in the sketch included: otherwise another thread could make the cell from the sketch's
        // word in between, and this charge would be lost to it.
        let mut table = shard.write();
        if let Some(cell) = table.cells.find(key.low, |cell| cell.is(key)) {
            return Some(word::update(&cell.word, now, step));
        }
        let start = self.sketch.get().map_or(0, |sketch| sketch.word(key));
        let (next, verdict) = step.apply(start, now);
        if next == start || step.expired(next, now) {
            return Some(verdict);
        }
        if table.cells.len() >= self.room {
            sweep_locked(&mut table, now, step);
        }
        if table.cells.len() < self.room {
            let cell = Cell { low: key.low, high: key.high, word: AtomicU64::new(next) };
            table.cells.insert_unique(key.low, cell, |cell| cell.low);
            return Some(verdict);
        }
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        self.sketch.get_or_init(|| Sketch::new(self.sketch_width)).update(key, now, step)
    }

    /// What `step` would answer, changing nothing.
    pub fn look<S: Step>(&self, key: Fingerprint, now: Ticks, step: &S) -> Option<S::Verdict> {
        let table = self.shard(key)?.read();
        let word = match table.cells.find(key.low, |cell| cell.is(key)) {
            Some(cell) => cell.word.load(Ordering::Relaxed),
            None => self.sketch.get().map_or(0, |sketch| sketch.word(key)),
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
        self.shards.iter().map(|shard| shard.0.read().cells.len()).sum()
    }

    /// Whether no key has a cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Charges that were made in the sketch.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Bytes of tables and sketch.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(|shard| shard.0.read().cells.allocation_size()).sum();
        tables + self.sketch.get().map_or(0, Sketch::bytes)
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
