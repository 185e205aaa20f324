//! One connection. Owns what is written and in which order it is answered. Never reads and never connects.
//!
//! Whoever flushes writes himself while the socket takes it; once it does not, the connection's own task goes on, and everything
//! after goes through it. Locks are taken in the order outbox, pipeline.

use super::Node;
use super::pending::Pending;
use super::pipeline::{Entry, Pipeline};
use crate::clock::{Nanos, monotonic};
use crate::redis::dial::Wire;
use crate::redis::merge;
use crate::redis::request::Request;
use crate::store::fingerprint::random_word;
use parking_lot::Mutex;
use smallvec::SmallVec;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, tcp};
use tokio::sync::Notify;
use tokio_rustls::client::TlsStream;

#[cfg(unix)]
use tokio::net::unix;

/// Requests that one mark stands behind at most: their replies wait for its own.
const MARKED: usize = 128;
/// Kept for the next flush at most.
const KEPT: usize = 256 << 10;

/// The half that is read.
pub(super) type Ear = Box<dyn AsyncRead + Send + Unpin>;

/// The half that is written.
pub(super) enum Pen {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    /// Only the connection's own task can write: a stream with a state of its own.
    Relay,
}

impl Pen {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Pen::Tcp(half) => half.try_write(bytes),
            #[cfg(unix)]
            Pen::Unix(half) => half.try_write(bytes),
            Pen::Relay => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Pen::Tcp(half) => half.writable().await,
            #[cfg(unix)]
            Pen::Unix(half) => half.writable().await,
            Pen::Relay => Ok(()),
        }
    }
}

/// The stream of a connection whose task alone can write.
pub(super) type Relayed = WriteHalf<TlsStream<TcpStream>>;

#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// Of those, written already.
    written: usize,
    /// The connection's task writes on; nobody else may.
    clogged: bool,
    calls: Vec<Entry>,
    /// Of the mark to come.
    number: u64,
}

/// Why a connection has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side, or the system.
    Broken(String),
    /// Timeouts in a row.
    Silent,
    /// What came is no reply, or nobody asked for it.
    Garbage(String),
    /// Another server has to be found.
    Retired,
}

/// One connection.
pub(super) struct Connection {
    pen: Pen,
    outbox: Mutex<Outbox>,
    pub(super) pipeline: Mutex<Pipeline>,
    /// Timeouts since the last reply.
    pub(super) late_in_a_row: AtomicU32,
    /// When a reply came last.
    pub(super) heard_at: AtomicU64,
    /// Nothing more is sent; it ends when every reply is in.
    pub(super) retired: AtomicBool,
    more: Notify,
    end: Mutex<Option<End>>,
    ended: Notify,
}

impl Connection {
    /// Over this stream; with it the half that is read, and the one that only a task can write.
    pub(super) fn new(wire: Wire) -> (Arc<Self>, Ear, Option<Relayed>) {
        let (pen, ear, relayed): (_, Ear, _) = match wire {
            Wire::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (Pen::Tcp(write), Box::new(read), None)
            }
            #[cfg(unix)]
            Wire::Unix(stream) => {
                let (read, write) = stream.into_split();
                (Pen::Unix(write), Box::new(read), None)
            }
            Wire::Tls(stream) => {
                let (read, write): (ReadHalf<_>, _) = tokio::io::split(*stream);
                (Pen::Relay, Box::new(read), Some(write))
            }
        };
        let connection = Connection {
            outbox: Mutex::new(Outbox {
                clogged: matches!(pen, Pen::Relay),
                // No number that a reply is likely to be by chance.
                number: random_word() >> 20,
                ..Outbox::default()
            }),
            pen,
            pipeline: Mutex::default(),
            late_in_a_row: AtomicU32::new(0),
            heard_at: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            more: Notify::new(),
            end: Mutex::new(None),
            ended: Notify::new(),
        };
        (Arc::new(connection), ear, relayed)
    }

    /// Send what `take` hands over, unless somebody else is sending right now: he will find it. What cannot be sent any more is
    /// handed to `back`.
    pub(super) fn send(&self, merges: bool, take: impl Fn() -> Vec<Pending>, back: impl Fn(Vec<Pending>)) -> bool {
        let Some(mut outbox) = self.outbox.try_lock() else { return false };
        let asked = take();
        if asked.is_empty() {
            return true;
        }
        let Outbox { bytes, calls, number, .. } = &mut *outbox;
        let (before, now) = (bytes.len(), monotonic());
        let mut asked = asked.into_iter().peekable();
        while asked.peek().is_some() {
            pack(asked.by_ref().take(MARKED), merges, now, bytes, calls);
            *number += 1;
            Request::command("PING").number(*number).pack(bytes);
            calls.push(Entry::alone(Some(*number), now));
        }
        if !self.pipeline.lock().push(calls) {
            bytes.truncate(before);
            let calls = std::mem::take(calls);
            drop(outbox);
            back(calls.into_iter().flat_map(|call| call.askers).collect());
            return false;
        }
        // What has failed once fails with the connection's task again, which sees to it.
        let all = if outbox.clogged { Ok(false) } else { self.write_locked(&mut outbox) };
        drop(outbox);
        if !matches!(all, Ok(true)) {
            self.more.notify_one();
        }
        true
    }

    /// Write as much as the socket takes; whether that was all.
    fn write_locked(&self, outbox: &mut Outbox) -> io::Result<bool> {
        while let Some(rest) = outbox.bytes.get(outbox.written..).filter(|rest| !rest.is_empty()) {
            match self.pen.try_write(rest) {
                Ok(written) => outbox.written += written,
                Err(error) => {
                    outbox.clogged = true;
                    return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
                }
            }
        }
        outbox.written = 0;
        if outbox.bytes.capacity() > KEPT {
            outbox.bytes = Vec::new();
        }
        outbox.bytes.clear();
        outbox.clogged = false;
        Ok(true)
    }

    /// Write on where whoever flushed could not. Who came to flush while this task had the outbox has left what he asked to it.
    pub(super) async fn write_on(self: Arc<Self>, node: Arc<Node>, mut relayed: Option<Relayed>) {
        loop {
            self.more.notified().await;
            let written = match &mut relayed {
                Some(stream) => self.relay(stream, &node).await,
                None => self.write_out(&node).await,
            };
            if let Err(error) = written {
                return self.finish(End::Broken(error.to_string()));
            }
        }
    }

    async fn write_out(&self, node: &Node) -> io::Result<()> {
        loop {
            let all = self.write_locked(&mut self.outbox.lock())?;
            node.flush();
            if all {
                return Ok(());
            }
            self.pen.writable().await?;
        }
    }

    async fn relay(&self, stream: &mut Relayed, node: &Node) -> io::Result<()> {
        loop {
            let bytes = std::mem::take(&mut self.outbox.lock().bytes);
            node.flush();
            if bytes.is_empty() {
                return Ok(());
            }
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.pipeline.lock().is_empty()
    }

    /// It is over, for this reason; the first one counts.
    pub(super) fn finish(&self, end: End) {
        self.end.lock().get_or_insert(end);
        self.ended.notify_one();
    }

    /// Why it is over, once it is.
    pub(super) async fn ended(&self) -> End {
        loop {
            let end = self.end.lock().clone();
            match end {
                Some(end) => return end,
                None => self.ended.notified().await,
            }
        }
    }
}

/// Make calls of requests, in order. Neighbours of one script share one where that is possible.
fn pack(asked: impl Iterator<Item = Pending>, merges: bool, now: Nanos, bytes: &mut Vec<u8>, calls: &mut Vec<Entry>) {
    let mut asked = asked.peekable();
    while let Some(mut first) = asked.next() {
        first.sent = true;
        let (sharing, asking, whole) = (first.request.sharing(), first.asking, first.whole);
        let shared = first.request.shared().filter(|_| merges && !asking);
        let mut askers: SmallVec<[Pending; 1]> =
            SmallVec::with_capacity(if shared.is_some() { merge::MOST.min(1 + asked.size_hint().0) } else { 1 });
        askers.push(first);
        if let Some(script) = shared {
            let joins = |next: &Pending| {
                !next.asking
                    && next.whole == whole
                    && next.request.shared().is_some_and(|its| std::ptr::eq(its, script))
            };
            while askers.len() < merge::MOST {
                let Some(mut next) = asked.next_if(joins) else { break };
                next.sent = true;
                askers.push(next);
            }
        }
        if asking {
            bytes.extend_from_slice(b"*1\r\n$6\r\nASKING\r\n");
            calls.push(Entry::alone(None, now));
        }
        match (shared, askers.as_slice()) {
            (_, [one]) if whole => one.request.pack_whole(bytes),
            (_, [one]) => one.request.pack(bytes),
            (Some(script), several) => {
                let requests: SmallVec<[&Request; merge::MOST]> =
                    several.iter().map(|pending| &pending.request).collect();
                merge::pack(script, &requests, whole, bytes)
            }
            // Only what shares a script is ever more than one.
            (None, _) => {}
        }
        calls.push(Entry { askers, sharing, mark: None, sent_at: now, ahead: 0 });
    }
}
