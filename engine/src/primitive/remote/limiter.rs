//! A limiter over all hosts: asks Redis, or spends a share taken ahead; and what it says when the store is gone. Owns which way a
//! question goes, and counters. Never waits: what is not decided at once is answered by `answer`, once.
//!
//! The arithmetic is that of the local limiter in whole microseconds of the clock of Redis. It is bound by doubles, which count
//! exactly below 2^53: the scripts in `redis/lua/limiter` say where.

mod asking;
mod config;
mod counted;
mod credits;
mod decision;
mod gather;
mod hours;
mod known;
mod lending;
mod measure;
mod plan;
mod report;
mod returns;
mod round;
mod scripts;
mod stand_in;
mod steps;

pub use config::{Mode, RemoteLimiterConfig};
pub use decision::{By, RemoteDecision, RemoteReason};
pub use plan::RemotePlan;
pub use report::RemoteLimiterReport;
pub use round::{RemoteAsk, consume_all};
pub use stand_in::FailMode;

use super::Far;
use crate::clock::{Moment, Nanos, monotonic, wall};
use crate::error::{Code, Fault};
use crate::policy::rate::{Answer, Verdict};
use crate::primitive::life::Life;
use crate::primitive::registry::Identity;
use crate::redis::name::{Home, bytes_of};
use crate::store::fingerprint::Key;
use credits::Credits;
use decision::bare;
use hours::Hours;
use known::Known;
use measure::Measure;
use parking_lot::Mutex;
use report::Counts;
use stand_in::StandIn;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What reads both clocks when an answer comes.
type Clocks = Arc<dyn Fn() -> Moment + Send + Sync>;

/// One limiter over Redis, shared by all threads.
pub struct RemoteLimiter {
    config: RemoteLimiterConfig,
    /// As many as in the configuration.
    measures: Box<[Arc<Measure>]>,
    /// Plans that count apart, by their windows: a reset concerns them too.
    apart: Mutex<Vec<Arc<Measure>>>,
    home: Home,
    far: Far,
    hours: Hours,
    /// For lease mode and denials that are remembered.
    credits: Option<Credits>,
    /// For windows that plain commands count.
    known: Option<Known>,
    stand_in: StandIn,
    counts: Counts,
    clocks: Clocks,
    life: Life,
}

/// Keys of which something is remembered at most; about 200 bytes each. Those beyond are asked about.
const MOST_REMEMBERED: usize = 1 << 16;

impl RemoteLimiter {
    /// A limiter nobody has asked yet.
    pub fn new(config: RemoteLimiterConfig, home: &Identity, far: &Far) -> Result<Self, Fault> {
        RemoteLimiter::with_clocks(config, home, far, Arc::new(|| Moment { mono: monotonic(), wall: wall() }))
    }

    /// The same where other clocks say when an answer came.
    pub fn with_clocks(
        config: RemoteLimiterConfig,
        home: &Identity,
        far: &Far,
        clocks: Arc<dyn Fn() -> Moment + Send + Sync>,
    ) -> Result<Self, Fault> {
        let among = config.limits.len() > 1;
        let measures = config.limits.iter().map(|limit| Measure::new(limit, among, limit.limit).map(Arc::new));
        let measures = measures.collect::<Result<Box<[_]>, _>>()?;
        let Some(first) = config.limits.first() else {
            return Err(Fault::new(Code::Option, "a limiter needs at least one limit"));
        };
        if config.mode == Mode::Lease && (among || first.shadow) {
            let advice = "open a limiter for each, or use `mode: 'strict'`";
            return Err(Fault::new(
                Code::Option,
                format!("`mode: 'lease'` takes units of one limit ahead, one that is not in shadow; {advice}"),
            ));
        }
        let counted = measures.iter().any(|measure| measure.unit().is_some());
        let remembers = config.mode == Mode::Lease || config.remember_denials;
        Ok(RemoteLimiter {
            known: counted.then(|| Known::new(first.max_keys)),
            credits: remembers.then(|| Credits::new((first.max_keys as usize).min(MOST_REMEMBERED), clocks().mono)),
            stand_in: StandIn::new(config.fail_mode, &config.limits),
            home: Home::new(&home.prefix, "limiter", &home.name),
            far: far.clone(),
            hours: Hours::default(),
            apart: Mutex::default(),
            counts: Counts::default(),
            life: Life::default(),
            measures,
            clocks,
            config,
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &RemoteLimiterConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Whether units can be reserved: every limit is a token bucket.
    pub fn is_reservable(&self) -> bool {
        self.measures.iter().all(|measure| measure.is_bucket())
    }

    /// What is decided without asking: an impossible cost, credit, a denial that is remembered, and everything while Redis is down.
    /// None: ask with [`RemoteLimiter::consume`].
    #[inline]
    pub fn decide(self: &Arc<Self>, key: Key<'_>, cost: u32, now: Moment) -> Option<RemoteDecision> {
        if cost > 0
            && let Some(credits) = &self.credits
            && let Some(decision) = self.from_credit(credits, key, cost, now)
        {
            return Some(decision);
        }
        if let Some(impossible) = self.impossible(cost) {
            return Some(self.counted(impossible));
        }
        if self.far.remote.is_up() { None } else { Some(self.stand_in(key, cost, false, now)) }
    }

    /// Spend `cost` units of `key`, asking Redis. None: `answer` is called, maybe before this returns. Some: decided at once, and
    /// `answer` is dropped.
    pub fn consume(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        plan: Option<&RemotePlan>,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) -> Option<RemoteDecision> {
        if !self.far.remote.is_up() {
            return Some(self.stand_in(key, cost, false, now));
        }
        if self.config.mode == Mode::Lease && plan.is_none() && cost > 0 {
            self.take(key, cost, now, answer);
        } else {
            self.ask_for(key, cost, plan, 0, false, now, answer);
        }
        None
    }

    /// What `consume` would answer, spending nothing. What is left is what is left now.
    pub fn peek(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        plan: Option<&RemotePlan>,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) -> Option<RemoteDecision> {
        if !self.far.remote.is_up() {
            return Some(self.stand_in(key, cost, true, now));
        }
        self.ask_for(key, cost, plan, 0, true, now, answer);
        None
    }

    /// Spend `cost` units as soon as they are free, if that is within `patience`. Only where [`RemoteLimiter::is_reservable`].
    pub fn reserve(
        self: &Arc<Self>,
        key: Key<'_>,
        cost: u32,
        patience: Nanos,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) -> Option<RemoteDecision> {
        if !self.far.remote.is_up() {
            return Some(self.stand_in(key, cost, false, now));
        }
        self.ask_for(key, cost, None, patience, false, now, answer);
        None
    }

    /// Several keys at once. None: `answer` is called with all decisions in order, maybe before this returns.
    pub fn consume_many(
        self: &Arc<Self>,
        asks: &[(Key<'_>, u32)],
        now: Moment,
        answer: impl FnOnce(Vec<RemoteDecision>) + Send + 'static,
    ) -> Option<Vec<RemoteDecision>> {
        let mut decided: Vec<_> = asks.iter().map(|&(key, cost)| self.decide(key, cost, now)).collect();
        if decided.iter().all(Option::is_some) {
            return Some(decided.into_iter().flatten().collect());
        }
        let missing: Vec<_> = (0..).zip(&decided).filter(|(_, one)| one.is_none()).map(|(index, _)| index).collect();
        let asked: Vec<usize> = missing.clone();
        let gather = gather::Gather::new(missing.len(), move |answers: Vec<RemoteDecision>| {
            for (index, answer) in missing.into_iter().zip(answers) {
                if let Some(place) = decided.get_mut(index) {
                    *place = Some(answer);
                }
            }
            answer(decided.into_iter().flatten().collect());
        });
        for (place, index) in asked.into_iter().enumerate() {
            if let Some(&(key, cost)) = asks.get(index) {
                let landed = gather.clone();
                if let Some(decision) = self.consume(key, cost, None, now, move |told| landed.land(place, told)) {
                    gather.land(place, decision);
                }
            }
        }
        None
    }

    /// A cost that is more than a limit ever frees. A limit in shadow denies nothing.
    fn impossible(&self, cost: u32) -> Option<RemoteDecision> {
        let denies = |measure: &Arc<Measure>| !measure.is_shadow() && cost > measure.most();
        let limit = self.measures.iter().position(denies)?;
        Some(RemoteDecision::by_limit(limit, false, bare(Answer::Impossible), By::Redis, 0))
    }

    /// What the fail mode says.
    fn stand_in(&self, key: Key<'_>, cost: u32, looks: bool, now: Moment) -> RemoteDecision {
        self.stood_in(key.fingerprint, cost, looks, now)
    }

    /// The same for one whose text is not at hand any more.
    fn stood_in(
        &self,
        key: crate::store::fingerprint::Fingerprint,
        cost: u32,
        looks: bool,
        now: Moment,
    ) -> RemoteDecision {
        let decision = self.stand_in.decide(key, cost, self.far.fleet(), looks, now);
        if looks { decision } else { self.counted(decision) }
    }

    /// Count what was decided.
    fn counted(&self, decision: RemoteDecision) -> RemoteDecision {
        let counter = match decision.reason {
            _ if decision.by == By::FailMode => &self.counts.unavailable,
            _ if decision.shadowed => &self.counts.shadowed,
            RemoteReason::Allowed => &self.counts.allowed,
            RemoteReason::Blocked => &self.counts.blocked,
            _ => &self.counts.limited,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if decision.by == By::Lease {
            self.counts.leased.fetch_add(1, Ordering::Relaxed);
        }
        decision
    }

    /// What a key's names in Redis begin with.
    fn stem(&self, key: Key<'_>) -> Vec<u8> {
        self.home.hashed(&bytes_of(key.units), "")
    }

    /// Where blocks of a key are.
    fn home_of(&self, stem: &[u8]) -> Vec<u8> {
        match &*self.measures {
            [only] => only.home(stem),
            _ => [stem, b"blocked"].concat(),
        }
    }

    /// What was decided about a key that is blocked for `left` longer.
    fn blocked(&self, index: usize, left: Nanos) -> RemoteDecision {
        let verdict = Verdict { answer: Answer::Limited, remaining: 0, retry_after: left, reset: left, wait: 0 };
        let denies = self.measures.iter().position(|measure| !measure.is_shadow());
        RemoteDecision {
            reason: RemoteReason::Blocked,
            ok: denies.is_none(),
            shadowed: denies.is_none(),
            spoke: (index, denies.unwrap_or(0)),
            verdict,
            by: By::Redis,
            charge: [0.0, By::Redis.number()],
        }
    }

    /// The most units taken ahead for a key.
    fn share(&self) -> u32 {
        let most = self.measures.first().map_or(1, |measure| measure.most());
        let fit = || (most / self.far.fleet().saturating_mul(4)).max(1);
        self.config.share.unwrap_or_else(fit).clamp(1, credits::MOST)
    }
}
