//! What it means that a server does not let us in. Owns the words for it.
//! Never repeats what a user has configured, and never the server's own words where they may.

use super::dial::Obstacle;
use super::tls;
use ::redis::ServerError;
use std::fmt;
use std::io;
use tokio_rustls::rustls;

/// A command of signing on was answered with this error.
pub(super) fn refused(error: &ServerError, command: &str) -> Obstacle {
    // An old server quotes the arguments of a command it does not know, the password among them: its words go no further.
    let detail = error.details().unwrap_or_default();
    match error.code() {
        "NOAUTH" => Obstacle::Auth("the server wants a password".to_owned()),
        "WRONGPASS" => Obstacle::Auth("wrong user name or password, or a user that is switched off".to_owned()),
        "NOPERM" => Obstacle::Denied(format!("the user may not run {command}")),
        "NOPROTO" => Obstacle::Version("the server does not speak RESP3".to_owned()),
        "ERR" if detail.contains("unknown command") => Obstacle::Version(format!("the server has no {command}")),
        "ERR" if detail.contains("AUTH") => Obstacle::Auth("the server does not take this password".to_owned()),
        "DENIED" => Obstacle::Denied("the server is in protected mode and takes nobody from elsewhere".to_owned()),
        "ERR" if detail.contains("max number of clients") => {
            Obstacle::Down("the server has too many clients".to_owned())
        }
        code => Obstacle::Down(format!("the server answers {command} with {code}")),
    }
}

/// The connection broke, or was not made. What TLS complains of does not pass by itself.
pub(super) fn broken(whom: &impl fmt::Display) -> impl Fn(io::Error) -> Obstacle {
    move |error| {
        let of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>() || inner.is::<tls::Unfit>());
        let why = format!("{whom}: {error}");
        if of_tls { Obstacle::Tls(why) } else { Obstacle::Down(why) }
    }
}

/// The one that says most to somebody who has to mend it: what does not pass by itself goes first.
pub(super) fn graver(one: Obstacle, other: Obstacle) -> Obstacle {
    if !one.is_lasting() && other.is_lasting() { other } else { one }
}
