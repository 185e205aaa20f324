//! stub
mod decision;
pub use decision::{By, RemoteDecision, RemoteReason};
use crate::clock::{Moment, Nanos};
use crate::error::Fault;
use crate::primitive::life::Life;
use crate::primitive::limit::LimitConfig;
use crate::primitive::registry::Identity;
use crate::primitive::remote::Far;
use crate::redis::Trouble;
use crate::store::fingerprint::Key;
use serde::Serialize;
use std::sync::Arc;
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FailMode { Open, Closed, Local }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mode { Strict, Lease }
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteLimiterConfig { pub limits: Vec<LimitConfig>, pub fail_mode: FailMode, pub mode: Mode, pub share: Option<u32>, pub remember_denials: bool }
pub struct RemoteLimiter { config: RemoteLimiterConfig, life: Life }
pub struct RemotePlan;
pub struct RemoteAsk<'a> { pub limiter: &'a Arc<RemoteLimiter>, pub key: Key<'a>, pub cost: u32 }
impl RemoteLimiter {
    pub fn new(config: RemoteLimiterConfig, _home: &Identity, _far: &Far) -> Result<Self, Fault> { Ok(RemoteLimiter { config, life: Life::default() }) }
    pub fn config(&self) -> &RemoteLimiterConfig { &self.config }
    pub fn life(&self) -> &Life { &self.life }
    pub fn report(&self) -> u32 { 0 }
    pub fn is_reservable(&self) -> bool { true }
    pub fn plan(&self, _: Option<u32>, _: Option<f64>, _: Option<u32>) -> Result<RemotePlan, Fault> { Ok(RemotePlan) }
    pub fn decide(self: &Arc<Self>, _: Key<'_>, _: u32, _: Moment) -> Option<RemoteDecision> { None }
    pub fn consume(self: &Arc<Self>, _: Key<'_>, _: u32, _: Option<&RemotePlan>, _: Moment, _: impl FnOnce(RemoteDecision) + Send + 'static) -> Option<RemoteDecision> { None }
    pub fn peek(self: &Arc<Self>, _: Key<'_>, _: u32, _: Option<&RemotePlan>, _: Moment, _: impl FnOnce(RemoteDecision) + Send + 'static) -> Option<RemoteDecision> { None }
    pub fn reserve(self: &Arc<Self>, _: Key<'_>, _: u32, _: Nanos, _: Moment, _: impl FnOnce(RemoteDecision) + Send + 'static) -> Option<RemoteDecision> { None }
    pub fn refund(self: &Arc<Self>, _: Key<'_>, _: u32, _: Option<&RemotePlan>, _: [f64; 2], _: bool, _: Moment, _: impl FnOnce(Result<(), Trouble>) + Send + 'static) -> bool { true }
    pub fn reset(self: &Arc<Self>, _: Key<'_>, _: Moment, _: impl FnOnce(Result<bool, Trouble>) + Send + 'static) {}
    pub fn block(self: &Arc<Self>, _: Key<'_>, _: Nanos, _: Moment, _: impl FnOnce(Result<bool, Trouble>) + Send + 'static) {}
    pub fn unblock(self: &Arc<Self>, _: Key<'_>, _: Moment, _: impl FnOnce(Result<bool, Trouble>) + Send + 'static) {}
    pub fn consume_many(self: &Arc<Self>, _: &[(Key<'_>, u32)], _: Moment, _: impl FnOnce(Vec<RemoteDecision>) + Send + 'static) -> Option<Vec<RemoteDecision>> { None }
    pub fn consume_all(_: &[RemoteAsk<'_>], _: Moment, _: impl FnOnce(RemoteDecision) + Send + 'static) -> Option<RemoteDecision> { None }
}
