//! Changes: in memory first, in Redis next, told to everybody. Owns their order. Never keeps anybody waiting past the deadline: what
//! Redis has not acknowledged by then is owed.

use super::debts::Change;
use super::message::{self, CHANGED, EXPIRED, Turn};
use super::reply::number_at;
use super::scripts::{CHANGE, DROP};
use super::spot::Spot;
use super::{Tier, now};
use crate::clock::{MILLI, Moment, Nanos};
use crate::primitive::cache::CacheHandle;
use crate::primitive::remote::Far;
use crate::redis::name::{Home, slot_of};
use crate::redis::{Again, Ask, Request, Trouble, Value};
use crate::store::fingerprint::Key;
use crate::store::tags::{Force, TagHash};
use std::sync::Arc;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Redis has not acknowledged it: it is told again until it has.
    pub owed: bool,
    /// What is there is another application's, and stays.
    pub foreign: bool,
    /// What it found, in either tier.
    pub found: u64,
}

impl Changed {
    pub(super) fn done(found: u64) -> Self {
        Changed { owed: false, foreign: false, found }
    }

    pub(super) fn owed(found: u64) -> Self {
        Changed { owed: true, ..Changed::done(found) }
    }
}

/// What is called when a change is done or owed.
pub(super) type Done = Box<dyn FnOnce(Changed) + Send>;

impl Tier {
    /// Take a value out of both tiers.
    pub fn delete(self: &Arc<Self>, cache: &CacheHandle, key: Key<'_>, now: Nanos, done: Done) {
        let change = Change::Key { key: key.fingerprint, spot: self.spot(key.units) };
        self.guard.register(&change);
        let was = cache.delete(key.fingerprint, now);
        self.drop_key(change, CHANGED, None, now, move |_, owed, found| {
            done(Changed { owed, ..Changed::done(u64::from(was || found)) });
        });
    }

    /// Leave a value only its grace, in both tiers.
    pub fn expire(self: &Arc<Self>, cache: &CacheHandle, key: Key<'_>, now: Nanos, done: Done) {
        let change = Change::Key { key: key.fingerprint, spot: self.spot(key.units) };
        self.guard.register(&change);
        let was = cache.expire(key.fingerprint, now);
        let grace_ms = self.grace / MILLI;
        self.drop_key(change, EXPIRED, Some(grace_ms), now, move |_, owed, found| {
            done(Changed { owed, ..Changed::done(u64::from(was || found)) });
        });
    }

    /// What Redis has of a key goes. `then`: whether that is owed, and whether there was anything.
    pub(super) fn drop_key(
        self: &Arc<Self>,
        change: Change,
        kind: u8,
        grace_ms: Option<u64>,
        now: Nanos,
        then: impl FnOnce(&Arc<Self>, bool, bool) + Send + 'static,
    ) {
        let Change::Key { spot, .. } = &change else { return };
        let spot = spot.clone();
        self.ask_drop(&spot, kind, grace_ms, now, move |tier, found| match found {
            Some(found) => {
                tier.guard.release(&change);
                then(tier, false, found);
            }
            None => {
                tier.owe(change, super::now());
                then(tier, true, false);
            }
        });
    }

    fn ask_drop(
        self: &Arc<Self>,
        spot: &Arc<Spot>,
        kind: u8,
        grace_ms: Option<u64>,
        now: Nanos,
        then: impl FnOnce(&Arc<Self>, Option<bool>) + Send + 'static,
    ) {
        let request = Request::script(&DROP, spot.keys().into_iter()).arg(&self.channel).arg(message::about(
            kind,
            self.process,
            &spot.id,
        ));
        let request = match grace_ms {
            None => request.arg("").arg("0"),
            Some(grace_ms) => request.number(grace_ms).number(self.stale / MILLI),
        };
        let slot = spot.slot;
        self.ask(
            request,
            move || Some(slot),
            Again::Yes,
            now + self.deadline,
            move |tier, answer| {
                let found = answer.ok().and_then(|value| {
                    tier.clock.learn(now, number_at(&value, 1)?, super::now());
                    if number_at(&value, 0) == Some(5) {
                        tier.counts.foreign.add();
                    }
                    Some(number_at(&value, 2)? > 0)
                });
                then(tier, found);
            },
        );
    }

    /// Nothing that has one of `tags` is served any more, or only in grace.
    pub fn invalidate(self: &Arc<Self>, tags: &[TagHash], force: Force, now: Moment, done: Done) {
        let soft = match force {
            Force::Hard => None,
            Force::Soft(Nanos::MAX) => Some(None),
            Force::Soft(until) => Some(Some(until.saturating_sub(now.mono).div_ceil(MILLI))),
        };
        let change = Change::Tags { tags: tags.to_vec(), soft };
        self.guard.register(&change);
        if let Some(cache) = self.cache() {
            cache.invalidate(tags, force, now);
        }
        self.change_state(change, now.mono, done);
    }

    /// Forget everything, in both tiers, in constant time.
    pub fn clear(self: &Arc<Self>, now: Nanos, done: Done) {
        self.guard.register(&Change::Clear);
        if let Some(cache) = self.cache() {
            cache.clear();
        }
        self.change_state(Change::Clear, now, done);
    }

    /// Store under another version from now on, in every process that was opened with the same one.
    pub fn set_version(self: &Arc<Self>, version: &str, now: Nanos, done: Done) {
        let change = Change::Version(version.to_owned(), self.replica.version_moment());
        self.guard.register(&change);
        self.set_make(version);
        let other = self.cache().is_some_and(|cache| cache.set_version(version));
        let found = u64::from(other);
        self.change_state(change, now, Box::new(move |changed| done(Changed { found, ..changed })));
    }

    /// Take out every value whose key begins with `prefix`. Looks at every key there is. As long as that takes.
    pub fn delete_prefix(self: &Arc<Self>, cache: &CacheHandle, prefix: &[u16], now: Nanos, done: Done) {
        let change = Change::Prefix(prefix.to_vec());
        self.guard.register(&change);
        let here = cache.delete_prefix(prefix, now);
        self.sweep(prefix, move |tier, there| match there {
            Some(there) => {
                tier.guard.release(&change);
                done(Changed::done(here.max(there)));
            }
            None => {
                tier.owe(change, super::now());
                done(Changed::owed(here));
            }
        });
    }

    fn change_state(self: &Arc<Self>, change: Change, now: Nanos, done: Done) {
        let dated = matches!(change, Change::Version(..));
        if dated && !self.clock.is_known() {
            self.owe(change, now);
            return done(Changed::owed(0));
        }
        let until = dated.then(|| self.clock.at(now + self.deadline) / MILLI);
        let told = change.clone();
        self.ask_change(&told, until, now, move |tier, acknowledged| {
            if acknowledged {
                tier.guard.release(&change);
            } else {
                let payable = if dated { super::now() + tier.deadline } else { super::now() };
                tier.owe(change, payable);
            }
            done(Changed { owed: !acknowledged, ..Changed::done(0) });
        });
    }

    /// Tell the state of a change. `until`: after which ms of the server it must not be done any more.
    fn ask_change(
        self: &Arc<Self>,
        change: &Change,
        until: Option<u64>,
        now: Nanos,
        then: impl FnOnce(&Arc<Self>, bool) + Send + 'static,
    ) {
        let request = Request::script(&CHANGE, [&self.state].into_iter()).number(self.replica.moment());
        let request = match until {
            None => request.arg(""),
            Some(until) => request.number(until),
        };
        let request = request.arg(&self.channel).arg(message::head(self.process));
        let with = |request: Request, tags: &[TagHash]| {
            tags.iter().fold(request, |request, tag| request.arg(tag.0.to_le_bytes()))
        };
        let request = match change {
            Change::Tags { tags, soft: None } => with(request.arg("t"), tags),
            Change::Tags { tags, soft: Some(None) } => with(request.arg("s").arg(""), tags),
            Change::Tags { tags, soft: Some(Some(most_ms)) } => with(request.arg("s").number(*most_ms), tags),
            Change::Version(version, _) => {
                let before = self.replica.version_member();
                request.arg("v").arg(&self.lineage).arg(version).arg(before)
            }
            Change::Clear | Change::Key { .. } | Change::Prefix(_) => request.arg("c"),
        };
        let change = change.clone();
        self.ask_state(request, Again::Yes, now + self.deadline, move |tier, answer| {
            let moment = answer.ok().and_then(|value| tier.changed(&change, &value, now));
            then(tier, moment.is_some());
        });
    }

    /// Take down what the state has acknowledged.
    fn changed(&self, change: &Change, value: &Value, asked: Nanos) -> Option<()> {
        self.clock.learn(asked, number_at(value, 1)?, super::now());
        if number_at(value, 0) != Some(1) {
            return None;
        }
        let [moment, at_ms, until_ms] = [2, 3, 4].map(|place| number_at(value, place));
        let turn = match change {
            Change::Tags { tags, soft: None } => Turn::Invalidated(tags.clone()),
            Change::Tags { tags, soft: Some(_) } => {
                Turn::Expired { tags: tags.clone(), at_ms: at_ms?, until_ms: until_ms? }
            }
            Change::Version(version, _) => Turn::Version { lineage: self.lineage.clone(), version: version.clone() },
            Change::Clear | Change::Key { .. } | Change::Prefix(_) => Turn::Cleared,
        };
        self.turned(moment?, &turn, false, super::now());
        self.replica.follow(moment?, || self.cache().map_or(0, |cache| cache.moment()));
        Some(())
    }

    /// Have Redis do what it has not acknowledged.
    pub(super) fn carry_out(self: &Arc<Self>, change: Change, then: impl FnOnce(&Arc<Self>, bool) + Send + 'static) {
        let now = now();
        match change {
            Change::Key { spot, .. } => {
                self.ask_drop(&spot, CHANGED, None, now, move |tier, found| then(tier, found.is_some()));
            }
            Change::Prefix(prefix) => self.sweep(&prefix, move |tier, found| then(tier, found.is_some())),
            Change::Version(_, before) if self.replica.version_moment() > before => then(self, true),
            Change::Version(..) => {
                let until = self.clock.at(now + self.deadline) / MILLI;
                self.ask_change(&change, Some(until), now, then);
            }
            change => self.ask_change(&change, None, now, then),
        }
    }
}

/// Forget everything in a cache that this process has not opened. `done`: whether Redis has acknowledged it.
pub fn clear_unopened(far: &Far, home: &Home, now: Nanos, done: impl FnOnce(bool) + Send + 'static) {
    let state = super::state_of(home);
    let slot = far.remote.is_cluster().then(|| slot_of(&state));
    let request = Request::script(&CHANGE, [&state].into_iter())
        .number(0)
        .arg("")
        .arg(super::channel_of(home))
        .arg(message::head(0))
        .arg("c");
    let answered = Box::new(move |answer: Result<Value, Trouble>| {
        done(answer.is_ok_and(|value| number_at(&value, 0) == Some(1)));
    });
    let ask = Ask { request, slot, again: Again::Yes, deadline: now + far.deadline };
    if let Err((trouble, answered)) = far.remote.ask(ask, answered) {
        answered(Err(trouble));
    }
}
