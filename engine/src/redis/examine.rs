//! Whether a server will do all that is needed, asked before it matters. Owns the list of commands that are needed.
//! Never changes anything there: what could is queued, judged by the server, and discarded.

use super::Value;
use super::dial::Obstacle;
use super::name::Home;
use super::obstacle::{broken, graver, refused};
use super::request::Request;
use super::sentinel::Sentinels;
use super::sign_on::{Server, open, within};
use super::slots;
use super::talk::{Talk, field, text};
use super::target::{Address, Mode, Target};
use super::thread;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// What is sent to the server as such, or called in a script. `K` stands for a key of ours.
const NEEDED: &[&str] = &[
    "PING",
    "EVAL script 1 K",
    "EVALSHA digest 1 K",
    "TIME",
    "SCAN 0",
    "DECRBY K 1",
    "DEL K",
    "EXISTS K",
    "GET K",
    "GETRANGE K 0 0",
    "HDEL K field",
    "HEXISTS K field",
    "HGET K field",
    "HSET K field value",
    "INCRBY K 1",
    "MGET K",
    "PEXPIRE K 1000",
    "PTTL K",
    "SET K value",
    "SETRANGE K 0 value",
    "TYPE K",
    "UNLINK K",
    "ZADD K 1 member",
    "ZCARD K",
    "ZCOUNT K 0 0",
    "ZRANGE K 0 0",
    "ZRANGEBYSCORE K 0 0",
    "ZREM K member",
    "ZREMRANGEBYSCORE K 0 0",
    "ZSCORE K member",
    "PUBLISH C message",
];

/// What was found out about a server that will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Who it is.
    pub server: Server,
    /// Its `maxmemory-policy`, unless the user may not know it.
    pub eviction: Option<String>,
    /// Whether it drops keys of ours when it runs out of memory, and limits with them.
    pub drops_limits: bool,
}

/// What is called with what was found. Not a reference: it is called from another thread.
pub type Examined = Box<dyn FnOnce(Result<Findings, Obstacle>) + Send>;

/// See whether `target` will do all that primitives under this prefix need. What does not pass by itself is told at once, the rest
/// when no server was there for as long as connecting may take. `done` is called in any case, on the thread of the connections.
pub fn examine(target: Arc<Target>, prefix: String, done: Examined) {
    let told = Told(Some(done));
    // Without a thread nothing runs, and what is dropped tells.
    drop(thread::spawn(async move {
        let mut told = told;
        let answer = insist(&target, &prefix).await;
        told.tell(answer);
    }));
}

/// Told once, if need be at its end.
struct Told(Option<Examined>);

impl Told {
    fn tell(&mut self, answer: Result<Findings, Obstacle>) {
        if let Some(done) = self.0.take() {
            done(answer);
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.tell(Err(Obstacle::Down("nobody could be asked".to_owned())));
    }
}

async fn insist(target: &Arc<Target>, prefix: &str) -> Result<Findings, Obstacle> {
    let until = Instant::now() + target.patience();
    loop {
        match once(target, prefix).await {
            Err(obstacle) if !obstacle.is_lasting() && Instant::now() + PAUSE < until => sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

async fn once(target: &Arc<Target>, prefix: &str) -> Result<Findings, Obstacle> {
    let addresses = match target.mode {
        Mode::Single => target.nodes.clone(),
        Mode::Sentinel => vec![Sentinels::new(target.clone()).master().await?],
        Mode::Cluster => slots::routes(target, &target.nodes).await?.into_iter().map(|route| route.address).collect(),
    };
    let mut worst = Obstacle::Down("no address".to_owned());
    let patience = target.share_of(addresses.len());
    for address in addresses {
        match look(target, &address, prefix, patience).await {
            Ok(findings) => return Ok(findings),
            Err(obstacle) => worst = graver(obstacle, worst),
        }
    }
    Err(worst)
}

/// Sign on there and try everything, over a connection of its own.
async fn look(target: &Target, address: &Address, prefix: &str, patience: Duration) -> Result<Findings, Obstacle> {
    let (mut talk, server) = open(target, address, patience).await?;
    within(patience, address, async {
        permissions(&mut talk, address, prefix).await?;
        let (eviction, drops_limits) = eviction(&mut talk, address).await?;
        subscription(&mut talk, address, prefix).await?;
        Ok(Findings { server, eviction, drops_limits })
    })
    .await
}

async fn ask(talk: &mut Talk, address: &Address, request: Request) -> Result<Value, Obstacle> {
    talk.ask(request).await.map_err(broken(address))
}

/// A queued command is judged like any other, and never run: the queue is thrown away.
async fn permissions(talk: &mut Talk, address: &Address, prefix: &str) -> Result<(), Obstacle> {
    if let Value::ServerError(error) = ask(talk, address, Request::command("MULTI")).await? {
        // Without a queue nothing can be tried without doing it.
        return if error.code() == "NOPERM" { Ok(()) } else { Err(refused(&error, "MULTI")) };
    }
    let home = Home::new(prefix, "acl", "check");
    let (key, channel) = (home.readable(b"", ""), home.as_str());
    let mut requests: Vec<Request> = NEEDED.iter().map(|line| request(line, &key, channel.as_bytes())).collect();
    requests.push(Request::command("DISCARD"));
    talk.send(&requests).await.map_err(broken(address))?;
    let mut found = Ok(());
    for line in NEEDED {
        let answer = talk.reply().await.map_err(broken(address))?;
        if let (Value::ServerError(error), Ok(())) = (&answer, &found) {
            found = verdict(error.code(), error.details().unwrap_or_default(), line, prefix);
        }
    }
    talk.reply().await.map_err(broken(address))?;
    found
}

/// Moved, read only, out of memory: such refusals come after the permission was checked, and pass.
fn verdict(code: &str, detail: &str, line: &str, prefix: &str) -> Result<(), Obstacle> {
    let command = line.split(' ').next().unwrap_or(line);
    match code {
        "NOPERM" if detail.contains("key") => {
            Err(Obstacle::Denied(format!("the user may not use keys under spillway:{prefix}:")))
        }
        "NOPERM" if detail.contains("channel") => {
            Err(Obstacle::Denied(format!("the user may not use channels under spillway:{prefix}:")))
        }
        "NOPERM" => Err(Obstacle::Denied(format!("the user may not run {command}"))),
        "LOADING" | "MASTERDOWN" => Err(Obstacle::Down(format!("the server is not ready: {code}"))),
        // A server without the command, whatever it calls itself.
        "ERR" if detail.contains("unknown command") => Err(Obstacle::Version(format!("the server has no {command}"))),
        _ => Ok(()),
    }
}

fn request(line: &str, key: &[u8], channel: &[u8]) -> Request {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    words.fold(Request::command(name), |request, word| match word {
        "K" => request.arg(key),
        "C" => request.arg(channel),
        other => request.arg(other),
    })
}

/// All our keys expire, so every policy but `noeviction` takes them for its own.
async fn eviction(talk: &mut Talk, address: &Address) -> Result<(Option<String>, bool), Obstacle> {
    let info = ask(talk, address, Request::command("INFO").arg("memory")).await?;
    let said = text(&info).unwrap_or_default();
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
    let mut policy = line("maxmemory_policy:");
    let mut bounded = line("maxmemory:").is_none_or(|bytes| bytes != "0");
    if policy.is_none() {
        let config = ask(talk, address, Request::command("CONFIG").arg("GET").arg("maxmemory*")).await?;
        policy = field(&config, "maxmemory-policy").and_then(text);
        bounded = field(&config, "maxmemory").and_then(text).is_none_or(|bytes| bytes != "0");
    }
    let drops = bounded && policy.as_deref().is_some_and(|policy| policy != "noeviction");
    Ok((policy, drops))
}

/// Last, because a connection that listens is good for nothing else.
async fn subscription(talk: &mut Talk, address: &Address, prefix: &str) -> Result<(), Obstacle> {
    let channel = Home::new(prefix, "acl", "check");
    let wanted = Request::command("SUBSCRIBE").arg(channel.as_str());
    talk.send(&[wanted]).await.map_err(broken(address))?;
    match talk.next().await.map_err(broken(address))? {
        Value::ServerError(error) => verdict(error.code(), error.details().unwrap_or_default(), "SUBSCRIBE", prefix),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Tried apart, or needed by nobody who has not been let in already.
    const APART: &[&str] =
        &["CLUSTER", "CONFIG", "DISCARD", "HELLO", "INFO", "MULTI", "SELECT", "SENTINEL", "SUBSCRIBE", "UNSUBSCRIBE"];

    fn sources(under: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(under).into_iter().flatten().flatten() {
            if entry.path().is_dir() { sources(&entry.path(), into) } else { into.push(entry.path()) }
        }
    }

    /// The first text in quotes after each of these.
    fn named_after<'a>(text: &'a str, opening: &str) -> Vec<&'a str> {
        let after = text.split(opening).skip(1);
        after.filter_map(|rest| rest.strip_prefix(['\'', '"'])?.split(['\'', '"']).next()).collect()
    }

    #[test]
    fn every_command_that_is_used_anywhere_is_tried() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let mut used = BTreeSet::new();
        for file in files {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let live = text.split("#[cfg(test)]").next().unwrap_or_default();
            for opening in ["redis.call(", "redis.pcall(", "Request::command("] {
                used.extend(named_after(live, opening).into_iter().map(str::to_uppercase));
            }
        }
        let tried: BTreeSet<String> =
            NEEDED.iter().chain(APART).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
        let missing: Vec<&String> = used.difference(&tried).collect();
        assert!(used.len() > 10, "nothing was read");
        assert_eq!(missing, Vec::<&String>::new(), "used, and not in NEEDED");
    }
}
