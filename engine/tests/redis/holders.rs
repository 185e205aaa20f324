//! Holders in a real Redis: how many there are, what they may do to each other, and which of their writes count.

use crate::asking::{ask, command, link_to, until};
use crate::server::Server;
use parking_lot::Mutex;
use spillway_engine::clock::{MILLI, Nanos, monotonic};
use spillway_engine::primitive::remote::holders::far::FarHolders;
use spillway_engine::primitive::remote::holders::{Holders, Spot, Ticket, Told, Verdict, Wish};
use spillway_engine::redis::link::Link;
use spillway_engine::redis::name::Home;
use spillway_engine::redis::{Trouble, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

const KEEP: Nanos = 60_000 * MILLI;

struct Bench {
    link: Arc<Link>,
    holders: FarHolders,
    home: Home,
}

impl Bench {
    fn new(server: &Server) -> Self {
        let (link, home) = (link_to(server), Home::new("", "lease", "job"));
        Bench { holders: FarHolders::new(link.clone(), &home, KEEP, 2_000 * MILLI), link, home }
    }

    fn spot(&self, key: &str) -> Spot {
        Spot::new(&self.home, key.as_bytes())
    }

    fn tell<T: Send + 'static>(&self, act: impl FnOnce(Nanos, Told<T>)) -> Result<T, Trouble> {
        let (sender, receiver) = channel();
        act(monotonic() + 5_000 * MILLI, Box::new(move |told| drop(sender.send(told))));
        self.holders.flush();
        receiver.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn acquire(&self, key: &str, wish: Wish) -> Result<Verdict, Trouble> {
        self.tell(|deadline, told| self.holders.acquire(&self.spot(key), wish, deadline, told))
    }

    fn renew(&self, key: &str, wish: Wish) -> Result<bool, Trouble> {
        self.tell(|deadline, told| self.holders.renew(&self.spot(key), wish, deadline, told))
    }

    fn release(&self, key: &str, wish: Wish) -> Result<bool, Trouble> {
        self.tell(|deadline, told| self.holders.release(&self.spot(key), wish, deadline, told))
    }

    fn ask(&self, words: &[&str]) -> Value {
        ask(&*self.link, command(words)).unwrap()
    }
}

fn wish(limit: u32, ttl_ms: u64) -> Wish {
    Wish { limit, ttl: ttl_ms * MILLI, waits: false, ticket: Ticket::next() }
}

fn fence(verdict: &Verdict) -> Option<u64> {
    match *verdict {
        Verdict::Held { fence, .. } => Some(fence),
        Verdict::Full(_) => None,
    }
}

#[test]
fn so_many_hold_and_no_more_until_one_releases_and_each_has_a_larger_fence() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let (one, two, three) = (wish(2, 30_000), wish(2, 30_000), wish(2, 30_000));
    let first = fence(&bench.acquire("k", one).unwrap()).unwrap();
    let second = fence(&bench.acquire("k", two).unwrap()).unwrap();
    assert!(second > first);
    let Verdict::Full(next) = bench.acquire("k", three).unwrap() else { panic!("a third holder of two") };
    assert!(next > 29_000 * MILLI && next <= 30_000 * MILLI, "{next}");
    assert!(fence(&bench.acquire("other", three).unwrap()).is_some(), "another key is another's");
    assert_eq!(bench.release("k", three), Ok(false), "who holds nothing of it releases nothing");
    assert_eq!(bench.release("k", one), Ok(true));
    assert_eq!(bench.release("k", one), Ok(false), "once");
    assert_eq!(bench.renew("k", one), Ok(false));
    assert_eq!(bench.renew("k", two), Ok(true));
    assert!(fence(&bench.acquire("k", wish(2, 30_000)).unwrap()).unwrap() > second);
}

#[test]
fn a_question_that_arrives_after_its_release_makes_no_holder() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let (late, other) = (wish(1, 300), wish(1, 30_000));
    assert_eq!(bench.release("k", late), Ok(false), "given up, over another connection");
    assert_eq!(fence(&bench.acquire("k", late).unwrap()), None, "and now the question itself");
    assert_eq!(bench.renew("k", late), Ok(false));
    assert_eq!(bench.release("k", late), Ok(false));
    assert!(fence(&bench.acquire("k", other).unwrap()).is_some(), "nobody is locked out");
    bench.release("k", other).unwrap();
    std::thread::sleep(Duration::from_millis(320));
    bench.acquire("k", other).unwrap();
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    assert_eq!(bench.ask(&["ZCARD", &key]), Value::Int(2), "the holder and the fence: nothing stays for ever");
}

#[test]
fn a_holder_that_asks_twice_holds_once() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let (one, two) = (wish(2, 30_000), wish(2, 30_000));
    let first = fence(&bench.acquire("k", one).unwrap()).unwrap();
    assert!(fence(&bench.acquire("k", one).unwrap()).unwrap() > first);
    assert!(fence(&bench.acquire("k", two).unwrap()).is_some());
    assert!(fence(&bench.acquire("k", one).unwrap()).is_some(), "also where all are taken");
}

#[test]
fn what_expires_is_taken_over_and_what_is_renewed_is_not() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let (one, two) = (wish(1, 150), wish(1, 150));
    let first = fence(&bench.acquire("k", one).unwrap()).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(bench.renew("k", one), Ok(true));
        assert!(fence(&bench.acquire("k", two).unwrap()).is_none());
    }
    let mut taken = None;
    until("it expires", || {
        taken.is_some() || {
            let verdict = bench.acquire("k", two).unwrap();
            fence(&verdict).inspect(|&fence| assert!(fence > first)).is_some_and(|_| {
                assert!(matches!(verdict, Verdict::Held { took_over: true, .. }), "the one before never released it");
                true
            })
        }
    });
    taken.replace(());
    assert_eq!(bench.renew("k", one), Ok(false), "the token decides");
    assert_eq!(bench.release("k", one), Ok(false));
    assert_eq!(bench.renew("k", two), Ok(true));
}

#[test]
fn fences_grow_over_a_lost_key_and_over_a_clock_that_went_back() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let first = fence(&bench.acquire("k", wish(9, 30_000)).unwrap()).unwrap();
    bench.ask(&["FLUSHALL"]);
    let second = fence(&bench.acquire("k", wish(9, 30_000)).unwrap()).unwrap();
    assert!(second > first);
    // As if the last fence were minted an hour from now.
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    let ahead = second + 3_600_000_000;
    bench.ask(&["ZADD", &key, &format!("-{ahead}"), "fence"]);
    assert_eq!(fence(&bench.acquire("k", wish(9, 30_000)).unwrap()), Some(ahead + 1));
    assert_eq!(fence(&bench.acquire("k", wish(9, 30_000)).unwrap()), Some(ahead + 2));
}

#[test]
fn after_the_servers_clock_went_back_nobody_is_locked_out_longer_than_a_holder_may_hold() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let (one, two) = (wish(1, 20_000), wish(1, 20_000));
    bench.acquire("k", one).unwrap();
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    let Value::Array(members) = bench.ask(&["ZRANGE", &key, "0", "+inf", "BYSCORE"]) else { panic!() };
    let [Value::BulkString(token)] = members.as_slice() else { panic!("{members:?}") };
    let token = String::from_utf8(token.clone()).unwrap();
    bench.ask(&["ZINCRBY", &key, "3600000", &token]);
    bench.acquire("k", two).unwrap();
    let Verdict::Full(next) = bench.acquire("k", two).unwrap() else { panic!("it is held") };
    assert!(next <= 20_000 * MILLI, "{next}");
}

#[test]
fn a_key_that_nobody_holds_is_gone_in_time() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let one = wish(1, 30_000);
    bench.acquire("k", one).unwrap();
    bench.release("k", one).unwrap();
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    let Value::Int(left) = bench.ask(&["PTTL", &key]) else { panic!() };
    assert!(left > 0 && left <= 60_000, "{left}");
}

#[test]
fn another_applications_data_under_the_key_is_told_and_left_alone() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    bench.ask(&["SET", &key, "theirs"]);
    for _ in 0..2 {
        assert!(matches!(bench.acquire("k", wish(1, 1_000)), Err(Trouble::Error(_))));
        assert!(matches!(bench.renew("k", wish(1, 1_000)), Err(Trouble::Error(_))));
        assert!(matches!(bench.release("k", wish(1, 1_000)), Err(Trouble::Error(_))));
    }
    assert!(fence(&bench.acquire("fine", wish(1, 1_000)).unwrap()).is_some(), "which is nobody else's trouble");
    assert_eq!(bench.ask(&["GET", &key]), Value::BulkString(b"theirs".to_vec()));
}

#[test]
fn a_release_is_published_only_if_somebody_waits() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let published = || {
        let info = server.tell(&["INFO", "commandstats"]);
        info.lines().find(|line| line.starts_with("cmdstat_publish:")).map(ToOwned::to_owned)
    };
    let (one, two) = (wish(1, 30_000), wish(1, 30_000));
    bench.acquire("k", one).unwrap();
    bench.acquire("k", two).unwrap();
    bench.release("k", one).unwrap();
    assert_eq!(published(), None);
    bench.acquire("k", one).unwrap();
    bench.acquire("k", Wish { waits: true, ..two }).unwrap();
    bench.release("k", one).unwrap();
    assert!(published().unwrap().contains("calls=1,"), "{published:?}", published = published());
}

#[test]
fn asked_in_one_turn_the_questions_of_many_keys_are_one_call() {
    let server = Server::start();
    let bench = Bench::new(&server);
    bench.acquire("warm", wish(1, 1_000)).unwrap();
    let answers = Arc::new(Mutex::new(HashMap::new()));
    let wishes: Vec<_> = (0..20).map(|_| wish(1, 30_000)).collect();
    for (index, &wish) in wishes.iter().enumerate() {
        let answers = answers.clone();
        // Every second one asks for what the one before has got.
        let spot = bench.spot(&format!("k{}", index / 2));
        let told = Box::new(move |told| drop(answers.lock().insert(index, told)));
        bench.holders.acquire(&spot, wish, monotonic() + 5_000 * MILLI, told);
    }
    bench.holders.flush();
    until("all are answered", || answers.lock().len() == 20);
    for (index, answer) in answers.lock().iter() {
        assert_eq!(fence(answer.as_ref().unwrap()).is_some(), index % 2 == 0, "{index}: {answer:?}");
    }
    let info = server.tell(&["INFO", "commandstats"]);
    // A script reads the clock once: this one, and the one that made it known.
    assert!(info.contains("cmdstat_time:calls=2,"), "{info}");
}

/// What is guarded by fences: it takes a write whose fence is no smaller than the largest it has seen.
#[derive(Default)]
struct Resource {
    largest: u64,
}

impl Resource {
    fn write(&mut self, fence: u64) -> bool {
        let accepted = fence >= self.largest;
        self.largest = self.largest.max(fence);
        accepted
    }
}

#[test]
fn of_a_thousand_holders_killed_at_their_work_only_the_one_that_holds_has_its_write_accepted() {
    let server = Server::start();
    let bench = Bench::new(&server);
    let key = String::from_utf8(bench.spot("k").key).unwrap();
    let mut resource = Resource::default();
    let mut dead = Vec::new();
    for kill in 0..1_000 {
        let holder = wish(1, 30_000);
        let verdict = bench.acquire("k", holder).unwrap();
        let Verdict::Held { fence, took_over } = verdict else { panic!("kill {kill}: {verdict:?}") };
        assert_eq!(took_over, kill > 0);
        assert!(resource.write(fence), "kill {kill}: the one that holds is refused");
        // Those who were thought dead wake up and write, in any order.
        for late in dead.iter().rev().take(3) {
            assert!(!resource.write(*late), "kill {kill}: a write of one that has lost it is accepted");
        }
        assert!(resource.write(fence), "kill {kill}: and it goes on");
        dead.push(fence);
        // It is killed: it never releases, and its time passes.
        let Value::Array(tokens) = bench.ask(&["ZRANGE", &key, "0", "+inf", "BYSCORE"]) else { panic!() };
        let [Value::BulkString(token)] = tokens.as_slice() else { panic!("kill {kill}: {tokens:?} hold") };
        bench.ask(&["ZADD", &key, "1", std::str::from_utf8(token).unwrap()]);
    }
}
