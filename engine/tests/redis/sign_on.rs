//! Signing on: whoever may not be let in is told why, and nothing of what he has configured is said aloud.

use crate::asking::{ask, command, ready, until};
use crate::certificates::Certificates;
use crate::opening::{examined, opened, signed, single, target_of};
use crate::server::{Server, free_port};
use spillway_engine::clock::MILLI;
use spillway_engine::redis::target::Pem;
use spillway_engine::redis::{Address, Mode, Obstacle, Remote, Secret, Target, Tls, Trouble, Value, open};
use std::io::{Read, Write};
use std::net::TcpListener;

#[test]
fn a_password_opens_the_door_and_a_wrong_one_is_told_as_such() {
    let server = Server::with(&["--requirepass", "open sesame"]);
    let right = signed(single(&server), None, "open sesame");
    assert!(["redis", "valkey"].contains(&&*examined(&right, "app").unwrap().server.kind));
    assert_eq!(ask(&*opened(right.clone()).link, command(&["PING"])), Ok(Value::SimpleString("PONG".to_owned())));
    assert!(matches!(examined(&single(&server), "app"), Err(Obstacle::Auth(_))));
    let wrong = signed(single(&server), None, "close sesame");
    let told = examined(&wrong, "app").unwrap_err();
    assert!(matches!(told, Obstacle::Auth(_)), "{told:?}");
    assert!(!format!("{told:?} {wrong:?}").contains("sesame"));
    let link = open(wrong).link;
    assert!(matches!(ready(&link), Err(Obstacle::Auth(_))));
    assert!(matches!(ask(&*link, command(&["PING"])), Err(Trouble::Denied(_))));
    assert!(!serde_json::to_string(&link.report()).unwrap().contains("sesame"));
}

#[test]
fn an_acl_that_lacks_something_is_told_with_what_it_lacks() {
    let users = [
        "all on >pw ~spillway:* &spillway:* +@all",
        "noeval on >pw ~* &* +@all -eval",
        "nosha on >pw ~* &* +@all -evalsha",
        "nopublish on >pw ~* &* +@all -publish",
        "nolisten on >pw ~* &* +@all -subscribe",
        "keys on >pw ~other:* &* +@all",
        "channels on >pw ~* resetchannels +@all",
        "nomulti on >pw ~* &* +@all -multi",
        "noinfo on >pw ~* &* +@all -info -config",
        "off off >pw ~* &* +@all",
    ];
    let arguments: Vec<&str> = users.iter().flat_map(|user| ["--user"].into_iter().chain(user.split(' '))).collect();
    let server = Server::with(&arguments);
    let as_user = |user: &str| examined(&signed(single(&server), Some(user), "pw"), "app");
    assert_eq!(as_user("all").unwrap().eviction.as_deref(), Some("noeviction"));
    for (user, lacks) in [
        ("noeval", "EVAL"),
        ("nosha", "EVALSHA"),
        ("nopublish", "PUBLISH"),
        ("nolisten", "SUBSCRIBE"),
        ("keys", "keys under spillway:app:"),
        ("channels", "channels under spillway:app:"),
    ] {
        match as_user(user) {
            Err(Obstacle::Denied(why)) => assert!(why.ends_with(lacks), "{user}: {why}"),
            other => panic!("{user}: {other:?}"),
        }
    }
    assert!(as_user("nomulti").is_ok(), "what cannot be tried is not held against anybody");
    assert_eq!(as_user("noinfo").unwrap().eviction, None);
    assert!(matches!(as_user("off"), Err(Obstacle::Auth(_))));
    assert!(matches!(as_user("nobody"), Err(Obstacle::Auth(_))));
    assert_eq!(server.tell(&["DBSIZE"]), ":0", "to look is not to touch");
}

#[test]
fn a_database_is_chosen_and_one_that_does_not_exist_is_told() {
    let server = Server::start();
    let third = Target { database: 3, ..single(&server) };
    ask(&*opened(third).link, command(&["SET", "here", "1"])).unwrap();
    assert!(server.tell(&["INFO", "keyspace"]).contains("db3:keys=1"));
    let none = Target { database: 99, ..single(&server) };
    assert!(matches!(examined(&none, "app"), Err(Obstacle::Database(why)) if why.contains("99")));
    assert!(matches!(ready(&open(none).link), Err(Obstacle::Database(_))));
}

#[test]
fn eviction_that_drops_limits_is_found_out_and_only_where_memory_is_bounded() {
    let found = |arguments: &[&str]| {
        let server = Server::with(arguments);
        let findings = examined(&single(&server), "app").unwrap();
        (findings.eviction, findings.drops_limits)
    };
    assert_eq!(found(&["--maxmemory", "50mb"]), (Some("noeviction".to_owned()), false));
    let dropping = found(&["--maxmemory", "50mb", "--maxmemory-policy", "volatile-ttl"]);
    assert_eq!(dropping, (Some("volatile-ttl".to_owned()), true));
    assert!(found(&["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]).1);
    assert!(!found(&["--maxmemory-policy", "allkeys-lru"]).1);
}

#[test]
fn nobody_there_is_told_when_the_time_to_connect_is_over() {
    let target = Target { connect_timeout: 300 * MILLI, ..target_of(&[free_port()], Mode::Single) };
    let begun = std::time::Instant::now();
    assert!(matches!(examined(&target, "app"), Err(Obstacle::Down(_))));
    let took = begun.elapsed().as_millis();
    assert!((200..2_000).contains(&took), "{took} ms");
}

#[test]
fn with_several_addresses_the_first_that_is_there_is_taken() {
    let server = Server::start();
    let target = target_of(&[free_port(), server.port], Mode::Single);
    assert!(examined(&target, "app").is_ok());
    assert_eq!(ask(&*opened(target).link, command(&["GET", "k"])), Ok(Value::Nil));
}

#[test]
fn a_replica_is_not_taken_for_a_master() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    let target = Target { connect_timeout: 300 * MILLI, ..single(&replica) };
    assert!(matches!(examined(&target, "app"), Err(Obstacle::Down(why)) if why.contains("replica")));
    let either = target_of(&[replica.port, master.port], Mode::Single);
    assert_eq!(ask(&*opened(either).link, command(&["SET", "k", "v"])), Ok(Value::Okay));
}

#[test]
fn a_server_in_the_file_system_is_reached() {
    let path = std::env::temp_dir().join(format!("spillway-{}.sock", std::process::id()));
    let server = Server::with(&["--unixsocket", path.to_str().unwrap()]);
    let target = Target { nodes: vec![Address::Unix { path: path.clone() }], ..single(&server) };
    assert!(examined(&target, "app").is_ok());
    assert_eq!(ask(&*opened(target).link, command(&["SET", "k", "v"])), Ok(Value::Okay));
    assert_eq!(server.tell(&["GET", "k"]), "v");
}

#[test]
fn a_server_of_ipv6_is_reached_where_there_is_ipv6() {
    let Ok(free) = TcpListener::bind("[::1]:0") else { return };
    drop(free);
    let server = Server::with(&["--bind", "127.0.0.1 ::1"]);
    let target = Target { nodes: vec![Address::tcp("[::1]", server.port)], ..single(&server) };
    assert_eq!(ask(&*opened(target).link, command(&["SET", "k", "v"])), Ok(Value::Okay));
}

#[test]
fn over_tls_only_a_server_is_believed_that_the_authority_vouches_for() {
    let certificates = Certificates::new();
    let port = free_port();
    let arguments = certificates.arguments(port, "no");
    let _server = Server::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let by = |host: &str, tls: Tls| Target {
        nodes: vec![Address::tcp(host, port)],
        tls: Some(tls),
        ..target_of(&[port], Mode::Single)
    };
    let ours = Tls { ca: Some(Pem::One(certificates.text("ca.pem"))), ..Tls::default() };
    assert!(examined(&by("localhost", ours.clone()), "app").is_ok());
    assert!(examined(&by("127.0.0.1", ours.clone()), "app").is_ok());
    let link = opened(by("localhost", ours.clone())).link;
    let large = "x".repeat(300_000);
    assert_eq!(ask(&*link, command(&["SET", "k", &large])), Ok(Value::Okay));
    assert_eq!(ask(&*link, command(&["GET", "k"])), Ok(Value::BulkString(large.into_bytes())));
    for doubtful in [Tls::default(), Tls { servername: Some("another.example".to_owned()), ..ours.clone() }] {
        let told = examined(&by("localhost", doubtful), "app");
        assert!(matches!(told, Err(Obstacle::Tls(_))), "{told:?}");
    }
    let anybody = Tls { reject_unauthorized: false, ..Tls::default() };
    assert!(examined(&by("127.0.0.1", anybody), "app").is_ok());
    let named = Tls { servername: Some("localhost".to_owned()), ..ours };
    assert!(examined(&by("127.0.0.1", named), "app").is_ok());
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_it_or_lets_nobody_in() {
    let certificates = Certificates::new();
    let port = free_port();
    let arguments = certificates.arguments(port, "yes");
    let _server = Server::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let bare = Tls { ca: Some(Pem::One(certificates.text("ca.pem"))), ..Tls::default() };
    let target = |tls: Tls| Target { tls: Some(tls), ..target_of(&[port], Mode::Single) };
    let told = examined(&target(bare.clone()), "app");
    assert!(matches!(told, Err(Obstacle::Tls(_))), "{told:?}");
    let with_own = Tls {
        cert: Some(Pem::One(certificates.text("client.pem"))),
        key: Some(Secret::new(certificates.text("client.key"))),
        ..bare.clone()
    };
    assert!(examined(&target(with_own), "app").is_ok());
    let nonsense = Tls { cert: Some(Pem::One("nothing".to_owned())), key: Some(Secret::new("my key")), ..bare.clone() };
    let told = examined(&target(nonsense), "app").unwrap_err();
    assert!(matches!(&told, Obstacle::Tls(why) if !why.contains("my key")), "{told:?}");
    let half = Tls { key: Some(Secret::new(certificates.text("client.key"))), ..bare };
    assert!(matches!(examined(&target(half), "app"), Err(Obstacle::Tls(_))));
}

#[test]
fn tls_to_a_server_that_has_none_is_told_as_such() {
    let server = Server::start();
    let target = Target { tls: Some(Tls::default()), connect_timeout: 1_000 * MILLI, ..single(&server) };
    let told = examined(&target, "app");
    assert!(matches!(told, Err(Obstacle::Tls(_) | Obstacle::Down(_))), "{told:?}");
}

/// Whoever connects gets these words.
fn server_that_says(words: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(words.as_bytes());
        }
    });
    port
}

#[test]
fn an_old_server_is_told_as_such_and_its_quotations_go_no_further() {
    let quoting = "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `me`, `hush`, \r\n";
    for words in [
        quoting,
        "%3\r\n+server\r\n+redis\r\n+version\r\n+6.0.16\r\n+mode\r\n+standalone\r\n",
        "-NOPROTO unsupported protocol version\r\n",
    ] {
        let port = server_that_says(words);
        let told = examined(&signed(target_of(&[port], Mode::Single), Some("me"), "hush"), "app").unwrap_err();
        assert!(matches!(told, Obstacle::Version(_)), "{told:?}");
        assert!(!told.to_string().contains("hush"), "{told}");
    }
}

#[test]
fn who_says_nothing_leaves_time_for_the_next_address() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start();
    let ports = [silent.local_addr().unwrap().port(), server.port];
    let target = Target { connect_timeout: 1_000 * MILLI, ..target_of(&ports, Mode::Single) };
    assert!(examined(&target, "app").is_ok());
    let link = opened(target).link;
    until("let in", || link.is_up());
    assert_eq!(ask(&*link, command(&["GET", "k"])), Ok(Value::Nil));
}

#[test]
fn what_a_server_says_to_those_it_does_not_want_is_understood() {
    let as_told = |words| {
        examined(&Target { connect_timeout: 200 * MILLI, ..target_of(&[server_that_says(words)], Mode::Single) }, "app")
    };
    let protected = as_told("-DENIED Redis is running in protected mode because protected mode is enabled\r\n");
    assert!(matches!(protected, Err(Obstacle::Denied(_))), "{protected:?}");
    let full = as_told("-ERR max number of clients reached\r\n");
    assert!(matches!(&full, Err(Obstacle::Down(why)) if why.contains("too many clients")), "{full:?}");
    let loading = as_told("-LOADING Redis is loading the dataset in memory\r\n");
    assert!(matches!(&loading, Err(Obstacle::Down(why)) if why.contains("LOADING")), "{loading:?}");
}

#[test]
fn what_is_no_redis_at_all_is_never_believed() {
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "*999999999\r\n", "+OK\r\n", "$-1\r\n"] {
        let target = Target { connect_timeout: 300 * MILLI, ..target_of(&[server_that_says(words)], Mode::Single) };
        let told = examined(&target, "app");
        assert!(told.is_err(), "{words}: {told:?}");
    }
}

#[test]
fn another_kind_of_server_than_was_said_is_told() {
    let server = Server::start();
    let told = examined(&target_of(&[server.port], Mode::Cluster), "app");
    assert!(matches!(told, Err(Obstacle::Mode(_))), "{told:?}");
    let sentinels = Target { master: Some("main".to_owned()), ..target_of(&[server.port], Mode::Sentinel) };
    assert!(matches!(examined(&sentinels, "app"), Err(Obstacle::Mode(_))));
    let node = Server::with(&["--cluster-enabled", "yes"]);
    assert!(matches!(examined(&single(&node), "app"), Err(Obstacle::Mode(_))));
}
