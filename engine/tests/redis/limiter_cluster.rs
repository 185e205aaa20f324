//! Limiters on a real cluster: keys of all shards, and charges over several of them, beside memory. Periods are so long that the time
//! a question takes changes no verdict.

use crate::clusters::Cluster;
use crate::dice::Dice;
use crate::limiters::{Text, all, bucket, consume, fixed, open_on, peek, refund, reset, sliding, strict};
use crate::opening::opened;
use spillway_engine::clock::{Moment, monotonic, wall};
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::limiter::{self, Ask, Limiter, LimiterConfig, LimiterHandle};
use spillway_engine::primitive::remote::limiter::By;
use spillway_engine::redis::name::{Home, slot_of};
use std::collections::HashSet;
use std::sync::Arc;

fn now() -> Moment {
    Moment { mono: monotonic(), wall: wall() }
}

#[test]
fn random_traces_are_the_same_in_memory_and_on_a_cluster_whichever_shard_has_the_key() {
    let cluster = Cluster::start();
    let opened = opened(cluster.target());
    let year = 365.0 * 86_400_000.0;
    let keys = Vec::from_iter((0..40).map(|number| Text::new(&format!("key {{{number}}}"))));
    let slots = keys.iter().map(|key| {
        slot_of(&Home::new("test", "limiter", "it").hashed(&spillway_engine::redis::name::bytes_of(&key.0), ""))
    });
    let shards: HashSet<u16> = slots.map(|slot| slot / 5_462).collect();
    assert_eq!(shards.len(), 3, "keys of every shard");
    let mut dice = Dice::new(5);
    let (mut admitted, mut denied, mut together) = (0, 0, 0);
    let named = |name: &str, limit: LimitConfig| LimitConfig { name: name.to_owned(), ..limit };
    let kinds = [
        vec![bucket(20, year, 20)],
        vec![fixed(20, year)],
        vec![sliding(20, year)],
        vec![named("a", bucket(20, year, 20)), named("b", fixed(15, year)), named("c", sliding(17, year))],
    ];
    for (number, limits) in kinds.into_iter().enumerate() {
        let memory = LimiterHandle::new(Arc::new(Limiter::new(LimiterConfig { limits: limits.clone() }).unwrap()));
        let redis = open_on(&format!("it {number}"), strict(limits), opened.link.clone());
        let mut latest = None;
        for step in 0..2_500 {
            let (now, cost) = (now(), dice.below(5) as u32);
            let which = dice.below(40) as usize;
            let key = &keys[which];
            let print = key.key().fingerprint;
            let what = (number, step, which, cost);
            let last = latest.take();
            match dice.below(12) {
                0..6 => {
                    let (one, two) = (memory.consume(print, cost, now).unwrap(), consume(&redis, key, cost, now));
                    assert_eq!(two.by, By::Redis, "{what:?} {two:?}");
                    assert_eq!(
                        (one.ok(), one.verdict.remaining),
                        (two.ok, two.verdict.remaining),
                        "{what:?} {one:?} {two:?}"
                    );
                    if one.ok() && cost > 0 {
                        latest = Some((which, cost, now, two));
                        admitted += 1;
                    } else {
                        denied += 1;
                    }
                }
                6 => {
                    let (one, two) = (memory.peek(print, cost, None, now).unwrap(), peek(&redis, key, cost, now));
                    assert_eq!((one.ok(), one.verdict.remaining), (two.ok, two.verdict.remaining), "{what:?}");
                }
                7 => {
                    // At once: a bucket keeps what has refilled since, and of charges that overlap it keeps the sum. Both clocks would
                    // find that near a whole number of periods, one above and the other below.
                    let Some((which, cost, charged, decision)) = last else { continue };
                    let ask = Ask { handle: &memory, key: keys[which].key().fingerprint, cost, plan: None };
                    LimiterHandle::refund(ask, false, charged, now);
                    refund(&redis, &keys[which], cost, &decision, now);
                }
                8 => {
                    memory.reset(print, now);
                    reset(&redis, key, now).unwrap();
                }
                _ => {
                    let other = (which + 1 + dice.below(39) as usize) % 40;
                    let second = Ask { handle: &memory, key: keys[other].key().fingerprint, cost: 1, plan: None };
                    let first = Ask { handle: &memory, key: print, cost, plan: None };
                    let one = limiter::consume_all(&[first, second], now).unwrap();
                    let two = all(&[(&redis, key, cost), (&redis, &keys[other], 1)], now);
                    assert_eq!(one.ok(), two.ok, "{what:?} {one:?} {two:?}");
                    together += u32::from(two.ok);
                    // What is given back after a denial is on its way: whoever asks the same shard next comes behind it.
                }
            }
        }
    }
    assert!(admitted > 1_000 && denied > 1_000 && together > 200, "{admitted} {denied} {together}");
}
