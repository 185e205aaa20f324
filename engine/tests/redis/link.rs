//! The link: who asks is answered, by what he asked, in time.

use crate::asking::{ask, ask_within, begin, command, link_to, script, until, wait};
use crate::server::Server;
use spillway_engine::clock::MILLI;
use spillway_engine::redis::{Again, Grouped, Remote, Request, Script, Trouble, Value};

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

static TAG: Script = Script::grouped(
    "local out, a, k = { 'head' }, 1, 0
    while k < #KEYS do
      local many, common = tonumber(ARGV[a]), ARGV[a + 1]
      for n = 1, many do
        k = k + 1
        out[2 * k], out[2 * k + 1] = redis.call('INCR', KEYS[k]), common .. ARGV[a + 1 + n]
      end
      a = a + 2 + many
    end
    return out",
    Grouped { common: 1, own: 1, head: 1, row: 2 },
);

#[test]
fn what_neighbours_have_in_common_is_sent_once_and_each_gets_the_head_and_his_row() {
    let server = Server::start();
    let link = link_to(&server);
    let tag = |number: usize| {
        let common = format!("{}:", number / 5 % 3);
        let request = Request::script(&TAG, [format!("k{}", number % 40)].iter());
        request.arg(common).own().arg(number.to_string())
    };
    // Alone, with the whole script.
    let head = Value::BulkString(b"head".to_vec());
    let row = |count, text: &str| Value::Array(vec![head.clone(), Value::Int(count), Value::BulkString(text.into())]);
    assert_eq!(ask(&*link, tag(39)), Ok(row(1, "1:39")));
    server.tell(&["CONFIG", "RESETSTAT"]);
    let asked = Vec::from_iter((0..39).map(|number| begin(&*link, tag(number), Again::No, 5_000 * MILLI)));
    link.flush();
    for (number, receiver) in asked.iter().enumerate() {
        assert_eq!(wait(receiver), Ok(row(1, &format!("{}:{number}", number / 5 % 3))));
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
