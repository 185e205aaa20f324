//! Errors of a server: which are an outage, which are configuration, and which nobody has to know of.

use crate::asking::{ask, ask_within, begin, command, link_to, open, script, until, wait};
use crate::impostor::Impostor;
use crate::server::Server;
use spillway_engine::clock::MILLI;
use spillway_engine::redis::{Again, Remote, Script, Trouble, Value};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static COUNT: Script = Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");

#[test]
fn scripts_flushed_again_and_again_are_nobodys_error() {
    let server = Server::start();
    let link = link_to(&server);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                server.tell(&["SCRIPT", "FLUSH"]);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        for turn in 1..=300_i64 {
            let asked: Vec<_> =
                (0..10).map(|_| begin(&*link, script(&COUNT, "k", &["1"]), Again::No, 5_000 * MILLI)).collect();
            link.flush();
            let mut counts: Vec<_> = asked.iter().map(|receiver| wait(receiver).unwrap()).collect();
            counts.sort_by_key(|count| format!("{count:?}").len());
            assert!(counts.contains(&Value::Int(turn * 10)), "each is done once: {counts:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_server_that_cannot_save_is_not_dialled_again_and_again() {
    let server = Server::start();
    server.tell(&["CONFIG", "SET", "save", "3600 1"]);
    std::fs::remove_dir_all(&server.directory).unwrap();
    server.tell(&["SET", "unsaved", "1"]);
    server.tell(&["BGSAVE"]);
    until("the save has failed", || {
        let told = server.tell(&["SET", "k", "v"]);
        format!("{told:?}").contains("MISCONF")
    });
    let link = link_to(&server);
    for _ in 0..10 {
        match ask(&*link, command(&["SET", "k", "v"])) {
            Err(Trouble::Unready(why)) => assert!(why.starts_with("MISCONF"), "{why}"),
            other => assert_eq!(other, Err(Trouble::Down)),
        }
    }
    let connections = || format!("{:?}", server.tell(&["INFO", "stats"]));
    let received = |text: &str| -> u32 {
        let rest = text.split("total_connections_received:").nth(1).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let before = received(&connections());
    std::thread::sleep(Duration::from_secs(2));
    let made = received(&connections()) - before;
    assert!(made <= 2, "{made} connections in two seconds");
    server.tell(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    until("up again", || ask(&*link, command(&["SET", "k", "v"])) == Ok(Value::Okay));
}

#[test]
fn a_server_without_memory_is_an_outage_and_over_when_it_has_some() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let mut calls = 0;
    while link.is_up() {
        match ask(&*link, command(&["SET", "k", "v"])) {
            Err(Trouble::Unready(why)) => assert!(why.starts_with("OOM"), "{why}"),
            // Between the answer and the look at the breaker.
            other => assert_eq!(other, Err(Trouble::Down)),
        }
        calls += 1;
        assert!(calls <= 20);
    }
    // Probes succeed, calls do not: it stays away longer and longer instead of trying ten calls ten times a second.
    let mut tried = 0;
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        tried += u32::from(ask(&*link, command(&["SET", "k", "v"])) != Err(Trouble::Down));
    }
    assert!(tried <= 60, "{tried} calls got through");
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    let took = until("up again", || ask(&*link, command(&["SET", "k", "v"])) == Ok(Value::Okay));
    assert!(took < Duration::from_millis(1_100), "{took:?}");
}

#[test]
fn what_the_user_may_not_do_is_told_as_such_and_is_no_outage() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["ACL", "SETUSER", "default", "-set"]);
    for _ in 0..30 {
        match ask(&*link, command(&["SET", "k", "v"])) {
            Err(Trouble::Denied(why)) => assert!(why.starts_with("NOPERM") && why.contains("set"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(link.is_up());
    assert_eq!(ask(&*link, command(&["GET", "k"])), Ok(Value::Nil));
}

#[test]
fn marks_that_the_user_may_not_ask_for_do_without() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["ACL", "SETUSER", "default", "-ping"]);
    assert_eq!(ask(&*link, command(&["GET", "k"])), Ok(Value::Nil));
}

#[test]
fn errors_of_what_was_asked_are_its_own_and_no_outage() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["SET", "k", "9223372036854775807"]);
    for _ in 0..30 {
        let answer = ask(&*link, command(&["INCR", "k"]));
        assert_eq!(answer, Err(Trouble::Error("ERR increment or decrement would overflow".to_owned())));
    }
    assert!(link.is_up());
}

#[test]
fn a_replica_is_left_and_who_asked_is_answered_by_the_master() {
    let server = Server::start();
    let link = link_to(&server);
    let connections = link.report().nodes[0].connections;
    server.tell(&["REPLICAOF", "127.0.0.1", "1"]);
    // Stands for a write that may not be done twice: refused, it was not done.
    let waiting = begin(&*link, command(&["INCR", "k"]), Again::No, 5_000 * MILLI);
    link.flush();
    until("it has dialled again", || link.report().nodes[0].connections > connections);
    server.tell(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(wait(&waiting), Ok(Value::Int(1)));
}

#[test]
fn a_replica_that_stays_one_is_told_by_its_own_words() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["REPLICAOF", "127.0.0.1", "1"]);
    match ask_within(&*link, command(&["INCR", "k"]), 200 * MILLI) {
        Err(Trouble::Unready(why)) => assert!(why.starts_with("READONLY"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_of_one_caller_is_not_the_connections() {
    let server = Server::start();
    let link = link_to(&server);
    let request = command(&["PING"]);
    let deadline = spillway_engine::clock::monotonic() + 5_000 * MILLI;
    let ask_of = spillway_engine::redis::Ask { request, slot: None, again: Again::No, deadline };
    assert!(link.ask(ask_of, Box::new(|_| panic!("on purpose"))).is_ok());
    let other = begin(&*link, command(&["GET", "k"]), Again::No, 5_000 * MILLI);
    link.flush();
    assert_eq!(wait(&other), Ok(Value::Nil));
    assert_eq!(link.report().nodes[0].connections, 1);
}

#[test]
fn what_redis_6_wraps_is_unwrapped() {
    let wrapped = "-ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.\r\n";
    let impostor =
        Impostor::start(move |_, reply| Some(if reply.starts_with(b"$1\r\nk") { wrapped.into() } else { reply }));
    let link = open(impostor.port, 2_000);
    match ask(&*link, command(&["ECHO", "k"])) {
        Err(Trouble::Unready(why)) => assert!(why.contains("OOM"), "{why}"),
        other => panic!("{other:?}"),
    }
}
