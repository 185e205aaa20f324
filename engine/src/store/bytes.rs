//! Encoded values under a byte budget. Owns who may still read what, and that the dead go.
//! Never hands out a value that is past its time or has been invalidated, and never drops one under a lock.
//!
//! Every mutation takes the next moment. An entry is of the moment it was born in, and can be read as long as nothing that
//! concerns it was invalidated at that moment or later.

use super::dump::Passport;
pub use super::entry::Value;
use super::entry::{Draft, Kind, Origin, heap_bytes, payload_len};
use super::eviction::Slot;
use super::fingerprint::Fingerprint;
pub use super::shard::Outgoing;
use super::shard::{Cause, Contents, SHARE, Shard};
use super::tags::{Expiry, Force, Invalidations, Ruling, TagHash};
use crate::clock::Nanos;
use crate::error::{Code, Fault};
use crate::policy::freshness::{Life, State, Windows};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shard holds at least this many of the largest values, so that none is dropped for want of room.
pub const LARGEST_PER_SHARD: u64 = 8;

/// Shards, unless each would be so large that growing its table took long.
const MAX_SHARDS: u64 = 16;
const LARGEST_SHARD: u64 = 64 << 20;
const MAX_LARGE_SHARDS: u64 = 256;

/// Slots that every so many'th write to a shard looks through for dead entries, in whichever shard has its turn.
const WRITE_SLICE: usize = 32;
const WRITES_PER_SLICE: u32 = 16;

/// Slots that a read looks through which came across a dead entry.
const READ_SLICE: usize = 8;

/// Slots that a call without a hurry looks through before it lets others have the lock.
const SLICE: usize = 1_024;

/// So many values are dropped by a thread of their own.
const MANY: usize = 8_192;

/// What a store is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What all entries may take of memory.
    pub max_bytes: u64,
    /// The largest value.
    pub max_value_bytes: u64,
    /// How long entries are kept beyond their time to live.
    pub windows: Windows,
}

/// What a reader finds.
#[derive(Clone)]
pub struct Look {
    /// The value.
    pub value: Value,
    /// What it is good for.
    pub state: State,
    /// How long it has been stored.
    pub age: Nanos,
    /// How long it stays fresh; 0 or less when it is not.
    pub fresh_for: i64,
}

/// What became of an insertion.
pub struct Insertion {
    /// False: what it is made from has been invalidated since.
    pub stored: bool,
    /// What had to go.
    pub outgoing: Outgoing,
}

/// A reading of the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Entries: those that can be read, and dead ones nobody has come across yet.
    pub entries: u64,
    /// What they take of memory.
    pub bytes: u64,
    /// Entries that had to go for others.
    pub evictions: u64,
    /// Entries that went when their time was over.
    pub expirations: u64,
}

/// What the share of reads that find something would be with another `max_bytes`. None: not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimates {
    /// With half of it.
    pub half: Option<f64>,
    /// With twice as much.
    pub double: Option<f64>,
}

/// A line of its own, so that two shards' locks never share one.
#[repr(align(128))]
struct Aligned(Mutex<Shard>);

/// Key → encoded value.
pub struct ByteStore {
    shards: Box<[Aligned]>,
    /// Of one shard.
    capacity: u64,
    windows: Windows,
    pub(super) invalidations: Invalidations,
    /// Slices swept after writes.
    swept: AtomicUsize,
}

impl ByteStore {
    /// An empty store, in shards that each hold several of the largest values.
    pub fn new(shape: Shape) -> Self {
        let Shape { max_bytes, max_value_bytes, windows } = shape;
        let large = (max_bytes / LARGEST_SHARD).min(MAX_LARGE_SHARDS);
        let fitting = max_bytes / (LARGEST_PER_SHARD * max_value_bytes.max(1));
        let count = fitting.clamp(1, MAX_SHARDS.max(large));
        let capacity = max_bytes / count;
        ByteStore {
            shards: (0..count).map(|_| Aligned(Mutex::new(Shard::new(capacity)))).collect(),
            capacity,
            windows,
            invalidations: Invalidations::default(),
            swept: AtomicUsize::new(0),
        }
    }

    fn lock(&self, key: Fingerprint) -> MutexGuard<'_, Shard> {
        #[allow(clippy::indexing_slicing, reason = "a place is below the count it is one of")]
        self.shards[key.place(self.shards.len())].0.lock()
    }

    /// The moment of the last mutation.
    pub fn moment(&self) -> u64 {
        self.invalidations.moment()
    }

    /// The moment at which any tag was last invalidated.
    pub fn last_invalidation(&self) -> u64 {
        self.invalidations.last()
    }

    /// Whether the draft fits at all, with its key and tags.
    pub fn fits(&self, draft: &Draft<'_>) -> bool {
        heap_bytes(payload_len(draft)) + SHARE <= (self.capacity / 2).min(u64::from(u32::MAX))
    }

    /// Make an entry. It is nowhere yet. `born` is the moment its load began; without one, it is of this moment.
    pub fn make(&self, draft: &Draft<'_>, born: Option<u64>, now: Nanos) -> Value {
        let stamp = self.invalidations.next_moment();
        let negative = draft.kind == Kind::Nothing;
        let ends = self.windows.ends(now, draft.ttl, negative);
        Value::new(draft, Origin { stamp, born: born.unwrap_or(stamp), stored: now, ends, restored: false })
    }

    /// What tags and clears say of an entry, and how it ages then. Both at once, since an expired tag makes for an earlier end.
    fn life(&self, value: &Value, life: Life, tags: impl Iterator<Item = TagHash>) -> Option<Life> {
        let born = value.born();
        if self.invalidations.cleared_since(born) {
            return None;
        }
        match self.invalidations.ruling(tags, born) {
            Ruling::Good => Some(life),
            Ruling::Expired(expiry) => Some(self.expired(life, expiry)),
            Ruling::Invalid => None,
        }
    }

    fn expired(&self, life: Life, Expiry { at, until }: Expiry) -> Life {
        Life { ends: self.windows.expired(life.ends, life.negative, at).min(until), ..life }
    }

    /// How the entry lives, or why it does not.
    pub(super) fn judge(&self, value: &Value, now: Nanos) -> Result<(Life, State), Cause> {
        let life = self.life(value, value.life(), value.tags()).ok_or(Cause::Invalid)?;
        let state = self.windows.state(life, now).ok_or(Cause::Time)?;
        Ok((life, state))
    }

    fn look_with(&self, value: &Value, life: Life, tags: &[TagHash], now: Nanos) -> Option<Look> {
        let life = if tags.is_empty() { life } else { self.life(value, life, tags.iter().copied())? };
        let state = self.windows.state(life, now)?;
        let fresh_for = self.windows.fresh_until(life.ends, life.negative).wrapping_sub(now) as i64;
        let fresh_for = if state == State::Fresh { fresh_for } else { fresh_for.min(0) };
        Some(Look { value: value.clone(), state, age: value.age(now), fresh_for })
    }

    /// What a reader would find who found this entry.
    pub fn look_of(&self, value: &Value, now: Nanos) -> Option<Look> {
        let (life, _) = self.judge(value, now).ok()?;
        self.look_with(value, life, &[], now)
    }

    /// The entry, in whatever state it is.
    pub fn read(&self, key: Fingerprint, now: Nanos) -> Option<Look> {
        self.read_with(key, now, &[])
    }

    /// The entry, if it can be read as though it had `tags` as well.
    pub fn read_with(&self, key: Fingerprint, now: Nanos, tags: &[TagHash]) -> Option<Look> {
        let mut outgoing = Outgoing::default();
        let mut shard = self.lock(key);
        let slot = shard.find(key)?;
        let value = shard.value(slot)?;
        let look = match self.judge(value, now) {
            Ok((life, _)) => {
                let look = self.look_with(value, life, tags, now);
                shard.hit(slot, 1);
                look
            }
            Err(cause) => {
                self.take_out_locked(&mut shard, slot, cause, &mut outgoing);
                self.sweep_locked(&mut shard, READ_SLICE, now, &mut outgoing);
                None
            }
        };
        drop(shard);
        look
    }

    /// As [`ByteStore::read_with`], without counting as a use.
    pub fn peek(&self, key: Fingerprint, now: Nanos, tags: &[TagHash]) -> Option<Look> {
        let shard = self.lock(key);
        let value = shard.find(key).and_then(|slot| shard.value(slot))?;
        let (life, _) = self.judge(value, now).ok()?;
        self.look_with(value, life, tags, now)
    }

    /// The entry was used, elsewhere.
    pub fn touch(&self, key: Fingerprint, hits: u32) {
        let mut shard = self.lock(key);
        if let Some(slot) = shard.find(key) {
            shard.hit(slot, hits);
        }
    }

    /// Store the entry under the key it was made for.
    pub fn insert(&self, key: Fingerprint, value: &Value, now: Nanos) -> Insertion {
        let mut outgoing = Outgoing::default();
        let mut shard = self.lock(key);
        let slot = shard.find(key);
        let stored = self.life(value, value.life(), value.tags()).is_some();
        if !stored {
            // A write that is of no use any more has still ended what was there before it. A load has not.
            if value.born() == value.stamp()
                && let Some(slot) = slot
            {
                outgoing.0.extend(shard.remove(slot));
            }
            drop(shard);
            return Insertion { stored, outgoing };
        }
        if let Some(changed) = &mut shard.changed {
            changed.insert(key);
        }
        match slot {
            Some(slot) => {
                let gone = shard.replace(slot, value.clone());
                if let Some(Err(cause)) = gone.as_ref().map(|gone| self.judge(gone, now)) {
                    shard.count(cause);
                }
                outgoing.0.extend(gone);
            }
            None => shard.insert(key, value.clone()),
        }
        self.evict_locked(&mut shard, now, &mut outgoing);
        self.written(shard, now, &mut outgoing);
        Insertion { stored, outgoing }
    }

    fn take_out_locked(&self, shard: &mut Shard, slot: Slot, cause: Cause, outgoing: &mut Outgoing) {
        outgoing.0.extend(shard.remove(slot));
        shard.count(cause);
    }

    /// A write to `shard` is done. Now and then it is followed by a slice of sweeping, each time in the next shard: so the dead
    /// go everywhere, wherever the writes go.
    fn written(&self, mut shard: MutexGuard<'_, Shard>, now: Nanos, outgoing: &mut Outgoing) {
        shard.writes = shard.writes.wrapping_add(1);
        let due = shard.writes.is_multiple_of(WRITES_PER_SLICE);
        drop(shard);
        if due {
            let next = self.swept.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            if let Some(mut shard) = self.shards.get(next).and_then(|shard| shard.0.try_lock()) {
                self.sweep_locked(&mut shard, WRITE_SLICE, now, outgoing);
            }
        }
    }

    fn sweep_locked(&self, shard: &mut Shard, slots: usize, now: Nanos, outgoing: &mut Outgoing) {
        shard.sweep(slots, |value| self.judge(value, now).err(), outgoing);
    }

    fn evict_locked(&self, shard: &mut Shard, now: Nanos, outgoing: &mut Outgoing) {
        while let Some(gone) = shard.evict() {
            match self.judge(&gone, now) {
                Ok(_) => shard.evictions += 1,
                Err(cause) => shard.count(cause),
            }
            outgoing.0.push(gone);
        }
    }

    /// Take the entry out. Whether it could still be read.
    pub fn remove(&self, key: Fingerprint, now: Nanos) -> (bool, Outgoing) {
        let mut outgoing = Outgoing::default();
        self.invalidations.next_moment();
        let mut shard = self.lock(key);
        if let Some(changed) = &mut shard.changed {
            changed.insert(key);
        }
        let gone = shard.find(key).and_then(|slot| shard.remove(slot));
        let judged = gone.as_ref().map(|gone| self.judge(gone, now));
        if let Some(Err(cause)) = judged {
            shard.count(cause);
        }
        outgoing.0.extend(gone);
        self.written(shard, now, &mut outgoing);
        (matches!(judged, Some(Ok(_))), outgoing)
    }

    /// Leave the entry only its grace, beginning now. Whether it was fresh or stale.
    pub fn expire(&self, key: Fingerprint, now: Nanos) -> (bool, Outgoing) {
        let mut outgoing = Outgoing::default();
        self.invalidations.next_moment();
        let mut shard = self.lock(key);
        if let Some(changed) = &mut shard.changed {
            changed.insert(key);
        }
        let Some((slot, value)) = shard.find(key).and_then(|slot| Some((slot, shard.value(slot)?))) else {
            return (false, outgoing);
        };
        let expired = match self.judge(value, now) {
            Ok((_, State::Grace)) => false,
            Ok((life, _)) => {
                let ends = self.windows.expired(life.ends, life.negative, now);
                if ends > now {
                    let ending = value.ending(ends);
                    outgoing.0.extend(shard.replace(slot, ending));
                } else {
                    outgoing.0.extend(shard.remove(slot));
                }
                true
            }
            Err(cause) => {
                self.take_out_locked(&mut shard, slot, cause, &mut outgoing);
                false
            }
        };
        drop(shard);
        (expired, outgoing)
    }

    /// Take out all whose key begins with `prefix`: looks at every entry. How many could still be read.
    pub fn remove_prefix(&self, prefix: &[u16], now: Nanos) -> u64 {
        self.invalidations.next_moment();
        let mut readable = 0;
        for shard in &self.shards {
            let mut at = 0;
            loop {
                let mut outgoing = Outgoing::default();
                let mut shard = shard.0.lock();
                let end = shard.slots().min(at + SLICE);
                for slot in at as Slot..end as Slot {
                    if shard.value(slot).is_some_and(|value| value.name().starts_with(prefix))
                        && let Some(gone) = shard.remove(slot)
                    {
                        match self.judge(&gone, now) {
                            Ok(_) => readable += 1,
                            Err(cause) => shard.count(cause),
                        }
                        outgoing.0.push(gone);
                    }
                }
                let over = end == shard.slots();
                drop(shard);
                if over {
                    break;
                }
                at = end;
            }
        }
        readable
    }

    /// What entries of these tags that were born before are still good for. `wall_ms` says when this is on the calendar.
    pub fn invalidate(&self, tags: &[TagHash], force: Force, now: Nanos, wall_ms: u64) {
        self.invalidations.invalidate(tags, force, now, wall_ms, self.windows.grace());
    }

    /// Whether a clear or an invalidation of any of `tags`, soft or hard, concerns what was born at `born`.
    pub fn invalidated_since(&self, tags: &[TagHash], born: u64) -> bool {
        self.invalidations.cleared_since(born) || self.invalidations.ruling(tags.iter().copied(), born) != Ruling::Good
    }

    /// Forget everything, in constant time for the caller.
    pub fn clear(&self) {
        self.invalidations.clear();
        discard(self.swap_out());
    }

    fn swap_out(&self) -> Vec<Contents> {
        self.shards.iter().map(|shard| shard.0.lock().swap_out(self.capacity)).collect()
    }

    /// Look through a slice of each shard for dead entries.
    pub fn sweep(&self, now: Nanos) {
        for shard in &self.shards {
            let mut outgoing = Outgoing::default();
            let mut shard = shard.0.lock();
            self.sweep_locked(&mut shard, SLICE, now, &mut outgoing);
            drop(shard);
        }
    }

    /// What is stored, and what has gone.
    pub fn accounts(&self) -> Accounts {
        self.shards.iter().fold(Accounts::default(), |sum, shard| {
            let shard = shard.0.lock();
            Accounts {
                entries: sum.entries + shard.len() as u64,
                bytes: sum.bytes + shard.weight(),
                evictions: sum.evictions + shard.evictions,
                expirations: sum.expirations + shard.expirations,
            }
        })
    }

    /// Write what is stored to a file.
    pub fn dump(&self, path: &Path, passport: &Passport<'_>, now: Nanos, wall: Nanos) -> Result<u64, Fault> {
        let _ = (path, passport, now, wall);
        Err(Fault::new(Code::DumpFile, "not yet"))
    }

    /// Take over what a file holds.
    pub fn restore(&self, path: &Path, passport: &Passport<'_>, now: Nanos, wall: Nanos) -> Result<u64, Fault> {
        let _ = (path, passport, now, wall);
        Err(Fault::new(Code::DumpFile, "not yet"))
    }

    /// What more or less room would bring.
    pub fn estimates(&self) -> Estimates {
        Estimates::default()
    }
}

impl Drop for ByteStore {
    fn drop(&mut self) {
        discard(self.swap_out());
    }
}

/// Drop the entries; where they are many, not on the caller's time.
fn discard(contents: Vec<Contents>) {
    if contents.iter().map(Contents::len).sum::<usize>() > MANY {
        // If there is no thread to be had, the entries are dropped here with the closure.
        let _ = std::thread::Builder::new().name("spillway-drop".into()).spawn(move || drop(contents));
    }
}
