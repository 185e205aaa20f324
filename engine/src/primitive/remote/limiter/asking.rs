//! One limit asked about one key. Owns how the question gets to Redis and what its answer makes of it. Never asks of several limits.

use super::decision::{By, RemoteDecision};
use super::measure::{MICRO, Measure};
use super::round::Round;
use super::scripts::{self, Answered, CHARGE, Judged, Nonce, Question, TOGETHER, Told};
use super::{RemoteLimiter, RemotePlan};
use crate::clock::{Moment, Nanos};
use crate::policy::Ticks;
use crate::policy::rate::{Answer, Verdict};
use crate::redis::name::slot_of;
use crate::redis::{Again, Ask, Request, Trouble, Value};
use crate::store::fingerprint::{Fingerprint, Key};
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What one limit is asked.
#[derive(Clone)]
pub(super) struct Put {
    pub(super) measure: Arc<Measure>,
    pub(super) stem: Vec<u8>,
    pub(super) cost: u32,
    /// Fewer will do, from so many on.
    pub(super) least: u32,
    pub(super) patience: Ticks,
    pub(super) looks: bool,
    pub(super) sent: Moment,
    /// The time that was told when it was put to another window.
    pub(super) told: Option<Ticks>,
}

/// What one limit has answered.
pub(super) enum Outcome {
    /// The key is blocked until then.
    Blocked(Ticks),
    /// The limit has judged.
    Judged(Judged),
}

/// How often a window is looked for that Redis has just left.
pub(super) const TRIES: u8 = 3;

impl RemoteLimiter {
    /// Send; `done` is called in any case.
    pub(super) fn send(
        &self,
        request: Request,
        stem: &[u8],
        again: Again,
        sent: Moment,
        done: impl FnOnce(Result<Value, Trouble>) + Send + 'static,
    ) {
        self.send_to(request, self.slot_of(stem), again, sent, done);
    }

    /// The slot of a key's cells, where that matters.
    pub(super) fn slot_of(&self, stem: &[u8]) -> Option<u16> {
        self.far.remote.is_cluster().then(|| slot_of(stem))
    }

    /// As [`RemoteLimiter::send`], by whoever gives the stem away.
    pub(super) fn send_to(
        &self,
        request: Request,
        slot: Option<u16>,
        again: Again,
        sent: Moment,
        done: impl FnOnce(Result<Value, Trouble>) + Send + 'static,
    ) {
        let deadline = sent.mono.saturating_add(self.far.deadline);
        if let Err((trouble, done)) = self.far.remote.ask(Ask { request, slot, again, deadline }, Box::new(done)) {
            done(Err(trouble));
        }
    }

    /// Charge, reserve or look, by whatever way suits.
    #[expect(clippy::too_many_arguments, reason = "three public questions that differ in one argument each")]
    pub(super) fn ask_for(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        plan: Option<&RemotePlan>,
        patience: Nanos,
        looks: bool,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let measure = match (&*self.measures, plan) {
            ([only], None) if !only.is_shadow() => only,
            ([only], Some(plan)) if !only.is_shadow() && plan.same_cell => &plan.measure,
            _ => {
                let mut round = Round::new(looks, patience, now);
                round.add(self, key, cost, plan);
                return round.send(answer);
            }
        };
        let stem = self.stem(key);
        if cost == 1 && !looks && plan.is_none() && measure.unit().is_some() {
            return self.count_plainly(key.fingerprint, stem, now, answer);
        }
        let put = Put {
            patience: measure.patience(patience),
            measure: measure.clone(),
            stem,
            cost,
            least: cost,
            looks,
            sent: now,
            told: None,
        };
        self.put_and_tell(key.fingerprint, put, plan.is_none(), answer);
    }

    /// Put the question and answer with what becomes of it. Windows of the limit's `own` may be counted plainly afterwards.
    pub(super) fn put_and_tell(
        self: &Arc<Self>,
        key: Fingerprint,
        put: Put,
        own: bool,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let (this, &Put { cost, looks, sent, .. }) = (self.clone(), &put);
        self.put(put, TRIES, move |put, outcome| {
            let decision = match outcome.and_then(|(outcome, now)| this.judged(put, &outcome, now)) {
                Ok(decision) => {
                    if own && !looks {
                        this.remember(key, put, &decision);
                    }
                    if looks { this.with_credit(key, cost, own, decision, sent) } else { this.counted(decision) }
                }
                Err(trouble) => this.instead(key, cost, looks, sent, &trouble),
            };
            answer(decision);
        });
    }

    /// What is answered instead of Redis. What has taken its time is judged by the clocks as they are now.
    pub(super) fn instead(
        &self,
        key: Fingerprint,
        cost: u32,
        looks: bool,
        sent: Moment,
        trouble: &Trouble,
    ) -> RemoteDecision {
        if matches!(trouble, Trouble::Error(_)) {
            self.counts.foreign.fetch_add(1, Ordering::Relaxed);
        }
        let now = (self.clocks)();
        self.stood_in(key, cost, looks, if now.mono < sent.mono { sent } else { now })
    }

    /// Keep what helps with the next question of this key.
    fn remember(&self, key: Fingerprint, put: &Put, decision: &RemoteDecision) {
        if decision.verdict.answer == Answer::Limited {
            self.remember_denial(key, put.cost, &decision.verdict, put.sent);
        }
    }

    /// What is decided by what one limit has answered.
    pub(super) fn judged(&self, put: &Put, outcome: &Outcome, now: Ticks) -> Result<RemoteDecision, Trouble> {
        let &Put { ref measure, cost, patience, looks, .. } = put;
        match outcome {
            Outcome::Blocked(until) => Ok(self.blocked(0, until.saturating_sub(now).saturating_mul(MICRO))),
            Outcome::Judged(judged) => {
                let verdict = verdict(measure, judged, now, cost, patience, looks)?;
                let date = self.date_of(measure, judged, now);
                Ok(RemoteDecision::by_limit(0, false, verdict, By::Redis, date))
            }
        }
    }

    /// A time in the window that was charged; one that had been charged before is dated so that too little is given back.
    fn date_of(&self, measure: &Measure, judged: &Judged, now: Ticks) -> Ticks {
        if judged.repeated {
            return now.saturating_sub(self.far.deadline / MICRO);
        }
        let [window, ..] = judged.found;
        if measure.is_bucket() { now } else { now.max(window.saturating_mul(measure.width())) }
    }

    /// Put the question; `done` gets what was answered and when, by the clock of Redis.
    pub(super) fn put(
        self: &Arc<Self>,
        mut put: Put,
        tries: u8,
        done: impl FnOnce(&Put, Result<(Outcome, Ticks), Trouble>) + Send + 'static,
    ) {
        let nonce = Nonce::next();
        let window = if put.measure.unit().is_some() {
            self.hours.window_at(put.told, put.measure.width(), (self.clocks)())
        } else {
            0
        };
        let Put { measure, stem, cost, least, patience, looks, sent, .. } = &mut put;
        let slot = self.slot_of(stem);
        let question =
            Question { measure, cost: *cost, least: *least, patience: *patience, window, nonce, looks: *looks };
        // Windows with cells of their own have their blocks elsewhere.
        let (request, again) = if measure.unit().is_some() {
            let keys = [measure.home(stem), measure.cell(stem, window)];
            let request = Request::script(&TOGETHER, keys.iter()).arg("1").arg("1");
            (question.put(request).arg("0"), if *looks { Again::Yes } else { Again::No })
        } else {
            // It is not asked about anywhere else.
            (question.put(Request::script(&CHARGE, [measure.only_cell(take(stem))].iter())), Again::Yes)
        };
        let (this, sent) = (self.clone(), *sent);
        self.send_to(request, slot, again, sent, move |reply| {
            let read = if put.measure.unit().is_some() { scripts::together } else { scripts::charge };
            let answered = match reply.and_then(|value| read(value, &nonce)) {
                Ok(answered) => answered,
                Err(trouble) => return done(&put, Err(trouble)),
            };
            let Answered { told, now } = answered;
            this.hours.heard(now, sent.mono, (this.clocks)());
            match told {
                Told::Blocked(_, until) => done(&put, Ok((Outcome::Blocked(until), now))),
                Told::Judged { charges, .. } => match charges.into_iter().next() {
                    Some(judged) => done(&put, Ok((Outcome::Judged(judged), now))),
                    None => done(&put, Err(Trouble::Lost)),
                },
                Told::Elsewhere if tries > 0 => this.put(Put { told: Some(now), ..put }, tries - 1, done),
                Told::Elsewhere => done(&put, Err(Trouble::Late)),
            }
        });
    }
}

/// The verdict on a charge. What does not follow from what was found has been garbled on its way.
pub(super) fn verdict(
    measure: &Measure,
    judged: &Judged,
    now: Ticks,
    cost: u32,
    patience: Ticks,
    looks: bool,
) -> Result<Verdict, Trouble> {
    if judged.repeated {
        return Ok(measure.verdict(judged.found, now, 0, 0));
    }
    let asked = measure.verdict(judged.found, now, cost, patience);
    let granted = if asked.answer == Answer::Allowed { cost } else { 0 };
    if granted != judged.granted {
        return Err(Trouble::Lost);
    }
    if looks {
        let held = measure.verdict(judged.found, now, 0, 0);
        return Ok(Verdict { remaining: held.remaining, reset: held.reset, ..asked });
    }
    Ok(asked)
}
