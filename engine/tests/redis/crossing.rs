//! No answer ever reaches another caller, whatever happens to the replies on their way.

use crate::asking::{begin, command, link_to, open, until, wait};
use crate::impostor::Impostor;
use crate::server::Server;
use spillway_engine::clock::{MILLI, monotonic};
use spillway_engine::redis::link::Link;
use spillway_engine::redis::{Again, Ask, Remote, Request, Trouble, Value};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Ask for `count` echoes in turns of up to 50 from two threads, with deadlines between nothing and `patience` milliseconds. Every
/// answer that comes must be the caller's own, and every caller gets one. How often each end was met.
fn echoes(link: &Arc<Link>, count: u64, patience: u64) -> BTreeMap<String, u64> {
    let ends = Arc::new(Mutex::new(BTreeMap::new()));
    let foreign = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            let (link, ends, foreign, ended) = (link.clone(), ends.clone(), foreign.clone(), ended.clone());
            scope.spawn(move || {
                for number in 0..count / 2 {
                    let word = format!("{thread}-{number}");
                    // Spread evenly enough, and the same in every run.
                    let within = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                    let deadline = monotonic() + within % (patience * MILLI);
                    let (ends, ended_in, foreign) = (ends.clone(), ended.clone(), foreign.clone());
                    let request = Request::command("ECHO").arg(&word);
                    let again = if number % 3 == 0 { Again::Yes } else { Again::No };
                    let note = move |answer: Result<Value, Trouble>| {
                        let end = match answer {
                            Ok(Value::BulkString(echo)) if echo == word.as_bytes() => "own".to_owned(),
                            Ok(other) => {
                                foreign.fetch_add(1, Ordering::Relaxed);
                                format!("foreign {other:?}")
                            }
                            Err(trouble) => format!("{trouble:?}"),
                        };
                        *ends.lock().unwrap().entry(end).or_insert(0) += 1;
                        ended_in.fetch_add(1, Ordering::Relaxed);
                    };
                    if let Err((trouble, done)) = link.ask(Ask { request, slot: None, again, deadline }, Box::new(note))
                    {
                        done(Err(trouble));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    if number % 50 == thread {
                        link.flush();
                        // A cut costs what is on its way: no more than that.
                        until("callers are answered", || ended.load(Ordering::Relaxed) + 150 >= 2 * number);
                    }
                }
                link.flush();
            });
        }
    });
    until("every caller is answered", || ended.load(Ordering::Relaxed) == count / 2 * 2);
    assert_eq!(foreign.load(Ordering::Relaxed), 0, "{:?}", ends.lock().unwrap());
    ends.lock().unwrap().clone()
}

#[test]
fn with_deadlines_that_pass_and_connections_that_are_cut_everybody_gets_his_own_or_nothing() {
    let server = Server::start();
    let link = link_to(&server);
    let stop = AtomicBool::new(false);
    let ends = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(40));
                server.tell(&["CLIENT", "KILL", "TYPE", "normal"]);
            }
        });
        let ends = echoes(&link, 60_000, 4);
        stop.store(true, Ordering::Relaxed);
        ends
    });
    assert!(ends.get("own").is_some_and(|&own| own > 5_000), "{ends:?}");
    assert!(link.report().nodes[0].connections > 1, "{ends:?}");
}

/// A link to an impostor, which is met with patience.
fn tried(mischief: impl Fn(u64, Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static) -> BTreeMap<String, u64> {
    let impostor = Impostor::start(mischief);
    let link = open(impostor.port, 2_000);
    let ends = echoes(&link, 12_000, 200);
    assert!(ends.get("own").is_some_and(|&own| own > 500), "{ends:?}");
    assert!(impostor.connections.load(Ordering::Relaxed) > 3, "a connection that cannot be trusted is left: {ends:?}");
    ends
}

#[test]
fn a_reply_too_many_reaches_nobody() {
    tried(|number, reply| {
        Some(if number % 1999 == 1998 { [b"$3\r\n1-1\r\n", reply.as_slice()].concat() } else { reply })
    });
}

#[test]
fn a_reply_that_is_missing_moves_nobody_elses() {
    tried(|number, reply| Some(if number % 1999 == 1998 { Vec::new() } else { reply }));
}

#[test]
fn what_is_no_reply_ends_the_connection() {
    tried(|number, reply| Some(if number % 1999 == 1998 { b"\x00\xff what".to_vec() } else { reply }));
}

#[test]
fn a_length_that_is_a_lie_costs_neither_memory_nor_anybody_elses_answer() {
    tried(|number, reply| Some(if number % 1999 == 1998 { b"*16000000\r\n*16000000\r\n".to_vec() } else { reply }));
}

#[test]
fn a_reply_cut_in_two_reaches_nobody() {
    tried(|number, reply| if number % 1999 == 1998 { None } else { Some(reply) });
}

#[test]
fn a_reply_in_small_pieces_is_the_same_reply() {
    let server = Server::start();
    let link = link_to(&server);
    let long = "x".repeat(3_000_000);
    let asked: Vec<_> = (0..4).map(|_| begin(&*link, command(&["ECHO", &long]), Again::Yes, 20_000 * MILLI)).collect();
    link.flush();
    for receiver in asked {
        assert_eq!(wait(&receiver), Ok(Value::BulkString(long.clone().into_bytes())));
    }
}
