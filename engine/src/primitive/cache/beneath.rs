//! What the tier beneath memory does to memory: copies that come up, and news of changes made elsewhere. Owns that a copy never
//! takes the place of something better. Never asks the tier anything.

use super::{Cache, Encoded};
use crate::clock::{Moment, Nanos};
use crate::error::Fault;
use crate::policy::freshness::{Life, State};
use crate::store::bytes::{Aged, Value};
use crate::store::entry::{Draft, Kind, TagList};
use crate::store::fingerprint::{Fingerprint, Key};
use crate::store::flights::{Landed, Lead, Passenger, Stored};
use crate::store::ledger::{Ledger, News, Receipt};
use crate::store::tags::{Expiry, Force, TagHash};

/// A value that lies elsewhere.
pub(crate) struct Copied<'a> {
    pub(crate) kind: Kind,
    pub(crate) value: &'a [u8],
    pub(crate) tags: TagList,
    pub(crate) aged: Aged,
    pub(crate) state: State,
    /// How long it stays fresh; 0 or less when it is not.
    pub(crate) fresh_for: i64,
}

impl Copied<'_> {
    /// There is nothing, and nobody keeps that.
    pub(crate) fn nothing(life: Life) -> Self {
        let aged = Aged { life, age: 0 };
        Copied { kind: Kind::Nothing, value: &[], tags: TagList::new(), aged, state: State::Fresh, fresh_for: 0 }
    }

    fn draft<'a>(&'a self, key: Key<'a>) -> Draft<'a> {
        Draft { key: key.fingerprint, name: key.units, kind: self.kind, value: self.value, tags: &self.tags, ttl: 0 }
    }
}

impl Cache {
    /// How long a value is fresh.
    pub(crate) fn ttl_of(&self, key: Fingerprint, encoded: &Encoded<'_>) -> Nanos {
        self.ttl(key, encoded)
    }

    /// Whether a value fits.
    pub(crate) fn check(&self, key: Key<'_>, encoded: &Encoded<'_>) -> Result<(), Fault> {
        self.check_size(&self.draft(key, encoded))
    }

    /// See [`crate::store::bytes::ByteStore::life_of`].
    pub(crate) fn life_of(
        &self,
        fresh_for: i64,
        negative: bool,
        expired: Option<Nanos>,
        tags: Option<Expiry>,
        now: Nanos,
    ) -> Life {
        self.bytes.life_of(fresh_for, negative, expired, tags, now)
    }

    /// See [`crate::store::bytes::ByteStore::outlook`].
    pub(crate) fn outlook(&self, life: Life, now: Nanos) -> Option<(State, i64)> {
        self.bytes.outlook(life, now)
    }

    /// The value of a key was changed elsewhere.
    pub(crate) fn forget(&self, key: Fingerprint, now: Nanos) {
        let (_, outgoing) = self.flights.mutate(key, || self.bytes.remove(key, now));
        self.bump(key);
        drop(outgoing);
    }

    /// The value of a key was expired elsewhere.
    pub(crate) fn fade(&self, key: Fingerprint, now: Nanos) {
        let (_, outgoing) = self.flights.mutate(key, || self.bytes.expire(key, now));
        self.bump(key);
        drop(outgoing);
    }

    /// Take out an entry if it still is the one of this stamp.
    pub(crate) fn forget_stamp(&self, key: Fingerprint, stamp: u64, now: Nanos) {
        let gone = self.flights.beside(key, || {
            let there = self.bytes.peek(key, now, &[]).filter(|look| look.value.stamp() == stamp);
            there.map(|_| self.bytes.remove(key, now))
        });
        if gone.is_some() {
            self.bump(key);
        }
        drop(gone);
    }

    /// Tags were invalidated elsewhere; with a time, expired until then at the latest.
    pub(crate) fn forget_tags(&self, tags: &[TagHash], until: Option<Nanos>, now: Nanos) {
        let force = until.map_or(Force::Hard, Force::Soft);
        self.invalidate(tags, force, Moment { mono: now, wall: crate::clock::wall() });
    }

    /// What the leader does begins only now. Whether he leads.
    pub(crate) fn renew(&self, lead: Lead, now: Nanos) -> bool {
        self.flights.renew(lead, &self.bytes, now)
    }

    /// Take a copy into memory, born at `born`, if nothing has changed meanwhile and memory has nothing that stays fresh for longer.
    /// Answers what was made of it, and whether it is there.
    pub(crate) fn keep(
        &self,
        key: Key<'_>,
        copied: &Copied<'_>,
        born: u64,
        unchanged: impl FnOnce() -> bool,
        now: Nanos,
    ) -> (Value, bool) {
        let draft = copied.draft(key);
        let value = self.bytes.make_aged(&draft, born, copied.aged, now);
        let fits = self.check_size(&draft).is_ok();
        let inserted = self.flights.beside(key.fingerprint, || {
            let better = self.bytes.peek(key.fingerprint, now, &[]).is_some_and(|there| {
                there.state < copied.state || there.state == copied.state && there.fresh_for >= copied.fresh_for
            });
            (fits && !better && unchanged()).then(|| self.bytes.insert(key.fingerprint, &value, now))
        });
        let kept = inserted.as_ref().is_some_and(|insertion| insertion.stored);
        if kept {
            self.bump(key.fingerprint);
        }
        drop(inserted);
        (value, kept)
    }

    /// The flight of `lead` lands with a copy, which whoever waits gets. Answers what was made of it, and whether it is in memory; none if
    /// he leads no more.
    pub(crate) fn land_copy(
        &self,
        ledger: &Ledger,
        receipt: Receipt,
        lead: Lead,
        copied: &Copied<'_>,
        now: Nanos,
    ) -> Option<(Value, bool)> {
        if ledger.held(receipt) != Some(lead.into()) {
            return None;
        }
        let approach = self.flights.approach(lead)?;
        let key = approach.key();
        ledger.settle(receipt)?;
        let draft = copied.draft(key);
        let value = self.bytes.make_aged(&draft, approach.born, copied.aged, now);
        let fits = self.check_size(&draft).is_ok() && copied.aged.life.ends > now;
        let landed = self.flights.land(lead, &self.bytes, now, |attached| Stored {
            result: (attached && fits).then(|| self.bytes.insert(draft.key, &value, now)),
            invalidated: self.bytes.invalidated_since(&copied.tags, approach.born),
        });
        let Landed { result: insertion, passengers } = landed?;
        if insertion.is_some() {
            self.bump(draft.key);
        }
        let kept = insertion.as_ref().is_some_and(|insertion| insertion.stored);
        drop(insertion);
        let fresh_for = copied.fresh_for.max(0).cast_unsigned();
        for Passenger { ledger, receipt } in passengers {
            ledger.tell(receipt, News::Landed(value.clone(), fresh_for));
        }
        Some((value, kept))
    }
}
