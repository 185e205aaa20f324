//! Asking a link from a test, and waiting for what comes of it.

use spillway_engine::clock::{MILLI, Nanos, monotonic};
use spillway_engine::redis::link::Link;
use spillway_engine::redis::name::slot_of;
use spillway_engine::redis::traffic::Settings;
use spillway_engine::redis::{Again, Ask, Remote, Request, Script, Trouble, Value};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::server::Server;

pub type Answer = Result<Value, Trouble>;

/// A link to the server, signed on, patient enough for a busy machine.
pub fn link_to(server: &Server) -> Arc<Link> {
    let link = Link::plain("127.0.0.1", server.port, Settings { deadline: 2_000 * MILLI, ..Settings::default() });
    ready(&link).unwrap();
    link
}

/// A link to a port, with this deadline in milliseconds, signed on or not.
pub fn open(port: u16, deadline_ms: u64) -> Arc<Link> {
    Link::plain("127.0.0.1", port, Settings { deadline: deadline_ms * MILLI, ..Settings::default() })
}

pub fn ready(link: &Link) -> Result<(), spillway_engine::redis::dial::Obstacle> {
    let (sender, receiver) = channel();
    link.ready(Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv_timeout(Duration::from_secs(10)).unwrap()
}

/// Ask without flushing.
pub fn begin(remote: &dyn Remote, request: Request, again: Again, within: Nanos) -> Receiver<Answer> {
    let (sender, receiver) = channel();
    let refused = sender.clone();
    let done = Box::new(move |answer| drop(sender.send(answer)));
    let ask = Ask { request, slot: None, again, deadline: monotonic() + within };
    if let Err((trouble, _)) = remote.ask(ask, done) {
        refused.send(Err(trouble)).unwrap();
    }
    receiver
}

/// As [`begin`], of whoever has this slot, and not a second time if its fate is unknown.
pub fn begin_at(remote: &dyn Remote, request: Request, slot: u16, within: Nanos) -> Receiver<Answer> {
    let (sender, receiver) = channel();
    let refused = sender.clone();
    let done = Box::new(move |answer| drop(sender.send(answer)));
    let ask = Ask { request, slot: Some(slot), again: Again::No, deadline: monotonic() + within };
    if let Err((trouble, _)) = remote.ask(ask, done) {
        refused.send(Err(trouble)).unwrap();
    }
    receiver
}

pub fn wait(receiver: &Receiver<Answer>) -> Answer {
    receiver.recv_timeout(Duration::from_secs(20)).expect("whoever asks is answered")
}

/// Ask, flush, wait.
pub fn ask_within(remote: &dyn Remote, request: Request, within: Nanos) -> Answer {
    let receiver = begin(remote, request, Again::Yes, within);
    remote.flush();
    wait(&receiver)
}

pub fn ask(remote: &dyn Remote, request: Request) -> Answer {
    ask_within(remote, request, 5_000 * MILLI)
}

/// `words` as a command.
pub fn command(words: &[&str]) -> Request {
    let (name, rest) = words.split_first().unwrap();
    rest.iter().fold(Request::command(name), |request, word| request.arg(word))
}

/// A script over one key.
pub fn script(script: &'static Script, key: &str, arguments: &[&str]) -> Request {
    arguments.iter().fold(Request::script(script, [key].into_iter()), |request, word| request.arg(word))
}

pub fn slot(key: &str) -> Option<u16> {
    Some(slot_of(key.as_bytes()))
}

/// Until it is so, for ten seconds at most; how long it took.
pub fn until(what: &str, so: impl Fn() -> bool) -> Duration {
    until_within(what, 10, so)
}

/// Until it is so; for what others do in their own time.
pub fn until_within(what: &str, seconds: u64, so: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(seconds), "{what}: not within {seconds} seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
    begun.elapsed()
}
