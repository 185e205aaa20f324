//! Hosts that load, read and change the same keys at once, calm and in trouble, against a source of truth. What somebody reads from
//! Redis must never be older than a change of it that has returned anywhere; what he reads from memory, than one of his own.

use super::host::{Host, Loaded, config, tagged};
use crate::asking::until;
use crate::server::Server;
use spillway_engine::primitive::cache::{CacheConfig, UpTo};
use spillway_engine::primitive::remote::cache::{Changed, Fetched};
use spillway_engine::store::flights::Purpose;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

const KEYS: usize = 6;

#[derive(Default)]
struct Truth {
    /// What the source says of each key.
    source: [AtomicU64; KEYS],
    /// What it said when the last change that Redis has acknowledged was made.
    acknowledged: [AtomicU64; KEYS],
    read: AtomicU64,
    found: AtomicU64,
    loaded: AtomicU64,
    owed: AtomicU64,
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ word >> 31) % sides
    }
}

/// Even keys have the tag `even`, odd ones `odd`; the first three begin with `a`.
fn name(key: usize) -> String {
    format!("{}{key}", if key < 3 { 'a' } else { 'b' })
}

fn tag_of(key: usize) -> &'static str {
    if key.is_multiple_of(2) { "even" } else { "odd" }
}

struct Actor<'a> {
    host: &'a mut Host,
    truth: &'a Truth,
    dice: Dice,
    /// What it has changed itself.
    own: [u64; KEYS],
    /// The source may change while a loader runs.
    dawdles: bool,
}

impl Actor<'_> {
    fn act(&mut self) {
        let key = self.dice.roll(KEYS as u64) as usize;
        match self.dice.roll(40) {
            0..16 => self.reads(key),
            16..24 => self.remembers(key),
            24..34 => self.loads(key),
            34..37 => self.changes(|of| of == key, |host| host.delete(&name(key))),
            37 => {
                let tag = tag_of(key);
                self.changes(|of| tag_of(of) == tag, |host| host.invalidate(tag));
            }
            38 => self.changes(|_| true, Host::clear),
            _ => self.changes(|of| of < 3, |host| host.delete_prefix("a")),
        }
    }

    fn changes(&mut self, concerns: impl Fn(usize) -> bool, change: impl FnOnce(&Host) -> Changed) {
        let concerned: Vec<_> = (0..KEYS).filter(|key| concerns(*key)).collect();
        let now: Vec<_> =
            concerned.iter().map(|&key| (key, self.truth.source[key].fetch_add(1, Ordering::SeqCst) + 1)).collect();
        let changed = change(self.host);
        self.truth.owed.fetch_add(u64::from(changed.owed), Ordering::Relaxed);
        for (key, number) in now {
            self.own[key] = self.own[key].max(number);
            if !changed.owed {
                self.truth.acknowledged[key].fetch_max(number, Ordering::SeqCst);
            }
        }
    }

    /// Redis, whatever memory has.
    fn reads(&mut self, key: usize) {
        let least = self.truth.acknowledged[key].load(Ordering::SeqCst);
        let fetched = self.host.fetch(&name(key), UpTo::Fresh);
        self.truth.read.fetch_add(1, Ordering::Relaxed);
        if let Fetched::Hit(hit) = fetched {
            self.truth.found.fetch_add(1, Ordering::Relaxed);
            let number: u64 = std::str::from_utf8(hit.value.bytes()).unwrap().parse().unwrap();
            assert!(number >= least, "{} was {number} in Redis after {least} had been acknowledged", name(key));
            assert!(number >= self.own[key], "{} was {number} in Redis after our {}", name(key), self.own[key]);
        }
    }

    fn remembers(&mut self, key: usize) {
        if let Some((value, _)) = self.host.memory(&name(key)) {
            let number: u64 = value.parse().unwrap();
            assert!(number >= self.own[key], "{} was {number} in memory after our {}", name(key), self.own[key]);
        }
    }

    fn loads(&mut self, key: usize) {
        let least = self.truth.acknowledged[key].load(Ordering::SeqCst);
        match self.host.board(&name(key), Purpose::Missing) {
            Loaded::Found(Some(value)) => {
                let number: u64 = value.parse().unwrap();
                assert!(
                    number >= self.own[key],
                    "{} was {number} when asked for after our {}",
                    name(key),
                    self.own[key]
                );
            }
            Loaded::Lead(receipt) | Loaded::Alone(receipt) => {
                let number = self.truth.source[key].load(Ordering::SeqCst);
                assert!(number >= least);
                if self.dawdles && self.dice.roll(4) == 0 {
                    sleep(Duration::from_millis(self.dice.roll(8)));
                }
                self.truth.loaded.fetch_add(1, Ordering::Relaxed);
                if self.dice.roll(8) == 0 {
                    self.host.fail(receipt);
                } else {
                    self.host.land(receipt, &tagged(&number.to_string(), &[tag_of(key)]));
                }
            }
            other => assert!(matches!(other, Loaded::Gone | Loaded::Found(None)), "{other:?}"),
        }
    }
}

fn run(hosts: &mut [Host], truth: &Truth, seed: u64, steps: usize, trouble: impl FnOnce(&AtomicBool) + Send) {
    let over = AtomicBool::new(false);
    scope(|scope| {
        let actors: Vec<_> = hosts
            .iter_mut()
            .enumerate()
            .map(|(index, host)| {
                let dice = Dice(seed << 8 | index as u64);
                scope.spawn(move || {
                    let mut actor = Actor { host, truth, dice, own: [0; KEYS], dawdles: true };
                    (0..steps).for_each(|_| actor.act());
                })
            })
            .collect();
        let over = &over;
        let trouble = scope.spawn(move || trouble(over));
        let ended: Vec<_> = actors.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::SeqCst);
        trouble.join().unwrap();
        ended.into_iter().for_each(|actor| actor.unwrap());
    });
    // When all is paid and heard, nobody has anything that is older than the last change.
    hosts.iter().for_each(Host::believes);
    Host::hears(&hosts.iter().collect::<Vec<_>>());
    for key in 0..KEYS {
        let last = truth.source[key].load(Ordering::SeqCst);
        for host in &*hosts {
            let memory = host.memory(&name(key)).map(|found| found.0);
            let redis = match host.fetch(&name(key), UpTo::Fresh) {
                Fetched::Hit(hit) => Some(String::from_utf8(hit.value.bytes().to_vec()).unwrap()),
                _ => None,
            };
            for value in memory.iter().chain(&redis) {
                assert!(value.parse::<u64>().unwrap() >= last, "{}: {memory:?}, {redis:?}; last: {last}", name(key));
            }
        }
    }
    let [read, found, loaded, owed] =
        [&truth.read, &truth.found, &truth.loaded, &truth.owed].map(|count| count.load(Ordering::Relaxed));
    assert!(found > 20 && loaded > 20, "of {read} looks {found} found something; {loaded} loads, {owed} owed");
}

#[test]
fn nobody_reads_what_was_changed_before_he_asked() {
    let server = Server::start();
    for seed in 0..3 {
        server.tell(&["FLUSHALL"]);
        let mut hosts = [0; 4].map(|_| Host::new(&server));
        run(&mut hosts, &Truth::default(), seed, 500, |_| ());
    }
}

#[test]
fn nobody_does_so_in_trouble_either() {
    let server = Server::start();
    let config = CacheConfig { load_timeout_ms: 400.0, ..config() };
    let mut owed = 0;
    for seed in 10..12 {
        server.tell(&["FLUSHALL"]);
        let mut hosts = [0; 4].map(|_| Host::patient(&server, config.clone(), 60));
        let truth = Truth::default();
        run(&mut hosts, &truth, seed, 1_000, |over| {
            let mut dice = Dice(seed);
            while !over.load(Ordering::SeqCst) {
                match dice.roll(5) {
                    0 => drop(server.tell(&["CLIENT", "KILL", "TYPE", "pubsub"])),
                    1 => drop(server.tell(&["CLIENT", "KILL", "TYPE", "normal"])),
                    2 => drop(server.tell(&["SCRIPT", "FLUSH"])),
                    _ => {
                        server.signal("STOP");
                        sleep(Duration::from_millis(20 + dice.roll(150)));
                        server.signal("CONT");
                    }
                }
                sleep(Duration::from_millis(100));
            }
        });
        owed += truth.owed.load(Ordering::Relaxed);
        until("all is paid", || hosts.iter().all(|host| host.tier.report().owed == 0));
    }
    assert!(owed > 0, "no trouble at all");
}
