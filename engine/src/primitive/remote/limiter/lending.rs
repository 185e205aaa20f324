//! Lease mode: units taken ahead, spent here, and asked for again before they run out. Owns when more is asked for. Never lets more be
//! held than the share allows.

use super::asking::{Outcome, Put, TRIES};
use super::credits::{Credit, Credits, Denial, Share};
use super::decision::{By, RemoteDecision, RemoteReason};
use super::measure::MICRO;
use super::scripts::Judged;
use super::{Mode, RemoteLimiter};
use crate::clock::Moment;
use crate::policy::Ticks;
use crate::policy::rate::{Answer, Verdict};
use crate::redis::Trouble;
use crate::store::fingerprint::{Fingerprint, Key};
use std::sync::Arc;

impl RemoteLimiter {
    /// What can be said by credit, or by a denial that is remembered.
    #[inline]
    pub(super) fn from_credit(
        self: &Arc<Self>,
        credits: &Credits,
        key: Key<'_>,
        cost: u32,
        now: Moment,
    ) -> Option<RemoteDecision> {
        let mut low = None;
        let decision = credits.find(key.fingerprint, |credit| {
            credit.want(cost);
            // Read first: a unit is never dated later than it was charged.
            let taken_at = credit.taken_at();
            if let Some(left) = credit.spend(cost, credits.time(now.mono)) {
                let verdict = credit.verdict(left, now.mono);
                if credit.is_low(left) {
                    low = Some(credit.clone());
                }
                return Some(RemoteDecision::by_limit(0, false, verdict, By::Lease, taken_at));
            }
            let verdict = credit.denies(cost, now.mono)?;
            Some(RemoteDecision::by_limit(0, false, verdict, By::Lease, 0))
        })?;
        if let Some(credit) = low {
            self.refill(credits, &credit, key, now);
        }
        Some(self.counted(decision))
    }

    /// Ask for more of what is about to run out.
    #[cold]
    fn refill(self: &Arc<Self>, credits: &Credits, credit: &Arc<Credit>, key: Key<'_>, now: Moment) {
        if !self.far.remote.is_up() || !credit.begin() {
            return;
        }
        let missing = credit.size(self.share(), now.mono).saturating_sub(credit.held(credits.time(now.mono)));
        let Some(measure) = self.measures.first().filter(|_| missing > 0) else { return credit.end() };
        let stem = self.stem(key);
        let put = Put {
            measure: measure.clone(),
            stem,
            cost: missing,
            least: 1,
            patience: 0,
            looks: false,
            sent: now,
            told: None,
        };
        let (this, credit) = (self.clone(), credit.clone());
        self.put(put, TRIES, move |put, outcome| {
            if let Ok((Outcome::Judged(judged), at)) = outcome {
                let taken = taken(put, &judged, at);
                this.lend(&credit, put, &judged, judged.granted, &taken, at);
            }
            credit.end();
        });
    }

    /// Ask for the units of this call, and for a share beyond them if nobody else is about to.
    pub(super) fn take(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let Some(measure) = self.measures.first() else { return };
        let credits = self.credits.as_ref();
        let credit = credits.and_then(|credits| credits.place(key.fingerprint, now.mono));
        let asks = credit.as_ref().is_some_and(|credit| credit.begin());
        let ahead = match (&credit, credits) {
            (Some(credit), Some(credits)) if asks => {
                credit.size(self.share(), now.mono).saturating_sub(credit.held(credits.time(now.mono)))
            }
            _ => 0,
        };
        let put = Put {
            measure: measure.clone(),
            stem: self.stem(key),
            cost: cost.saturating_add(ahead),
            least: cost,
            patience: 0,
            looks: false,
            sent: now,
            told: None,
        };
        let (this, fingerprint) = (self.clone(), key.fingerprint);
        self.put(put, TRIES, move |put, outcome| {
            let decision = outcome.and_then(|(outcome, at)| match outcome {
                Outcome::Judged(judged) => {
                    let verdict = this.taken_for(cost, put, &judged, at)?;
                    if let Some(credit) = credit.as_ref().filter(|_| verdict.answer == Answer::Allowed) {
                        credit.absolve();
                        let units = judged.granted.saturating_sub(cost);
                        if asks && !judged.repeated {
                            this.lend(credit, put, &judged, units, &taken(put, &judged, at), at);
                        }
                    }
                    if verdict.answer == Answer::Limited {
                        this.remember_denial(fingerprint, cost, &verdict, put.sent);
                    }
                    Ok(RemoteDecision::by_limit(0, false, verdict, By::Redis, at))
                }
                blocked => this.judged(put, &blocked, at),
            });
            if let Some(credit) = credit.as_ref().filter(|_| asks) {
                credit.end();
            }
            answer(match decision {
                Ok(decision) => this.counted(decision),
                Err(trouble) => this.instead(fingerprint, cost, false, put.sent, &trouble),
            });
        });
    }

    /// The verdict on the call itself. What was taken ahead for it counts as left.
    fn taken_for(&self, cost: u32, put: &Put, judged: &Judged, at: Ticks) -> Result<Verdict, Trouble> {
        let measure = &put.measure;
        if judged.repeated {
            return Ok(measure.verdict(judged.found, at, 0, 0));
        }
        let verdict = measure.verdict(judged.found, at, cost, 0);
        if (verdict.answer == Answer::Allowed) == (judged.granted >= cost) { Ok(verdict) } else { Err(Trouble::Lost) }
    }

    /// Put units that were taken ahead where they are spent.
    fn lend(&self, credit: &Credit, put: &Put, judged: &Judged, units: u32, taken: &Verdict, at: Ticks) {
        let Some(credits) = &self.credits else { return };
        let now = (self.clocks)();
        // Redis said its time after it was asked: counted from there, credit ends too early rather than too late.
        let span = put.measure.keeps(judged.granted, at).saturating_mul(MICRO);
        let share = Share {
            units,
            end: credits.end(put.sent.mono, span),
            taken_at: at,
            left: taken.remaining,
            counts_until: now.mono.saturating_add(taken.reset),
        };
        credit.land(share, self.share(), credits.time(now.mono));
    }

    /// Remember that Redis has refused this cost, for as long as it said.
    pub(super) fn remember_denial(&self, key: Fingerprint, cost: u32, verdict: &Verdict, sent: Moment) {
        if !self.config.remember_denials {
            return;
        }
        if let Some(credit) = self.credits.as_ref().and_then(|credits| credits.place(key, sent.mono)) {
            credit.deny(Denial {
                cost,
                remaining: verdict.remaining,
                until: sent.mono.saturating_add(verdict.retry_after),
                reset: sent.mono.saturating_add(verdict.reset),
            });
        }
    }

    /// What a look at Redis says, and what is held here besides.
    pub(super) fn with_credit(
        &self,
        key: Fingerprint,
        cost: u32,
        own: bool,
        decision: RemoteDecision,
        sent: Moment,
    ) -> RemoteDecision {
        let Some(credits) = self.credits.as_ref().filter(|_| own && self.config.mode == Mode::Lease) else {
            return decision;
        };
        let held = credits.find(key, |credit| Some(credit.held(credits.time(sent.mono)))).unwrap_or(0);
        let remaining = decision.verdict.remaining.saturating_add(held);
        let verdict = Verdict { remaining, ..decision.verdict };
        if decision.verdict.answer == Answer::Limited && decision.reason != RemoteReason::Blocked && held >= cost {
            let verdict = Verdict { answer: Answer::Allowed, retry_after: 0, ..verdict };
            return RemoteDecision { verdict, ..RemoteDecision::by_limit(0, false, verdict, By::Lease, 0) };
        }
        RemoteDecision { verdict, ..decision }
    }

    /// What was remembered of a key does not hold any more.
    pub(super) fn forget(&self, key: Fingerprint) {
        if let Some(credits) = &self.credits {
            credits.forget(key);
        }
        self.doubt(key);
    }
}

/// The verdict on all that was taken.
fn taken(put: &Put, judged: &Judged, at: Ticks) -> Verdict {
    put.measure.verdict(judged.found, at, judged.granted, 0)
}
