//! A real cluster of six processes: slots that move, masters that die, and the shards that have nothing to do with it.

use crate::asking::{Answer, ask_within, begin_at, command, until, until_within, wait};
use crate::opening::{examined, opened, target_of};
use crate::push::{Notes, publish};
use crate::server::Server;
use spillway_engine::clock::MILLI;
use spillway_engine::redis::name::slot_of;
use spillway_engine::redis::{Mode, Opened, Remote, Script, Target, Trouble, Value};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub struct Cluster {
    nodes: Vec<Server>,
}

/// A cluster that goes on without the slots that nobody has: otherwise Redis itself stops all shards for one.
const NODE: [&str; 8] = [
    "--cluster-enabled",
    "yes",
    "--cluster-node-timeout",
    "1000",
    "--repl-diskless-sync-delay",
    "0",
    "--cluster-require-full-coverage",
    "no",
];

impl Cluster {
    pub fn start() -> Self {
        let nodes: Vec<Server> = (0..6).map(|_| Server::with(&NODE)).collect();
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let cluster = Cluster { nodes };
        until_within("the cluster stands", 30, || {
            cluster.nodes.iter().all(|node| {
                let info = node.tell(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:6")
            })
        });
        until_within("replicas are in sync", 30, || {
            (0..6).filter(|&index| cluster.info(index, "replication").contains("master_link_status:up")).count() == 3
        });
        cluster
    }

    fn info(&self, index: usize, section: &str) -> String {
        self.nodes[index].tell(&["INFO", section])
    }

    /// With one address only: the others are learned of.
    pub fn target(&self) -> Target {
        Target { deadline: 200 * MILLI, ..target_of(&[self.nodes[5].port], Mode::Cluster) }
    }

    fn id(&self, index: usize) -> String {
        self.nodes[index].tell(&["CLUSTER", "MYID"])
    }

    fn is_master(&self, index: usize) -> bool {
        self.info(index, "replication").contains("role:master")
    }

    /// Who answers for the slot, as the other nodes see it.
    fn owner(&self, slot: u16) -> usize {
        let live: Vec<usize> = (0..6).filter(|&index| self.nodes[index].is_running()).collect();
        let map = self.nodes[live[0]].tell(&["CLUSTER", "NODES"]);
        let owns = |line: &str| {
            let ranges = line.split(' ').skip(8).filter(|range| !range.starts_with('['));
            let mut spans = ranges.map(|range| range.split_once('-').unwrap_or((range, range)));
            spans.any(|(from, to)| (from.parse().unwrap()..=to.parse::<u16>().unwrap()).contains(&slot))
        };
        let line = map.lines().find(|line| owns(line)).unwrap();
        let port: u16 = line.split([' ', '@']).nth(1).unwrap().rsplit(':').next().unwrap().parse().unwrap();
        self.nodes.iter().position(|node| node.port == port).unwrap()
    }

    fn replica_of(&self, master: usize) -> usize {
        let of = format!("master_port:{}", self.nodes[master].port);
        (0..6).find(|&index| self.nodes[index].is_running() && self.info(index, "replication").contains(&of)).unwrap()
    }
}

fn set(opened: &Opened, key: &str, value: &str) -> Answer {
    let asked = begin_at(&*opened.link, command(&["SET", key, value]), slot_of(key.as_bytes()), 200 * MILLI);
    opened.link.flush();
    wait(&asked)
}

#[test]
fn keys_go_where_they_belong_and_one_address_is_enough() {
    let cluster = Cluster::start();
    assert!(examined(&cluster.target(), "app").is_ok());
    let opened = opened(cluster.target());
    assert!(opened.link.is_cluster());
    until("the map is known", || opened.link.shards().len() == 3);
    let asked: Vec<_> = (0..1_000)
        .map(|number| {
            let key = format!("key:{number}");
            begin_at(&*opened.link, command(&["SET", &key, "v"]), slot_of(key.as_bytes()), 2_000 * MILLI)
        })
        .collect();
    opened.link.flush();
    asked.iter().for_each(|asked| assert_eq!(wait(asked), Ok(Value::Okay)));
    let masters: Vec<usize> = (0..6).filter(|&index| cluster.is_master(index)).collect();
    let sizes: Vec<u64> =
        masters.iter().map(|&index| cluster.nodes[index].tell(&["DBSIZE"])[1..].parse().unwrap()).collect();
    assert_eq!(sizes.iter().sum::<u64>(), 1_000);
    assert!(sizes.iter().all(|&size| size > 200), "{sizes:?}");
    // Once the map is known, nobody is sent elsewhere.
    masters.iter().for_each(|&index| drop(cluster.nodes[index].tell(&["CONFIG", "RESETSTAT"])));
    (0..300).for_each(|number| assert_eq!(set(&opened, &format!("key:{number}"), "w"), Ok(Value::Okay)));
    for index in masters {
        assert!(!cluster.info(index, "errorstats").contains("MOVED"));
    }
    let mut found: Vec<u16> = opened.link.shards().into_iter().flatten().collect();
    found.dedup_by_key(|slot| cluster.owner(*slot));
    assert_eq!(found.len(), 3, "one slot of each master");
}

static ADD: Script =
    Script::many("local out = {} for i = 1, #KEYS do out[i] = redis.call('INCR', KEYS[i]) end return out", 0);

#[test]
fn a_slot_that_moves_is_followed_at_every_step_and_nothing_is_counted_twice() {
    let cluster = Cluster::start();
    let opened = opened(cluster.target());
    until("the map is known", || opened.link.shards().len() == 3);
    let key = "{moving}counter";
    let slot = slot_of(key.as_bytes());
    let from = cluster.owner(slot);
    let to = (0..6).find(|&index| index != from && cluster.is_master(index)).unwrap();
    let (from_id, to_id, number) = (cluster.id(from), cluster.id(to), slot.to_string());
    let mut count = 0;
    let mut add = || {
        let request = spillway_engine::redis::Request::script(&ADD, [key].into_iter());
        let asked = begin_at(&*opened.link, request, slot, 500 * MILLI);
        opened.link.flush();
        count += 1;
        assert_eq!(wait(&asked), Ok(Value::Int(count)));
    };
    (0..50).for_each(|_| add());
    cluster.nodes[to].tell(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &from_id]);
    cluster.nodes[from].tell(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to_id]);
    // On its way, but the key is still here.
    (0..50).for_each(|_| add());
    let port = cluster.nodes[to].port.to_string();
    assert_eq!(cluster.nodes[from].tell(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]), "+OK");
    // ASK, each time: the slot is still the old node's. The new one has never seen the script.
    (0..50).for_each(|_| add());
    for index in [to, from] {
        cluster.nodes[index].tell(&["CLUSTER", "SETSLOT", &number, "NODE", &to_id]);
    }
    // MOVED, once.
    (0..50).for_each(|_| add());
    until("known", || cluster.owner(slot) == to);
    cluster.nodes[from].tell(&["CONFIG", "RESETSTAT"]);
    (0..50).for_each(|_| add());
    assert!(!cluster.info(from, "errorstats").contains("MOVED"));
}

#[test]
fn a_dead_shard_does_not_slow_the_others_and_its_replica_is_found() {
    let mut cluster = Cluster::start();
    let opened = opened(cluster.target());
    until("the map is known", || opened.link.shards().len() == 3);
    let dead = cluster.owner(slot_of(b"{dead}"));
    let living: Vec<String> = (0..50)
        .map(|number| format!("key:{number}"))
        .filter(|key| cluster.owner(slot_of(key.as_bytes())) != dead)
        .take(10)
        .collect();
    living.iter().for_each(|key| assert_eq!(set(&opened, key, "v"), Ok(Value::Okay)));
    assert_eq!(set(&opened, "{dead}", "v"), Ok(Value::Okay));
    let notes = Arc::new(Notes::default());
    let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("resumed", || notes.has("<resumed>"));

    let heir = cluster.replica_of(dead);
    cluster.nodes[dead].kill();
    let begun = Instant::now();
    let (mut asked, mut slow) = (0, 0);
    let mut healed = None;
    while healed.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not healed");
        for key in &living {
            let since = Instant::now();
            let answer = set(&opened, key, "w");
            assert!(matches!(answer, Ok(Value::Okay) | Err(Trouble::Late)), "{key}: {answer:?}");
            asked += 1;
            slow += u32::from(since.elapsed() > Duration::from_millis(50));
        }
        if set(&opened, "{dead}", "w") == Ok(Value::Okay) {
            healed = Some(begun.elapsed());
        }
    }
    // A busy machine is slow now and then; who waited for the dead shard would be slow each time.
    assert!(slow * 50 < asked, "{slow} of {asked} took longer than 50 ms");
    assert!(cluster.is_master(heir));
    println!("healed after {healed:?}, {slow} of {asked} on other shards above 50 ms");
    until("heard", || {
        publish(&opened, "c", "message");
        notes.has("message")
    });
    // Come back as a replica, it is no trouble either.
    cluster.nodes[dead].restart();
    until_within("a replica", 30, || !cluster.is_master(dead));
    assert_eq!(set(&opened, "{dead}", "x"), Ok(Value::Okay));
}

#[test]
fn a_failover_that_was_asked_for_is_followed_by_what_the_old_master_says() {
    let cluster = Cluster::start();
    let opened = opened(cluster.target());
    until("the map is known", || opened.link.shards().len() == 3);
    assert_eq!(set(&opened, "k", "1"), Ok(Value::Okay));
    let old = cluster.owner(slot_of(b"k"));
    let heir = cluster.replica_of(old);
    assert_eq!(cluster.nodes[heir].tell(&["CLUSTER", "FAILOVER"]), "+OK");
    // The old master holds everybody back for a moment, then sends them on: what was asked is done once, or late, never lost.
    let mut answers = 0;
    let (begun, mut asked_at) = (Instant::now(), Instant::now());
    while !cluster.is_master(heir) || cluster.is_master(old) || answers < 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "not promoted");
        // A replica that does not get there within five seconds gives it up, and says nothing.
        if asked_at.elapsed() > Duration::from_secs(6) && !cluster.is_master(heir) {
            cluster.nodes[heir].tell(&["CLUSTER", "FAILOVER"]);
            asked_at = Instant::now();
        }
        let answer = set(&opened, "k", &answers.to_string());
        assert!(matches!(answer, Ok(Value::Okay) | Err(Trouble::Late)), "{answer:?}");
        answers += 1;
    }
    let begun = Instant::now();
    until("followed", || set(&opened, "k", "2") == Ok(Value::Okay));
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1_000), "{took:?}");
    let retired = format!("127.0.0.1:{}", cluster.nodes[old].port);
    until("nobody is connected to who answers for nothing", || {
        opened.link.report().nodes.iter().all(|node| node.address != retired)
    });
    assert_eq!(set(&opened, "k", "3"), Ok(Value::Okay));
    // What needs no slot goes to somebody who is there.
    assert!(matches!(ask_within(&*opened.link, command(&["PING"]), 200 * MILLI), Ok(Value::SimpleString(_))));
}
