//! Rights that expire, on a clock of the test's and a store that can be cut off: who holds, who waits, and what is lost when.
//! Never sleeps; the store is the one of this process, behind a wire that loses what it is told to lose.

use crate::dice::Dice;
use crate::letters::{LetterBox, Said, environment};
use parking_lot::Mutex;
use spillway_engine::clock::{MILLI, Nanos};
use spillway_engine::primitive::remote::books::FailMode;
use spillway_engine::primitive::remote::holders::near::NearHolders;
use spillway_engine::primitive::remote::holders::{Holders, Spot, Ticket, Told, Verdict, Wish};
use spillway_engine::primitive::remote::keeper::{Holder, Pulse};
use spillway_engine::primitive::remote::right::margin;
use spillway_engine::primitive::remote::rights::{Rights, RightsConfig};
use spillway_engine::primitive::remote::sleeper::{Chore, Timepiece};
use spillway_engine::redis::Trouble;
use spillway_engine::redis::name::Home;
use spillway_engine::store::ledger::Receipt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

const TTL: Nanos = 30_000 * MILLI;
const SECOND: Nanos = 1_000 * MILLI;

/// A clock moved by hand, that calls what is due on its way.
#[derive(Default)]
struct Hand {
    now: AtomicU64,
    calls: Mutex<Vec<(Nanos, Weak<dyn Chore>)>>,
}

impl Timepiece for Hand {
    fn now(&self) -> Nanos {
        self.now.load(Ordering::Relaxed)
    }

    fn wake_at(&self, when: Nanos, chore: Weak<dyn Chore>) {
        self.calls.lock().push((when, chore));
    }
}

impl Hand {
    fn pass(&self, span: Nanos) {
        let until = self.now() + span;
        loop {
            let next = {
                let mut calls = self.calls.lock();
                let first = (0..calls.len()).min_by_key(|&index| calls[index].0);
                first.filter(|&first| calls[first].0 <= until).map(|first| calls.swap_remove(first))
            };
            let Some((when, chore)) = next else { break };
            self.now.fetch_max(when, Ordering::Relaxed);
            if let Some(chore) = chore.upgrade() {
                chore.due(self.now());
            }
        }
        self.now.store(until, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Up,
    Down,
    /// The store does what it is asked, and nobody hears of it in time.
    Deaf,
}

/// The store behind a wire. `on` is what a host sees of it; several hosts share one store.
struct Cable {
    store: Arc<NearHolders>,
    on: Arc<Mutex<Wire>>,
}

impl Cable {
    fn carry<T: Send + 'static>(&self, told: Told<T>, act: impl FnOnce(Told<T>)) {
        let wire = *self.on.lock();
        match wire {
            Wire::Up => act(told),
            Wire::Down => told(Err(Trouble::Down)),
            Wire::Deaf => {
                act(Box::new(|_| {}));
                told(Err(Trouble::Late));
            }
        }
    }
}

impl Holders for Cable {
    fn acquire(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<Verdict>) {
        self.carry(told, |told| self.store.acquire(spot, wish, deadline, told));
    }

    fn renew(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        self.carry(told, |told| self.store.renew(spot, wish, deadline, told));
    }

    fn release(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>) {
        self.carry(told, |told| self.store.release(spot, wish, deadline, told));
    }

    fn flush(&self) {}

    fn deadline(&self, now: Nanos) -> Nanos {
        now + 50 * MILLI
    }
}

/// The event loop of an environment: it answers a ping at once, unless it hangs.
struct Loop {
    time: Arc<Hand>,
    ran_at: AtomicU64,
    hangs: AtomicBool,
}

impl Pulse for Loop {
    fn ran_at(&self) -> Nanos {
        self.ran_at.load(Ordering::Relaxed)
    }

    fn ping(&self) {
        if !self.hangs.load(Ordering::Relaxed) {
            self.ran_at.store(self.time.now(), Ordering::Relaxed);
        }
    }
}

struct Thread {
    holder: Arc<Holder>,
    pulse: Arc<Loop>,
    letters: Arc<LetterBox>,
}

/// One process: its rights, its wire and its threads.
struct Host {
    rights: Rights,
    wire: Arc<Mutex<Wire>>,
    threads: Vec<Thread>,
}

struct World {
    time: Arc<Hand>,
    store: Arc<NearHolders>,
}

fn micros() -> u64 {
    1_700_000_000_000_000
}

impl World {
    fn new() -> Self {
        let time = Arc::new(Hand::default());
        time.pass(3_600 * SECOND);
        World { store: Arc::new(NearHolders::new(time.clone(), micros)), time }
    }

    fn host(&self, limit: u32, fail_mode: FailMode) -> Host {
        self.host_of(RightsConfig { limit, queue: 4, ttl: TTL, max_stall: 2 * TTL, fail_mode })
    }

    fn host_of(&self, config: RightsConfig) -> Host {
        let wire = Arc::new(Mutex::new(Wire::Up));
        let cable = Arc::new(Cable { store: self.store.clone(), on: wire.clone() });
        let rights = Rights::new(config, Home::new("", "lease", "job"), cable, self.time.clone());
        let thread = |_| {
            let (ledger, letters) = environment();
            let pulse = Arc::new(Loop {
                time: self.time.clone(),
                ran_at: self.time.now().into(),
                hangs: AtomicBool::new(false),
            });
            Thread { holder: Arc::new(Holder { ledger, pulse: pulse.clone() }), pulse, letters }
        };
        Host { rights, wire, threads: (0..2).map(thread).collect() }
    }
}

/// What one who asked has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Got {
    receipt: Receipt,
    ticket: Ticket,
    fence: u64,
    alone: bool,
    took_over: bool,
}

impl Host {
    fn ask(&self, key: &str, willing: bool) -> Option<Receipt> {
        self.rights.ask(&self.threads[0].holder, key.as_bytes(), 0, willing)
    }

    fn get(&self, key: &str) -> Option<Got> {
        let receipt = self.ask(key, false)?;
        match self.threads[0].letters.empty().as_slice() {
            [said] => got(said).filter(|got| got.receipt == receipt),
            other => panic!("one letter was expected, and {other:?} came"),
        }
    }

    fn heard(&self) -> Vec<Said> {
        self.threads[0].letters.empty()
    }

    fn release(&self, got: Got) {
        let time = || 0;
        self.threads[0].holder.ledger.give_back(got.receipt, &time);
    }

    fn wire(&self, wire: Wire) {
        *self.wire.lock() = wire;
    }
}

fn got(said: &Said) -> Option<Got> {
    match *said {
        Said::Admitted { receipt, ticket, fence, alone, took_over } => {
            Some(Got { receipt, ticket: Ticket::of_number(ticket), fence, alone, took_over })
        }
        _ => None,
    }
}

#[test]
fn there_are_never_more_holders_than_may_be_and_each_has_a_larger_fence() {
    let mut dice = Dice::new(11);
    for round in 0..200 {
        let world = World::new();
        let limit = 1 + dice.below(4) as u32;
        let hosts: Vec<_> = (0..3).map(|_| world.host(limit, FailMode::Closed)).collect();
        let keys = ["a", "b"];
        // (host, receipt) → (key, and what was got if it was).
        let mut asked = BTreeMap::<(usize, Receipt), (usize, Option<Got>)>::new();
        let mut fences = [0; 2];
        for _ in 0..300 {
            let host = dice.below(3) as usize;
            let mine: Vec<_> = asked.range((host, 0)..=(host, Receipt::MAX)).map(|(&at, &of)| (at, of)).collect();
            match (dice.below(8), dice.index(mine.len()).map(|index| mine[index])) {
                (0..4, _) => {
                    let key = dice.below(2) as usize;
                    if let Some(receipt) = hosts[host].ask(keys[key], dice.below(2) == 0) {
                        asked.insert((host, receipt), (key, None));
                    }
                }
                (4, Some((at, (_, Some(got))))) => {
                    hosts[host].release(got);
                    asked.remove(&at);
                }
                (5, Some((at, (_, None)))) => {
                    if hosts[host].threads[0].holder.ledger.leave(at.1, &|| 0) {
                        asked.remove(&at);
                    }
                }
                _ => world.time.pass(dice.below(SECOND)),
            }
            // In the order of the store, not in that in which the hosts are looked at here.
            let told = |host: usize| hosts[host].heard().into_iter().map(move |said| (host, said));
            let mut heard: Vec<_> = (0..3).flat_map(told).collect();
            heard.sort_by_key(|(_, said)| got(said).map(|got| got.fence));
            for (host, said) in heard {
                match (got(&said), said) {
                    (Some(got), _) => {
                        let Some(entry) = asked.get_mut(&(host, got.receipt)) else { panic!("nobody asked {got:?}") };
                        assert!(got.fence > fences[entry.0], "round {round}: a fence that does not grow");
                        fences[entry.0] = got.fence;
                        entry.1 = Some(got);
                    }
                    (_, Said::Refused(receipt, full)) => {
                        assert!(full);
                        asked.remove(&(host, receipt)).unwrap();
                    }
                    (_, other) => panic!("{other:?}"),
                }
            }
            for key in 0..2 {
                let out = asked.values().filter(|(of, got)| *of == key && got.is_some()).count();
                assert!(out <= limit as usize, "{out} hold what {limit} may");
            }
        }
        // In the end nobody waits for what is free.
        world.time.pass(SECOND);
        for (host, at) in hosts.iter().enumerate() {
            for got in at.heard().iter().filter_map(got) {
                asked.get_mut(&(host, got.receipt)).unwrap().1 = Some(got);
            }
        }
        for key in 0..2 {
            let (out, waits) = asked
                .values()
                .filter(|(of, _)| *of == key)
                .partition::<Vec<&(usize, Option<Got>)>, _>(|(_, got)| got.is_some());
            assert!(
                out.len() == limit as usize || waits.is_empty(),
                "{} wait, {} of {limit} are out",
                waits.len(),
                out.len()
            );
        }
    }
}

#[test]
fn whoever_waits_elsewhere_looks_again_by_himself_and_at_once_when_told() {
    let world = World::new();
    let (one, two) = (world.host(1, FailMode::Closed), world.host(1, FailMode::Closed));
    let first = one.get("k").unwrap();
    assert!(two.ask("k", true).is_some());
    assert_eq!(two.heard(), []);
    one.release(first);
    assert_eq!(two.heard(), [], "nobody has told it");
    world.time.pass(600 * MILLI);
    let second = got(&two.heard()[0]).expect("it has looked again");
    one.ask("k", true).unwrap();
    two.release(second);
    assert_eq!(one.heard(), []);
    one.rights.freed(&Spot::new(&Home::new("", "lease", "job"), b"k").key);
    assert!(got(&one.heard()[0]).is_some(), "it was told");
}

#[test]
fn the_first_in_line_is_served_first_and_a_line_that_is_full_says_so() {
    let world = World::new();
    let host = world.host(1, FailMode::Closed);
    let first = host.get("k").unwrap();
    let waiting: Vec<_> = (0..4).map(|_| host.ask("k", true).unwrap()).collect();
    assert_eq!(host.heard(), []);
    assert_eq!(host.ask("k", true), None, "the fifth finds no place");
    assert_eq!(host.ask("k", false), None, "and who will not wait does not overtake");
    let mut holds = first;
    for receipt in waiting {
        host.release(holds);
        let heard = host.heard();
        holds = got(&heard[0]).unwrap();
        assert_eq!((heard.len(), holds.receipt), (1, receipt));
    }
}

#[test]
fn a_lease_survives_a_blocked_event_loop_under_max_stall_and_is_lost_beyond_it() {
    let world = World::new();
    let (one, two) = (world.host(1, FailMode::Closed), world.host(1, FailMode::Closed));
    let held = one.get("k").unwrap();
    world.time.pass(3_600 * SECOND);
    assert!(one.rights.left(held.ticket).is_some(), "an hour of renewals");
    one.threads[0].pulse.hangs.store(true, Ordering::Relaxed);
    world.time.pass(60 * SECOND);
    assert_eq!(two.get("k"), None, "60 s under a maxStall of 60 s");
    one.threads[0].pulse.hangs.store(false, Ordering::Relaxed);
    world.time.pass(60 * SECOND);
    assert_eq!(one.heard(), [], "it was kept");
    one.threads[0].pulse.hangs.store(true, Ordering::Relaxed);
    world.time.pass(60 * SECOND + TTL);
    assert_eq!(one.heard(), [Said::Expired(held.receipt)], "and is lost beyond");
    let taken = two.get("k").expect("another takes over");
    assert!(taken.took_over && taken.fence > held.fence);
    assert_eq!(one.rights.left(held.ticket), None);
    one.release(held);
    assert_eq!(one.get("k"), None, "what comes back late frees nothing of another's");
}

#[test]
fn the_local_deadline_comes_before_the_stores() {
    let world = World::new();
    let host = world.host(1, FailMode::Closed);
    let held = host.get("k").unwrap();
    host.wire(Wire::Down);
    world.time.pass(TTL - margin(TTL) - 1);
    assert_eq!(host.heard(), []);
    world.time.pass(1);
    assert_eq!(host.heard(), [Said::Expired(held.receipt)]);
    let other = world.host(1, FailMode::Closed);
    assert_eq!(other.get("k"), None, "the store keeps it a little longer");
    world.time.pass(margin(TTL));
    assert!(other.get("k").is_some());
}

#[test]
fn a_process_that_was_frozen_for_ten_minutes_believes_in_nothing_it_held() {
    let world = World::new();
    let host = world.host(1, FailMode::Closed);
    let held = host.get("k").unwrap();
    // Not by `pass`, which would have called what was due.
    world.time.now.fetch_add(600 * SECOND, Ordering::Relaxed);
    assert_eq!(host.rights.left(held.ticket), None, "even before anybody has looked");
    world.time.pass(MILLI);
    assert_eq!(host.heard(), [Said::Expired(held.receipt)]);
}

#[test]
fn without_its_store_each_fail_mode_decides_alone() {
    let world = World::new();
    let closed = world.host(1, FailMode::Closed);
    closed.wire(Wire::Down);
    let receipt = closed.ask("k", true).unwrap();
    assert_eq!(closed.heard(), [Said::Refused(receipt, false)], "closed: nobody");
    let open = world.host(1, FailMode::Open);
    open.wire(Wire::Down);
    assert!((0..5).all(|_| open.get("k").is_some_and(|got| got.alone)), "open: everybody");
    let local = world.host(2, FailMode::Local);
    let far = local.get("k").unwrap();
    local.wire(Wire::Down);
    let near = local.get("k").unwrap();
    assert!(near.alone && !far.alone);
    assert_eq!(local.get("k"), None, "local: as many as may be, with those the store had let in");
    let waits = local.ask("k", true).unwrap();
    assert_eq!(local.heard(), []);
    local.release(far);
    let served = local.heard();
    assert_eq!(got(&served[0]).map(|got| (got.receipt, got.alone)), Some((waits, true)));
    local.release(near);
    local.wire(Wire::Up);
    let back = local.get("k").unwrap();
    assert!(!back.alone, "and the store decides again");
}

#[test]
fn what_the_store_let_in_stays_counted_when_the_store_is_gone() {
    let world = World::new();
    let host = world.host(1, FailMode::Local);
    let held = host.get("k").unwrap();
    host.wire(Wire::Down);
    world.time.pass(2 * TTL);
    assert_eq!(host.heard(), [], "it is not another's, as far as anybody knows");
    assert_eq!(host.get("k"), None);
    host.release(held);
    let near = host.get("k").unwrap();
    assert!(near.alone);
    host.release(near);
    host.wire(Wire::Up);
    assert!(!host.get("k").unwrap().alone);
}

#[test]
fn what_the_store_has_forgotten_is_lost_as_soon_as_it_says_so_also_after_an_outage() {
    let world = World::new();
    let host = world.host(1, FailMode::Local);
    let held = host.get("k").unwrap();
    host.wire(Wire::Down);
    world.time.pass(TTL / 2);
    // It was restarted, and is empty.
    let wish = Wish { limit: 1, ttl: TTL, waits: false, ticket: held.ticket };
    world.store.release(&Spot::new(&Home::new("", "lease", "job"), b"k"), wish, 0, Box::new(|_| {}));
    host.wire(Wire::Up);
    world.time.pass(TTL / 3);
    assert_eq!(host.heard(), [Said::Expired(held.receipt)]);
    assert!(!host.get("k").unwrap().alone);
}

#[test]
fn whoever_waits_looks_when_the_first_holder_expires_if_that_is_sooner_than_he_would_have() {
    let world = World::new();
    let ttl = 100 * MILLI;
    let short = RightsConfig { limit: 1, queue: 4, ttl, max_stall: ttl, fail_mode: FailMode::Closed };
    let (one, two, dies) = (world.host(1, FailMode::Closed), world.host(1, FailMode::Closed), world.host_of(short));
    let held = two.get("k").unwrap();
    assert!(one.ask("k", true).is_some(), "who will look again in half a second");
    two.release(held);
    dies.get("k").unwrap();
    dies.wire(Wire::Down);
    one.rights.freed(&Spot::new(&Home::new("", "lease", "job"), b"k").key);
    assert_eq!(one.heard(), [], "another was faster");
    world.time.pass(ttl + 2 * MILLI);
    assert!(got(&one.heard()[0]).is_some_and(|got| got.took_over));
}

#[test]
fn a_grant_nobody_heard_of_is_given_back_as_soon_as_the_store_listens() {
    let world = World::new();
    let (one, two) = (world.host(1, FailMode::Closed), world.host(1, FailMode::Closed));
    one.wire(Wire::Deaf);
    let receipt = one.ask("k", false).unwrap();
    assert_eq!(one.heard(), [Said::Refused(receipt, false)]);
    // The release was carried out as well; a second grant is not.
    assert!(two.get("k").map(|got| two.release(got)).is_some());
    let lost = one.ask("k", false).unwrap();
    one.wire(Wire::Down);
    assert_eq!(one.heard(), [Said::Refused(lost, false)]);
    world.time.pass(TTL + SECOND);
    assert!(two.get("k").is_some(), "nothing stays for ever");
}

#[test]
fn a_release_that_did_not_arrive_is_sent_again() {
    let world = World::new();
    let (one, two) = (world.host(1, FailMode::Closed), world.host(1, FailMode::Closed));
    let held = one.get("k").unwrap();
    one.wire(Wire::Down);
    one.release(held);
    assert_eq!(two.get("k"), None);
    world.time.pass(SECOND);
    one.wire(Wire::Up);
    world.time.pass(SECOND);
    assert!(two.get("k").is_some());
}

#[test]
fn what_an_environment_holds_and_waits_for_comes_back_when_it_ends() {
    let world = World::new();
    let (one, two) = (world.host(2, FailMode::Closed), world.host(2, FailMode::Closed));
    one.get("k").unwrap();
    let other = &one.threads[1];
    one.rights.ask(&other.holder, b"k", 0, false).unwrap();
    assert!(got(&other.letters.empty()[0]).is_some());
    one.ask("k", true).unwrap();
    one.threads[0].holder.ledger.close(&|| 0);
    assert!(two.get("k").is_some(), "the one that was held");
    assert_eq!(two.get("k"), None, "the other thread's is its own still");
    other.holder.ledger.close(&|| 0);
    assert!(two.get("k").is_some());
    world.time.pass(10 * SECOND);
    assert_eq!(one.heard(), [], "nobody is told any more");
}

#[test]
fn a_renewal_by_hand_says_whether_it_is_held() {
    let world = World::new();
    let host = world.host(1, FailMode::Closed);
    let held = host.get("k").unwrap();
    world.time.pass(5 * SECOND);
    let said = Arc::new(Mutex::new(Vec::new()));
    let tell = || -> Told<bool> {
        let said = said.clone();
        Box::new(move |told| said.lock().push(told))
    };
    let before = host.rights.left(held.ticket).unwrap();
    host.rights.renew(held.ticket, tell());
    assert_eq!(host.rights.left(held.ticket), Some(before + 5 * SECOND));
    host.rights.release(&host.threads[0].holder, held.receipt, held.ticket, tell());
    host.rights.renew(held.ticket, tell());
    host.rights.release(&host.threads[0].holder, held.receipt, held.ticket, tell());
    assert_eq!(*said.lock(), [Ok(true), Ok(true), Ok(false), Ok(false)]);
}
