//! Holders written down in Redis, for all hosts. Owns the three scripts. Never reads a clock of this host: the server's counts.

use super::{Holders, Spot, Told, Verdict, Wish, channel};
use crate::clock::{MILLI, Nanos};
use crate::redis::name::Home;
use crate::redis::{Again, Ask, Remote, Request, Script, Trouble, Value};
use std::sync::Arc;

static ACQUIRE: Script = Script::many(include_str!("../../../redis/lua/holders_acquire.lua"), 5);
static RENEW: Script = Script::many(include_str!("../../../redis/lua/holders_renew.lua"), 4);
static RELEASE: Script = Script::many(include_str!("../../../redis/lua/holders_release.lua"), 3);

/// For so long it is remembered that somebody wants to be told; whoever waits asks again within it.
const MARK: Nanos = 2_000 * MILLI;

/// See the top of this file.
pub struct FarHolders {
    remote: Arc<dyn Remote>,
    channel: Vec<u8>,
    /// How long a spot that nobody holds keeps its last fence, which counts only where the server's clock goes back.
    keep: Nanos,
    /// How long a question may take.
    deadline: Nanos,
}

impl FarHolders {
    /// Those of the primitive at `home`.
    pub fn new(remote: Arc<dyn Remote>, home: &Home, keep: Nanos, deadline: Nanos) -> Self {
        FarHolders { remote, channel: channel(home), keep, deadline }
    }

    fn kept(&self, ttl: Nanos) -> u64 {
        self.keep.max(2 * ttl) / MILLI
    }

    fn ask<T: 'static>(
        &self,
        request: Request,
        slot: u16,
        deadline: Nanos,
        token: String,
        read: fn(&[Value]) -> Result<T, Trouble>,
        told: Told<T>,
    ) {
        // A token that asks twice is the same holder, one that has released has nothing left to release.
        let ask = Ask { request, slot: Some(slot), again: Again::Yes, deadline };
        let done = Box::new(move |reply: Result<Value, Trouble>| {
            told(reply.and_then(|reply| read(fields(&reply, &token)?)));
        });
        if let Err((trouble, done)) = self.remote.ask(ask, done) {
            done(Err(trouble));
        }
    }
}

impl Holders for FarHolders {
    fn acquire(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<Verdict>) {
        let token = wish.ticket.token(wish.ttl);
        let request = Request::script(&ACQUIRE, [&spot.key].into_iter())
            .number(u64::from(wish.limit))
            .number(wish.ttl / MILLI)
            .number(self.kept(wish.ttl))
            .number(if wish.waits { MARK / MILLI } else { 0 })
            .arg(&token);
        self.ask(request, spot.slot, deadline, token, verdict, told);
    }

    fn renew(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        let token = wish.ticket.token(wish.ttl);
        let request = Request::script(&RENEW, [&spot.key].into_iter())
            .number(u64::from(wish.limit))
            .number(wish.ttl / MILLI)
            .number(self.kept(wish.ttl))
            .arg(&token);
        self.ask(request, spot.slot, deadline, token, yes, told);
    }

    fn release(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        let token = wish.ticket.token(wish.ttl);
        let request = Request::script(&RELEASE, [&spot.key].into_iter()).arg(&token).arg(&self.channel).arg(&spot.key);
        self.ask(request, spot.slot, deadline, token, yes, told);
    }

    fn flush(&self) {
        self.remote.flush();
    }

    fn deadline(&self, now: Nanos) -> Nanos {
        now.saturating_add(self.deadline)
    }
}

/// What a reply says, if it is the one to this token's question.
fn fields<'a>(reply: &'a Value, token: &str) -> Result<&'a [Value], Trouble> {
    match reply {
        Value::Array(fields) => match fields.split_last() {
            Some((Value::BulkString(echo), fields)) if echo == token.as_bytes() => Ok(fields),
            // Whoever got that answer, it was not he who asked for it.
            _ => Err(Trouble::Lost),
        },
        Value::ServerError(why) => Err(Trouble::Error(why.to_string())),
        _ => Err(Trouble::Lost),
    }
}

fn number(fields: &[Value], at: usize) -> Result<i64, Trouble> {
    match fields.get(at) {
        Some(Value::Int(number)) => Ok(*number),
        _ => Err(Trouble::Lost),
    }
}

fn yes(fields: &[Value]) -> Result<bool, Trouble> {
    number(fields, 0).map(|number| number != 0)
}

fn verdict(fields: &[Value]) -> Result<Verdict, Trouble> {
    let [held, figure, stale] = [number(fields, 0)?, number(fields, 1)?, number(fields, 2)?];
    Ok(match held {
        0 => Verdict::Full(figure.max(0).unsigned_abs() * MILLI),
        _ => Verdict::Held { fence: figure.unsigned_abs(), took_over: stale > 0 },
    })
}
