//! What lies in Redis: other applications' data, odd keys, charges that are sent twice, cells that end, clocks that jump.

use crate::asking::link_to;
use crate::limiters::{
    TODAY, Text, all, block, bucket, consume, fixed, open, open_on, peek, refund, report, reset, sliding, strict,
    unblock,
};
use crate::manual::{Manual, error_of};
use crate::server::Server;
use spillway_engine::clock::{MILLI, Moment, monotonic, wall};
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::remote::limiter::{By, RemoteReason};
use spillway_engine::primitive::rule::Algorithm;
use spillway_engine::redis::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn now() -> Moment {
    Moment { mono: monotonic(), wall: wall() }
}

fn store() -> (Server, Arc<Manual>) {
    let server = Server::start();
    let store = Arc::new(Manual::to(server.port, TODAY));
    (server, store)
}

fn each() -> [LimitConfig; 3] {
    [bucket(10, 1_000.0, 10), fixed(10, 1_000.0), sliding(10, 1_000.0)]
}

fn keys(store: &Manual) -> Vec<Vec<u8>> {
    let Value::Array(keys) = store.raw(&[b"KEYS", b"*"]) else { panic!("keys") };
    keys.into_iter().map(|key| if let Value::BulkString(key) = key { key } else { panic!("a key") }).collect()
}

fn dump(store: &Manual, key: &[u8]) -> Value {
    store.raw(&[b"DUMP", key])
}

#[test]
fn another_applications_data_is_told_and_never_touched() {
    let (_server, store) = store();
    for limit in each() {
        let limiter = open("foreign", strict(vec![limit.clone()]), &store);
        let several = open(
            "several",
            strict(vec![
                LimitConfig { name: "a".to_owned(), ..limit.clone() },
                LimitConfig { name: "b".to_owned(), ..bucket(5, 5_000.0, 5) },
            ]),
            &store,
        );
        let key = Text::new("ada");
        for limiter in [&limiter, &several] {
            store.raw(&[b"FLUSHALL"]);
            let charge = consume(limiter, &key, 1, store.now());
            assert!(charge.ok && charge.by == By::Redis);
            assert!(consume(limiter, &key, 1, store.now()).ok);
            for name in keys(&store) {
                for foreign in ["hello", "42", "", "x marks the spot", "b0123", "s and so on", "f", "zebra of 17 chars"]
                {
                    store.raw(&[b"SET", &name, foreign.as_bytes()]);
                    let before = dump(&store, &name);
                    for cost in [1, 2] {
                        let said = consume(limiter, &key, cost, store.now());
                        assert_eq!(
                            (said.reason, said.ok, said.by),
                            (RemoteReason::Unavailable, false, By::FailMode),
                            "{foreign}"
                        );
                    }
                    assert_eq!(peek(limiter, &key, 1, store.now()).reason, RemoteReason::Unavailable);
                    let _ = reset(limiter, &key, store.now());
                    let _ = block(limiter, &key, 1_000 * MILLI, store.now());
                    let _ = unblock(limiter, &key, store.now());
                    limiter.refund(key.key(), 1, None, charge.charge, false, store.now(), |_| {});
                    assert_eq!(
                        dump(&store, &name),
                        before,
                        "{limit:?}, {foreign:?} under {}",
                        String::from_utf8_lossy(&name)
                    );
                }
                store.raw(&[b"DEL", &name]);
                store.raw(&[b"RPUSH", &name, b"a", b"list"]);
                let before = dump(&store, &name);
                assert_eq!(consume(limiter, &key, 1, store.now()).reason, RemoteReason::Unavailable);
                assert!(reset(limiter, &key, store.now()).is_err());
                assert_eq!(dump(&store, &name), before);
                store.raw(&[b"DEL", &name]);
            }
            assert!(report(limiter)["foreign"].as_u64().unwrap() > 3);
        }
    }
}

#[test]
fn one_keys_trouble_is_its_own() {
    let (_server, store) = store();
    let limiter = open("it", strict(vec![bucket(10, 1_000.0, 10)]), &store);
    let [ada, bob] = [Text::new("ada"), Text::new("bob")];
    consume(&limiter, &ada, 1, store.now());
    let name = keys(&store).remove(0);
    store.raw(&[b"SET", &name, b"hello"]);
    // As the link sends two that were asked in one turn.
    let source = include_str!("../../src/redis/lua/limiter/charge.lua");
    assert!(source.contains("while k < #KEYS"));
    assert!(!consume(&limiter, &ada, 1, store.now()).ok);
    assert!(consume(&limiter, &bob, 1, store.now()).ok);
}

#[test]
fn every_two_keys_are_two_keys() {
    let (_server, store) = store();
    let odd: [Vec<u16>; 12] = [
        "{".encode_utf16().collect(),
        "{}".encode_utf16().collect(),
        "{a}".encode_utf16().collect(),
        "a{b}c".encode_utf16().collect(),
        "two words".encode_utf16().collect(),
        "two  words".encode_utf16().collect(),
        "line\r\nbreak".encode_utf16().collect(),
        "\0".encode_utf16().collect(),
        vec![0xD800],
        vec![0xD801],
        vec![0xDC00],
        vec![0xFFFD],
    ];
    for limit in each() {
        let limiter = open("odd {name}: of %", strict(vec![limit]), &store);
        for units in &odd {
            let key = Text(units.clone());
            assert!(consume(&limiter, &key, 10, store.now()).ok, "{units:?} is full");
            assert!(!consume(&limiter, &key, 1, store.now()).ok, "{units:?} is spent");
        }
    }
    let tags: HashSet<Vec<u8>> = keys(&store)
        .into_iter()
        .map(|name| {
            assert!(
                name.starts_with(b"spillway:test:limiter:odd %7Bname%7D%3A of %25:{"),
                "{}",
                String::from_utf8_lossy(&name)
            );
            let [open, close] = [b'{', b'}'].map(|brace| name.iter().position(|&byte| byte == brace).unwrap());
            assert_eq!(close - open, 33, "the tag is a hash");
            name[open..close].to_vec()
        })
        .collect();
    assert_eq!(tags.len(), odd.len(), "one key's limits lie together, and no other's");
}

#[test]
fn a_charge_that_is_sent_twice_counts_once() {
    let (_server, store) = store();
    for limit in [bucket(10, 1_000.0, 10), sliding(10, 1_000.0)] {
        let limiter = open(&format!("{:?}", limit.algorithm), strict(vec![limit.clone()]), &store);
        let key = Text::new("ada");
        for (spent, cost) in [(3, 3), (5, 2), (10, 5)] {
            store.repeats.store(3, Ordering::Relaxed);
            let said = consume(&limiter, &key, cost, store.now());
            assert!(said.ok && said.verdict.remaining == 10 - spent, "{limit:?} {said:?}");
            assert_eq!(peek(&limiter, &key, 1, store.now()).verdict.remaining, 10 - spent);
        }
        // A denial is written nowhere: sent twice, it is asked twice.
        store.repeats.store(2, Ordering::Relaxed);
        assert!(!consume(&limiter, &key, 1, store.now()).ok);
        let pair = open(
            &format!("{:?} 2", limit.algorithm),
            strict(vec![
                LimitConfig { name: "a".to_owned(), ..limit.clone() },
                LimitConfig { name: "b".to_owned(), ..fixed(20, 1_000.0) },
            ]),
            &store,
        );
        store.repeats.store(2, Ordering::Relaxed);
        let said = consume(&pair, &key, 4, store.now());
        assert!(said.ok && said.verdict.remaining == 6, "{said:?}");
        let other = Text::new("bob");
        store.repeats.store(2, Ordering::Relaxed);
        assert!(all(&[(&pair, &key, 1), (&pair, &other, 3)], store.now()).ok);
        assert_eq!(peek(&pair, &key, 1, store.now()).verdict.remaining, 5);
        assert_eq!(peek(&pair, &other, 1, store.now()).verdict.remaining, 7);
    }
}

#[test]
fn a_block_denies_every_way_and_ends() {
    let (_server, store) = store();
    for limit in each() {
        let limiter = open(&format!("{:?}", limit.algorithm), strict(vec![limit.clone()]), &store);
        let other = open(&format!("{:?}", limit.algorithm), strict(vec![limit.clone()]), &store);
        let key = Text::new("ada");
        // The other process counts plainly by now.
        assert!(consume(&other, &key, 1, store.now()).ok && consume(&other, &key, 1, store.now()).ok);
        assert_eq!(block(&limiter, &key, 3_500 * MILLI, store.now()), Ok(true));
        for _ in 0..3 {
            let said = consume(&other, &key, 1, store.now());
            assert_eq!((said.reason, said.verdict.retry_after), (RemoteReason::Blocked, 3_500 * MILLI), "{limit:?}");
        }
        assert_eq!(reset(&limiter, &key, store.now()), Ok(true));
        assert_eq!(consume(&other, &key, 1, store.now()).reason, RemoteReason::Blocked, "a reset lifts no block");
        let plan = other.plan(Some(20), None, None).unwrap();
        let said = crate::limiters::consume_on(&other, &key, 1, &plan, store.now());
        assert_eq!(said.reason, RemoteReason::Blocked);
        store.pass(3_499_999);
        assert_eq!(consume(&other, &key, 1, store.now()).reason, RemoteReason::Blocked);
        store.pass(1);
        assert!(consume(&other, &key, 1, store.now()).ok);
        block(&limiter, &key, 60_000 * MILLI, store.now()).unwrap();
        assert_eq!(unblock(&limiter, &key, store.now()), Ok(true));
        assert_eq!(unblock(&limiter, &key, store.now()), Ok(false));
        assert!(consume(&other, &key, 1, store.now()).ok);
        store.pass(10_000_000);
    }
}

#[test]
fn a_charge_from_before_a_reset_gives_nothing_back() {
    let (_server, store) = store();
    for limit in each() {
        let limiter = open(&format!("{:?}", limit.algorithm), strict(vec![limit.clone()]), &store);
        let key = Text::new("ada");
        let before = consume(&limiter, &key, 10, store.now());
        store.pass(1);
        reset(&limiter, &key, store.now()).unwrap();
        store.pass(1);
        let after = consume(&limiter, &key, 10, store.now());
        assert!(before.ok && after.ok, "{limit:?}");
        refund(&limiter, &key, 10, &before, store.now());
        assert_eq!(peek(&limiter, &key, 1, store.now()).verdict.remaining, 0, "{limit:?}");
        refund(&limiter, &key, 10, &after, store.now());
        assert_eq!(peek(&limiter, &key, 1, store.now()).verdict.remaining, 10, "{limit:?}");
        store.pass(10_000_000);
    }
}

#[test]
fn nobody_is_locked_out_for_longer_than_a_window_by_a_clock_that_went_back() {
    let (_server, store) = store();
    store.pass(3_600_000_000);
    for limit in each() {
        for several in [false, true] {
            let mut limits = vec![limit.clone()];
            if several {
                limits.push(LimitConfig { name: "other".to_owned(), ..bucket(100, 1_000.0, 100) });
            }
            let limiter = open(&format!("{:?} {several}", limit.algorithm), strict(limits), &store);
            let key = Text::new("ada");
            assert!(consume(&limiter, &key, 10, store.now()).ok);
            store.time.fetch_sub(3_600_000_000, Ordering::Relaxed);
            consume(&limiter, &key, 1, store.now());
            store.pass(2_000_000);
            assert!(consume(&limiter, &key, 1, store.now()).ok, "{limit:?}, several: {several}");
            store.pass(3_600_000_000);
        }
    }
}

#[test]
fn a_key_that_is_charged_twice_in_one_call_lasts_as_long_as_both_charges() {
    let server = Server::start();
    let link = link_to(&server);
    let limiter = open_on("it", strict(vec![bucket(10, 10_000.0, 10)]), link.clone());
    let key = Text::new("ada");
    // What the first would be stored for is long enough for the second, but it is never stored.
    assert!(all(&[(&limiter, &key, 4), (&limiter, &key, 1)], now()).ok);
    let name = server.tell(&["RANDOMKEY"]);
    let left: i64 = server.tell(&["PTTL", &name]).trim_start_matches(':').parse().unwrap();
    assert!((4_900..=6_300).contains(&left), "{left} ms");
}

#[test]
fn cells_end_by_themselves_and_not_before() {
    let server = Server::start();
    let link = link_to(&server);
    for limit in [bucket(10, 2_000.0, 10), sliding(10, 1_000.0), fixed(10, 1_000.0)] {
        let limiter = open_on(&format!("{:?}", limit.algorithm), strict(vec![limit.clone()]), link.clone());
        let key = Text::new("ada");
        // The next window of a fixed one has a cell of its own.
        let charges = if limit.algorithm == Algorithm::FixedWindow { 1 } else { 9 };
        for charge in 0..charges {
            let said = consume(&limiter, &key, 1, now());
            let mut reset = said.verdict.reset / MILLI;
            if charge == 4 {
                // What is left has to last no less long than it says.
                refund(&limiter, &key, 1, &said, now());
                reset = peek(&limiter, &key, 0, now()).verdict.reset / MILLI;
            }
            let names = server.tell(&["DBSIZE"]);
            assert_eq!(names, ":1", "{limit:?}");
            let name = server.tell(&["RANDOMKEY"]);
            let left: u64 = server.tell(&["PTTL", &name]).trim_start_matches(':').parse().unwrap();
            let (longer, slack) = match limit.algorithm {
                // A bucket's cell lasts for the next charges too, most of the time.
                Algorithm::TokenBucket => (reset / 4 + 250, 0),
                Algorithm::SlidingWindow => (0, 0),
                Algorithm::FixedWindow => (0, 10_000),
            };
            let ends = reset + slack;
            assert!(left + 50 >= ends && left <= ends + longer + 1, "{limit:?}: {left} ms for {reset} ms");
        }
        server.tell(&["FLUSHALL"]);
    }
    assert!(error_of(&Value::Nil).is_none());
}
