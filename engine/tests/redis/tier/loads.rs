//! One load over all hosts.

use super::host::{Host, Loaded, config, nothing, text};
use crate::asking::until;
use crate::server::Server;
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{CacheConfig, UpTo};
use spillway_engine::primitive::remote::cache::{Claimed, Fetched};
use spillway_engine::store::flights::Purpose;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

#[test]
fn of_many_hosts_that_miss_at_once_one_loads() {
    let server = Server::start();
    let mut hosts = [0; 8].map(|_| Host::new(&server));
    let loads = AtomicU32::new(0);
    for round in 0..20 {
        let key = format!("key {round}");
        scope(|scope| {
            for host in &mut hosts {
                let (key, loads) = (&key, &loads);
                scope.spawn(move || {
                    let value = host.get_or_set(key, || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        sleep(Duration::from_millis(20));
                        text("loaded")
                    });
                    assert_eq!(value.as_deref(), Some("loaded"));
                });
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), round + 1);
    }
}

#[test]
fn who_waits_hears_of_the_landing_at_once() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let leading = one.lead("a");
    assert_eq!(one.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let following = other.lead("a");
    let answer = other.begin_claim("a", following, Purpose::Missing);
    // Past the first polls, which grow to 250 ms.
    sleep(Duration::from_millis(400));
    let landed = Instant::now();
    one.land(leading, &text("1"));
    let Claimed::Hit(hit) = answer.recv_timeout(Duration::from_secs(5)).unwrap() else { panic!("it has landed") };
    assert!(landed.elapsed() < Duration::from_millis(150), "{:?}", landed.elapsed());
    assert_eq!(hit.value.bytes(), b"1");
    assert_eq!(other.memory("a"), Some(("1".to_owned(), State::Fresh)));
    assert_eq!(other.tier.report().waits, 1);
}

#[test]
fn a_load_that_began_before_a_change_elsewhere_is_not_stored() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    type Change = fn(&Host);
    let changes: [(&str, Change); 5] = [
        ("deleted", |host| assert!(!host.delete("a").owed)),
        ("set", |host| assert!(!host.set("a", &text("new")).owed)),
        ("invalidated", |host| assert!(!host.invalidate("t").owed)),
        ("cleared", |host| assert!(!host.clear().owed)),
        ("swept", |host| assert!(!host.delete_prefix("a").owed)),
    ];
    for (what, change) in changes {
        one.delete("a");
        Host::hears(&[&one, &other]);
        let held = one.ear.held.clone();
        let held = held.lock().unwrap();
        let receipt = one.lead("a");
        assert_eq!(one.claim("a", receipt, Purpose::Missing), Loaded::Lead(receipt), "{what}");
        change(&other);
        // The news has not come.
        one.land(receipt, &super::host::tagged("old", &["t"]));
        one.link_settles();
        match other.fetch("a", UpTo::Any) {
            Fetched::Miss => (),
            Fetched::Hit(hit) => assert_eq!(hit.value.bytes(), b"new", "{what}"),
            fetched => panic!("{what}: {fetched:?}"),
        }
        if what == "deleted" {
            until("what was refused goes from memory too", || one.memory("a").is_none());
        }
        drop(held);
        Host::hears(&[&one, &other]);
        assert_ne!(one.get("a").as_deref(), Some("old"), "{what}");
    }
}

#[test]
fn a_leader_that_fails_lets_another_host_load_at_once() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let (leading, following) = (one.lead("a"), other.lead("a"));
    assert_eq!(one.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let answer = other.begin_claim("a", following, Purpose::Missing);
    sleep(Duration::from_millis(300));
    let failed = Instant::now();
    one.fail(leading);
    assert!(matches!(answer.recv_timeout(Duration::from_secs(5)).unwrap(), Claimed::Lead(_)));
    assert!(failed.elapsed() < Duration::from_millis(150), "{:?}", failed.elapsed());
}

#[test]
fn the_load_of_a_host_that_died_is_taken_over_when_its_lease_ends() {
    let server = Server::start();
    let config = CacheConfig { load_timeout_ms: 400.0, ..config() };
    let hosts = [0; 3].map(|_| Host::with(&server, config.clone()));
    let [dead, one, other] = &hosts;
    let leading = dead.lead("a");
    assert_eq!(dead.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let (mine, yours) = (one.lead("a"), other.lead("a"));
    let begun = Instant::now();
    let (first, second) =
        (one.begin_claim("a", mine, Purpose::Missing), other.begin_claim("a", yours, Purpose::Missing));
    let (leads, lead, waits) = loop {
        assert!(begun.elapsed() < Duration::from_secs(3), "nobody takes over");
        if let Ok(claimed) = first.try_recv() {
            assert!(matches!(claimed, Claimed::Lead(_)));
            break (one, mine, second);
        }
        if let Ok(claimed) = second.try_recv() {
            assert!(matches!(claimed, Claimed::Lead(_)));
            break (other, yours, first);
        }
        sleep(Duration::from_millis(1));
    };
    assert!(begun.elapsed() >= Duration::from_millis(350), "{:?}", begun.elapsed());
    leads.land(lead, &text("new"));
    let Claimed::Hit(hit) = waits.recv_timeout(Duration::from_secs(5)).unwrap() else { panic!("one leads") };
    assert_eq!(hit.value.bytes(), b"new");
    // What the dead one brings after all is of no use to anybody.
    dead.land(leading, &text("old"));
    dead.link_settles();
    let Fetched::Hit(hit) = one.fetch("a", UpTo::Any) else { panic!("it is there") };
    assert_eq!(hit.value.bytes(), b"new");
    until("what was refused goes from memory too", || dead.memory("a").is_none_or(|found| found.0 == "new"));
}

#[test]
fn that_there_is_nothing_is_told_to_who_waits_though_nobody_keeps_it() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let (leading, following) = (one.lead("a"), other.lead("a"));
    assert_eq!(one.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let answer = other.begin_claim("a", following, Purpose::Missing);
    sleep(Duration::from_millis(300));
    one.land(leading, &nothing(0.0));
    let Claimed::Hit(hit) = answer.recv_timeout(Duration::from_secs(5)).unwrap() else { panic!("it has landed") };
    assert!(hit.value.negative());
    assert_eq!((other.memory("a"), server.tell(&["EXISTS", "spillway:test:cache:c:{a}"])), (None, ":0".to_owned()));
}

#[test]
fn what_is_stale_is_loaded_anew_by_one_host_and_the_old_value_is_there_for_grace() {
    let server = Server::start();
    let config = CacheConfig { ttl_ms: 300.0, stale_ms: 60_000.0, grace_ms: 60_000.0, ..config() };
    let (one, other) = (Host::with(&server, config.clone()), Host::with(&server, config));
    one.set("a", &text("old"));
    sleep(Duration::from_millis(310));
    // For who has nothing a stale value is an answer.
    assert_eq!(other.board("a", Purpose::Missing), Loaded::Found(Some("old".to_owned())));
    assert_eq!(other.memory("a"), Some(("old".to_owned(), State::Stale)));
    let Loaded::Lead(receipt) = other.board("a", Purpose::Refresh) else { panic!("it is to be loaded") };
    let following = one.lead("a");
    let answer = one.begin_claim("a", following, Purpose::Refresh);
    other.land(receipt, &text("new"));
    let Claimed::Hit(hit) = answer.recv_timeout(Duration::from_secs(5)).unwrap() else { panic!("it has landed") };
    assert_eq!(hit.value.bytes(), b"new");
    // A reload asks for another value than the fresh one, which is there meanwhile.
    let third = Host::with(&server, CacheConfig { ttl_ms: 60_000.0, ..super::host::config() });
    third.set("b", &text("1"));
    let fourth = Host::with(&server, super::host::config());
    Host::hears(&[&third, &fourth]);
    assert!(third.memory("b").is_some());
    let Loaded::Lead(receipt) = fourth.board("b", Purpose::Reload) else { panic!("it is to be loaded") };
    assert_eq!(fourth.memory("b"), Some(("1".to_owned(), State::Fresh)));
    fourth.land(receipt, &text("2"));
    fourth.settles();
    // What others have in memory is not the latest any more.
    Host::hears(&[&third, &fourth]);
    assert_eq!(third.memory("b"), None);
    let Fetched::Hit(hit) = third.fetch("b", UpTo::Fresh) else { panic!("it is there") };
    assert_eq!(hit.value.bytes(), b"2");
}

#[test]
fn the_end_of_an_environment_gives_up_its_leads_for_all_hosts() {
    let server = Server::start();
    let (one, other) = (Host::new(&server), Host::new(&server));
    let leading = one.lead("a");
    assert_eq!(one.claim("a", leading, Purpose::Missing), Loaded::Lead(leading));
    let following = other.lead("a");
    let answer = other.begin_claim("a", following, Purpose::Missing);
    sleep(Duration::from_millis(100));
    one.handle.ledger().close(&spillway_engine::clock::monotonic);
    assert!(matches!(answer.recv_timeout(Duration::from_secs(1)).unwrap(), Claimed::Lead(_)));
}
