//! What stands in for Redis while it cannot be asked: the fail mode. Owns what it says. Never says that it was Redis.

use super::decision::{By, RemoteDecision, RemoteReason, bare};
use crate::clock::{MILLI, Moment, Nanos};
use crate::error::Fault;
use crate::policy::rate::{Answer, Verdict};
use crate::primitive::limit::LimitConfig;
use crate::primitive::limiter::{Ask, Limiter, LimiterConfig, LimiterHandle};
use crate::store::fingerprint::Fingerprint;
use parking_lot::Mutex;
use serde::Serialize;
use std::sync::Arc;

/// What a limiter answers while Redis cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailMode {
    /// Yes.
    Open,
    /// No.
    Closed,
    /// What a limiter of this process says, at this process's part of the limits.
    Local,
}

/// Who is refused by a closed one comes again after this: the breaker before Redis has looked several times by then.
const AGAIN: Nanos = 1_000 * MILLI;

/// The fail mode of a limiter.
pub(super) struct StandIn {
    mode: FailMode,
    limits: Vec<LimitConfig>,
    /// The local limiter, made at the first need.
    local: Mutex<Option<Part>>,
}

/// This process's part of the limits.
struct Part {
    /// Of how many processes.
    fleet: u32,
    since: Nanos,
    handle: LimiterHandle,
}

// The handle's counters have one writer at a time: who holds the lock.
impl StandIn {
    /// For these limits.
    pub(super) fn new(mode: FailMode, limits: &[LimitConfig]) -> Self {
        StandIn { mode, limits: limits.to_vec(), local: Mutex::new(None) }
    }

    fn all_in_shadow(&self) -> bool {
        self.limits.iter().all(|limit| limit.shadow)
    }

    /// Which limit speaks where none has said anything.
    fn speaker(&self) -> usize {
        self.limits.iter().position(|limit| !limit.shadow).unwrap_or(0)
    }

    /// For how long a part is kept though the fleet is another: what was spent of it would be forgotten.
    fn kept_for(&self) -> Nanos {
        let longest = |limit: &LimitConfig| {
            let refills = limit.window_ms * f64::from(limit.burst.max(limit.limit)) / f64::from(limit.limit.max(1));
            (refills * MILLI as f64) as Nanos
        };
        self.limits.iter().map(longest).max().unwrap_or(0)
    }

    fn with_local<R>(&self, fleet: u32, now: Moment, ask: impl FnOnce(&LimiterHandle) -> Option<R>) -> Option<R> {
        let mut local = self.local.lock();
        let mut old = None;
        let keep = |part: &Part| part.fleet == fleet || now.mono.saturating_sub(part.since) < self.kept_for();
        if !local.as_ref().is_some_and(keep) {
            let handle = LimiterHandle::new(Arc::new(part_of(&self.limits, fleet).ok()?));
            old = local.replace(Part { fleet, since: now.mono, handle });
        }
        let answer = local.as_ref().and_then(|part| ask(&part.handle));
        drop(local);
        drop(old);
        answer
    }

    /// Decide, in a fleet of so many processes. Spends nothing if it only `looks`.
    pub(super) fn decide(&self, key: Fingerprint, cost: u32, fleet: u32, looks: bool, now: Moment) -> RemoteDecision {
        let date = now.mono / 1_000;
        let told = |ok: bool, verdict: Verdict, spoke: usize| RemoteDecision {
            reason: RemoteReason::Unavailable,
            ok,
            shadowed: false,
            spoke: (0, spoke),
            verdict,
            by: By::FailMode,
            charge: [date as f64, By::FailMode.number()],
        };
        let local = match self.mode {
            FailMode::Local => self.with_local(fleet, now, |handle| {
                if looks { handle.peek(key, cost, None, now) } else { handle.consume(key, cost, now) }
            }),
            _ => None,
        };
        match (self.mode, local) {
            (FailMode::Local, Some(local)) => {
                let mut verdict = local.verdict;
                if verdict.answer == Answer::Impossible {
                    // More than a part ever frees, but not more than Redis does when it is back.
                    verdict = Verdict { answer: Answer::Limited, retry_after: AGAIN, ..verdict };
                }
                RemoteDecision { shadowed: local.shadowed, ..told(local.ok(), verdict, local.spoke.1) }
            }
            (FailMode::Open | FailMode::Local, _) => told(true, bare(Answer::Allowed), self.speaker()),
            (FailMode::Closed, _) if cost == 0 => told(true, bare(Answer::Allowed), self.speaker()),
            (FailMode::Closed, _) => {
                let shadowed = self.all_in_shadow();
                let verdict = Verdict { retry_after: AGAIN, reset: AGAIN, ..bare(Answer::Limited) };
                RemoteDecision { shadowed, ..told(shadowed, verdict, self.speaker()) }
            }
        }
    }

    /// Give back what the local limiter was charged, at a time by the monotonic clock.
    pub(super) fn refund(&self, key: Fingerprint, cost: u32, fleet: u32, shadowed: bool, mono: Nanos, now: Moment) {
        if self.mode == FailMode::Local {
            let age = now.mono.saturating_sub(mono);
            let charged_at = Moment { mono, wall: now.wall.saturating_sub(age) };
            self.with_local(fleet, now, |handle| {
                LimiterHandle::refund(Ask { handle, key, cost, plan: None }, shadowed, charged_at, now);
                Some(())
            });
        }
    }
}

/// This process's part of the limits in a fleet: at least one unit, rounded up.
fn part_of(limits: &[LimitConfig], fleet: u32) -> Result<Limiter, Fault> {
    let part = |units: u32| units.div_ceil(fleet.max(1)).max(1);
    let limits = limits
        .iter()
        .map(|limit| LimitConfig { limit: part(limit.limit), burst: part(limit.burst), ..limit.clone() })
        .collect();
    Limiter::new(LimiterConfig { limits })
}
