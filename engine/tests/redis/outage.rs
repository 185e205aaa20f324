//! A server that is not there, or does not answer: known soon, cheap, and over as soon as it is over.

use crate::asking::{ask, ask_within, begin, command, link_to, open, ready, until, wait};
use crate::impostor::Impostor;
use crate::server::{Server, free_port};
use spillway_engine::clock::MILLI;
use spillway_engine::redis::dial::Obstacle;
use spillway_engine::redis::link::Link;
use spillway_engine::redis::traffic::Settings;
use spillway_engine::redis::{Again, Remote, Trouble, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const DEADLINE: u64 = 50 * MILLI;

fn pong() -> Result<Value, Trouble> {
    Ok(Value::SimpleString("PONG".to_owned()))
}

#[test]
fn a_server_that_is_stopped_is_left_alone_within_20_calls_and_asked_again_within_a_second() {
    let server = Server::start();
    let link = open(server.port, 50);
    ready(&link).unwrap();
    assert_eq!(ask_within(&*link, command(&["PING"]), 5_000 * MILLI), pong());
    server.signal("STOP");
    let begun = Instant::now();
    let mut calls = 0;
    while link.is_up() {
        let called = Instant::now();
        assert_ne!(ask_within(&*link, command(&["PING"]), DEADLINE), pong());
        // The deadline, a tick, and what a busy machine adds.
        assert!(called.elapsed() < Duration::from_millis(120), "{:?}", called.elapsed());
        calls += 1;
    }
    assert!(calls <= 20 && begun.elapsed() < Duration::from_millis(600), "{calls} calls, {:?}", begun.elapsed());
    let called = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(ask_within(&*link, command(&["PING"]), DEADLINE), Err(Trouble::Down));
    }
    assert!(called.elapsed() < Duration::from_millis(100), "refused in no time: {:?}", called.elapsed());
    server.signal("CONT");
    let took = until("up again", || link.is_up());
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(ask_within(&*link, command(&["PING"]), 1_000 * MILLI), pong());
}

#[test]
fn calls_that_overlap_an_outage_are_bounded_in_number_and_in_bytes() {
    let server = Server::start();
    let settings = Settings { deadline: 400 * MILLI, max_in_flight: 100, ..Settings::default() };
    let link = Link::plain("127.0.0.1", server.port, settings);
    ready(&link).unwrap();
    server.signal("STOP");
    let asked: Vec<_> = (0..150).map(|_| begin(&*link, command(&["PING"]), Again::No, 400 * MILLI)).collect();
    link.flush();
    let ends: Vec<_> = asked.iter().map(wait).collect();
    assert_eq!(ends.iter().filter(|end| **end == Err(Trouble::Full)).count(), 50, "{ends:?}");
    assert!(ends.iter().take(100).all(|end| *end == Err(Trouble::Late)), "{ends:?}");
    server.signal("CONT");
    until("nothing is left behind", || link.is_up() && link.report().in_flight == 0);

    server.signal("STOP");
    let long = "x".repeat(6 << 20);
    let asked: Vec<_> = (0..4).map(|_| begin(&*link, command(&["SET", "k", &long]), Again::No, 400 * MILLI)).collect();
    link.flush();
    let ends: Vec<_> = asked.iter().map(wait).collect();
    assert_eq!(ends.iter().filter(|end| **end == Err(Trouble::Full)).count(), 2, "16 MiB at most: {ends:?}");
    server.signal("CONT");
}

#[test]
fn the_deadline_covers_a_connection_that_does_not_come_about() {
    let impostor = Impostor::start(|_, reply| Some(reply));
    impostor.mute.store(true, Ordering::Relaxed);
    let link = open(impostor.port, 50);
    let called = Instant::now();
    assert_eq!(ask_within(&*link, command(&["PING"]), DEADLINE), Err(Trouble::Down), "nothing was sent");
    assert!(called.elapsed() < Duration::from_millis(120), "{:?}", called.elapsed());
    assert!(matches!(ready(&link), Err(Obstacle::Down(_))));
    assert!(!link.is_up());
    impostor.mute.store(false, Ordering::Relaxed);
    let took = until("up once it speaks", || link.is_up());
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn where_nobody_listens_is_known_at_once() {
    let link = open(free_port(), 50);
    let took = until("down", || !link.is_up());
    assert!(took < Duration::from_millis(300), "{took:?}");
    let report = serde_json::to_value(link.report()).unwrap();
    assert_eq!(report["nodes"][0]["state"], "down");
    assert!(report["nodes"][0]["reason"].as_str().unwrap().contains("refused"), "{report}");
}

#[test]
fn what_may_be_done_twice_survives_a_cut_and_what_may_not_is_told_as_lost() {
    let server = Server::start();
    let link = link_to(&server);
    ask(&*link, command(&["PING"])).unwrap();
    let never = begin(&*link, command(&["BLPOP", "a", "0"]), Again::No, 5_000 * MILLI);
    link.flush();
    until("it waits there", || server.tell(&["INFO", "clients"]).contains("blocked_clients:1"));
    server.tell(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(wait(&never), Err(Trouble::Lost));
    let twice = begin(&*link, command(&["BLPOP", "b", "0"]), Again::Yes, 5_000 * MILLI);
    link.flush();
    until("it waits there", || server.tell(&["INFO", "clients"]).contains("blocked_clients:1"));
    server.tell(&["CLIENT", "KILL", "TYPE", "normal"]);
    server.tell(&["RPUSH", "b", "came"]);
    let [key, value] = ["b", "came"].map(|word| Value::BulkString(word.as_bytes().to_vec()));
    assert_eq!(wait(&twice), Ok(Value::Array(vec![key, value])));
}

#[test]
fn a_link_that_is_closed_refuses_and_who_waits_is_told() {
    let server = Server::start();
    let link = link_to(&server);
    let waiting = begin(&*link, command(&["BLPOP", "a", "0"]), Again::Yes, 5_000 * MILLI);
    link.flush();
    until("it waits there", || server.tell(&["INFO", "clients"]).contains("blocked_clients:1"));
    link.close();
    assert_eq!(wait(&waiting), Err(Trouble::Lost));
    assert_eq!(ask(&*link, command(&["PING"])), Err(Trouble::Down));
    until("its connection is gone", || server.tell(&["INFO", "clients"]).contains("connected_clients:1"));
}

#[test]
fn a_server_that_has_become_slow_is_left_alone_though_it_answers_everything() {
    let slow = Arc::new(AtomicBool::new(false));
    let slowly = slow.clone();
    let impostor = Impostor::start(move |_, reply| {
        if slowly.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(reply)
    });
    let link = open(impostor.port, 50);
    ready(&link).unwrap();
    slow.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    // A call and its mark: 40 ms of the 50 there are.
    while link.is_up() {
        let _ = ask_within(&*link, command(&["PING"]), 5_000 * MILLI);
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    let report = serde_json::to_value(link.report()).unwrap();
    assert_eq!(report["nodes"][0]["reason"], "replies are slow");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!link.is_up(), "its probes are as slow");
    slow.store(false, Ordering::Relaxed);
    assert!(until("up again", || link.is_up()) < Duration::from_secs(1));
}

#[test]
fn a_link_that_is_dropped_leaves_nothing_behind() {
    let server = Server::start();
    let link = link_to(&server);
    ask(&*link, command(&["PING"])).unwrap();
    let alive = link.alive();
    drop(link);
    until("nothing of it is alive", || !alive());
}

#[test]
fn who_is_told_that_it_is_ready_can_ask() {
    let impostor = Impostor::start(|_, reply| Some(reply));
    impostor.mute.store(true, Ordering::Relaxed);
    let link = open(impostor.port, 50);
    until("down", || !link.is_up());
    impostor.mute.store(false, Ordering::Relaxed);
    ready(&link).unwrap();
    assert!(link.is_up());
    assert_eq!(ask_within(&*link, command(&["PING"]), 1_000 * MILLI), pong());
}
