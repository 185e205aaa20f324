//! Why a server cannot be used. Owns the words for it.
//! Never repeats what a user has configured: no password, no user's name.

use super::request::Trouble;
use ::redis::ServerError;
use std::fmt;
use std::io;

/// Why there is no connection that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server wants a password, or takes neither this name nor this password.
    Auth(String),
    /// The user may not do what is needed.
    Denied(String),
    /// The server is too old.
    Version(String),
    /// There is no such database.
    Database(String),
    /// It is another kind of server than was said: a sentinel, a node of a cluster, or none of these.
    Mode(String),
    /// It is not there, or not ready. Passes by itself, maybe.
    Down(String),
}

impl Refusal {
    /// Whether somebody has to change something before it can work.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Refusal::Down(_))
    }

    /// What it means that the server answers a command of signing on with this.
    pub(super) fn of_server(error: &ServerError, command: &str) -> Self {
        let code = error.code();
        let detail = error.details().unwrap_or_default();
        match code {
            "NOAUTH" => Refusal::Auth("the server wants a password".to_owned()),
            "WRONGPASS" => Refusal::Auth("wrong user name or password, or a user that is switched off".to_owned()),
            "NOPERM" => Refusal::Denied(format!("the user may not run {command}")),
            "NOPROTO" => Refusal::Version("the server does not speak RESP3".to_owned()),
            "ERR" if detail.contains("unknown command") => Refusal::Version(format!("the server has no {command}")),
            "ERR" if detail.contains("AUTH") => Refusal::Auth("the server does not take this password".to_owned()),
            _ => Refusal::Down(format!("{command} is answered with {code} {detail}")),
        }
    }

    /// What it means that the connection broke, or was not made.
    pub(super) fn of_io(error: &io::Error, whom: &impl fmt::Display) -> Self {
        Refusal::Down(format!("{whom}: {error}"))
    }

    /// The one that says most to somebody who has to mend it: what does not pass by itself goes first.
    pub(super) fn graver(self, other: Self) -> Self {
        if !self.is_lasting() && other.is_lasting() { other } else { self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refusal::Auth(why)
        | Refusal::Denied(why)
        | Refusal::Version(why)
        | Refusal::Database(why)
        | Refusal::Mode(why)
        | Refusal::Down(why)) = self;
        f.write_str(why)
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Down(_) => Trouble::Down,
            lasting => Trouble::Denied(lasting.to_string()),
        }
    }
}
