//! Looks into Redis. Owns what of it may be believed, and that it comes into memory as old as it is. Never takes the lead of a load.

use super::record::{self, Id, Record};
use super::spot::Spot;
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::policy::freshness::State;
use crate::primitive::cache::{Cache, Copied, UpTo};
use crate::redis::{Again, Request, Trouble, Value};
use crate::store::bytes::Aged;
use crate::store::entry::Value as Stored;
use crate::store::fingerprint::{Fingerprint, Key};
use crate::store::tags::{Ruling, TagHash};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What was found in Redis, as memory would tell it.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The value.
    pub value: Stored,
    /// The stamp of the entry in memory; 0 where it is not kept.
    pub stamp: u64,
    /// What it is good for.
    pub state: State,
    /// How long it has been stored.
    pub age: Nanos,
    /// How long it stays fresh; 0 or less when it is not.
    pub fresh_for: i64,
}

/// What a look says.
#[derive(Debug)]
pub enum Fetched {
    /// There is nothing that could be served.
    Miss,
    /// There is.
    Hit(Hit),
    /// Redis was not there in time, or is not believed now.
    Alone,
    /// What is there is another application's.
    Foreign,
}

/// What Redis has of a key, judged.
pub(super) enum Judged<'a> {
    Foreign,
    /// Nothing that could be served. The entry that was there, if there was one.
    Absent(Option<Id>),
    Present(Copied<'a>, Id),
}

/// What Redis has of each key, as of a time after it was asked for; or what was in the way.
pub(super) type Answers = Vec<Result<Value, Trouble>>;

type Then = Box<dyn FnOnce(&Arc<Tier>, Option<Answers>) + Send>;

/// One look at several keys, until all has come.
struct Looking {
    parts: Mutex<Parts>,
}

struct Parts {
    answers: Answers,
    left: usize,
    known: bool,
    then: Option<Then>,
}

impl Looking {
    fn part(&self, tier: &Arc<Tier>, take: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock();
        take(&mut parts);
        parts.left -= 1;
        let over = if parts.left == 0 { parts.then.take() } else { None };
        let answers = over.is_some().then(|| std::mem::take(&mut parts.answers));
        let known = parts.known;
        drop(parts);
        if let (Some(then), Some(answers)) = (over, answers) {
            then(tier, known.then_some(answers));
        }
    }
}

impl Tier {
    /// Look up what Redis has of `spots`, and make sure that the state is known as it is after this call.
    pub(super) fn look_up(
        self: &Arc<Self>,
        spots: &[Arc<Spot>],
        now: Nanos,
        then: impl FnOnce(&Arc<Self>, Option<Answers>) + Send + 'static,
    ) {
        let answers = spots.iter().map(|_| Err(Trouble::Late)).collect();
        let parts = Parts { answers, left: spots.len() + 1, known: false, then: Some(Box::new(then)) };
        let looking = Arc::new(Looking { parts: Mutex::new(parts) });
        for (place, spot) in spots.iter().enumerate() {
            let (looking, slot) = (looking.clone(), spot.slot);
            let request = Request::command("GET").arg(&spot.entry);
            self.ask(
                request,
                move || Some(slot),
                Again::Yes,
                now + self.deadline,
                move |tier, answer| {
                    looking.part(tier, |parts| {
                        if let Some(part) = parts.answers.get_mut(place) {
                            *part = answer;
                        }
                    });
                },
            );
        }
        self.confirm(now, Box::new(move |tier, known| looking.part(tier, |parts| parts.known = known)));
    }

    /// What an answer is good for, as if the entry had `tags` as well. None: there was no answer.
    pub(super) fn judge<'a>(
        &self,
        cache: &Cache,
        answer: &'a Result<Value, Trouble>,
        spot: &Spot,
        tags: &[TagHash],
        now: Nanos,
    ) -> Option<Judged<'a>> {
        let bytes = match answer {
            Ok(Value::BulkString(bytes)) => bytes,
            Ok(Value::Nil) => return Some(Judged::Absent(None)),
            Ok(_) => return None,
            Err(Trouble::Error(why)) if why.contains("WRONGTYPE") => {
                self.counts.foreign.add();
                return Some(Judged::Foreign);
            }
            Err(_) => return None,
        };
        let entry = match record::read(bytes, spot.hash, self.make.load(Ordering::SeqCst)) {
            Record::Foreign => {
                self.counts.foreign.add();
                return Some(Judged::Foreign);
            }
            Record::Useless(id) => return Some(Judged::Absent(Some(id))),
            Record::Entry(entry) => entry,
        };
        let all = || entry.tags().chain(tags.iter().copied());
        let absent = Some(Judged::Absent(Some(entry.id)));
        if self.guard.are_pending(all()) {
            return absent;
        }
        let expiry = match self.replica.ruling(all(), entry.born) {
            None | Some(Ruling::Invalid) => return absent,
            Some(Ruling::Good) => None,
            Some(Ruling::Expired(expiry)) => Some(expiry),
        };
        let age = self.clock.at(now).saturating_sub(entry.stored_ms.saturating_mul(MILLI));
        let fresh_for = (entry.ttl as i64).saturating_sub_unsigned(age);
        let negative = entry.kind == crate::store::entry::Kind::Nothing;
        let expired = (entry.ends_ms > 0).then(|| self.clock.here(entry.ends_ms));
        let life = cache.life_of(fresh_for, negative, expired, expiry, now);
        let Some((state, fresh_for)) = cache.outlook(life, now) else { return absent };
        let own = entry.tags().collect();
        let (id, kind, value) = (entry.id, entry.kind, entry.value);
        Some(Judged::Present(Copied { kind, value, tags: own, aged: Aged { life, age }, state, fresh_for }, id))
    }

    /// What Redis has of a key, taken into memory if it is as good as `up_to`. Not to be asked unless [`Tier::is_worth_asking`].
    pub fn fetch(
        self: &Arc<Self>,
        key: Key<'_>,
        up_to: UpTo,
        tags: Vec<TagHash>,
        now: Nanos,
        done: impl FnOnce(Fetched) + Send + 'static,
    ) {
        if self.is_starting() {
            let units = key.units.to_vec();
            return self.when_started(move |tier| {
                let key = Key { fingerprint: Fingerprint::of_units(&units), units: &units };
                if tier.is_worth_asking(key.fingerprint) {
                    tier.fetch(key, up_to, tags, super::now(), done);
                } else {
                    done(Fetched::Alone);
                }
            });
        }
        let reader = self.reader(key);
        let spots = [reader.spot.clone()];
        self.look_up(&spots, now, move |tier, answers| {
            done(tier.fetched(&reader, answers.as_deref().and_then(<[_]>::first), up_to, &tags));
        });
    }

    /// Somebody who looks from now on.
    pub(super) fn reader(&self, key: Key<'_>) -> Reader {
        // In this order: see guard.rs.
        let note = self.guard.note(key.fingerprint);
        let born = self.cache().map_or(0, |cache| cache.moment() + 1);
        let pending = self.guard.is_pending(key.fingerprint);
        let (units, spot) = (key.units.into(), self.spot(key.units));
        Reader { key: key.fingerprint, units, spot, note, born, pending }
    }

    fn fetched(
        &self,
        reader: &Reader,
        answer: Option<&Result<Value, Trouble>>,
        up_to: UpTo,
        tags: &[TagHash],
    ) -> Fetched {
        let now = now();
        let (Some(answer), Some(cache)) = (answer, self.cache()) else { return Fetched::Alone };
        if reader.pending {
            return Fetched::Alone;
        }
        let most = match up_to {
            UpTo::Fresh => State::Fresh,
            UpTo::Stale => State::Stale,
            UpTo::Grace | UpTo::Any => State::Grace,
        };
        match self.judge(&cache, answer, &reader.spot, tags, now) {
            None => Fetched::Alone,
            Some(Judged::Foreign) => Fetched::Foreign,
            Some(Judged::Present(copied, _)) if copied.state <= most => {
                self.counts.hits.add();
                Fetched::Hit(self.keep(&cache, reader, &copied, now))
            }
            Some(_) => {
                self.counts.misses.add();
                Fetched::Miss
            }
        }
    }

    /// Take a copy into memory, unless the key was changed since it was asked for, or memory has a better one.
    pub(super) fn keep(&self, cache: &Cache, reader: &Reader, copied: &Copied<'_>, now: Nanos) -> Hit {
        let key = Key { fingerprint: reader.key, units: &reader.units };
        let unchanged = || !reader.pending && self.guard.holds(reader.key, reader.note);
        let (value, kept) = cache.keep(key, copied, reader.born, unchanged, now);
        hit_of(value, kept, copied)
    }
}

pub(super) fn hit_of(value: Stored, kept: bool, copied: &Copied<'_>) -> Hit {
    let stamp = if kept { value.stamp() } else { 0 };
    Hit { value, stamp, state: copied.state, age: copied.aged.age, fresh_for: copied.fresh_for }
}

/// Somebody who looks, and what was so when he began.
pub(super) struct Reader {
    pub(super) key: Fingerprint,
    pub(super) units: Arc<[u16]>,
    pub(super) spot: Arc<Spot>,
    note: super::guard::Note,
    /// Later than every mutation of memory before.
    pub(super) born: u64,
    /// A change of ours was registered: what Redis has may be from before it.
    pub(super) pending: bool,
}
