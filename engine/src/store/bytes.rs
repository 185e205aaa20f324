//! Encoded values under a byte budget. Owns who may still read what, and that the dead go.
//! Never hands out a value that is past its time or has been invalidated, and never drops one under a lock.
//!
//! Every mutation takes the next moment. An entry is of the moment it was born in, and can be read as long as nothing that
//! concerns it was invalidated at that moment or later.

pub use super::entry::Value;
use super::entry::{Draft, Entry, Kind, Origin, entry_len, heap_bytes};
use super::estimate::Estimate;
use super::eviction::Slot;
use super::fingerprint::Fingerprint;
use super::restore::Written;
pub use super::shard::Outgoing;
use super::shard::{Cause, Changed, Contents, SHARE, Shard};
use super::tags::{Expiry, Force, Invalidations, Ruling, TagHash};
use crate::clock::{MILLI, Nanos};
use crate::policy::freshness::{Life, State, Windows};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A shard holds at least this many of the largest values, so that none is dropped for want of room.
pub const LARGEST_PER_SHARD: u64 = 8;

/// Shards, unless each would be so large that growing its table took long.
const MAX_SHARDS: u64 = 16;
const LARGEST_SHARD: u64 = 16 << 20;
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

/// The age of an entry of another tier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aged {
    /// How it lives, on this process's clock.
    pub(crate) life: Life,
    /// How long it has been stored.
    pub(crate) age: Nanos,
}

/// What a reader finds, without the value.
struct Sight {
    state: State,
    age: Nanos,
    fresh_for: i64,
}

impl Sight {
    fn of(self, value: Value) -> Look {
        let Sight { state, age, fresh_for } = self;
        Look { value, state, age, fresh_for }
    }
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
    estimate: Estimate,
    /// Held while a file is read in.
    restoring: Mutex<()>,
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
            estimate: Estimate::new(max_bytes),
            restoring: Mutex::default(),
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
        heap_bytes(entry_len(draft)) + SHARE <= (self.capacity / 2).min(u64::from(u32::MAX))
    }

    /// Make an entry. It is nowhere yet. `born` is the moment its load began; without one, it is of this moment.
    pub fn make(&self, draft: &Draft<'_>, born: Option<u64>, now: Nanos) -> Value {
        let stamp = self.invalidations.next_moment();
        let negative = draft.kind == Kind::Nothing;
        let ends = self.windows.ends(now, draft.ttl, negative);
        Value::new(
            draft,
            Origin {
                stamp,
                born: born.unwrap_or(stamp),
                stored_ms: now / MILLI,
                ends,
                restored: false,
                expired: false,
            },
        )
    }

    /// Make an entry that is as old as it is elsewhere. It is nowhere yet. `born` is the moment before which it was looked for there.
    pub(crate) fn make_aged(&self, draft: &Draft<'_>, born: u64, Aged { life, age }: Aged, now: Nanos) -> Value {
        let stamp = self.invalidations.next_moment();
        let (stored_ms, expired) = ((now / MILLI).wrapping_sub(age / MILLI), life.expired);
        Value::new(draft, Origin { stamp, born, stored_ms, ends: life.ends, restored: false, expired })
    }

    /// How something lives that stays fresh for `fresh_for`, or did so long ago. `expired`: it has only its grace left, until then;
    /// and what its tags say.
    pub(crate) fn life_of(
        &self,
        fresh_for: i64,
        negative: bool,
        expired: Option<Nanos>,
        tags: Option<Expiry>,
        now: Nanos,
    ) -> Life {
        let ends = self.windows.ends_of(now, fresh_for, negative);
        let life = match expired {
            None => Life { ends, negative, restored: false, expired: false },
            Some(until) => Life { ends: ends.min(until), negative, restored: false, expired: true },
        };
        tags.map_or(life, |expiry| self.expired(life, expiry))
    }

    /// What an entry of this life is good for, and how long it stays fresh. None: it is gone.
    pub(crate) fn outlook(&self, life: Life, now: Nanos) -> Option<(State, i64)> {
        let state = self.windows.state(life, now)?;
        let fresh_for = self.windows.fresh_for(life, now);
        Some((state, if state == State::Fresh { fresh_for } else { fresh_for.min(0) }))
    }

    /// What tags and clears say of an entry, and how it ages then. Both at once, since an expired tag makes for an earlier end.
    fn life(&self, entry: Entry<'_>, life: Life, tags: impl Iterator<Item = TagHash>) -> Option<Life> {
        let born = entry.born();
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
        let life = self.windows.expired(life, at);
        Life { ends: life.ends.min(until), ..life }
    }

    /// How the entry lives, or why it does not.
    pub(super) fn judge(&self, entry: Entry<'_>, now: Nanos) -> Result<(Life, State), Cause> {
        let life = self.life(entry, entry.life(), entry.tags()).ok_or(Cause::Invalid)?;
        let state = self.windows.state(life, now).ok_or(Cause::Time)?;
        Ok((life, state))
    }

    /// What a reader sees of an entry of this life, if it can be read as though it had `tags` as well.
    fn sight(&self, entry: Entry<'_>, life: Life, tags: &[TagHash], now: Nanos) -> Option<Sight> {
        let life = if tags.is_empty() { life } else { self.life(entry, life, tags.iter().copied())? };
        let state = self.windows.state(life, now)?;
        let fresh_for = self.windows.fresh_for(life, now);
        let fresh_for = if state == State::Fresh { fresh_for } else { fresh_for.min(0) };
        Some(Sight { state, age: entry.age(now), fresh_for })
    }

    /// What a reader would find who found this entry.
    pub fn look_of(&self, value: &Value, now: Nanos) -> Option<Look> {
        let (life, _) = self.judge(value.entry(), now).ok()?;
        Some(self.sight(value.entry(), life, &[], now)?.of(value.clone()))
    }

    /// The entry, in whatever state it is.
    pub fn read(&self, key: Fingerprint, now: Nanos) -> Option<Look> {
        self.read_with(key, now, &[])
    }

    /// The entry, if it can be read as though it had `tags` as well.
    pub fn read_with(&self, key: Fingerprint, now: Nanos, tags: &[TagHash]) -> Option<Look> {
        let mut outgoing = Outgoing::default();
        let found = self.read_locked(&mut self.lock(key), key, now, tags, &mut outgoing);
        drop(outgoing);
        match &found {
            Some((_, weight, life)) => self.estimate.hit(key.low, *weight, life.ends, 1, now),
            None => self.estimate.miss(key.low, now),
        }
        Some(found?.0)
    }

    fn read_locked(
        &self,
        shard: &mut Shard,
        key: Fingerprint,
        now: Nanos,
        tags: &[TagHash],
        outgoing: &mut Outgoing,
    ) -> Option<(Look, u32, Life)> {
        let slot = shard.find(key)?;
        let entry = shard.entry(slot)?;
        match self.judge(entry, now) {
            Ok((life, _)) => {
                let sight = self.sight(entry, life, tags, now)?;
                let weight = shard.weight_of(entry);
                let value = shard.value(slot)?;
                shard.hit(slot, 1);
                Some((sight.of(value), weight, life))
            }
            Err(cause) => {
                self.take_out_locked(shard, slot, cause, outgoing);
                self.sweep_locked(shard, READ_SLICE, now, outgoing);
                None
            }
        }
    }

    /// As [`ByteStore::read_with`], without counting as a use.
    pub fn peek(&self, key: Fingerprint, now: Nanos, tags: &[TagHash]) -> Option<Look> {
        let shard = self.lock(key);
        let slot = shard.find(key)?;
        let entry = shard.entry(slot)?;
        let (life, _) = self.judge(entry, now).ok()?;
        Some(self.sight(entry, life, tags, now)?.of(shard.value(slot)?))
    }

    /// The entry was used, elsewhere.
    pub fn touch(&self, key: Fingerprint, hits: u32) {
        let mut shard = self.lock(key);
        let Some((slot, entry)) = shard.find(key).and_then(|slot| Some((slot, shard.entry(slot)?))) else { return };
        let (weight, ends) = (shard.weight_of(entry), entry.life().ends);
        shard.hit(slot, hits);
        drop(shard);
        // Whoever has a copy of it knows that its time is not over.
        self.estimate.hit(key.low, weight, ends, hits, 0);
    }

    /// Store the entry under the key it was made for.
    pub fn insert(&self, key: Fingerprint, value: &Value, now: Nanos) -> Insertion {
        let mut outgoing = Outgoing::default();
        let entry = value.entry();
        let mut shard = self.lock(key);
        if let Some(changed) = &mut shard.changed {
            changed.keys.insert(key);
        }
        let slot = shard.find(key);
        let stored = self.life(entry, entry.life(), entry.tags()).is_some();
        if !stored {
            // A write that is of no use any more has still ended what was there before it. A load has not.
            if let Some(slot) = slot
                && value.born() == value.stamp()
            {
                shard.remove(slot, &mut outgoing);
                shard.compact();
            }
            drop(shard);
            return Insertion { stored, outgoing };
        }
        match slot {
            Some(slot) => {
                if let Some(Err(cause)) = shard.entry(slot).map(|gone| self.judge(gone, now)) {
                    shard.count(cause);
                }
                shard.replace(slot, value, &mut outgoing);
            }
            None => shard.insert(key, value),
        }
        let weight = shard.weight_of(entry);
        self.evict_locked(&mut shard, now, &mut outgoing);
        self.written(shard, now, &mut outgoing);
        self.estimate.insert(key.low, weight, entry.life().ends);
        Insertion { stored, outgoing }
    }

    fn take_out_locked(&self, shard: &mut Shard, slot: Slot, cause: Cause, outgoing: &mut Outgoing) {
        shard.remove(slot, outgoing);
        shard.count(cause);
    }

    /// Store an entry of a file, unless its key has been changed meanwhile, something is there, or there is no room.
    fn insert_restored(&self, key: Fingerprint, value: Value, now: Nanos) -> bool {
        let mut shard = self.lock(key);
        let changed = shard.changed.as_ref().is_none_or(|changed| changed.holds(key, &value));
        let full = shard.weight() + u64::from(shard.weight_of(value.entry())) > self.capacity;
        if changed || full || shard.find(key).is_some() || self.judge(value.entry(), now).is_err() {
            return false;
        }
        shard.insert(key, &value);
        true
    }

    /// A write to `shard` is done. Now and then it is followed by a slice of sweeping, each time in the next shard: so the dead
    /// go everywhere, wherever the writes go.
    fn written(&self, mut shard: MutexGuard<'_, Shard>, now: Nanos, outgoing: &mut Outgoing) {
        shard.writes = shard.writes.wrapping_add(1);
        let due = shard.writes.is_multiple_of(WRITES_PER_SLICE);
        shard.compact();
        drop(shard);
        if due {
            let next = self.swept.fetch_add(1, Ordering::Relaxed) % self.shards.len();
            if let Some(mut shard) = self.shards.get(next).and_then(|shard| shard.0.try_lock()) {
                self.sweep_locked(&mut shard, WRITE_SLICE, now, outgoing);
            }
        }
    }

    fn sweep_locked(&self, shard: &mut Shard, slots: usize, now: Nanos, outgoing: &mut Outgoing) {
        shard.sweep(slots, |entry| self.judge(entry, now).err(), outgoing);
        shard.compact();
    }

    fn evict_locked(&self, shard: &mut Shard, now: Nanos, outgoing: &mut Outgoing) {
        while let Some(slot) = shard.victim() {
            match shard.entry(slot).map(|gone| self.judge(gone, now)) {
                Some(Err(cause)) => shard.count(cause),
                _ => shard.evictions += 1,
            }
            shard.forget_victim(slot, outgoing);
        }
    }

    /// Take the entry out. Whether it could still be read.
    pub fn remove(&self, key: Fingerprint, now: Nanos) -> (bool, Outgoing) {
        let mut outgoing = Outgoing::default();
        self.invalidations.next_moment();
        let mut shard = self.lock(key);
        if let Some(changed) = &mut shard.changed {
            changed.keys.insert(key);
        }
        let slot = shard.find(key);
        let judged = slot.and_then(|slot| shard.entry(slot)).map(|gone| self.judge(gone, now));
        if let Some(Err(cause)) = judged {
            shard.count(cause);
        }
        if let Some(slot) = slot {
            shard.remove(slot, &mut outgoing);
        }
        self.written(shard, now, &mut outgoing);
        self.estimate.remove(key.low);
        (matches!(judged, Some(Ok(_))), outgoing)
    }

    /// Leave the entry only its grace, beginning now. Whether it was fresh or stale.
    pub fn expire(&self, key: Fingerprint, now: Nanos) -> (bool, Outgoing) {
        let mut outgoing = Outgoing::default();
        self.invalidations.next_moment();
        let mut shard = self.lock(key);
        if let Some(changed) = &mut shard.changed {
            changed.keys.insert(key);
        }
        let Some((slot, entry)) = shard.find(key).and_then(|slot| Some((slot, shard.entry(slot)?))) else {
            return (false, outgoing);
        };
        let expired = match self.judge(entry, now) {
            Ok((_, State::Grace)) => false,
            Ok((life, _)) => {
                let ends = self.windows.expired(life, now).ends;
                if ends > now {
                    let expiring = entry.expiring(ends);
                    shard.replace(slot, &expiring, &mut outgoing);
                } else {
                    shard.remove(slot, &mut outgoing);
                }
                shard.compact();
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
                if at == 0
                    && let Some(changed) = &mut shard.changed
                {
                    changed.prefixes.push(prefix.into());
                }
                let end = shard.slots().min(at + SLICE);
                for slot in at as Slot..end as Slot {
                    if let Some(gone) = shard.entry(slot).filter(|entry| entry.name().starts_with(prefix)) {
                        match self.judge(gone, now) {
                            Ok(_) => readable += 1,
                            Err(cause) => shard.count(cause),
                        }
                        shard.remove(slot, &mut outgoing);
                    }
                }
                let over = end == shard.slots();
                shard.compact();
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

    /// Whether an invalidation of any of `tags`, soft or hard, concerns what was born at `born`.
    pub fn invalidated_since(&self, tags: &[TagHash], born: u64) -> bool {
        self.invalidations.ruling(tags.iter().copied(), born) != Ruling::Good
    }

    /// Forget everything, in constant time for the caller.
    pub fn clear(&self) {
        self.invalidations.clear();
        self.estimate.clear();
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

    /// How many shards there are.
    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Collect what can be read of a slice of a shard's slots, and for how long each stays fresh, or how long ago it was. Answers
    /// where to go on.
    pub(super) fn look_through(
        &self,
        shard: usize,
        slots: Range<usize>,
        now: Nanos,
        into: &mut Vec<(Value, Life, i64)>,
    ) -> Option<usize> {
        let shard = self.shards.get(shard)?.0.lock();
        let end = slots.end.min(shard.slots());
        for slot in slots.start as Slot..end as Slot {
            if let Some(entry) = shard.entry(slot)
                && let Ok((life, _)) = self.judge(entry, now)
                && let Some(value) = shard.value(slot)
            {
                into.push((value, life, self.windows.fresh_for(life, now)));
            }
        }
        (end < shard.slots()).then_some(end)
    }

    /// Begin to read a file in. From now on it is noted which keys are changed.
    pub(super) fn begin_restoring(&self, for_grace: bool) -> Restoring<'_> {
        let one = self.restoring.lock();
        for shard in &self.shards {
            shard.0.lock().changed = Some(Changed::default());
        }
        Restoring { store: self, born: self.moment() + 1, for_grace, _one: one }
    }

    /// What more or less room would bring, where this much brings `hit_ratio`.
    pub fn estimates(&self, hit_ratio: f64) -> Estimates {
        self.estimate.estimates(hit_ratio)
    }
}

/// A file is being read in.
pub(super) struct Restoring<'a> {
    store: &'a ByteStore,
    born: u64,
    for_grace: bool,
    _one: MutexGuard<'a, ()>,
}

impl Restoring<'_> {
    /// Store the entry, unless the cache knows better or has no room. `now` and `wall` are the same time.
    pub(super) fn take_over(&self, written: &Written<'_>, now: Nanos, wall: Nanos) -> bool {
        let Restoring { store, born, for_grace, .. } = *self;
        let draft = &written.draft;
        let negative = draft.kind == Kind::Nothing;
        // No longer than it was fresh when it was stored, whatever the calendar says.
        let ttl = written.fresh_until.saturating_sub_unsigned(written.stored);
        let fresh_for = written.fresh_until.saturating_sub_unsigned(wall).min(ttl);
        let ends = store.windows.ends_of(now, fresh_for, negative);
        let life = Life { ends, negative, restored: true, expired: written.expired };
        let life = if for_grace { store.windows.expired(life, now) } else { life };
        let life = match store.invalidations.ruling_by_wall(draft.tags.iter().copied(), written.stored / MILLI) {
            Ruling::Good => life,
            Ruling::Expired(expiry) => store.expired(life, expiry),
            Ruling::Invalid => return false,
        };
        if life.ends <= now || !store.fits(draft) {
            return false;
        }
        let stamp = store.invalidations.next_moment();
        let stored_ms = (now / MILLI).wrapping_sub(wall.saturating_sub(written.stored) / MILLI);
        let value = Value::new(
            draft,
            Origin { stamp, born, stored_ms, ends: life.ends, restored: true, expired: life.expired },
        );
        store.insert_restored(draft.key, value, now)
    }
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        for shard in &self.store.shards {
            drop(shard.0.lock().changed.take());
        }
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
