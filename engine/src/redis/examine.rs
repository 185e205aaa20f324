//! Whether a server will do all that is needed, asked before it matters. Owns the list of commands that are needed.
//! Never changes anything there: what could is queued, judged by the server, and discarded.

use super::name::Home;
use super::refusal::Refusal;
use super::request::Request;
use super::sign_on::{Server, open, within};
use super::target::{Address, Target};
use super::wire::{Wire, field, text};
use ::redis::Value;

/// What is sent to the server as such, or called in a script. `K` stands for a key of ours.
const NEEDED: &[&str] = &[
    "EVAL script 1 K",
    "EVALSHA digest 1 K",
    "TIME",
    "SCAN 0",
    "DEL K",
    "EXISTS K",
    "GET K",
    "HDEL K field",
    "HEXISTS K field",
    "HGET K field",
    "HGETALL K",
    "HINCRBY K field 1",
    "HLEN K",
    "HMGET K field",
    "HSET K field value",
    "INCR K",
    "INCRBY K 1",
    "DECRBY K 1",
    "PEXPIRE K 1000",
    "PTTL K",
    "SET K value",
    "TYPE K",
    "UNLINK K",
    "ZADD K 1 member",
    "ZCARD K",
    "ZRANGE K 0 0",
    "ZRANGEBYSCORE K 0 0",
    "ZREM K member",
    "ZREMRANGEBYRANK K 0 0",
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

/// Sign on there and try everything that primitives under this prefix need, over a connection of its own.
pub async fn examine(target: &Target, address: &Address, prefix: &str) -> Result<Findings, Refusal> {
    let (mut wire, server) = open(target, address).await?;
    within(target.patience(), address, async {
        permissions(&mut wire, address, prefix).await?;
        let (eviction, drops_limits) = eviction(&mut wire, address).await?;
        subscription(&mut wire, address, prefix).await?;
        Ok(Findings { server, eviction, drops_limits })
    })
    .await
}

async fn ask(wire: &mut Wire, address: &Address, request: Request) -> Result<Value, Refusal> {
    wire.ask(request).await.map_err(|error| Refusal::of_io(&error, address))
}

/// A queued command is judged like any other, and never run: the queue is thrown away.
async fn permissions(wire: &mut Wire, address: &Address, prefix: &str) -> Result<(), Refusal> {
    if let Value::ServerError(error) = ask(wire, address, Request::command("MULTI")).await? {
        // Without a queue nothing can be tried without doing it.
        return if error.code() == "NOPERM" { Ok(()) } else { Err(Refusal::of_server(&error, "MULTI")) };
    }
    let home = Home::new(prefix, "acl", "check");
    let (key, channel) = (home.readable(b"", ""), home.as_str());
    let mut requests: Vec<Request> = NEEDED.iter().map(|line| request(line, &key, channel.as_bytes())).collect();
    requests.push(Request::command("DISCARD"));
    wire.send(&requests).await.map_err(|error| Refusal::of_io(&error, address))?;
    let mut found = Ok(());
    for line in NEEDED {
        let answer = wire.reply().await.map_err(|error| Refusal::of_io(&error, address))?;
        if let (Value::ServerError(error), Ok(())) = (&answer, &found) {
            found = verdict(error.code(), error.details().unwrap_or_default(), line, prefix);
        }
    }
    wire.reply().await.map_err(|error| Refusal::of_io(&error, address))?;
    found
}

/// Moved, read only, out of memory: such refusals come after the permission was checked, and pass.
fn verdict(code: &str, detail: &str, line: &str, prefix: &str) -> Result<(), Refusal> {
    let command = line.split(' ').next().unwrap_or(line);
    match code {
        "NOPERM" if detail.contains("key") => {
            Err(Refusal::Denied(format!("the user may not use keys under spillway:{prefix}:")))
        }
        "NOPERM" if detail.contains("channel") => {
            Err(Refusal::Denied(format!("the user may not use channels under spillway:{prefix}:")))
        }
        "NOPERM" => Err(Refusal::Denied(format!("the user may not run {command}"))),
        "LOADING" | "MASTERDOWN" => Err(Refusal::Down(format!("the server is not ready: {code}"))),
        // A server without the command, whatever it calls itself.
        "ERR" if detail.contains("unknown command") => Err(Refusal::Version(format!("the server has no {command}"))),
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
async fn eviction(wire: &mut Wire, address: &Address) -> Result<(Option<String>, bool), Refusal> {
    let info = ask(wire, address, Request::command("INFO").arg("memory")).await?;
    let said = text(&info).unwrap_or_default();
    let line = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
    let mut policy = line("maxmemory_policy:");
    let mut bounded = line("maxmemory:").is_none_or(|bytes| bytes != "0");
    if policy.is_none() {
        let config = ask(wire, address, Request::command("CONFIG").arg("GET").arg("maxmemory*")).await?;
        policy = field(&config, "maxmemory-policy").and_then(text);
        bounded = field(&config, "maxmemory").and_then(text).is_none_or(|bytes| bytes != "0");
    }
    let drops = bounded && policy.as_deref().is_some_and(|policy| policy != "noeviction");
    Ok((policy, drops))
}

/// Last, because a connection that listens is good for nothing else.
async fn subscription(wire: &mut Wire, address: &Address, prefix: &str) -> Result<(), Refusal> {
    let channel = Home::new(prefix, "acl", "check");
    let wanted = Request::command("SUBSCRIBE").arg(channel.as_str());
    wire.send(&[wanted]).await.map_err(|error| Refusal::of_io(&error, address))?;
    match wire.next().await.map_err(|error| Refusal::of_io(&error, address))? {
        Value::ServerError(error) => verdict(error.code(), error.details().unwrap_or_default(), "SUBSCRIBE", prefix),
        _ => Ok(()),
    }
}
