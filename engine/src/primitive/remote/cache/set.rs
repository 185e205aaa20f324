//! Values that are stored without a load. Owns until when Redis may still store one, and of which moment it is. Never stores over what
//! is another application's.

use super::change::{Changed, Done};
use super::debts::Change;
use super::message::{self, CHANGED};
use super::record::{Packed, Wanted};
use super::reply::number_at;
use super::scripts::SET;
use super::spot::Spot;
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::error::Fault;
use crate::primitive::cache::{CacheHandle, Encoded};
use crate::redis::{Again, Request};
use crate::store::fingerprint::Key;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What each of many values adds to the deadline of all.
const EACH: Nanos = MILLI / 5;

/// A value on its way into Redis.
struct Setting {
    change: Change,
    spot: Arc<Spot>,
    packed: Packed,
    /// None: that of the state when it is stored.
    born: Option<u64>,
    kept_ms: u64,
    retried: bool,
    /// How long Redis has for it.
    within: Nanos,
    done: Done,
}

impl Tier {
    /// Store a value in both tiers; see [`CacheHandle::set_since`].
    pub fn set(
        self: &Arc<Self>,
        cache: &CacheHandle,
        key: Key<'_>,
        encoded: &Encoded<'_>,
        since: Option<u64>,
        now: Nanos,
        done: Done,
    ) -> Result<(), Fault> {
        self.set_within(self.deadline, cache, key, encoded, since, now, done)
    }

    #[allow(clippy::too_many_arguments, reason = "what a value is set with, and how long Redis has for it")]
    fn set_within(
        self: &Arc<Self>,
        within: Nanos,
        cache: &CacheHandle,
        key: Key<'_>,
        encoded: &Encoded<'_>,
        since: Option<u64>,
        now: Nanos,
        done: Done,
    ) -> Result<(), Fault> {
        let spot = self.spot(key.units);
        let change = Change::Key { key: key.fingerprint, spot: spot.clone() };
        self.guard.register(&change);
        if let Err(fault) = cache.set_since(key, encoded, since, now) {
            self.guard.release(&change);
            return Err(fault);
        }
        let ttl = cache.cache().ttl_of(key.fingerprint, encoded);
        let packed = self.pack(&spot, encoded, ttl, self.make.load(Ordering::SeqCst));
        let kept_ms = self.kept_ms(ttl, encoded.is_nothing());
        // What cannot be dated any more ends what is there, and is not stored.
        let born = since.map(|since| self.replica.moment_at(since).map_or(0, |moment| moment + 1));
        if born == Some(0) {
            self.drop_key(change, CHANGED, None, now, move |_, owed, _| done(Changed { owed, ..Changed::done(0) }));
            return Ok(());
        }
        let setting = Setting { change, spot, packed, born, kept_ms, retried: false, within, done };
        if self.is_starting() {
            self.when_started(move |tier| tier.begin_set(setting, super::now()));
        } else {
            self.begin_set(setting, now);
        }
        Ok(())
    }

    fn begin_set(self: &Arc<Self>, setting: Setting, now: Nanos) {
        if setting.born.is_none() && self.remote.is_cluster() {
            self.confirm(now, Box::new(move |tier, known| tier.set_known(setting, known)));
        } else {
            self.send_set(setting, now);
        }
    }

    /// In a cluster the script cannot see the state: what is stored is of the moment that was last before it.
    fn set_known(self: &Arc<Self>, setting: Setting, known: bool) {
        if known {
            let born = Some(self.replica.moment() + 1);
            self.send_set(Setting { born, ..setting }, now());
            self.flush();
        } else {
            self.set_failed(setting, now());
        }
    }

    fn set_failed(self: &Arc<Self>, Setting { change, done, .. }: Setting, payable: Nanos) {
        self.owe(change, payable);
        done(Changed::owed(0));
    }

    fn send_set(self: &Arc<Self>, setting: Setting, now: Nanos) {
        // Without the server's time it cannot be said until when it may be done.
        if !self.remote.is_up() || !self.clock.is_known() {
            return self.set_failed(setting, now);
        }
        let Setting { spot, packed, born, kept_ms, .. } = &setting;
        let (slot, deadline) = (spot.slot, now + setting.within);
        let [entry, flight] = spot.keys();
        let request = match born {
            Some(_) => Request::script(&SET, [&*entry, &*flight].into_iter()),
            None => Request::script(&SET, [&*entry, &*flight, &self.state].into_iter()),
        };
        let request = request
            .number(self.clock.at(deadline) / MILLI)
            .arg(&self.channel)
            .arg(message::about(CHANGED, self.process, &spot.id))
            .arg(&packed.front)
            .arg(born.map(u64::to_le_bytes).as_ref().map_or(&[][..], <[u8; 8]>::as_slice))
            .arg(&packed.back)
            .number(*kept_ms);
        self.ask(
            request,
            move || Some(slot),
            Again::Yes,
            deadline,
            move |tier, answer| {
                let code = answer.ok().and_then(|value| {
                    tier.clock.learn(now, number_at(&value, 1)?, super::now());
                    number_at(&value, 0)
                });
                match code {
                    Some(1 | 5) => {
                        if code == Some(5) {
                            tier.counts.foreign.add();
                        } else {
                            tier.counts.stores.add();
                        }
                        tier.guard.release(&setting.change);
                        (setting.done)(Changed { foreign: code == Some(5), ..Changed::done(0) });
                    }
                    Some(3) if !setting.retried => {
                        let setting = Setting { retried: true, ..setting };
                        tier.catch_up(Box::new(move |tier, _| tier.send_set(setting, super::now())));
                        tier.flush();
                    }
                    // Until then the server may still do it.
                    _ => tier.set_failed(setting, deadline + tier.deadline),
                }
            },
        );
    }

    pub(super) fn pack(&self, spot: &Spot, encoded: &Encoded<'_>, ttl: Nanos, make: u64) -> Packed {
        let wanted = Wanted {
            kind: encoded.kind,
            value: &encoded.value,
            tags: &encoded.tags,
            ttl,
            id: self.next_id().to_le_bytes(),
            key: spot.hash,
            make,
        };
        wanted.pack()
    }

    /// Store many values, or none if one of them is too large: then its place among them comes back.
    pub fn set_many<'a>(
        self: &Arc<Self>,
        cache: &CacheHandle,
        entries: impl ExactSizeIterator<Item = (Key<'a>, &'a Encoded<'a>)> + Clone,
        now: Nanos,
        done: Done,
    ) -> Result<(), (usize, Fault)> {
        for (place, (key, encoded)) in entries.clone().enumerate() {
            cache.cache().check(key, encoded).map_err(|fault| (place, fault))?;
        }
        // Redis has to do one after the other.
        let within = self.deadline + EACH.saturating_mul(entries.len() as u64);
        let all = Arc::new(Together::new(entries.len(), done));
        for (place, (key, encoded)) in entries.enumerate() {
            let all = all.clone();
            let one = Box::new(move |changed: Changed| all.one(changed));
            self.set_within(within, cache, key, encoded, None, now, one).map_err(|fault| (place, fault))?;
        }
        Ok(())
    }
}

/// Several changes that are answered as one.
struct Together {
    left: AtomicUsize,
    owed: AtomicU64,
    foreign: AtomicU64,
    done: Mutex<Option<Done>>,
}

impl Together {
    fn new(count: usize, done: Done) -> Self {
        let together = Together {
            left: AtomicUsize::new(count + 1),
            owed: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            done: Mutex::new(Some(done)),
        };
        together.one(Changed { owed: false, foreign: false, found: 0 });
        together
    }

    fn one(&self, changed: Changed) {
        self.owed.fetch_add(u64::from(changed.owed), Ordering::AcqRel);
        self.foreign.fetch_add(u64::from(changed.foreign), Ordering::AcqRel);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = self.done.lock().take()
        {
            let (owed, foreign) = (self.owed.load(Ordering::Acquire) > 0, self.foreign.load(Ordering::Acquire) > 0);
            done(Changed { owed, foreign, found: 0 });
        }
    }
}
