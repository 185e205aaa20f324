//! Whether Redis is heard, and what has happened while it was not. Owns the catching up. Never lets anybody read who is behind.

use super::message::{Turn, turn};
use super::reply::{bytes, list, number_at};
use super::scripts::SINCE;
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::redis::{Again, Request, Value};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Records in one answer.
const RECORDS: u64 = 1_024;

/// Moments before a gap that are asked for once more after it.
const LOST: u64 = 5_000;

/// When catching up after a gap has failed, it is tried again after so long.
const AGAIN: Nanos = 50 * MILLI;

/// The number of the present hearing in the upper bits, odd while Redis is heard; whether all was caught up in the lowest.
#[derive(Default)]
pub(super) struct Standing(AtomicU64);

const SYNCED: u64 = 1;
const HEARD: u64 = 2;

impl Standing {
    pub(super) fn is_heard(&self) -> bool {
        self.0.load(Ordering::SeqCst) & HEARD != 0
    }

    pub(super) fn is_synced(&self) -> bool {
        self.0.load(Ordering::SeqCst) & SYNCED != 0
    }

    /// Messages arrive from now on. Answers the number of this hearing.
    fn hear(&self) -> u64 {
        let mut word = self.0.load(Ordering::SeqCst);
        loop {
            let next = ((word >> 2) + 1) << 2 | HEARD;
            match self.0.compare_exchange(word, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return next,
                Err(other) => word = other,
            }
        }
    }

    /// Messages may be missed from now on. Whether they arrived before.
    fn miss(&self) -> bool {
        let before = self.0.fetch_and(!(HEARD | SYNCED), Ordering::SeqCst);
        before & HEARD != 0
    }

    /// All is caught up with, if nothing was missed again since.
    fn sync(&self, hearing: u64) -> bool {
        self.0.compare_exchange(hearing, hearing | SYNCED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn is(&self, hearing: u64) -> bool {
        self.0.load(Ordering::SeqCst) & !SYNCED == hearing
    }
}

/// What is called with whether the state is known as it was after it was asked for.
pub(super) type Then = Box<dyn FnOnce(&Arc<Tier>, bool) + Send>;

/// Who wants to know by the end of the turn whether the state is known.
#[derive(Default)]
pub(super) struct Asking {
    any: AtomicBool,
    waiting: Mutex<Vec<Then>>,
}

/// Who waits for the state to be known, and since when.
struct Waiting {
    then: Then,
    since: Nanos,
}

#[derive(Default)]
pub(super) struct Catching {
    running: bool,
    /// Whom the present run is for.
    served: Vec<Waiting>,
    /// Who came while it ran: what it brings may be from before they asked.
    next: Vec<Waiting>,
}

impl Tier {
    /// Messages arrive, from now on without a gap. What is in memory is from before.
    pub(super) fn hears(self: &Arc<Self>) {
        let hearing = self.standing.hear();
        self.guard.raise_all();
        if let Some(cache) = self.cache() {
            cache.clear();
        }
        self.synchronize(hearing);
    }

    /// Messages may be missed from now on.
    pub(super) fn missed(self: &Arc<Self>) {
        if self.standing.miss() {
            self.counts.gaps.add();
        }
        self.waits.wake_all(self);
    }

    fn synchronize(self: &Arc<Self>, hearing: u64) {
        self.catch_up(Box::new(move |tier, known| {
            if known {
                if tier.standing.sync(hearing) {
                    tier.pay();
                    tier.started();
                }
            } else if tier.standing.is(hearing) {
                tier.later(AGAIN, move |tier| tier.synchronize(hearing));
            }
        }));
        self.flush();
    }

    /// Find out whether the state is known as it is at this time or later, and if not, what has happened. One question does for all who
    /// want to know that in one turn: it is asked at its end.
    pub(super) fn confirm(self: &Arc<Self>, asked: Nanos, then: Then) {
        if self.clock.is_old(asked) {
            return self.catch_up(then);
        }
        let mut waiting = self.asking.waiting.lock();
        waiting.push(then);
        self.asking.any.store(true, Ordering::SeqCst);
    }

    /// Whether something is to be asked at the end of this turn.
    pub(super) fn is_in_turn(&self) -> bool {
        self.asking.any.load(Ordering::SeqCst)
    }

    /// Ask what was to be asked at the end of the turn. Always true: see [`crate::primitive::remote::Far::at_the_end`].
    pub(super) fn end_turn(self: &Arc<Self>) -> bool {
        if !self.is_in_turn() {
            return true;
        }
        let waiting = {
            let mut waiting = self.asking.waiting.lock();
            self.asking.any.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        if waiting.is_empty() {
            return true;
        }
        let known = self.replica.moment();
        let request = Request::command("ZSCORE").arg(&self.state).arg("m");
        self.ask_state(request, Again::Yes, now() + self.deadline, move |tier, answer| match answer {
            // It may have grown between.
            Ok(value) => match super::reply::number(&value) {
                Some(moment) if moment >= known && moment <= tier.replica.moment() => {
                    waiting.into_iter().for_each(|then| then(tier, true));
                }
                _ => waiting.into_iter().for_each(|then| tier.catch_up(then)),
            },
            Err(_) => waiting.into_iter().for_each(|then| then(tier, false)),
        });
        true
    }

    /// Fetch what has happened to the state.
    pub(super) fn catch_up(self: &Arc<Self>, then: Then) {
        let since = now();
        let mut catching = self.catching.lock();
        catching.next.push(Waiting { then, since });
        if !catching.running {
            catching.running = true;
            catching.served = std::mem::take(&mut catching.next);
            drop(catching);
            self.fetch_since(since, self.first_missed());
            // Whoever asks for it, on whichever thread: it is rare.
            self.flush();
        }
    }

    /// Since when the state may have become another than what is known of it.
    fn first_missed(&self) -> u64 {
        let moment = self.replica.moment();
        // A failover may have lost the last of what is known here, and others may have taken their moments.
        if self.standing.is_synced() { moment } else { moment.saturating_sub(LOST) }
    }

    fn fetch_since(self: &Arc<Self>, asked: Nanos, since: u64) {
        let known = self.replica.moment();
        let request = Request::script(&SINCE, [&self.state].into_iter()).number(known).number(since).number(RECORDS);
        self.ask_state(request, Again::Yes, asked + self.deadline, move |tier, answer| {
            match answer.ok().and_then(|value| tier.take_in(&value, since, asked)) {
                Some((false, upto)) => {
                    tier.excuse();
                    tier.fetch_since(now(), upto);
                }
                outcome => tier.caught_up(outcome.is_some()),
            }
            tier.flush();
        });
    }

    /// There is more than one answer can tell: nobody is kept waiting for all of it.
    fn excuse(self: &Arc<Self>) {
        let now = now();
        let mut catching = self.catching.lock();
        let Catching { served, next, .. } = &mut *catching;
        let late = |waiting: &mut Waiting| now.saturating_sub(waiting.since) >= self.deadline;
        let mut tired: Vec<_> = served.extract_if(.., late).collect();
        tired.extend(next.extract_if(.., late));
        drop(catching);
        tired.into_iter().for_each(|waiting| (waiting.then)(self, false));
    }

    fn caught_up(self: &Arc<Self>, known: bool) {
        let (served, goes_on) = {
            let mut catching = self.catching.lock();
            let next = std::mem::take(&mut catching.next);
            catching.running = !next.is_empty();
            (std::mem::replace(&mut catching.served, next), catching.running)
        };
        served.into_iter().for_each(|waiting| (waiting.then)(self, known));
        if goes_on {
            self.fetch_since(now(), self.first_missed());
        }
    }

    /// Record what has happened since `since`, and tell memory. Whether that was all, and up to where it went.
    fn take_in(&self, value: &Value, since: u64, asked: Nanos) -> Option<(bool, u64)> {
        let now = now();
        let [ms, last, cleared, floor, upto] = [0, 1, 2, 3, 4].map(|place| number_at(value, place));
        let (last, upto) = (last?, upto?);
        self.clock.learn(asked, ms?, now);
        let cache = self.cache()?;
        let whole = upto >= last;
        let forgotten = self.replica.clear_at(cleared?) | (floor? > 0 && self.replica.raise_floor(floor?));
        // What was missed before messages arrived was forgotten when they did.
        let mut tells = self.standing.is_synced();
        if tells && (forgotten || !whole) {
            self.guard.raise_all();
            cache.clear();
            tells = whole;
        }
        for record in list(super::reply::at(value, 5)?).chunks_exact(4) {
            let [member, moment, at_ms, until_ms] = record else { continue };
            let [moment, at_ms, until_ms] = [moment, at_ms, until_ms].map(super::reply::number);
            let Some((&what, rest)) = bytes(member).and_then(<[u8]>::split_first) else { continue };
            if let Some(turn) = turn(what, at_ms?, until_ms?, rest) {
                self.turned(moment?, &turn, tells && moment? > since, now);
            }
        }
        self.replica.complete(upto, cache.moment());
        Some((whole, upto))
    }

    /// Something happened to the state at `moment`; `tells`: memory does not know it.
    pub(super) fn turned(&self, moment: u64, turn: &Turn, tells: bool, now: Nanos) {
        self.replica.record(moment, turn, &self.clock, self.grace, now);
        let Some(cache) = self.cache() else { return };
        match turn {
            Turn::Invalidated(_) | Turn::Expired { .. } | Turn::Cleared if !tells => (),
            Turn::Invalidated(tags) => cache.forget_tags(tags, None, now),
            Turn::Expired { tags, until_ms, .. } => {
                cache.forget_tags(tags, Some(super::replica::until_of(&self.clock, *until_ms)), now);
            }
            Turn::Cleared => cache.clear(),
            Turn::Version { lineage, version } => {
                if *lineage == self.lineage && self.replica.is_later_version(moment) {
                    self.replica.name_version(lineage, version);
                    self.set_make(version);
                    self.guard.raise_all();
                    cache.set_version(version);
                }
            }
        }
    }

    /// Entries of another version are of no use from now on. To be done before memory forgets what it has of them.
    pub(super) fn set_make(&self, version: &str) {
        self.make.store(super::make_of(version, &self.codec), Ordering::SeqCst);
    }
}
