//! What is asked of Redis and how it is answered. Owns what a command is made of. Never sends anything.

use super::pack::{DIGITS, decimal, push_bulk, push_count};
use super::script::{Script, Sharing};
use crate::clock::Nanos;
use ::redis::Value;
use std::fmt;

#[derive(Clone, Copy)]
enum Head {
    Plain,
    Script(&'static Script),
}

/// One command, packed as far as it can be before it is known whether Redis has the script.
#[derive(Clone)]
pub struct Request {
    head: Head,
    count: usize,
    /// Of a script: how many keys it is over.
    keys: usize,
    /// Of a script: where its first key begins in the body, where its arguments do, and where those do that are not in common.
    seams: (usize, usize, usize),
    body: Vec<u8>,
}

/// How many the group of a request is that is sent alone.
const ALONE: &[u8] = b"$1\r\n1\r\n";

impl Request {
    /// A plain command: `Request::command("SET").arg("key").arg("value")`.
    pub fn command(name: &str) -> Self {
        Request { head: Head::Plain, count: 0, keys: 0, seams: (0, 0, 0), body: Vec::with_capacity(64) }.arg(name)
    }

    /// A script over some keys, which come first; then its arguments, with [`Request::arg`].
    pub fn script<K: AsRef<[u8]>>(script: &'static Script, keys: impl ExactSizeIterator<Item = K>) -> Self {
        let body = Vec::with_capacity(192);
        let request = Request { head: Head::Script(script), count: 0, keys: keys.len(), seams: (0, 0, 0), body };
        let request = request.number(keys.len() as u64);
        let first = request.body.len();
        let mut request = keys.fold(request, |request, key| request.arg(key));
        let arguments = request.body.len();
        if let Sharing::Grouped(_) = script.sharing() {
            request.body.extend_from_slice(ALONE);
            request.count += 1;
        }
        request.seams = (first, arguments, request.body.len());
        request
    }

    /// Arguments that [`packed`] has made.
    #[must_use]
    pub fn packed(mut self, count: usize, arguments: &[u8]) -> Self {
        self.body.extend_from_slice(arguments);
        self.count += count;
        self
    }

    /// What follows is this key's own: what came before it has in common with others.
    #[must_use]
    pub fn own(mut self) -> Self {
        self.seams.2 = self.body.len();
        self
    }

    /// What is left of a request that nobody waits for.
    pub(super) fn nothing() -> Self {
        Request { head: Head::Plain, count: 0, keys: 0, seams: (0, 0, 0), body: Vec::new() }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        push_bulk(&mut self.body, argument.as_ref());
        self.count += 1;
        self
    }

    /// One more argument: a whole number in decimal.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.arg(decimal(number, &mut [0; DIGITS]))
    }

    /// Whether both run the same script.
    pub(super) fn same_script(&self, other: &Request) -> bool {
        matches!((self.head, other.head), (Head::Script(one), Head::Script(another)) if std::ptr::eq(one, another))
    }

    /// Whether it is a script, which Redis may not know.
    pub fn is_script(&self) -> bool {
        matches!(self.head, Head::Script(_))
    }

    /// The script that may do it together with others of the same script, in one call.
    pub(super) fn shared(&self) -> Option<&'static Script> {
        match self.head {
            Head::Script(script) if self.keys == 1 && script.takes(self.count - 2) => Some(script),
            _ => None,
        }
    }

    /// How its reply is shared out.
    pub(super) fn sharing(&self) -> Sharing {
        match self.head {
            Head::Script(script) if self.keys == 1 => script.sharing(),
            _ => Sharing::None,
        }
    }

    /// Its keys as they are sent.
    pub(super) fn packed_keys(&self) -> &[u8] {
        self.body.get(self.seams.0..self.seams.1).unwrap_or_default()
    }

    /// Its arguments as they are sent.
    pub(super) fn packed_arguments(&self) -> &[u8] {
        self.body.get(self.seams.1..).unwrap_or_default()
    }

    /// Those that others may have in common with it.
    pub(super) fn packed_common(&self) -> &[u8] {
        self.body.get(self.seams.1 + ALONE.len()..self.seams.2).unwrap_or_default()
    }

    /// Those that are its own.
    pub(super) fn packed_own(&self) -> &[u8] {
        self.body.get(self.seams.2..).unwrap_or_default()
    }

    /// How many arguments a script has beside its keys.
    pub(super) fn arguments(&self) -> usize {
        self.count.saturating_sub(1 + self.keys)
    }

    /// Bytes it holds.
    pub(super) fn weight(&self) -> usize {
        self.body.len()
    }

    /// Append it to `out` as it is sent first: a script by its digest.
    pub fn pack(&self, out: &mut Vec<u8>) {
        match self.head {
            Head::Plain => push_count(out, self.count),
            Head::Script(script) => {
                push_count(out, self.count + 2);
                push_bulk(out, b"EVALSHA");
                push_bulk(out, script.digest().as_bytes());
            }
        }
        out.extend_from_slice(&self.body);
    }

    /// Append it to `out` with the whole script, for a server that does not know it.
    pub fn pack_whole(&self, out: &mut Vec<u8>) {
        match self.head {
            Head::Plain => return self.pack(out),
            Head::Script(script) => {
                push_count(out, self.count + 2);
                push_bulk(out, b"EVAL");
                push_bulk(out, script.source().as_bytes());
            }
        }
        out.extend_from_slice(&self.body);
    }
}

/// Whether a request whose fate is unknown, because its connection was lost, may be sent a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Doing it twice is doing it once: a read, or a charge that carries a nonce.
    Yes,
    /// It may have been done; only what the server has refused (moved, read only) is sent again.
    No,
}

/// A request and where it belongs.
pub struct Ask {
    /// What to do.
    pub request: Request,
    /// The slot of its keys; none for a request that any server answers.
    pub slot: Option<u16>,
    /// Whether it may be sent twice.
    pub again: Again,
    /// On the monotonic clock: who asks is answered by then.
    pub deadline: Nanos,
}

/// Why there is no reply. Never contains credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The deadline has passed; the request may still be carried out.
    Late,
    /// There is no connection, or the breaker before it is open: nothing was sent.
    Down,
    /// As many requests as may be are on their way already: nothing was sent.
    Full,
    /// The connection was lost before the reply came; the request may have been carried out.
    Lost,
    /// The server refuses these credentials, or what they may do: configuration, not an outage that passes.
    Denied(String),
    /// The server does not do it now: loading, busy, out of memory, cluster down.
    Unready(String),
    /// The server has answered with any other error: what was asked does not fit what is there.
    Error(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Late => f.write_str("no reply within the deadline"),
            Trouble::Down => f.write_str("not connected"),
            Trouble::Full => f.write_str("too many requests in flight"),
            Trouble::Lost => f.write_str("the connection was lost before the reply"),
            Trouble::Denied(why) | Trouble::Unready(why) | Trouble::Error(why) => f.write_str(why),
        }
    }
}

/// What is called with the reply: on the thread of the connections, never under a lock, and never for long.
pub type Done = Box<dyn FnOnce(Result<Value, Trouble>) + Send>;

/// A store that is asked over a network. [`super::link::Link`] is the one there is; tests have others.
pub trait Remote: Send + Sync {
    /// Ask. Either `done` is called once, later and from another thread; or it comes back at once with the reason, and nothing was sent.
    fn ask(&self, ask: Ask, done: Done) -> Result<(), (Trouble, Done)>;

    /// All that was asked in this turn of an event loop is: send it now. Without it, it is sent a little later.
    fn flush(&self);

    /// Whether it is worth asking: one load.
    fn is_up(&self) -> bool;

    /// Whether two keys may be far apart: in a cluster a script sees only keys of one slot.
    fn is_cluster(&self) -> bool;

    /// One slot of each server that has any, for what is to be asked everywhere.
    fn shards(&self) -> Vec<Option<u16>> {
        vec![None]
    }
}
