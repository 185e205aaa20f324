//! What a server's error means for who asked. Owns the classification. Never retries anything itself.

use super::request::Trouble;
use ::redis::{ServerError, ServerErrorKind};

/// Why a server has not done it, in a way that another, or the same a little later, will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The slot belongs to another now.
    Moved {
        /// Which one.
        slot: u16,
        /// Whose it is; empty for the host that has said so.
        host: String,
        /// On which port.
        port: u16,
    },
    /// This one time another is to be asked: the slot is on its way there.
    Ask {
        /// Which one.
        slot: u16,
        /// Whom; empty for the host that has said so.
        host: String,
        /// On which port.
        port: u16,
    },
    /// It is a replica.
    ReadOnly,
    /// The keys of the slot are on their way.
    TryAgain,
    /// The cluster has no one for the slot.
    ClusterDown,
    /// A replica without its master.
    MasterDown,
}

/// What follows from an error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It does not know the script.
    NoScript,
    /// It was not done, and may be asked again.
    Refused(Refusal),
    /// It is the answer.
    Final(Trouble),
}

/// The error as text.
pub(super) fn text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// What follows from it.
pub(super) fn judge(error: &ServerError) -> Judgement {
    let trouble = |make: fn(String) -> Trouble| Judgement::Final(make(text(error)));
    match error.kind() {
        Some(ServerErrorKind::NoScript) => Judgement::NoScript,
        Some(ServerErrorKind::ReadOnly) => Judgement::Refused(Refusal::ReadOnly),
        Some(ServerErrorKind::TryAgain) => Judgement::Refused(Refusal::TryAgain),
        Some(ServerErrorKind::ClusterDown) => Judgement::Refused(Refusal::ClusterDown),
        Some(ServerErrorKind::MasterDown) => Judgement::Refused(Refusal::MasterDown),
        Some(kind @ (ServerErrorKind::Moved | ServerErrorKind::Ask)) => match direction(error.details()) {
            Some((slot, host, port)) if kind == ServerErrorKind::Moved => {
                Judgement::Refused(Refusal::Moved { slot, host, port })
            }
            Some((slot, host, port)) => Judgement::Refused(Refusal::Ask { slot, host, port }),
            None => trouble(Trouble::Error),
        },
        Some(ServerErrorKind::NoPerm) => trouble(Trouble::Denied),
        Some(ServerErrorKind::BusyLoading) => trouble(Trouble::Unready),
        _ => match error.code() {
            "NOAUTH" | "WRONGPASS" => trouble(Trouble::Denied),
            "BUSY" | "OOM" | "MISCONF" | "NOREPLICAS" => trouble(Trouble::Unready),
            "ERR" => match within(error.details().unwrap_or_default()) {
                Some("READONLY") => Judgement::Refused(Refusal::ReadOnly),
                Some("CLUSTERDOWN") => Judgement::Refused(Refusal::ClusterDown),
                Some("NOPERM") => trouble(Trouble::Denied),
                Some(_) => trouble(Trouble::Unready),
                None => trouble(Trouble::Error),
            },
            _ => trouble(Trouble::Error),
        },
    }
}

/// Redis before 7 wraps what a command in a script has met: `Error running script (…): @user_script:1: -OOM command not …`.
fn within(details: &str) -> Option<&'static str> {
    let wrapped = details.strip_prefix("Error running script ")?.rsplit_once(": -")?.1;
    let codes = ["OOM", "READONLY", "MISCONF", "CLUSTERDOWN", "NOREPLICAS", "NOPERM"];
    codes.into_iter().find(|code| wrapped.strip_prefix(code).is_some_and(|rest| rest.starts_with(' ')))
}

/// `<slot> <host>:<port>`, where the host may be an IPv6 address or missing.
fn direction(details: Option<&str>) -> Option<(u16, String, u16)> {
    let (slot, address) = details?.split_once(' ')?;
    let (host, port) = address.trim().rsplit_once(':')?;
    Some((slot.parse().ok()?, host.to_owned(), port.parse().ok()?))
}
