//! How a connection becomes one that commands may be sent over. Owns the first words.
//! Never waits past the time that connecting may take, and never leaves anything unread behind.

use super::Value;
use super::connect::connect;
use super::dial::{Obstacle, Wire};
use super::obstacle::{broken, refused};
use super::request::Request;
use super::talk::{Talk, field, text};
use super::target::{Address, Mode, Secret, Target};
use std::time::Duration;
use tokio::time::timeout;

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `redis`, `valkey`, or what else it calls itself.
    pub kind: String,
    /// Its version, as it writes it.
    pub version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `master` or `replica`.
    pub role: String,
}

/// Connect to this address, sign on as the target says, and see that it is the kind of server the target speaks of. Nothing of the
/// connection is left unread.
pub(super) async fn sign_on(target: &Target, address: &Address, patience: Duration) -> Result<Wire, Obstacle> {
    let (talk, _) = open(target, address, patience).await?;
    talk.into_wire().map_err(broken(address))
}

/// The same, to be spoken over word by word.
pub(super) async fn open(target: &Target, address: &Address, patience: Duration) -> Result<(Talk, Server), Obstacle> {
    within(patience, address, async {
        let (mut talk, server) = greet(target, address, target.username.as_deref(), target.password.as_ref()).await?;
        accept(target, &server, address)?;
        select(target, &mut talk, address).await?;
        Ok((talk, server))
    })
    .await
}

/// A connection to a sentinel, which has users of its own and no databases.
pub(super) async fn open_sentinel(target: &Target, address: &Address, patience: Duration) -> Result<Talk, Obstacle> {
    within(patience, address, async {
        let user = target.sentinel_username.as_deref();
        let (talk, server) = greet(target, address, user, target.sentinel_password.as_ref()).await?;
        match server.mode.as_str() {
            "sentinel" => Ok(talk),
            _ => Err(Obstacle::Mode(format!("{address} is not a sentinel"))),
        }
    })
    .await
}

/// What comes of it, unless it takes longer than this.
pub(super) async fn within<T>(
    patience: Duration,
    address: &Address,
    work: impl Future<Output = Result<T, Obstacle>>,
) -> Result<T, Obstacle> {
    match timeout(patience, work).await {
        Ok(done) => done,
        Err(_) => Err(Obstacle::Down(format!("{address}: no answer within {} ms", patience.as_millis()))),
    }
}

async fn greet(
    target: &Target,
    address: &Address,
    user: Option<&str>,
    password: Option<&Secret>,
) -> Result<(Talk, Server), Obstacle> {
    let mut talk = Talk::new(connect(address, target.tls.as_ref()).await?);
    let mut hello = Request::command("HELLO").arg("3");
    if user.is_some() || password.is_some() {
        let word = password.map_or("", Secret::reveal);
        hello = hello.arg("AUTH").arg(user.unwrap_or("default")).arg(word);
    }
    let hello = hello.arg("SETNAME").arg(name_of(target));
    match talk.ask(hello).await.map_err(broken(address))? {
        Value::ServerError(error) => Err(refused(&error, "HELLO")),
        said => {
            let word = |name| field(&said, name).and_then(text).unwrap_or_default();
            let server =
                Server { kind: word("server"), version: word("version"), mode: word("mode"), role: word("role") };
            if server.version.is_empty() {
                return Err(Obstacle::Version(format!("{address} does not answer as a Redis does")));
            }
            if is_too_old(&server) {
                return Err(Obstacle::Version(format!("{} {}, and 6.2 is needed", server.kind, server.version)));
            }
            Ok((talk, server))
        }
    }
}

/// Only Redis itself has been that old: others began later, and count in their own way.
fn is_too_old(server: &Server) -> bool {
    let mut numbers = server.version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    server.kind == "redis" && version < (6, 2)
}

fn accept(target: &Target, server: &Server, address: &Address) -> Result<(), Obstacle> {
    match (target.mode, server.mode.as_str()) {
        (_, "sentinel") => Err(Obstacle::Mode(format!("{address} is a sentinel: say so, and the master's name"))),
        (Mode::Single | Mode::Sentinel, "cluster") => {
            Err(Obstacle::Mode(format!("{address} is a node of a cluster: say so")))
        }
        (Mode::Single | Mode::Sentinel, _) if server.role == "replica" => {
            Err(Obstacle::Down(format!("{address} is a replica, which cannot be written to")))
        }
        _ => Ok(()),
    }
}

async fn select(target: &Target, talk: &mut Talk, address: &Address) -> Result<(), Obstacle> {
    if target.database == 0 {
        return Ok(());
    }
    let request = Request::command("SELECT").number(u64::from(target.database));
    match talk.ask(request).await.map_err(broken(address))? {
        Value::ServerError(error) if error.code() == "ERR" => {
            Err(Obstacle::Database(format!("no database {}: {}", target.database, error.details().unwrap_or_default())))
        }
        Value::ServerError(error) => Err(refused(&error, "SELECT")),
        _ => Ok(()),
    }
}

/// The server takes only what can be printed and has no spaces.
fn name_of(target: &Target) -> String {
    let safe = |character: char| if character.is_ascii_graphic() { character } else { '-' };
    target.client_name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(kind: &str, version: &str) -> Server {
        Server { kind: kind.to_owned(), version: version.to_owned(), ..Server::default() }
    }

    #[test]
    fn only_a_redis_before_6_2_is_too_old() {
        for (kind, version, old) in [
            ("redis", "6.0.16", true),
            ("redis", "5.0", true),
            ("redis", "6.2.0", false),
            ("redis", "7.0.15", false),
            ("redis", "10.0", false),
            ("valkey", "1.2", false),
            ("redis", "unknown", true),
        ] {
            assert_eq!(is_too_old(&server(kind, version)), old, "{kind} {version}");
        }
    }

    #[test]
    fn another_kind_of_server_than_was_said_is_refused_but_a_replica_only_for_now() {
        let address = Address::tcp("h", 1);
        let as_said = |mode, is: &str, role: &str| {
            let target = Target { mode, ..Target::single(address.clone()) };
            accept(&target, &Server { mode: is.to_owned(), role: role.to_owned(), ..Server::default() }, &address)
        };
        assert_eq!(as_said(Mode::Single, "standalone", "master"), Ok(()));
        assert_eq!(as_said(Mode::Cluster, "cluster", "replica"), Ok(()));
        assert!(matches!(as_said(Mode::Single, "cluster", "master"), Err(Obstacle::Mode(_))));
        assert!(matches!(as_said(Mode::Cluster, "sentinel", ""), Err(Obstacle::Mode(_))));
        assert!(matches!(as_said(Mode::Sentinel, "standalone", "replica"), Err(Obstacle::Down(_))));
    }

    #[test]
    fn a_name_that_the_server_would_refuse_is_made_one_it_takes() {
        let target = Target { client_name: "my app\n1é".to_owned(), ..Target::default() };
        assert_eq!(name_of(&target), "my-app-1-");
    }
}
