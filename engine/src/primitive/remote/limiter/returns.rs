//! What is not a question: charges given back, keys forgotten, blocked and not any more. Owns that each is answered once. Never gives
//! back to Redis what Redis has not charged.

use super::asking::TRIES;
use super::decision::By;
use super::gather::Gather;
use super::measure::Measure;
use super::scripts::{self, BLOCK, Nonce, REFUND, RESET};
use super::{RemoteLimiter, RemotePlan};
use crate::clock::{Moment, Nanos};
use crate::policy::Ticks;
use crate::redis::{Again, Request, Trouble};
use crate::store::fingerprint::{Fingerprint, Key};
use std::sync::Arc;

/// The longest block: over a hundred years, and doubles count its end exactly.
const LONGEST: u64 = 1 << 52;

type Done = Box<dyn FnOnce(Result<bool, Trouble>) + Send>;

/// What is done to a key with blocks.
#[derive(Clone, Copy)]
enum Change {
    Block(u64),
    Unblock,
    Reset,
}

impl RemoteLimiter {
    /// Give back a charge, less what has refilled since. True: done at once, and `answer` is dropped; otherwise it is called.
    #[expect(clippy::too_many_arguments, reason = "a charge is as many things")]
    pub fn refund(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        plan: Option<&RemotePlan>,
        charge: [f64; 2],
        shadowed: bool,
        now: Moment,
        answer: impl FnOnce(Result<(), Trouble>) + Send + 'static,
    ) -> bool {
        let [date, by] = charge;
        match By::of(by) {
            By::FailMode => {
                let mono = (date as u64).saturating_mul(1_000);
                self.stand_in.refund(key.fingerprint, cost, self.far.fleet(), shadowed, mono, now);
                return true;
            }
            _ if cost == 0 => return true,
            _ => {}
        }
        let measures = match plan {
            Some(plan) => vec![plan.measure.clone()],
            None => self.measures.to_vec(),
        };
        let concerned = Vec::from_iter(measures.iter().filter(|measure| !(shadowed && measure.is_shadow())));
        if concerned.is_empty() {
            return true;
        }
        if let Some(credits) = &self.credits {
            credits.find(key.fingerprint, |credit| {
                credit.absolve();
                Some(())
            });
        }
        let gather = Gather::new(concerned.len(), |all: Vec<Result<(), Trouble>>| answer(all.into_iter().collect()));
        let stem = self.stem(key);
        for (index, measure) in concerned.into_iter().enumerate() {
            let gather = gather.clone();
            self.refund_one(measure, &stem, key.fingerprint, cost, charge, now, move |done| gather.land(index, done));
        }
        false
    }

    /// Give back what one limit has charged.
    #[expect(clippy::too_many_arguments, reason = "a charge is as many things")]
    pub(super) fn refund_one(
        &self,
        measure: &Measure,
        stem: &[u8],
        key: Fingerprint,
        cost: u32,
        [date, by]: [f64; 2],
        now: Moment,
        done: impl FnOnce(Result<(), Trouble>) + Send + 'static,
    ) {
        if By::of(by) == By::FailMode {
            self.stand_in.refund(key, cost, self.far.fleet(), false, (date as u64).saturating_mul(1_000), now);
            return done(Ok(()));
        }
        let (nonce, charged) = (Nonce::next(), date as u64);
        let window = charged.checked_div(measure.width()).unwrap_or(0);
        let request = Request::script(&REFUND, [measure.cell(stem, window)].iter())
            .arg([measure.letter()])
            .number(cost.into())
            .number(charged)
            .number(measure.length())
            .number(measure.unit().unwrap_or(0))
            .arg(nonce.bytes());
        // Not again: it may have been given back.
        self.send(request, stem, Again::No, now, move |reply| {
            done(reply.and_then(|value| scripts::done(value, &nonce)).map(|_| ()));
        });
    }

    /// Forget the key. A block of it stays. What other processes hold of it, or remember, stays until it ends.
    pub fn reset(
        self: &Arc<Self>,
        key: Key<'_>,
        now: Moment,
        answer: impl FnOnce(Result<bool, Trouble>) + Send + 'static,
    ) {
        self.forget(key.fingerprint);
        self.change(Change::Reset, self.stem(key), now, TRIES, None, Box::new(answer));
    }

    /// Deny the key everything for `duration`. Processes that hold units of it go on with them until those end.
    pub fn block(
        self: &Arc<Self>,
        key: Key<'_>,
        duration: Nanos,
        now: Moment,
        answer: impl FnOnce(Result<bool, Trouble>) + Send + 'static,
    ) {
        self.forget(key.fingerprint);
        let micros = duration.div_ceil(1_000).clamp(1, LONGEST);
        self.change(Change::Block(micros), self.stem(key), now, TRIES, None, Box::new(answer));
    }

    /// Lift the block of a key. The answer is whether there was one.
    pub fn unblock(
        self: &Arc<Self>,
        key: Key<'_>,
        now: Moment,
        answer: impl FnOnce(Result<bool, Trouble>) + Send + 'static,
    ) {
        self.forget(key.fingerprint);
        self.change(Change::Unblock, self.stem(key), now, TRIES, None, Box::new(answer));
    }

    fn change(
        self: &Arc<Self>,
        change: Change,
        stem: Vec<u8>,
        sent: Moment,
        tries: u8,
        told: Option<Ticks>,
        answer: Done,
    ) {
        let nonce = Nonce::next();
        let now = (self.clocks)();
        let window = |measure: &Measure| match measure.unit() {
            Some(_) => self.hours.window_at(told, measure.width(), now),
            None => 0,
        };
        let request = match change {
            Change::Reset => {
                let apart = self.apart.lock().clone();
                let measures = Vec::from_iter(self.measures.iter().chain(&apart));
                let cells = Vec::from_iter(measures.iter().map(|measure| measure.cell(&stem, window(measure))));
                let request = Request::script(&RESET, cells.iter()).arg(nonce.bytes());
                measures.iter().fold(request, |request, measure| {
                    let width = if measure.unit().is_some() { measure.width() } else { 0 };
                    request
                        .number(measure.span())
                        .number(width)
                        .number(window(measure))
                        .number(measure.unit().unwrap_or(0))
                })
            }
            Change::Block(_) | Change::Unblock => {
                let duration = if let Change::Block(micros) = change { micros } else { 0 };
                let counted = self.measures.first().filter(|measure| measure.unit().is_some());
                let cell = counted.map(|measure| measure.cell(&stem, window(measure)));
                let keys = Vec::from_iter([Some(self.home_of(&stem)), cell].into_iter().flatten());
                Request::script(&BLOCK, keys.iter())
                    .number(duration)
                    .number(counted.map_or(1, |measure| measure.width()))
                    .number(counted.map_or(0, |measure| window(measure)))
                    .arg(nonce.bytes())
                    .number(counted.and_then(|measure| measure.unit()).unwrap_or(0))
            }
        };
        let (this, route) = (self.clone(), stem.clone());
        // Done twice, each is as if it was done once; but for whether there was a block.
        self.send(request, &route, Again::Yes, sent, move |reply| {
            match reply.and_then(|value| scripts::done(value, &nonce)) {
                Ok((done, said)) => {
                    this.hours.heard(said, sent.mono, (this.clocks)());
                    match done {
                        Some(done) => answer(Ok(done == 1)),
                        None if tries > 0 => this.change(change, stem, sent, tries - 1, Some(said), answer),
                        None => answer(Err(Trouble::Late)),
                    }
                }
                Err(trouble) => answer(Err(trouble)),
            }
        });
    }
}
