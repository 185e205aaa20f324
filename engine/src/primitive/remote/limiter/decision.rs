//! What a limiter over Redis answers. Owns the words for who decided. Never decides.

use crate::policy::rate::{Answer, Verdict};
use crate::primitive::together::{Decision, Reason};

/// Why an answer is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteReason {
    /// Charged.
    Allowed,
    /// A limit is reached.
    Limited,
    /// The cost is more than a limit ever frees.
    Impossible,
    /// The key is blocked.
    Blocked,
    /// Redis could not be asked: the fail mode spoke.
    Unavailable,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Redis, for this very call.
    Redis,
    /// This process, by what Redis has told or given it before.
    Lease,
    /// The fail mode.
    FailMode,
}

impl By {
    /// As a number, for a charge's date.
    pub(super) fn number(self) -> f64 {
        f64::from(self as u8)
    }

    /// Back from a number.
    pub(super) fn of(number: f64) -> Self {
        match number {
            1.0 => By::Lease,
            2.0 => By::FailMode,
            _ => By::Redis,
        }
    }
}

/// What a limiter over Redis, or several, answered. The numbers are those of the tightest limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteDecision {
    /// What the tightest limit said.
    pub reason: RemoteReason,
    /// Whether the call goes through.
    pub ok: bool,
    /// Whether only because whoever denied it is in shadow.
    pub shadowed: bool,
    /// Which of the charges spoke, and which limit of its limiter.
    pub spoke: (usize, usize),
    /// The numbers, in nanoseconds as those of a local limiter.
    pub verdict: Verdict,
    /// Who decided.
    pub by: By,
    /// What a refund has to know: the date of the charge, in whole microseconds, and who made it.
    pub charge: [f64; 2],
}

impl RemoteDecision {
    /// What local arithmetic says about what Redis has found.
    pub(super) fn of(Decision { reason, shadowed, spoke, verdict }: Decision, by: By, date: u64) -> Self {
        let told = match reason {
            Reason::Allowed => RemoteReason::Allowed,
            Reason::Limited => RemoteReason::Limited,
            Reason::Impossible => RemoteReason::Impossible,
            Reason::Blocked => RemoteReason::Blocked,
        };
        let ok = reason == Reason::Allowed || shadowed;
        RemoteDecision { reason: told, ok, shadowed, spoke, verdict, by, charge: [date as f64, by.number()] }
    }

    /// What one limit says, the only one or the one that cannot ever admit it.
    pub(super) fn by_limit(limit: usize, shadow: bool, verdict: Verdict, by: By, date: u64) -> Self {
        let reason = Reason::of(verdict.answer);
        let shadowed = shadow && reason != Reason::Allowed;
        RemoteDecision::of(Decision { reason, shadowed, spoke: (0, limit), verdict }, by, date)
    }
}

/// A verdict without numbers.
pub(super) fn bare(answer: Answer) -> Verdict {
    Verdict { answer, remaining: 0, retry_after: 0, reset: 0, wait: 0 }
}
