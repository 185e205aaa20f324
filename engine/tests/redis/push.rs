//! What is published, and what is said of the times when nothing was heard.

use crate::asking::{ask, command, until};
use crate::opening::{opened, signed, single};
use crate::server::Server;
use parking_lot::Mutex;
use spillway_engine::redis::{Listener, Obstacle, Opened, Target};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Writes down what it is told.
#[derive(Default)]
pub struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    pub fn has(&self, words: &str) -> bool {
        self.0.lock().iter().any(|note| note == words)
    }

    pub fn count(&self, words: &str) -> usize {
        self.0.lock().iter().filter(|note| *note == words).count()
    }
}

impl Listener for Notes {
    fn heard(&self, message: &[u8]) {
        self.0.lock().push(String::from_utf8_lossy(message).into_owned());
    }

    fn gap(&self) {
        self.0.lock().push("<gap>".to_owned());
    }

    fn resumed(&self) {
        self.0.lock().push("<resumed>".to_owned());
    }
}

pub fn publish(opened: &Opened, channel: &str, message: &str) {
    ask(&*opened.link, command(&["PUBLISH", channel, message])).unwrap();
}

#[test]
fn a_listener_is_told_that_it_hears_before_it_hears() {
    let server = Server::start();
    let opened = opened(single(&server));
    let (ours, other) = (Arc::new(Notes::default()), Arc::new(Notes::default()));
    let listening = opened.push.listen(b"ours".to_vec(), ours.clone());
    until("resumed", || ours.has("<resumed>"));
    let _also = opened.push.listen(b"other".to_vec(), other.clone());
    until("the other", || other.has("<resumed>"));
    for number in 0..1_000 {
        publish(&opened, "ours", &number.to_string());
    }
    until("the last", || ours.has("999"));
    let wanted: Vec<String> = ["<resumed>".to_owned()].into_iter().chain((0..1_000).map(|n| n.to_string())).collect();
    assert_eq!(ours.all(), wanted);
    assert_eq!(other.all(), ["<resumed>"]);
    // A second listener of a channel that is subscribed to already hears at once; who has left hears nothing.
    let second = Arc::new(Notes::default());
    let _second = opened.push.listen(b"ours".to_vec(), second.clone());
    until("the second", || second.has("<resumed>"));
    drop(listening);
    publish(&opened, "ours", "after");
    until("after", || second.has("after"));
    assert!(!ours.has("after"));
}

#[test]
fn who_comes_and_goes_at_once_hears_all_from_his_resumption_on() {
    let server = Server::start();
    let opened = opened(single(&server));
    for round in 0..300 {
        let notes = Arc::new(Notes::default());
        let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
        if round % 3 == 0 {
            continue;
        }
        until("resumed", || notes.has("<resumed>"));
        publish(&opened, "c", "message");
        until("message", || notes.has("message"));
        assert!(!notes.has("<gap>"));
    }
    until("unsubscribed", || server.tell(&["PUBSUB", "NUMSUB", "c"]).starts_with('*'));
}

#[test]
fn a_lost_connection_is_a_gap_and_its_return_is_told_before_what_comes_then() {
    let mut server = Server::start();
    let opened = opened(single(&server));
    let notes = Arc::new(Notes::default());
    let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("resumed", || notes.has("<resumed>"));
    server.tell(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    until("resumed again", || notes.count("<resumed>") == 2);
    publish(&opened, "c", "one");
    until("one", || notes.has("one"));
    server.kill();
    until("the second gap", || notes.count("<gap>") == 2);
    assert!(matches!(opened.push.trouble(), Some(Obstacle::Down(_))));
    server.restart();
    until("resumed", || notes.count("<resumed>") == 3);
    until("up", || opened.link.report().up);
    publish(&opened, "c", "two");
    until("two", || notes.has("two"));
    assert_eq!(notes.all(), ["<resumed>", "<gap>", "<resumed>", "one", "<gap>", "<resumed>", "two"]);
    assert_eq!(opened.push.trouble(), None);
}

#[test]
fn a_server_that_says_nothing_is_found_out_within_two_seconds() {
    let server = Server::start();
    let opened = opened(single(&server));
    let notes = Arc::new(Notes::default());
    let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("resumed", || notes.has("<resumed>"));
    server.signal("STOP");
    let begun = Instant::now();
    until("the gap", || notes.has("<gap>"));
    let took = begun.elapsed();
    server.signal("CONT");
    assert!(took < Duration::from_millis(2_000), "{took:?}");
    assert!(took > Duration::from_millis(900), "{took:?}: a server may think for a while");
    until("resumed", || notes.count("<resumed>") == 2);
}

#[test]
fn a_channel_that_is_denied_leaves_the_others_in_peace() {
    let user = "ada on >pw ~* resetchannels &mine +@all";
    let arguments: Vec<&str> = ["--user"].into_iter().chain(user.split(' ')).collect();
    let server = Server::with(&arguments);
    let opened = opened(signed(single(&server), Some("ada"), "pw"));
    let (mine, theirs) = (Arc::new(Notes::default()), Arc::new(Notes::default()));
    let _theirs = opened.push.listen(b"theirs".to_vec(), theirs.clone());
    until("denied", || matches!(opened.push.trouble(), Some(Obstacle::Denied(_))));
    let _mine = opened.push.listen(b"mine".to_vec(), mine.clone());
    until("resumed", || mine.has("<resumed>"));
    publish(&opened, "mine", "message");
    until("message", || mine.has("message"));
    assert_eq!(theirs.all(), Vec::<String>::new());
}

#[test]
fn nobody_listens_over_nothing_and_what_is_dropped_closes_its_connections() {
    let server = Server::start();
    let connections = || server.tell(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("name=watched")).count();
    let opened = opened(Target { client_name: "watched".to_owned(), ..single(&server) });
    assert_eq!(connections(), 1, "no listener, no second connection");
    let notes = Arc::new(Notes::default());
    let listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("resumed", || notes.has("<resumed>"));
    assert_eq!(connections(), 2);
    drop(listening);
    until("one connection", || connections() == 1);
    let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("two connections", || connections() == 2);
    drop(opened);
    until("no connection", || connections() == 0);
}
