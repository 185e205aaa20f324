//! The link: who asks is answered, by what he asked, in time.

use crate::asking::{ask, ask_within, begin, command, link_to, script, until, wait};
use crate::server::Server;
use spillway_engine::clock::MILLI;
use spillway_engine::redis::{Again, Remote, Script, Trouble, Value};

#[test]
fn what_was_asked_in_one_turn_is_answered_each_by_its_own() {
    let server = Server::start();
    let link = link_to(&server);
    let asked: Vec<_> = (0..500)
        .map(|number: i64| {
            (
                number,
                begin(
                    &*link,
                    command(&["INCRBY", &format!("k{number}"), &number.to_string()]),
                    Again::No,
                    5_000 * MILLI,
                ),
            )
        })
        .collect();
    link.flush();
    for (number, receiver) in asked {
        assert_eq!(wait(&receiver), Ok(Value::Int(number)));
    }
}

#[test]
fn what_nobody_flushes_leaves_all_the_same() {
    let server = Server::start();
    let link = link_to(&server);
    assert_eq!(
        wait(&begin(&*link, command(&["PING"]), Again::No, 1_000 * MILLI)),
        Ok(Value::SimpleString("PONG".to_owned()))
    );
}

static ADD: Script = Script::many(
    "local out = {} for i = 1, #KEYS do out[i] = redis.pcall('INCRBY', KEYS[i], ARGV[i]) end return out",
    1,
);

#[test]
fn decisions_of_one_script_share_calls_and_a_foreign_key_spoils_only_its_own() {
    let server = Server::start();
    let link = link_to(&server);
    server.tell(&["LPUSH", "k7", "foreign"]);
    // The first call is not known to the server: the whole script follows on the same connection.
    ask(&*link, script(&ADD, "other", &["1"])).unwrap();
    server.tell(&["CONFIG", "RESETSTAT"]);
    let asked: Vec<_> = (0..64_i64)
        .map(|number| {
            begin(&*link, script(&ADD, &format!("k{number}"), &[&number.to_string()]), Again::No, 5_000 * MILLI)
        })
        .collect();
    link.flush();
    for (number, receiver) in asked.iter().enumerate() {
        match wait(receiver) {
            Err(Trouble::Error(why)) if number == 7 => assert!(why.starts_with("WRONGTYPE"), "{why}"),
            answer => assert_eq!(answer, Ok(Value::Int(number as i64))),
        }
    }
    let calls = server.tell(&["INFO", "commandstats"]);
    assert!(calls.contains("cmdstat_evalsha:calls=2,"), "{calls}");
}

#[test]
fn a_killed_server_is_known_at_once_and_so_is_its_return() {
    let mut server = Server::start();
    let link = link_to(&server);
    server.kill();
    until("down", || !link.is_up());
    assert_eq!(ask_within(&*link, command(&["PING"]), 50 * MILLI), Err(Trouble::Down));
    server.restart();
    let took = until("up again", || link.is_up());
    assert!(took.as_millis() < 1_000, "{took:?}");
    assert_eq!(ask(&*link, command(&["GET", "nothing"])), Ok(Value::Nil));
}
