//! What has been invalidated, and when. Owns the tags' records and their bound.
//! Never holds an entry: an entry carries its tags and asks.

use super::fingerprint::secret;
use crate::clock::Nanos;
use ahash::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Records of tags that are kept. Those before count as invalidated, whatever their tag.
pub const MAX_RECORDS: usize = 131_072;

/// A tag as 64 bits, the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagHash(pub u64);

impl TagHash {
    /// The hash of a tag in UTF-16 units.
    pub fn of(units: &[u16]) -> Self {
        // A tag has at most 256 units, but nothing here depends on it.
        let bytes: smallvec::SmallVec<[u8; 512]> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        TagHash(xxh3_64(&bytes))
    }
}

/// When one tag was last invalidated. 0: never.
#[derive(Clone, Copy, Default)]
struct Record {
    hard: u64,
    hard_wall_ms: u64,
    soft: u64,
    soft_wall_ms: u64,
    soft_at: Nanos,
    soft_until: Nanos,
}

impl Record {
    /// Expired once more. Who has gone by the last time must not come back by this one; who has not keeps the limit he had, and so
    /// do those born in between.
    fn expire(&mut self, moment: u64, mut until: Nanos, now: Nanos, wall_ms: u64, grace: Nanos) {
        if self.soft >= moment {
            return;
        }
        if self.soft > 0 {
            if self.soft_until.min(self.soft_at.saturating_add(grace)) <= now {
                (self.hard, self.hard_wall_ms) = (self.hard.max(self.soft), self.hard_wall_ms.max(self.soft_wall_ms));
            } else {
                until = until.min(self.soft_until);
            }
        }
        (self.soft, self.soft_wall_ms) = (moment, wall_ms);
        (self.soft_at, self.soft_until) = (now, until);
    }

    /// The ruling, with this tag expired as well: the earlier counts.
    fn expiring(&self, ruling: Ruling) -> Ruling {
        let Record { soft_at, soft_until, .. } = *self;
        Ruling::Expired(match ruling {
            Ruling::Expired(Expiry { at, until }) => Expiry { at: at.min(soft_at), until: until.min(soft_until) },
            _ => Expiry { at: soft_at, until: soft_until },
        })
    }
}

/// How tags are invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Their entries are gone.
    Hard,
    /// Their entries have only their grace left, and that no longer than to this time.
    Soft(Nanos),
}

/// Keyed: who names tags shall not choose where they lie.
type Records = HashMap<TagHash, Record, RandomState>;

/// Two halves, so that the older can go at once.
struct Halves {
    young: Records,
    old: Records,
    /// Tagged entries born up to here count as invalidated.
    floor: u64,
    floor_wall_ms: u64,
    /// The latest of `old`, which the floor becomes when `old` goes.
    old_until: u64,
    old_until_wall_ms: u64,
}

impl Default for Halves {
    fn default() -> Self {
        let records = || Records::with_hasher(secret());
        Halves { young: records(), old: records(), floor: 0, floor_wall_ms: 0, old_until: 0, old_until_wall_ms: 0 }
    }
}

impl Halves {
    fn record(&self, tag: TagHash) -> Option<&Record> {
        self.young.get(&tag).or_else(|| self.old.get(&tag))
    }
}

/// When an entry was expired by its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// Grace began here.
    pub(crate) at: Nanos,
    /// And ends here at the latest.
    pub(crate) until: Nanos,
}

/// What tags say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Nothing has happened to them since it was born.
    Good,
    /// Some were expired: of the entry there is only its grace left.
    Expired(Expiry),
    /// One was invalidated.
    Invalid,
}

/// Invalidations of tags, and the last clear.
#[derive(Default)]
pub(crate) struct Invalidations {
    /// The last mutation. Taken under the lock of `halves` where an invalidation takes it.
    moment: AtomicU64,
    cleared_at: AtomicU64,
    /// The last invalidation of any tag: an entry born later need not ask.
    last: AtomicU64,
    halves: RwLock<Halves>,
}

impl Invalidations {
    /// The moment of the last mutation.
    pub(super) fn moment(&self) -> u64 {
        self.moment.load(Ordering::Acquire)
    }

    /// Take the next moment.
    pub(super) fn next_moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The last invalidation of any tag.
    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Whatever was born up to now is gone.
    pub(super) fn clear(&self) {
        let moment = self.next_moment();
        self.cleared_at.fetch_max(moment, Ordering::AcqRel);
    }

    /// Whether a clear concerns what was born at `born`.
    #[inline]
    pub(crate) fn cleared_since(&self, born: u64) -> bool {
        born <= self.cleared_at.load(Ordering::Acquire)
    }

    /// From now on, entries with one of `tags` that were born before are gone, or have only their `grace` left.
    pub(super) fn invalidate(&self, tags: &[TagHash], force: Force, now: Nanos, wall_ms: u64, grace: Nanos) {
        self.record(|| self.next_moment(), tags, force, now, wall_ms, grace);
    }

    /// As if that had been done at `moment`, of a store that gives out moments for many.
    pub(crate) fn invalidate_at(&self, moment: u64, tags: &[TagHash], force: Force, now: Nanos, grace: Nanos) {
        self.record(|| moment, tags, force, now, 0, grace);
    }

    /// As if everything had been forgotten at `moment`.
    pub(crate) fn clear_at(&self, moment: u64) {
        self.cleared_at.fetch_max(moment, Ordering::AcqRel);
    }

    /// Tagged entries born up to `moment` count as invalidated.
    pub(crate) fn raise_floor(&self, moment: u64) {
        let mut halves = self.halves.write();
        halves.floor = halves.floor.max(moment);
        self.last.fetch_max(moment, Ordering::AcqRel);
    }

    fn record(
        &self,
        moment: impl FnOnce() -> u64,
        tags: &[TagHash],
        force: Force,
        now: Nanos,
        wall_ms: u64,
        grace: Nanos,
    ) {
        if tags.is_empty() {
            return;
        }
        let gone = {
            let mut halves = self.halves.write();
            let moment = moment();
            let mut gone = Vec::new();
            for tag in tags {
                let mut record = halves.record(*tag).copied().unwrap_or_default();
                match force {
                    Force::Hard => (record.hard, record.hard_wall_ms) = (moment.max(record.hard), wall_ms),
                    Force::Soft(until) => record.expire(moment, until, now, wall_ms, grace),
                }
                halves.young.insert(*tag, record);
                if halves.young.len() >= MAX_RECORDS / 2 {
                    let Halves { young, old, floor, floor_wall_ms, old_until, old_until_wall_ms } = &mut *halves;
                    (*floor, *floor_wall_ms) = ((*floor).max(*old_until), *old_until_wall_ms);
                    (*old_until, *old_until_wall_ms) = ((*old_until).max(moment), wall_ms);
                    let fresh = Records::with_hasher(young.hasher().clone());
                    gone.push(std::mem::replace(old, std::mem::replace(young, fresh)));
                }
            }
            self.last.fetch_max(moment, Ordering::AcqRel);
            gone
        };
        drop(gone);
    }

    /// What `tags` say of an entry that was born at `born`.
    #[inline]
    pub(crate) fn ruling(&self, tags: impl Iterator<Item = TagHash>, born: u64) -> Ruling {
        if born > self.last() { Ruling::Good } else { self.ruling_looked_up(tags, born) }
    }

    #[cold]
    fn ruling_looked_up(&self, tags: impl Iterator<Item = TagHash>, born: u64) -> Ruling {
        let halves = self.halves.read();
        let mut ruling = Ruling::Good;
        for tag in tags {
            if born <= halves.floor {
                return Ruling::Invalid;
            }
            let Some(record) = halves.record(tag) else { continue };
            if born <= record.hard {
                return Ruling::Invalid;
            }
            if born <= record.soft {
                ruling = record.expiring(ruling);
            }
        }
        ruling
    }

    /// What `tags` say of an entry that was stored at `wall_ms` on the calendar, in whatever process.
    pub(super) fn ruling_by_wall(&self, tags: impl Iterator<Item = TagHash>, wall_ms: u64) -> Ruling {
        if self.last() == 0 {
            return Ruling::Good;
        }
        let halves = self.halves.read();
        let mut ruling = Ruling::Good;
        for tag in tags {
            if halves.floor > 0 && wall_ms <= halves.floor_wall_ms {
                return Ruling::Invalid;
            }
            let Some(record) = halves.record(tag) else { continue };
            if record.hard > 0 && wall_ms <= record.hard_wall_ms {
                return Ruling::Invalid;
            }
            if record.soft > 0 && wall_ms <= record.soft_wall_ms {
                ruling = record.expiring(ruling);
            }
        }
        ruling
    }
}
