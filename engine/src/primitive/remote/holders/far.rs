//! Holders written down in Redis, for all hosts. Owns the three scripts. Never reads a clock of this host: the server's counts.

use super::{Holders, Spot, Told, Verdict, Wish, channel, whole};
use crate::clock::{MILLI, Nanos};
use crate::redis::name::Home;
use crate::redis::{Again, Ask, Remote, Request, Script, Trouble, Value};
use std::sync::Arc;

static ACQUIRE: Script = Script::new(include_str!("../../../redis/lua/holders_acquire.lua"));
static RENEW: Script = Script::new(include_str!("../../../redis/lua/holders_renew.lua"));
static RELEASE: Script = Script::new(include_str!("../../../redis/lua/holders_release.lua"));

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
        read: fn(&Value) -> Result<T, Trouble>,
        told: Told<T>,
    ) {
        // A token that asks twice is the same holder, one that has released has nothing left to release.
        let ask = Ask { request, slot: Some(slot), again: Again::Yes, deadline };
        let done = Box::new(move |reply: Result<Value, Trouble>| told(reply.and_then(|reply| read(first(&reply)?))));
        if let Err((trouble, done)) = self.remote.ask(ask, done) {
            done(Err(trouble));
        }
    }
}

impl Holders for FarHolders {
    fn acquire(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<Verdict>) {
        let request = Request::script(&ACQUIRE, [&spot.key].into_iter())
            .number(u64::from(wish.limit))
            .number(wish.ttl / MILLI)
            .number(self.kept(wish.ttl))
            .number(if wish.waits { MARK / MILLI } else { 0 })
            .arg(wish.ticket.token(wish.ttl));
        self.ask(request, spot.slot, deadline, verdict, told);
    }

    fn renew(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        let request = Request::script(&RENEW, [&spot.key].into_iter())
            .number(u64::from(wish.limit))
            .number(wish.ttl / MILLI)
            .number(self.kept(wish.ttl))
            .arg(wish.ticket.token(wish.ttl));
        self.ask(request, spot.slot, deadline, yes, told);
    }

    fn release(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        let request = Request::script(&RELEASE, [&spot.key].into_iter())
            .arg(wish.ticket.token(wish.ttl))
            .arg(&self.channel)
            .arg(&spot.key);
        self.ask(request, spot.slot, deadline, yes, told);
    }

    fn flush(&self) {
        self.remote.flush();
    }

    fn deadline(&self, now: Nanos) -> Nanos {
        now.saturating_add(self.deadline)
    }
}

/// Of the answers to all keys, that of the one key that was asked.
fn first(reply: &Value) -> Result<&Value, Trouble> {
    match reply {
        Value::Array(answers) => {
            answers.first().ok_or_else(|| Trouble::Error("no answer where one was expected".to_owned()))
        }
        other => Ok(other),
    }
}

fn yes(answer: &Value) -> Result<bool, Trouble> {
    whole(answer).map(|number| number != 0)
}

fn verdict(answer: &Value) -> Result<Verdict, Trouble> {
    let Value::Array(fields) = answer else {
        whole(answer)?;
        return Err(Trouble::Error("an answer of another kind than was asked for".to_owned()));
    };
    let field = |at: usize| fields.get(at).map_or(Ok(0), whole);
    Ok(match field(0)? {
        0 => Verdict::Full(field(1)?.max(0).unsigned_abs() * MILLI),
        _ => Verdict::Held { fence: field(1)?.unsigned_abs(), took_over: field(2)? > 0 },
    })
}
