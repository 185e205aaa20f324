//! Shares taken ahead: what is admitted beyond the limit, how rarely Redis is asked, and what stands in when it is gone.

use crate::dice::Dice;
use crate::limiters::{
    TODAY, Text, bucket, consume, fixed, identity, lease, open, open_on, peek, refund, report, sliding, strict,
};
use crate::manual::{MICRO, Manual};
use crate::server::Server;
use spillway_engine::clock::{MILLI, Moment, monotonic, wall};
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::remote::Far;
use spillway_engine::primitive::remote::limiter::{By, FailMode, RemoteLimiter, RemoteLimiterConfig, RemoteReason};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn store() -> (Server, Arc<Manual>) {
    let server = Server::start();
    let store = Arc::new(Manual::to(server.port, TODAY));
    (server, store)
}

fn fleet(name: &str, config: &RemoteLimiterConfig, count: usize, store: &Arc<Manual>) -> Vec<Arc<RemoteLimiter>> {
    (0..count).map(|_| open(name, config.clone(), store)).collect()
}

/// When each unit was admitted, by processes that ask at random: mostly in bursts, sometimes after a rest.
fn admitted(fleet: &[Arc<RemoteLimiter>], store: &Manual, dice: &mut Dice, steps: u32, pause: u64) -> Vec<u64> {
    let key = Text::new("ada");
    let mut units = Vec::new();
    for _ in 0..steps {
        match dice.below(40) {
            0 => store.pass(dice.below(pause * 20)),
            1..6 => store.pass(dice.below(pause)),
            _ => {}
        }
        let process = &fleet[dice.below(fleet.len() as u64) as usize];
        let cost = if dice.below(8) == 0 { 3 } else { 1 };
        if consume(process, &key, cost, store.now()).ok {
            units.extend((0..cost).map(|_| store.micros()));
        }
    }
    units
}

/// The most units in any span beyond what a bucket of this burst and period admits.
fn overshoot(units: &[u64], burst: u64, period: u64) -> i64 {
    let mut most = i64::MIN;
    for (first, &from) in units.iter().enumerate() {
        for (last, &to) in units.iter().enumerate().skip(first) {
            let (admitted, may) = (last - first + 1, burst + (to - from) / period);
            most = most.max(admitted as i64 - may as i64);
        }
    }
    most
}

#[test]
fn what_n_processes_admit_beyond_a_bucket_is_at_most_n_times_a_share_less_one() {
    let (_server, store) = store();
    let mut worst = 0;
    for (number, share) in [2_u32, 5, 20, 50].into_iter().cycle().take(12).enumerate() {
        let (processes, period) = (4, 1_000);
        let config = lease(bucket(1_000, 1_000.0, 200), Some(share));
        let fleet = fleet(&format!("shared {number}"), &config, processes, &store);
        let units = admitted(&fleet, &store, &mut Dice::new(number as u64), 6_000, 4_000);
        let beyond = overshoot(&units, 200, period);
        assert!(beyond <= 4 * i64::from(share - 1), "{beyond} beyond, with shares of {share}");
        worst = worst.max(beyond);
        store.pass(60_000_000);
    }
    assert!(worst > 0, "the test can tell: something was admitted beyond the bucket, {worst}");
    let fleet = fleet("strict", &strict(vec![bucket(1_000, 1_000.0, 200)]), 4, &store);
    let units = admitted(&fleet, &store, &mut Dice::new(1), 6_000, 4_000);
    assert!(overshoot(&units, 200, 1_000) <= 0, "and strict is strict");
}

#[test]
fn in_windows_nothing_is_admitted_beyond_the_limit() {
    let (_server, store) = store();
    for limit in [fixed(500, 100.0), sliding(500, 100.0)] {
        let config = lease(limit.clone(), Some(60));
        let fleet = fleet(&format!("{:?}", limit.algorithm), &config, 4, &store);
        let units = admitted(&fleet, &store, &mut Dice::new(7), 30_000, 1_000);
        let mut windows = std::collections::HashMap::<u64, u32>::new();
        units.iter().for_each(|unit| *windows.entry(unit / 100_000).or_default() += 1);
        assert!(windows.values().all(|&units| units <= 500), "{:?} {windows:?}", limit.algorithm);
        assert!(windows.values().filter(|&&units| units > 300).count() > 3, "{windows:?}");
        let leased: u64 = fleet.iter().map(|process| report(process)["leased"].as_u64().unwrap()).sum();
        assert!(leased > 5_000, "most were decided here: {leased}");
    }
}

#[test]
fn a_hot_key_asks_redis_every_few_milliseconds_of_use() {
    let (_server, store) = store();
    for limit in [fixed(10_000_000, 60_000.0), sliding(1_000_000, 60_000.0), bucket(100_000, 1_000.0, 1_000_000)] {
        let limiter = open(&format!("{:?}", limit.algorithm), lease(limit.clone(), None), &store);
        let key = Text::new("ada");
        let before = store.count("EVAL");
        // A second of 200,000 calls.
        for call in 0..200_000 {
            if call % 200 == 0 {
                store.pass(1_000);
            }
            assert!(consume(&limiter, &key, 1, store.now()).ok);
        }
        let asked = store.count("EVAL") - before;
        assert!((20..=150).contains(&asked), "{:?}: {asked} times in a second", limit.algorithm);
    }
}

#[test]
fn credit_ends_with_its_window_and_nothing_is_spent_after_it() {
    let (_server, store) = store();
    let limiter = open("it", lease(fixed(1_000, 1_000.0), Some(200)), &store);
    let key = Text::new("ada");
    for call in 0..500 {
        store.pass(u64::from(call % 10 == 0) * 100);
        assert!(consume(&limiter, &key, 1, store.now()).ok);
    }
    let left = peek(&limiter, &key, 1, store.now()).verdict.remaining;
    assert_eq!(left, 500, "what is held here can be spent too");
    let other = open("it", strict(vec![fixed(1_000, 1_000.0)]), &store);
    assert!(peek(&other, &key, 1, store.now()).verdict.remaining < 500, "some is held");
    store.time.store(TODAY + 999_999, Ordering::Relaxed);
    let leased = || report(&limiter)["leased"].as_u64().unwrap();
    let before = leased();
    store.pass(1);
    assert_eq!(consume(&limiter, &key, 1, store.now()).by, By::Redis, "what was held is gone");
    assert_eq!(leased(), before);
}

#[test]
fn what_is_given_back_in_lease_mode_can_be_spent_again() {
    let (_server, store) = store();
    for limit in [bucket(100, 100_000.0, 100), fixed(100, 100_000.0)] {
        let limiter = open(&format!("{:?}", limit.algorithm), lease(limit.clone(), Some(10)), &store);
        let key = Text::new("ada");
        let charges = Vec::from_iter((0..100).map(|_| consume(&limiter, &key, 1, store.now())));
        assert!(charges.iter().all(|charge| charge.ok) && charges.iter().any(|charge| charge.by == By::Lease));
        assert!(!consume(&limiter, &key, 1, store.now()).ok);
        for charge in &charges[..30] {
            refund(&limiter, &key, 1, charge, store.now());
        }
        let again = (0..60).filter(|_| consume(&limiter, &key, 1, store.now()).ok).count();
        assert_eq!(again, 30, "{:?}", limit.algorithm);
    }
}

#[test]
fn what_is_given_back_in_a_later_window_or_has_refilled_is_not_spent_again() {
    let (_server, store) = store();
    let limiter = open("windows", lease(fixed(200, 2_000.0), Some(50)), &store);
    let key = Text::new("ada");
    let spend = |times: usize| Vec::from_iter((0..times).map(|_| consume(&limiter, &key, 1, store.now())));
    let first = spend(200);
    assert!(first.iter().all(|charge| charge.ok) && first.iter().any(|charge| charge.by == By::Lease));
    store.pass(2_000_000);
    let mut admitted = 0;
    for charge in first {
        admitted += usize::from(spend(1)[0].ok);
        refund(&limiter, &key, 1, &charge, store.now());
    }
    admitted += spend(300).iter().filter(|charge| charge.ok).count();
    assert_eq!(admitted, 200, "of the second window");

    let limiter = open("buckets", lease(bucket(100, 100.0, 100), Some(20)), &store);
    let spend = |times: usize| Vec::from_iter((0..times).map(|_| consume(&limiter, &key, 1, store.now())));
    let first = spend(60);
    // What was charged has refilled by itself, and so has what was taken ahead with it.
    store.pass(100_000);
    let mut admitted = spend(80).iter().filter(|charge| charge.ok).count();
    first.iter().for_each(|charge| refund(&limiter, &key, 1, charge, store.now()));
    admitted += spend(100).iter().filter(|charge| charge.ok).count();
    assert!((80..=100 + 19).contains(&admitted), "{admitted}");
}

#[test]
fn a_part_that_is_too_small_for_a_cost_says_when_to_come_again_and_a_fleet_that_changes_gives_out_no_new_ones() {
    let (_server, store) = store();
    let key = Text::new("ada");
    let config = RemoteLimiterConfig { fail_mode: FailMode::Local, ..strict(vec![fixed(12, 60_000.0)]) };
    let (far, clock) = (Far::new(store.clone(), 50 * MILLI), store.clone());
    far.fleet.store(3, Ordering::Relaxed);
    let limiter = RemoteLimiter::with_clocks(config, &identity("it"), &far, Arc::new(move || clock.now()));
    let limiter = Arc::new(limiter.unwrap());
    store.up.store(false, Ordering::Relaxed);
    let said = consume(&limiter, &key, 8, store.now());
    assert!(
        !said.ok && said.reason == RemoteReason::Unavailable && said.verdict.retry_after >= 1_000 * MILLI,
        "{said:?}"
    );
    let mut admitted = 0;
    for fleet in [3, 4, 2, 3, 1, 3] {
        far.fleet.store(fleet, Ordering::Relaxed);
        admitted += (0..10).filter(|_| consume(&limiter, &key, 1, store.now()).ok).count();
        store.pass(1_000_000);
    }
    assert_eq!(admitted, 4, "one part for all of them");
}

#[test]
fn a_denial_that_is_remembered_is_not_asked_for_again_before_its_time() {
    let (_server, store) = store();
    for limit in [bucket(10, 1_000.0, 10), fixed(10, 1_000.0), sliding(10, 1_000.0)] {
        let config = RemoteLimiterConfig { remember_denials: true, ..strict(vec![limit.clone()]) };
        let limiter = open(&format!("{:?}", limit.algorithm), config, &store);
        let key = Text::new("ada");
        assert!(consume(&limiter, &key, 10, store.now()).ok);
        let denied = consume(&limiter, &key, 1, store.now());
        assert!(!denied.ok && denied.by == By::Redis);
        let asked = || store.count("EVAL") + store.count("INCRBY");
        let before = asked();
        let wait = denied.verdict.retry_after / MICRO;
        for _ in 0..1_000 {
            store.pass(wait / 2_000);
            let said = consume(&limiter, &key, 1, store.now());
            assert_eq!((said.reason, said.by), (RemoteReason::Limited, By::Lease));
        }
        assert_eq!(asked(), before, "{:?}", limit.algorithm);
        assert!(!consume(&limiter, &key, 2, store.now()).ok);
        assert_eq!(asked(), before + 1, "another cost is another question");
        store.pass(wait - 1_000 * (wait / 2_000));
        assert!(consume(&limiter, &key, 1, store.now()).ok, "{:?}: admitted when its time has come", limit.algorithm);
        store.pass(10_000_000);
    }
}

#[test]
fn the_fail_mode_speaks_while_redis_is_gone_and_says_so() {
    let (_server, store) = store();
    let key = Text::new("ada");
    for mode in [FailMode::Open, FailMode::Closed, FailMode::Local] {
        let config = RemoteLimiterConfig { fail_mode: mode, ..strict(vec![bucket(100, 1_000.0, 40)]) };
        let clock = store.clone();
        let far = Far::new(store.clone(), 50 * MILLI);
        far.fleet.store(4, Ordering::Relaxed);
        let limiter =
            RemoteLimiter::with_clocks(config, &identity(&format!("{mode:?}")), &far, Arc::new(move || clock.now()));
        let limiter = Arc::new(limiter.unwrap());
        assert_eq!(consume(&limiter, &key, 1, store.now()).by, By::Redis);
        store.up.store(false, Ordering::Relaxed);
        let said = Vec::from_iter((0..50).map(|_| consume(&limiter, &key, 1, store.now())));
        assert!(said.iter().all(|said| (said.by, said.reason) == (By::FailMode, RemoteReason::Unavailable)));
        let ok = said.iter().filter(|said| said.ok).count();
        let expected = match mode {
            FailMode::Open => 50,
            FailMode::Closed => 0,
            // A fourth of the burst.
            FailMode::Local => 10,
        };
        assert_eq!(ok, expected, "{mode:?}");
        assert!(said.iter().all(|said| said.ok || said.verdict.retry_after > 0), "who is refused is told when to come");
        if mode == FailMode::Local {
            refund(&limiter, &key, 1, &said[0], store.now());
            assert!(consume(&limiter, &key, 1, store.now()).ok && !consume(&limiter, &key, 1, store.now()).ok);
        }
        assert!(consume(&limiter, &key, 0, store.now()).ok, "what costs nothing is free");
        assert_eq!(consume(&limiter, &key, 1_000, store.now()).reason, RemoteReason::Impossible, "and that is known");
        assert!(report(&limiter)["unavailable"].as_u64().unwrap() >= 50);
        store.up.store(true, Ordering::Relaxed);
        assert_eq!(consume(&limiter, &key, 1, store.now()).by, By::Redis);
    }
}

#[test]
fn shares_that_are_held_are_spent_also_while_redis_is_gone() {
    let (_server, store) = store();
    let limiter = open("it", lease(fixed(10_000, 60_000.0), Some(1_000)), &store);
    let key = Text::new("ada");
    for _ in 0..3_000 {
        store.pass(10);
        consume(&limiter, &key, 1, store.now());
    }
    store.up.store(false, Ordering::Relaxed);
    let said = Vec::from_iter((0..1_500).map(|_| consume(&limiter, &key, 1, store.now())));
    let held = said.iter().take_while(|said| said.by == By::Lease).count();
    assert!((1..1_000).contains(&held), "{held}");
    assert!(said[held..].iter().all(|said| said.by == By::FailMode && !said.ok), "closed, as it was opened");
    store.up.store(true, Ordering::Relaxed);
    assert!(consume(&limiter, &key, 1, store.now()).ok);
}

fn now() -> Moment {
    Moment { mono: monotonic(), wall: wall() }
}

/// As many links as there would be processes, each on a thread of its own.
fn crowd(server: &Server, name: &str, config: &RemoteLimiterConfig, tries: usize) -> usize {
    std::thread::scope(|scope| {
        let threads = Vec::from_iter((0..4).map(|_| {
            scope.spawn(|| {
                let limiter = open_on(name, config.clone(), crate::asking::link_to(server));
                let key = Text::new("ada");
                (0..tries).filter(|_| consume_now(&limiter, &key)).count()
            })
        }));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn consume_now(limiter: &Arc<RemoteLimiter>, key: &Text) -> bool {
    let said = consume(limiter, key, 1, now());
    assert_ne!(said.by, By::FailMode, "{said:?}");
    said.ok
}

#[test]
fn four_processes_on_one_strict_limit_of_a_thousand_a_year_admit_exactly_a_thousand() {
    let server = Server::start();
    let year = 365.0 * 86_400_000.0;
    for limit in [bucket(1_000, year, 1_000), fixed(1_000, year), sliding(1_000, year)] {
        let name = format!("{:?}", limit.algorithm);
        assert_eq!(crowd(&server, &name, &strict(vec![limit.clone()]), 400), 1_000, "{name}");
        let several = vec![limit.clone(), LimitConfig { name: "b".to_owned(), ..fixed(900, year) }];
        assert_eq!(crowd(&server, &format!("{name} and another"), &strict(several), 300), 900, "{name}");
    }
}

#[test]
fn four_processes_with_shares_of_one_window_admit_no_more_than_it_has() {
    let server = Server::start();
    let config = lease(fixed(10_000, 365.0 * 86_400_000.0), Some(100));
    let admitted = crowd(&server, "shared", &config, 5_000);
    assert!((10_000 - 4 * 99..=10_000).contains(&admitted), "{admitted}");
}
