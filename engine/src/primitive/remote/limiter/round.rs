//! Several limits asked at once, of one limiter or of many: all are charged, or none. Owns whose verdict is told. In a cluster, where
//! the keys of one question may be far apart, each is asked by itself, and what was charged is given back if another denied: a caller
//! beside it may be denied for a moment, never admitted too much.

use super::asking::{TRIES, verdict};
use super::decision::{By, RemoteDecision, RemoteReason};
use super::gather::Gather;
use super::measure::{MICRO, Measure};
use super::scripts::{self, Answered, Judged, Nonce, Question, TOGETHER, Told};
use super::{RemoteLimiter, RemotePlan};
use crate::clock::{Moment, Nanos};
use crate::policy::Ticks;
use crate::policy::rate::{Answer, Verdict};
use crate::primitive::together::{Bench, Reason};
use crate::redis::name::slot_of;
use crate::redis::{Again, Request, Trouble};
use crate::store::fingerprint::{Fingerprint, Key};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Units of one key of one limiter.
#[derive(Clone, Copy)]
pub struct RemoteAsk<'a> {
    /// Who is asked.
    pub limiter: &'a Arc<RemoteLimiter>,
    /// Whose units.
    pub key: Key<'a>,
    /// How many.
    pub cost: u32,
}

/// One of them, for as long as it is on its way.
#[derive(Clone)]
struct One {
    limiter: Arc<RemoteLimiter>,
    key: Fingerprint,
    stem: Vec<u8>,
    cost: u32,
    measures: Vec<Arc<Measure>>,
}

/// What is asked at once.
#[derive(Clone)]
pub(super) struct Round {
    asks: Vec<One>,
    looks: bool,
    patience: Nanos,
    sent: Moment,
    tries: u8,
    /// The time that was told when it was put to another window.
    told: Option<Ticks>,
}

/// Spend units of several keys of several limiters of one registry: all or nothing. None: `answer` is called, maybe before this
/// returns. Some: decided at once, and `answer` is dropped.
pub fn consume_all(
    asks: &[RemoteAsk<'_>],
    now: Moment,
    answer: impl FnOnce(RemoteDecision) + Send + 'static,
) -> Option<RemoteDecision> {
    let first = asks.first()?;
    for (index, ask) in asks.iter().enumerate() {
        if let Some(decision) = ask.limiter.impossible(ask.cost) {
            return Some(ask.limiter.counted(RemoteDecision { spoke: (index, decision.spoke.1), ..decision }));
        }
    }
    let mut round = Round::new(false, 0, now);
    asks.iter().for_each(|ask| round.add(ask.limiter, ask.key, ask.cost, None));
    if !first.limiter.far.remote.is_up() {
        return Some(round.instead(None));
    }
    let mut slots = round.asks.iter().map(|one| slot_of(&one.stem));
    let slot = slots.next();
    if first.limiter.far.remote.is_cluster() && slots.any(|other| Some(other) != slot) {
        round.send_apart(answer);
    } else {
        round.send(answer);
    }
    None
}

impl Round {
    /// Nobody is asked yet.
    pub(super) fn new(looks: bool, patience: Nanos, sent: Moment) -> Self {
        Round { asks: Vec::new(), looks, patience, sent, tries: TRIES, told: None }
    }

    /// Ask for these as well.
    pub(super) fn add(&mut self, limiter: &Arc<RemoteLimiter>, key: Key<'_>, cost: u32, plan: Option<&RemotePlan>) {
        let measures = match plan {
            Some(plan) => vec![plan.measure.clone()],
            None => limiter.measures.to_vec(),
        };
        self.asks.push(One { stem: limiter.stem(key), limiter: limiter.clone(), key: key.fingerprint, cost, measures });
    }

    /// Whether a charge that is made twice counts once: where some limit that is charged in any case remembers it.
    fn again(&self) -> Again {
        let remembers = |measure: &Arc<Measure>| measure.remembers() && !measure.is_shadow();
        if self.looks || self.asks.iter().flat_map(|one| &one.measures).any(remembers) { Again::Yes } else { Again::No }
    }

    /// Ask Redis; `answer` is called in any case.
    pub(super) fn send(self, answer: impl FnOnce(RemoteDecision) + Send + 'static) {
        self.send_boxed(Box::new(answer));
    }

    fn send_boxed(mut self, answer: Box<dyn FnOnce(RemoteDecision) + Send>) {
        let Some(leader) = self.asks.first().map(|one| one.limiter.clone()) else { return };
        let now = (leader.clocks)();
        let windows = |one: &One| -> Vec<u64> {
            let window = |measure: &Arc<Measure>| match measure.unit() {
                Some(_) => leader.hours.window_at(self.told, measure.width(), now),
                None => 0,
            };
            one.measures.iter().map(window).collect()
        };
        let windows: Vec<Vec<u64>> = self.asks.iter().map(windows).collect();
        let parts = || {
            self.asks.iter().zip(&windows).flat_map(|(one, windows)| {
                one.measures.iter().zip(windows).map(move |(measure, &window)| (one, measure, window))
            })
        };
        let homes = self.asks.iter().map(|one| one.limiter.home_of(&one.stem));
        let cells = parts().map(|(one, measure, window)| measure.cell(&one.stem, window));
        let keys: Vec<Vec<u8>> = homes.chain(cells).collect();
        let mut request = Request::script(&TOGETHER, keys.iter()).number(self.asks.len() as u64);
        for one in &self.asks {
            let denies = one.limiter.measures.iter().any(|measure| !measure.is_shadow());
            request = request.arg(if denies { "1" } else { "0" });
        }
        let mut first = None;
        for (one, measure, window) in parts() {
            let nonce = Nonce::next();
            first.get_or_insert(nonce);
            let (cost, patience, looks) = (one.cost, measure.patience(self.patience), self.looks);
            let question = Question { measure, cost, least: cost, patience, window, nonce, looks };
            request = question.put(request).arg(if measure.is_shadow() { "1" } else { "0" });
        }
        let Some(nonce) = first else { return };
        let stem = self.asks.first().map(|one| one.stem.clone()).unwrap_or_default();
        let (again, sent, asker) = (self.again(), self.sent, leader.clone());
        asker.send(request, &stem, again, sent, move |reply| {
            let answered = reply.and_then(|value| scripts::together(value, &nonce));
            if let Ok(Answered { now, .. }) = &answered {
                leader.hours.heard(*now, self.sent.mono, (leader.clocks)());
            }
            match answered {
                Ok(Answered { told: Told::Elsewhere, now }) if self.tries > 0 => {
                    self.tries -= 1;
                    self.told = Some(now);
                    self.send_boxed(answer);
                }
                Ok(Answered { told, now }) => {
                    let decision = self.decided(told, now);
                    answer(decision.unwrap_or_else(|trouble| self.instead(Some(&trouble))));
                }
                Err(trouble) => answer(self.instead(Some(&trouble))),
            }
        });
    }

    /// What is decided by what Redis has answered.
    fn decided(&self, told: Told, now: Ticks) -> Result<RemoteDecision, Trouble> {
        let blocked = |home: usize, until: Ticks| {
            let one = self.asks.get(home).ok_or(Trouble::Lost)?;
            Ok(one.limiter.blocked(home, until.saturating_sub(now).saturating_mul(MICRO)))
        };
        let (made, shadowed, charges) = match told {
            Told::Judged { made, shadowed, charges } => (made, shadowed, charges),
            Told::Blocked(home, until) => {
                let decision = blocked(home, until)?;
                self.count(&decision);
                return Ok(decision);
            }
            Told::Elsewhere => return Err(Trouble::Late),
        };
        let mut bench = Bench::default();
        let mut charges = charges.into_iter();
        let mut date = now;
        for (index, one) in self.asks.iter().enumerate() {
            for (limit, measure) in one.measures.iter().enumerate() {
                let judged = charges.next().ok_or(Trouble::Lost)?;
                let verdict = self.verdict(measure, &judged, now, one.cost)?;
                bench.note((index, limit), measure.is_shadow(), verdict);
                if judged.repeated {
                    date = now.saturating_sub(one.limiter.far.deadline / MICRO);
                }
            }
        }
        let decision = RemoteDecision::of(bench.decision().ok_or(Trouble::Lost)?, By::Redis, date);
        if decision.ok != made && !self.looks {
            return Err(Trouble::Lost);
        }
        let decision = match shadowed {
            Some((home, until)) if self.looks || decision.reason == RemoteReason::Allowed => {
                RemoteDecision { charge: decision.charge, ..blocked(home, until)? }
            }
            _ => decision,
        };
        self.count(&decision);
        Ok(decision)
    }

    fn verdict(&self, measure: &Measure, judged: &Judged, now: Ticks, cost: u32) -> Result<Verdict, Trouble> {
        verdict(measure, judged, now, cost, measure.patience(self.patience), self.looks)
    }

    /// Count with whoever denied, or with all.
    fn count(&self, decision: &RemoteDecision) {
        if self.looks {
            return;
        }
        let (speaker, _) = decision.spoke;
        for (index, one) in self.asks.iter().enumerate() {
            if index == speaker {
                one.limiter.counted(*decision);
            } else if decision.ok {
                one.limiter.counts.allowed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// What the fail modes say: all of them, or the first that denies.
    fn instead(&self, trouble: Option<&Trouble>) -> RemoteDecision {
        let now = self.asks.first().map_or(self.sent, |one| (one.limiter.clocks)());
        let now = if now.mono < self.sent.mono { self.sent } else { now };
        let mut spoken: Option<RemoteDecision> = None;
        for (index, one) in self.asks.iter().enumerate() {
            if matches!(trouble, Some(Trouble::Error(_))) && index == 0 {
                one.limiter.counts.foreign.fetch_add(1, Ordering::Relaxed);
            }
            let said = one.limiter.stood_in(one.key, one.cost, self.looks, now);
            let said = RemoteDecision { spoke: (index, said.spoke.1), ..said };
            if !said.ok {
                for before in self.asks.iter().take(index).filter(|_| !self.looks) {
                    let fleet = before.limiter.far.fleet();
                    before.limiter.stand_in.refund(before.key, before.cost, fleet, false, now.mono, now);
                }
                return said;
            }
            if spoken.is_none_or(|before| said.verdict.remaining < before.verdict.remaining) {
                spoken = Some(said);
            }
        }
        spoken.unwrap_or(RemoteDecision {
            reason: RemoteReason::Unavailable,
            ..RemoteDecision::by_limit(0, false, super::decision::bare(Answer::Allowed), By::FailMode, 0)
        })
    }

    /// Ask for each by itself, and give back what was charged if one denies.
    fn send_apart(self, answer: impl FnOnce(RemoteDecision) + Send + 'static) {
        let all = self.clone();
        let gather = Gather::new(self.asks.len(), move |said: Vec<RemoteDecision>| answer(all.together(said)));
        for (index, one) in self.asks.iter().enumerate() {
            let landed = gather.clone();
            let round = Round { asks: vec![one.clone()], ..self.clone() };
            round.send(move |said| landed.land(index, said));
        }
    }

    fn together(&self, said: Vec<RemoteDecision>) -> RemoteDecision {
        let denied = said.iter().any(|said| !said.ok);
        let mut bench = Bench::default();
        for (index, said) in said.iter().enumerate() {
            let answer = if said.ok { Answer::Allowed } else { said.verdict.answer };
            bench.note((index, said.spoke.1), false, Verdict { answer, ..said.verdict });
        }
        if denied {
            for (one, said) in self.asks.iter().zip(&said).filter(|(_, said)| said.ok) {
                // What stood in for Redis gives back all limits at once.
                let limits = if said.by == By::FailMode { 1 } else { one.measures.len() };
                let charged = one.measures.iter().filter(|measure| !(said.shadowed && measure.is_shadow()));
                for measure in charged.take(limits) {
                    one.limiter.refund_one(measure, &one.stem, one.key, one.cost, said.charge, self.sent, |_| {});
                }
            }
        }
        let spoke = bench.decision().map_or((0, 0), |decision| {
            debug_assert!(denied == (decision.reason != Reason::Allowed));
            decision.spoke
        });
        match said.get(spoke.0) {
            Some(told) => RemoteDecision { spoke, ..*told },
            None => self.instead(None),
        }
    }
}
