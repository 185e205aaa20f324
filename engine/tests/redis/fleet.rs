//! Who lives: the heartbeats of several processes, here of several links in one.

use crate::asking::until;
use crate::opening::{opened, single};
use crate::server::Server;
use parking_lot::Mutex;
use spillway_engine::redis::{Fleet, Opened, Target, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

struct Process {
    fleet: Fleet,
    size: Arc<AtomicU32>,
    state: Arc<Mutex<String>>,
    _opened: Opened,
}

fn process(target: &Target, prefix: &str, state: &str) -> Process {
    let opened = opened(target.clone());
    let (size, state) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(state.to_owned())));
    let says = state.clone();
    let fleet = Fleet::start(opened.link.clone(), prefix, size.clone(), Box::new(move || says.lock().clone()));
    Process { fleet, size, state, _opened: opened }
}

fn said_by(process: &Process, other: &Process) -> Option<String> {
    let members = process.fleet.members();
    members.into_iter().find(|member| member.id == other.fleet.id()).map(|member| member.said)
}

#[test]
fn the_living_know_each_other_and_what_each_says_of_itself() {
    let server = Server::start();
    let target = single(&server);
    let one = process(&target, "app", r#"{"breakers":{}}"#);
    let two = process(&target, "app", r#"{"breakers":{"stripe":"open"}}"#);
    let stranger = process(&target, "another", "{}");
    until("one sees two", || one.fleet.size() == 2);
    until("one hears two", || said_by(&one, &two).is_some_and(|said| said.contains("open")));
    assert_eq!(one.size.load(Ordering::Relaxed), 2);
    assert_eq!(stranger.fleet.size(), 1);
    *two.state.lock() = r#"{"breakers":{"stripe":"closed"}}"#.to_owned();
    until("one hears the news", || said_by(&one, &two).is_some_and(|said| said.contains("closed")));
    assert!(one.fleet.members().iter().all(|member| member.seen_ms < 3_000));
    drop(two);
    until("two has left", || one.fleet.size() == 1);
}

#[test]
fn what_has_not_changed_is_not_said_again_unless_the_server_has_forgotten_it() {
    let server = Server::start();
    let one = process(&single(&server), "app", "{\"once\":1}");
    until("alive", || one.fleet.size() == 1);
    let score = || server.tell(&["ZSCORE", "spillway:app:fleet::{processes}changed", one.fleet.id()]);
    let first = score();
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    assert_eq!(score(), first);
    server.tell(&["FLUSHALL"]);
    until("said again", || score() != first && !score().starts_with('$') && score() != "_");
    until("known again", || said_by(&one, &one).as_deref() == Some("{\"once\":1}"));
}

#[test]
fn a_silent_process_is_dead_after_five_seconds_and_a_lost_redis_kills_nobody() {
    let mut server = Server::start();
    let target = single(&server);
    let one = process(&target, "app", "{}");
    until("alive", || one.fleet.size() == 1);
    // One that has died before it could say so, and one from before the clock was set back.
    let now = one_second_of(&server);
    server.tell(&["ZADD", "spillway:app:fleet::{processes}seen", &(now * 1_000 - 2_000).to_string(), "dying"]);
    server.tell(&["ZADD", "spillway:app:fleet::{processes}seen", &(now * 1_000 + 3_600_000).to_string(), "early"]);
    until("three", || one.fleet.size() == 3);
    until("two", || one.fleet.size() == 2);
    until("one", || one.fleet.size() == 1);
    server.tell(&["ZADD", "spillway:app:fleet::{processes}seen", &(now * 1_000 + 60_000).to_string(), "other"]);
    until("two", || one.fleet.size() == 2);
    server.kill();
    until("down", || !one._opened.link.report().up);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(one.fleet.size(), 2);
    // Back, empty: who has not been heard yet may be beating against it all the same.
    server.restart();
    until("beating", || server.tell(&["ZCARD", "spillway:app:fleet::{processes}seen"]) == ":1");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(one.fleet.size(), 2);
    until("nobody else came", || one.fleet.size() == 1);
}

fn one_second_of(server: &Server) -> u64 {
    let opened = opened(single(server));
    match crate::asking::ask(&*opened.link, crate::asking::command(&["TIME"])).unwrap() {
        Value::Array(words) => match &words[0] {
            Value::BulkString(seconds) => String::from_utf8_lossy(seconds).parse().unwrap(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_application_data_in_the_place_of_the_heartbeat_harms_nobody() {
    let server = Server::start();
    server.tell(&["SET", "spillway:app:fleet::{processes}seen", "something else"]);
    let one = process(&single(&server), "app", "{}");
    std::thread::sleep(std::time::Duration::from_millis(1_300));
    assert_eq!(one.fleet.size(), 0);
    assert!(one._opened.link.report().up);
    assert_eq!(server.tell(&["GET", "spillway:app:fleet::{processes}seen"]), "something else");
}
