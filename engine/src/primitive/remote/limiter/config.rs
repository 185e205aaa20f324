//! What a limiter over Redis is made of. Owns how two of one name are told apart. Never decides anything.

use super::FailMode;
use crate::primitive::limit::LimitConfig;
use serde::{Serialize, Serializer};

/// How a limiter over Redis decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Redis is asked for every decision.
    Strict,
    /// A share of the units is taken ahead and spent here. N processes admit at most N · (share − 1) units beyond the limit, and in
    /// windows none.
    Lease,
}

/// What a limiter over Redis is made of. All of its limits pass, or none is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteLimiterConfig {
    /// At least one.
    pub limits: Vec<LimitConfig>,
    /// What it answers while Redis cannot be asked.
    pub fail_mode: FailMode,
    /// How it decides.
    pub mode: Mode,
    /// The most units taken ahead for a key. By default a quarter of what is free at once, divided by the processes there are.
    pub share: Option<u32>,
    /// Whether a cost that was refused is refused again until the time that Redis named, without asking.
    pub remember_denials: bool,
}

// As a list of its limits, each with what holds for all: so a mismatch is told by option, as that of a local limiter is.
impl Serialize for RemoteLimiterConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Whole<'a> {
            #[serde(flatten)]
            limit: &'a LimitConfig,
            fail_mode: FailMode,
            mode: Mode,
            share: Option<u32>,
            remember_denials: bool,
        }
        let &RemoteLimiterConfig { ref limits, fail_mode, mode, share, remember_denials } = self;
        serializer.collect_seq(limits.iter().map(|limit| Whole { limit, fail_mode, mode, share, remember_denials }))
    }
}
