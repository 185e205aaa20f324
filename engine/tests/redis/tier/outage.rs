//! Redis is not there, is frozen, has forgotten, or is not heard.

use super::host::{Host, Loaded, config, tagged, text};
use crate::asking::until;
use crate::server::Server;
use spillway_engine::clock::monotonic;
use spillway_engine::primitive::cache::{CacheConfig, UpTo};
use spillway_engine::primitive::remote::cache::{Claimed, Fetched};
use spillway_engine::redis::link::Link;
use spillway_engine::redis::{Ask, Done, Remote, Trouble};
use spillway_engine::store::flights::Purpose;
use spillway_engine::store::tags::{Force, TagHash};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[test]
fn without_redis_there_are_memory_and_loaders_and_what_was_changed_is_told_when_it_is_back() {
    let mut server = Server::start();
    let host = Host::patient(&server, config(), 50);
    host.set("kept", &text("1"));
    server.kill();
    until("the loss is noticed", || !host.tier.is_believed());
    let begun = Instant::now();
    assert_eq!(host.get("kept").as_deref(), Some("1"), "memory is kept in an outage");
    assert!(matches!(host.fetch("kept", UpTo::Any), Fetched::Alone));
    assert!(host.delete("kept").owed);
    assert_eq!(host.get("kept"), None);
    assert!(host.set("set", &text("2")).owed);
    assert_eq!(host.get_or_set("loaded", || text("3")).as_deref(), Some("3"));
    assert!(host.invalidate("t").owed && host.set_version("9").owed && host.delete_prefix("x").owed);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(host.tier.report().owed, 5);
    server.restart();
    host.believes();
    assert_eq!(host.tier.report().owed, 0);
    // What was loaded in the outage is believed no more, and what was set in it was not stored.
    assert_eq!((host.memory("loaded"), host.memory("set")), (None, None));
    assert_eq!(host.cache.version().as_deref(), Some("9"));
    assert!(matches!(host.fetch("set", UpTo::Any), Fetched::Miss));
}

#[test]
fn what_a_frozen_redis_had_been_told_does_not_come_back_after_what_came_later() {
    let server = Server::start();
    let (one, other) = (Host::patient(&server, config(), 60), Host::new(&server));
    for round in 0..5 {
        let key = format!("key {round}");
        other.set(&key, &text("old"));
        server.signal("STOP");
        // The connection may hold it for as long as Redis sleeps.
        assert!(one.set(&key, &text("late")).owed);
        assert!(one.tier.report().owed > 0);
        sleep(Duration::from_millis(150));
        server.signal("CONT");
        other.believes();
        until("it is deleted", || !other.delete(&key).owed);
        one.believes();
        other.believes();
        assert!(matches!(other.fetch(&key, UpTo::Any), Fetched::Miss), "round {round}");
        assert!(matches!(one.fetch(&key, UpTo::Any), Fetched::Miss), "round {round}");
    }
}

/// A way to Redis that can be shut: what is asked meanwhile gets there later, long after whoever asked has given up.
struct Valve {
    link: Arc<Link>,
    shut: Mutex<Option<Vec<Ask>>>,
}

impl Remote for Valve {
    fn ask(&self, ask: Ask, done: Done) -> Result<(), (Trouble, Done)> {
        match &mut *self.shut.lock().unwrap() {
            None => self.link.ask(ask, done),
            Some(held) => {
                held.push(ask);
                std::thread::spawn(move || {
                    sleep(Duration::from_millis(60));
                    done(Err(Trouble::Late));
                });
                Ok(())
            }
        }
    }

    fn flush(&self) {
        self.link.flush();
    }

    fn is_up(&self) -> bool {
        self.link.is_up()
    }

    fn is_cluster(&self) -> bool {
        false
    }
}

#[test]
fn a_set_that_gets_to_redis_after_its_time_is_not_done() {
    let server = Server::start();
    let link = crate::asking::link_to(&server);
    let valve = Arc::new(Valve { link: link.clone(), shut: Mutex::new(None) });
    let one = Host::through(&server, config(), 60, link, valve.clone());
    let other = Host::new(&server);
    *valve.shut.lock().unwrap() = Some(Vec::new());
    assert!(one.set("a", &text("old")).owed && one.set_version("old").owed);
    assert!(!other.delete("a").owed && !other.set_version("new").owed);
    let held: Vec<Ask> = valve.shut.lock().unwrap().take().unwrap();
    assert!(held.len() >= 2);
    sleep(Duration::from_millis(120));
    for ask in held {
        let (sender, receiver) = channel();
        let ask = Ask { deadline: monotonic() + 5_000_000_000, ..ask };
        assert!(valve.link.ask(ask, Box::new(move |answer| sender.send(answer).unwrap())).is_ok());
        valve.flush();
        receiver.recv_timeout(Duration::from_secs(5)).unwrap().unwrap();
        assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Miss));
    }
    assert_eq!(other.cache.version().as_deref(), Some("new"));
    one.believes();
    assert!(matches!(one.fetch("a", UpTo::Any), Fetched::Miss));
    // What was owed does not overrule what came later, either.
    Host::hears(&[&one, &other]);
    assert_eq!([&one, &other].map(|host| host.cache.version()), [Some("new".to_owned()), Some("new".to_owned())]);
}

#[test]
fn what_something_owed_concerns_is_not_read_until_it_is_paid() {
    let server = Server::start();
    let host = Host::patient(&server, config(), 60);
    host.set("a", &tagged("old", &["t"]));
    host.set("b", &text("old"));
    server.signal("STOP");
    assert!(host.invalidate("t").owed && host.delete("b").owed);
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Alone));
    server.signal("CONT");
    host.believes();
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Miss));
    assert!(matches!(host.fetch("b", UpTo::Any), Fetched::Miss));
}

#[test]
fn a_change_is_not_overtaken_by_a_look_that_is_asked_after_it() {
    let server = Server::start();
    let host = Host::new(&server);
    host.set("a", &text("old"));
    let key = super::host::units("a");
    let (sender, receiver) = channel();
    host.tier.delete(
        &host.handle,
        super::host::key_of(&key),
        monotonic(),
        Box::new(move |done| sender.send(done).unwrap()),
    );
    // Not even sent.
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Alone));
    assert_eq!(host.get_or_set("a", || text("new")).as_deref(), Some("new"));
    host.link.flush();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)).unwrap().found, 1);
    assert_eq!(host.get("a").as_deref(), Some("new"));
}

#[test]
fn after_a_gap_nothing_in_memory_is_believed() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &tagged("1", &["t"]));
    one.set("b", &text("1"));
    Host::hears(&[&one, &other]);
    other.get("a").unwrap();
    other.get("b").unwrap();
    let held = other.ear.held.clone();
    let held = held.lock().unwrap();
    server.tell(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    one.believes();
    one.delete("b");
    one.invalidate("t");
    drop(held);
    until("the gap is noticed", || other.tier.report().gaps == 1);
    other.believes();
    assert_eq!((other.memory("a"), other.memory("b")), (None, None));
    assert_eq!((other.get("a"), other.get("b")), (None, None));
}

#[test]
fn who_waits_for_another_host_loads_himself_when_nothing_is_heard_any_more() {
    let mut server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let (leading, following) = (one.lead("a"), other.lead("a"));
    assert_eq!(one.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let answer = other.begin_claim("a", following, Purpose::Missing);
    sleep(Duration::from_millis(50));
    server.kill();
    assert!(matches!(answer.recv_timeout(Duration::from_secs(3)).unwrap(), Claimed::Alone));
    other.land(following, &text("mine"));
    one.land(leading, &text("yours"));
    assert_eq!(other.get("a").as_deref(), Some("mine"));
    assert_eq!(one.get("a").as_deref(), Some("yours"));
}

#[test]
fn when_redis_has_forgotten_the_state_everything_is_forgotten() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let state = "spillway:test:cache:c:{}";
    let losses: [&[&str]; 3] = [&["DEL", state], &["FLUSHALL"], &["ZADD", state, "1000000000000001", "m"]];
    for loss in losses {
        one.set("a", &tagged("1", &["t"]));
        Host::hears(&[&one, &other]);
        one.get("a").unwrap();
        server.tell(loss);
        // What one of them finds out, all hear of, if only when they look themselves.
        assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Miss), "{loss:?}");
        assert!(matches!(one.fetch("x", UpTo::Any), Fetched::Miss));
        assert_eq!(one.memory("a"), None, "{loss:?}");
        one.set("a", &tagged("2", &["t"]));
        assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Hit(_)), "{loss:?}");
        other.invalidate("t");
        assert!(matches!(one.fetch("a", UpTo::Any), Fetched::Miss), "{loss:?}");
    }
}

#[test]
fn a_set_finds_the_state_gone_and_is_stored_all_the_same() {
    let server = Server::start();
    let host = Host::new(&server);
    server.tell(&["DEL", "spillway:test:cache:c:{}"]);
    assert!(!host.set("a", &text("1")).owed);
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Hit(_)));
}

#[test]
fn more_debts_than_can_be_remembered_are_paid_by_forgetting_everything() {
    let mut server = Server::start();
    let host = Host::patient(&server, config(), 20);
    host.set("a", &text("1"));
    server.kill();
    until("the loss is noticed", || !host.tier.is_believed());
    for key in 0..10_100 {
        let units = super::host::units(&key.to_string());
        host.tier.delete(&host.handle, super::host::key_of(&units), monotonic(), Box::new(|_| ()));
    }
    assert!(host.tier.report().owed <= 10_000, "{:?}", host.tier.report());
    host.delete("99");
    server.restart();
    host.believes();
    assert_eq!(host.tier.report().owed, 0);
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Miss));
    host.set("b", &text("1"));
    assert!(matches!(host.fetch("b", UpTo::Any), Fetched::Hit(_)));
}

#[test]
fn records_of_tags_are_bounded_and_the_oldest_count_as_invalidated() {
    let server = Server::start();
    let mut one = Host::patient(&server, config(), 5_000);
    one.set("a", &tagged("1", &["t"]));
    one.set("untagged", &text("1"));
    // What it hears of all that would take longer than the rest.
    one.ear.cut();
    for round in 0..262_144 / 128 + 8 {
        let tags: Vec<_> = (round * 128..round * 128 + 128).map(TagHash).collect();
        one.changed(|done| one.tier.invalidate(&tags, Force::Hard, super::host::now(), done));
    }
    let members: u64 = server.tell(&["ZCARD", "spillway:test:cache:c:{}"])[1..].parse().unwrap();
    assert!(members <= 262_144 + 512, "{members}");
    let late = Host::patient(&server, config(), 5_000);
    assert!(matches!(late.fetch("a", UpTo::Any), Fetched::Miss));
    assert!(matches!(late.fetch("untagged", UpTo::Any), Fetched::Hit(_)));
    late.set("b", &tagged("1", &["t"]));
    assert!(matches!(late.fetch("b", UpTo::Any), Fetched::Hit(_)));
}

#[test]
fn how_long_redis_is_asked_for_is_bounded_by_the_deadline() {
    let server = Server::start();
    let host = Host::patient(&server, CacheConfig { load_timeout_ms: 1_000.0, ..config() }, 50);
    server.signal("STOP");
    let begun = Instant::now();
    assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Alone));
    let receipt = host.lead("b");
    assert_eq!(host.claim("b", receipt, Purpose::Missing), Loaded::Alone(receipt));
    assert!(host.delete("c").owed);
    assert!(begun.elapsed() < Duration::from_millis(3 * 50 + 200), "{:?}", begun.elapsed());
    server.signal("CONT");
}

#[test]
fn the_memory_that_redis_may_take_is_kept_to() {
    let server = Server::with(&["--maxmemory", "4mb", "--maxmemory-policy", "noeviction"]);
    let host = Host::new(&server);
    let value = "x".repeat(20_000);
    for key in 0..300 {
        host.set(&format!("set {key}"), &text(&value));
        host.get_or_set(&format!("loaded {key}"), || text(&value));
    }
    let lengths = ["set", "loaded"].map(|kind| {
        let kept =
            (0..300).filter(|key| server.tell(&["EXISTS", &format!("spillway:test:cache:c:{{{kind} {key}}}")]) == ":1");
        kept.count()
    });
    let kept: usize = lengths.iter().sum();
    assert!(kept > 20 && kept * 20_000 < 5 << 20, "{lengths:?}");
}
