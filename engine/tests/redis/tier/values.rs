//! What one host stores and another finds.

use super::host::{Host, config, nothing, tag, tagged, text, units};
use crate::server::Server;
use spillway_engine::clock::{MILLI, monotonic};
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{CacheConfig, UpTo};
use spillway_engine::primitive::remote::cache::Fetched;
use spillway_engine::redis::push::Listener;
use spillway_engine::store::tags::Force;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn what_one_host_stores_another_finds_and_keeps_in_memory() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    for (key, value) in [("a", "1"), ("{b} %:f", "ключ 😀"), ("long", &"x".repeat(300_000))] {
        assert!(!one.set(key, &text(value)).owed);
        Host::hears(&[&one, &other]);
        assert_eq!(other.memory(key), None);
        assert_eq!(other.get(key).as_deref(), Some(value));
        assert_eq!(other.memory(key), Some((value.to_owned(), State::Fresh)), "{} bytes", value.len());
    }
    assert_eq!(other.get("c"), None);
    assert_eq!(other.tier.report().hits, 3);
    assert_eq!(other.tier.report().misses, 1);
}

#[test]
fn an_entry_is_as_old_elsewhere_as_where_it_was_stored() {
    let server = Server::start();
    let config = CacheConfig { ttl_ms: 300.0, stale_ms: 300.0, grace_ms: 60_000.0, ..config() };
    let (one, other) = (Host::with(&server, config.clone()), Host::with(&server, config));
    one.set("a", &text("1"));
    sleep(Duration::from_millis(150));
    let Fetched::Hit(hit) = other.fetch("a", UpTo::Fresh) else { panic!("it is there") };
    assert_eq!(hit.state, State::Fresh);
    assert!(hit.age >= 150 * MILLI && hit.fresh_for < 151 * MILLI as i64 && hit.fresh_for > 0, "{hit:?}");
    sleep(Duration::from_millis(200));
    assert!(matches!(other.fetch("a", UpTo::Fresh), Fetched::Miss));
    let Fetched::Hit(hit) = other.fetch("a", UpTo::Stale) else { panic!("it is stale") };
    assert_eq!(hit.state, State::Stale);
    sleep(Duration::from_millis(300));
    assert!(matches!(other.fetch("a", UpTo::Stale), Fetched::Miss));
    let Fetched::Hit(hit) = other.fetch("a", UpTo::Grace) else { panic!("it is in grace") };
    assert_eq!(hit.state, State::Grace);
}

#[test]
fn that_there_is_nothing_is_found_as_such() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &nothing(60_000.0));
    let Fetched::Hit(hit) = other.fetch("a", UpTo::Fresh) else { panic!("it is there") };
    assert!(hit.value.negative());
    one.set("b", &nothing(1.0));
    sleep(Duration::from_millis(10));
    assert!(matches!(other.fetch("b", UpTo::Any), Fetched::Miss));
}

#[test]
fn a_key_deleted_elsewhere_is_gone_from_redis_at_once_and_from_memory_when_that_is_heard() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &text("1"));
    Host::hears(&[&one, &other]);
    assert_eq!(other.get("a").as_deref(), Some("1"));
    let held = other.ear.held.clone();
    let held = held.lock().unwrap();
    let gone = one.delete("a");
    assert_eq!((gone.owed, gone.found), (false, 1));
    assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Miss));
    assert!(other.memory("a").is_some());
    drop(held);
    Host::hears(&[&one, &other]);
    assert_eq!(other.memory("a"), None);
    assert_eq!(one.delete("a").found, 0);
}

#[test]
fn a_value_that_was_read_before_its_key_changed_does_not_come_into_memory_after_the_news() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &text("old"));
    let key = units("a");
    let (sender, receiver) = channel();
    // Asked, not sent: the news comes before the answer.
    other.tier.fetch(super::host::key_of(&key), UpTo::Fresh, Vec::new(), monotonic(), move |fetched| {
        sender.send(fetched).unwrap();
    });
    other.tier.heard(&[&b"d"[..], &1u64.to_le_bytes(), b"a"].concat());
    spillway_engine::redis::Remote::flush(&*other.link);
    let Fetched::Hit(hit) = receiver.recv_timeout(Duration::from_secs(5)).unwrap() else { panic!("Redis has it") };
    assert_eq!(hit.stamp, 0);
    assert_eq!(other.memory("a"), None);
}

#[test]
fn a_tag_invalidated_elsewhere_holds_for_redis_before_the_news_has_come() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &tagged("1", &["t", "u"]));
    one.set("b", &tagged("2", &["u"]));
    let held = other.ear.held.clone();
    let held = held.lock().unwrap();
    one.invalidate("t");
    assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Miss));
    assert!(matches!(other.fetch("b", UpTo::Any), Fetched::Hit(_)));
    // What is stored after it is good.
    one.set("a", &tagged("3", &["t"]));
    assert_eq!(other.get("a").as_deref(), Some("3"));
    other.set("c", &tagged("4", &["t"]));
    drop(held);
    Host::hears(&[&one, &other]);
    assert_eq!(other.memory("c").map(|found| found.0).as_deref(), Some("4"), "the news was not taken twice");
    other.invalidate("t");
    assert_eq!(other.get("a"), None);
    Host::hears(&[&one, &other]);
    assert_eq!(one.memory("a"), None);
}

#[test]
fn everything_is_forgotten_everywhere() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    one.set("a", &text("1"));
    other.get("a").unwrap();
    one.clear();
    assert!(matches!(other.fetch("a", UpTo::Any), Fetched::Miss));
    Host::hears(&[&one, &other]);
    assert_eq!(other.memory("a"), None);
    one.set("a", &text("2"));
    assert_eq!(other.get("a").as_deref(), Some("2"));
}

#[test]
fn a_value_that_was_expired_is_there_for_grace_only() {
    let server = Server::start();
    let config = CacheConfig { grace_ms: 60_000.0, ..config() };
    let hosts = [0; 3].map(|_| Host::with(&server, config.clone()));
    let [one, other, third] = &hosts;
    one.set("a", &text("1"));
    Host::hears(&[one, other]);
    other.get("a").unwrap();
    assert_eq!(one.expire("a").found, 1);
    assert_eq!(one.expire("a").found, 0);
    Host::hears(&[one, other, third]);
    assert_eq!(other.memory("a").unwrap().1, State::Grace);
    let Fetched::Hit(hit) = third.fetch("a", UpTo::Grace) else { panic!("it is in grace") };
    assert_eq!(hit.state, State::Grace);
    one.set("b", &tagged("2", &["t"]));
    one.changed(|done| one.tier.invalidate(&[tag("t")], Force::Soft(u64::MAX), super::host::now(), done));
    let Fetched::Hit(hit) = third.fetch("b", UpTo::Grace) else { panic!("it is in grace") };
    assert_eq!(hit.state, State::Grace);
    let until = monotonic() + 20 * MILLI;
    one.set("c", &tagged("3", &["u"]));
    one.changed(|done| one.tier.invalidate(&[tag("u")], Force::Soft(until), super::host::now(), done));
    sleep(Duration::from_millis(60));
    assert!(matches!(third.fetch("c", UpTo::Any), Fetched::Miss));
}

#[test]
fn entries_of_another_version_or_codec_are_as_good_as_absent_and_a_delete_reaches_them() {
    let server = Server::start();
    let versioned = |version: &str, codec: &str| {
        Host::with(&server, CacheConfig { version: Some(version.to_owned()), codec: codec.to_owned(), ..config() })
    };
    let (one, two, bytes) = (versioned("1", "json"), versioned("2", "json"), versioned("1", "bytes"));
    let again = versioned("1", "json");
    one.set("a", &text("of 1"));
    assert!(matches!(two.fetch("a", UpTo::Any), Fetched::Miss));
    assert!(matches!(bytes.fetch("a", UpTo::Any), Fetched::Miss));
    assert_eq!(two.delete("a").found, 1);
    assert!(matches!(one.fetch("a", UpTo::Any), Fetched::Miss));
    // A change of the version is for those who were opened with the same one, also later.
    one.set("b", &text("of 1"));
    assert_eq!(one.set_version("3").found, 1);
    one.set("b", &text("of 3"));
    Host::hears(&[&one, &two, &again]);
    assert_eq!(again.cache.version().as_deref(), Some("3"));
    assert_eq!(two.cache.version().as_deref(), Some("2"));
    assert_eq!(again.get("b").as_deref(), Some("of 3"));
    let later = versioned("1", "json");
    assert_eq!(later.cache.version().as_deref(), Some("3"));
    assert_eq!(later.get("b").as_deref(), Some("of 3"));
}

#[test]
fn what_is_not_ours_is_neither_believed_nor_touched() {
    let server = Server::start();
    let host = Host::new(&server);
    let at = |key: &str| format!("spillway:test:cache:c:{{{key}}}");
    server.tell(&["SET", &at("text"), "somebody's"]);
    server.tell(&["RPUSH", &at("list"), "somebody's"]);
    server.tell(&["SET", &at("empty"), ""]);
    for key in ["text", "list", "empty"] {
        assert!(matches!(host.fetch(key, UpTo::Any), Fetched::Foreign));
        let set = host.set(key, &text("ours"));
        assert!(set.foreign && !set.owed);
        assert_eq!(host.memory(key).unwrap().0, "ours");
        host.delete(key);
        assert_eq!(host.get_or_set(key, || text("loaded")).as_deref(), Some("loaded"));
        host.settles();
    }
    host.set("mine", &text("1"));
    host.delete_prefix("");
    assert_eq!(server.tell(&["GET", &at("text")]), "somebody's");
    assert_eq!(server.tell(&["LLEN", &at("list")]), ":1");
    assert_eq!(server.tell(&["STRLEN", &at("empty")]), ":0");
    assert_eq!(server.tell(&["EXISTS", &at("empty")]), ":1");
    assert_eq!(server.tell(&["EXISTS", &at("mine")]), ":0");
    assert!(host.tier.report().foreign >= 4);
}

#[test]
fn bytes_that_were_changed_on_the_way_are_a_miss() {
    let server = Server::start();
    let host = Host::new(&server);
    let at = "spillway:test:cache:c:{a}";
    for place in [5, 20, 25, 33, 63, 68, 75] {
        host.set("a", &tagged("value", &["t"]));
        assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Hit(_)));
        server.tell(&["SETRANGE", at, &place.to_string(), "\u{7f}"]);
        assert!(matches!(host.fetch("a", UpTo::Any), Fetched::Miss), "at {place}");
    }
    // An entry under another key, as from a reply that went astray.
    host.set("a", &text("of a"));
    server.tell(&["COPY", at, "spillway:test:cache:c:{b}"]);
    assert!(matches!(host.fetch("b", UpTo::Any), Fetched::Miss));
}

#[test]
fn a_prefix_goes_everywhere_and_a_listing_has_every_key() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    for index in 0..700 {
        one.set(&format!("user:{index}"), &text("1"));
        one.set(&format!("group:{index}"), &text("1"));
    }
    Host::hears(&[&one, &other]);
    other.get("user:1").unwrap();
    other.get("group:1").unwrap();
    let listed = |prefix: &str| {
        let (mut all, mut place) = (std::collections::BTreeSet::new(), String::new());
        loop {
            let (sender, receiver) = channel();
            one.tier.scan(&place, &units(prefix), monotonic(), move |batch| sender.send(batch).unwrap());
            spillway_engine::redis::Remote::flush(&*one.link);
            let batch = receiver.recv_timeout(Duration::from_secs(5)).unwrap().unwrap();
            all.extend(batch.keys);
            place = batch.next;
            if place.is_empty() {
                return all;
            }
        }
    };
    assert_eq!(listed("").len(), 1_400);
    assert_eq!(listed("user:").len(), 700);
    assert_eq!(one.delete_prefix("user:").found, 700);
    assert_eq!((listed("user:").len(), listed("").len()), (0, 700));
    Host::hears(&[&one, &other]);
    assert_eq!(other.memory("user:1"), None);
    assert!(other.memory("group:1").is_some());
}

#[test]
fn a_value_made_of_what_was_invalidated_since_is_not_stored_anywhere() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let (before, key) = (other.cache.moment(), units("a"));
    one.invalidate("t");
    Host::hears(&[&one, &other]);
    let set = |since| {
        other.changed(|done| {
            let encoded = tagged("1", &["t"]);
            let key = super::host::key_of(&key);
            other.tier.set(&other.handle, key, &encoded, Some(since), monotonic(), done).unwrap();
        })
    };
    set(before);
    assert_eq!(other.memory("a"), None);
    assert!(matches!(one.fetch("a", UpTo::Any), Fetched::Miss));
    set(other.cache.moment());
    assert!(matches!(one.fetch("a", UpTo::Any), Fetched::Hit(_)));
}

#[test]
fn what_a_file_brings_back_is_good_for_grace_only() {
    let server = Server::start();
    let config = CacheConfig { stale_ms: 60_000.0, grace_ms: 60_000.0, ..config() };
    let (one, other) = (Host::with(&server, config.clone()), Host::with(&server, config));
    one.set("a", &text("1"));
    let path = server.directory.join("dump");
    assert_eq!(one.cache.dump(&path, "c", super::host::now()).unwrap(), 1);
    one.delete("a");
    assert_eq!(other.cache.restore(&path, "c", super::host::now()).unwrap(), 1);
    assert_eq!(other.memory("a"), Some(("1".to_owned(), State::Grace)));
}
