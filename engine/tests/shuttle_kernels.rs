//! The kernels that race, under thousands of random schedules of three threads.
//! Never takes a lock but shuttle's, and neither does a kernel: parking_lot is not modelled.
//!
//! `RUSTFLAGS='--cfg shuttle' cargo test -p spillway-engine --release --test shuttle_kernels`
#![cfg(all(shuttle, not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that panics is a test that fails"
)]

#[path = "kernels/port.rs"]
mod port;

use port::{Port, Said, Side, Told};
use shuttle::sync::atomic::AtomicU64;
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;
use spillway_engine::policy::breaker::{OpenTime, Outcome, State};
use spillway_engine::policy::fixed_window::FixedWindow;
use spillway_engine::policy::gcra::Gcra;
use spillway_engine::policy::permits::{Ask, Back, Permits};
use spillway_engine::policy::rate::{Answer, Charge, Rate, Refund};
use spillway_engine::policy::sliding_window::SlidingWindow;
use spillway_engine::primitive::gate::{Entry, Gate, Left};
use spillway_engine::store::fingerprint::Fingerprint;
use spillway_engine::store::sketch::Sketch;
use spillway_engine::store::turnstile::Turnstile;
use spillway_engine::store::word;

const NOW: u64 = 1_000;
const PROBE_TIMEOUT: u64 = 15_000;
const OPEN: OpenTime = OpenTime { first: 5_000, max: 60_000, jitter: 0.0 };
const OPENED: u64 = 100_000;
const HALF: u64 = OPENED + 5_000;

/// Half of the schedules at random, half by probabilistic concurrency testing (Burckhardt et al., 2010).
fn check(test: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(test, 5_000);
    shuttle::check_pct(test, 5_000, 3);
}

/// The same thing three times at once; what each of them answered.
fn three<T: Send + 'static>(act: impl Fn(usize) -> T + Send + Sync + 'static) -> Vec<T> {
    let act = Arc::new(act);
    let threads = Vec::from_iter((0..3).map(|number| {
        let act = act.clone();
        thread::spawn(move || act(number))
    }));
    Vec::from_iter(threads.into_iter().map(|thread| thread.join().unwrap()))
}

/// `burst` units at once and a very long wait for the next.
fn rate(burst: u32) -> Gcra {
    Gcra::new(1, 1 << 40, burst, 1).unwrap()
}

fn cost_of(answer: Answer, cost: u32) -> u32 {
    if answer == Answer::Allowed { cost } else { 0 }
}

#[test]
fn three_threads_spend_exactly_what_there_is() {
    check(|| {
        let word = AtomicU64::new(0);
        let spent: u32 = three(move |_| {
            let charge = |cost| cost_of(word::update(&word, NOW, &Charge { rate: rate(4), cost }).answer, cost);
            charge(1) + charge(1)
        })
        .into_iter()
        .sum();
        assert_eq!(spent, 4);
    });
}

#[test]
fn refunds_beside_charges_lose_nothing() {
    check(|| {
        let word = Arc::new(AtomicU64::new(0));
        let inside = word.clone();
        let kept: u32 = three(move |number| {
            let charge = Charge { rate: rate(6), cost: 2 };
            assert_eq!(word::update(&inside, NOW, &charge).answer, Answer::Allowed);
            if number > 0 {
                return 2;
            }
            word::update(&inside, NOW, &Refund { rate: rate(6), cost: 2, charged_at: NOW });
            0
        })
        .into_iter()
        .sum();
        let left = word::update(&word, NOW, &Charge { rate: rate(6), cost: 0 }).remaining;
        assert_eq!((kept, left), (4, 2));
    });
}

const ALICE: Fingerprint = Fingerprint { low: 0, high: 0 };
/// Shares Alice's word in the first row.
const BOB: Fingerprint = Fingerprint { low: 1 << 63, high: 0 };
/// Shares Alice's word in the second row.
const CAROL: Fingerprint = Fingerprint { low: 0, high: 1 << 63 };

fn spend_of<R: Rate + Copy>(sketch: &Sketch, key: Fingerprint, rate: R) -> u32 {
    let charge = |cost| cost_of(sketch.update(key, NOW, &Charge { rate, cost }).unwrap().answer, cost);
    charge(1) + charge(1)
}

/// One key is charged by one caller at a time, as its shard's lock sees to; others that share its words are not held up.
#[test]
fn neighbours_in_both_rows_never_hide_a_charge() {
    check_neighbours(rate(2), rate(3));
    check_neighbours(FixedWindow::new(2, 1 << 40), FixedWindow::new(3, 1 << 40));
    check_neighbours(SlidingWindow::new(2, 1 << 40), SlidingWindow::new(3, 1 << 40));
}

fn check_neighbours<R: Rate + Copy + Send + Sync + 'static>(two: R, three_units: R) {
    check(move || {
        let sketch = Arc::new(Sketch::new(2, NOW));
        let inside = sketch.clone();
        let keys = [ALICE, BOB, CAROL];
        let spent = three(move |number| spend_of(&inside, keys[number], two));
        for (key, spent) in keys.into_iter().zip(spent) {
            assert!(spent + spend_of(&sketch, key, two) <= 2);
        }
    });
    check(move || {
        let sketch = Arc::new(Sketch::new(2, NOW));
        // The rows differ from the start.
        assert_eq!(spend_of(&sketch, CAROL, three_units), 2);
        let inside = sketch.clone();
        let keys = [ALICE, BOB, CAROL];
        let spent = three(move |number| spend_of(&inside, keys[number], three_units));
        for (number, spent) in spent.into_iter().enumerate() {
            let before = if number == 2 { 2 } else { 0 };
            assert!(before + spent + spend_of(&sketch, keys[number], three_units) <= 3);
        }
    });
}

/// A gate that opened at `OPENED`.
fn open_gate(probes: u16) -> Arc<Gate> {
    let gate = Gate::new(probes, PROBE_TIMEOUT, OPEN, 1);
    assert!(gate.trip(0, OPENED));
    Arc::new(gate)
}

/// Enter until told that every probe is out.
fn enter_until_full(gate: &Gate, now: u64) -> u32 {
    let mut admitted = 0;
    loop {
        match gate.enter(now).0 {
            Entry::Admitted(_) => admitted += 1,
            Entry::Refused(Some(1)) => thread::yield_now(),
            Entry::Refused(wait) => {
                assert_eq!(wait, Some(PROBE_TIMEOUT));
                return admitted;
            }
        }
    }
}

#[test]
fn three_threads_at_the_end_of_open_are_admitted_as_exactly_the_probes() {
    check(|| {
        let gate = open_gate(2);
        let inside = gate.clone();
        let admitted: u32 = three(move |_| enter_until_full(&inside, HALF)).into_iter().sum();
        assert_eq!(admitted, 2);
        assert_eq!((gate.control().state(), gate.control().generation()), (State::HalfOpen, 2));
    });
}

#[test]
fn nobody_is_let_in_while_the_end_of_open_is_being_written() {
    check(|| {
        let gate = Gate::new(1, PROBE_TIMEOUT, OPEN, 1);
        let entries = three(move |number| {
            if number == 0 {
                assert!(gate.trip(0, OPENED));
            }
            gate.enter(OPENED).0
        });
        let allowed = [Entry::Admitted(0), Entry::Refused(Some(1)), Entry::Refused(Some(5_000))];
        assert!(entries.iter().all(|entry| allowed.contains(entry)), "{entries:?}");
        assert_eq!(entries.first(), Some(&Entry::Refused(Some(5_000))));
    });
}

#[test]
fn a_probe_let_in_after_a_long_quiet_is_never_taken_for_late() {
    check(|| {
        let gate = open_gate(3);
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        assert_eq!(gate.exit(probe, Outcome::Ok, HALF), Left::Noted);
        let entries = three(move |_| gate.enter(HALF + 1_000_000));
        assert!(entries.iter().all(|(_, moved)| moved.is_none()), "nobody opens the breaker");
        assert_eq!(entries.iter().filter(|(entry, _)| matches!(entry, Entry::Admitted(_))).count(), 2);
    });
}

#[test]
fn whatever_three_probes_bring_home_is_decided_once() {
    check(|| {
        for outcomes in [[Outcome::Ok; 3], [Outcome::Ok, Outcome::Fail, Outcome::Ok], [Outcome::Fail; 3]] {
            let gate = open_gate(3);
            assert_eq!(enter_until_full(&gate, HALF), 3);
            let probe = gate.control().generation();
            let inside = gate.clone();
            let left = three(move |number| inside.exit(probe, outcomes[number], HALF));
            let count = |what| left.iter().filter(|left| **left == what).count();
            if outcomes.contains(&Outcome::Fail) {
                assert_eq!((count(Left::Opened), count(Left::Closed)), (1, 0));
                assert_eq!(gate.enter(HALF).0, Entry::Refused(Some(10_000)));
            } else {
                assert_eq!((count(Left::Noted), count(Left::Closed)), (2, 1));
                assert_eq!((gate.control().state(), gate.control().generation()), (State::Closed, 3));
            }
        }
    });
}

#[test]
fn permits_that_are_ignored_come_back_all_of_them() {
    check(|| {
        let gate = open_gate(2);
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        let inside = gate.clone();
        three(move |number| match number {
            0 => drop(inside.exit(probe, Outcome::Ignore, HALF)),
            _ => {
                if let Entry::Admitted(probe) = inside.enter(HALF).0 {
                    inside.exit(probe, Outcome::Ignore, HALF);
                }
            }
        });
        assert_eq!((gate.control().issued(), gate.control().ok()), (0, 0));
        assert_eq!(enter_until_full(&gate, HALF), 2);
    });
}

#[test]
fn of_three_who_trip_one_opens_and_the_open_time_is_the_first() {
    check(|| {
        let gate = Arc::new(Gate::new(1, PROBE_TIMEOUT, OPEN, 1));
        let inside = gate.clone();
        let won = three(move |_| inside.trip(0, OPENED)).into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
        assert_eq!(gate.enter(OPENED).0, Entry::Refused(Some(5_000)));
    });
}

/// Three who take, wait, pass on and leave: as many have a permit as the word says, and in the end none has. The queue is one
/// number here, under a lock as it has.
#[test]
fn three_who_take_wait_and_pass_on_leave_no_permit_out_and_nobody_waiting() {
    const TWO_AND_TWO: Permits = Permits { limit: 2, queue: 2 };
    fn give_back(turnstile: &Turnstile, queue: &Mutex<u32>) {
        while turnstile.give_back() == Back::Next {
            let mut queue = queue.lock().unwrap();
            if turnstile.pass_locked() == Back::Free {
                return;
            }
            // Whoever is next has it now, and it comes back from him.
            *queue -= 1;
        }
    }
    check(|| {
        let (turnstile, queue) = (Arc::new(Turnstile::default()), Arc::new(Mutex::new(0)));
        let inside = (turnstile.clone(), queue.clone());
        three(move |number| {
            let (turnstile, queue) = &inside;
            for _ in 0..2 {
                let ask = {
                    let mut queue = queue.lock().unwrap();
                    let ask = turnstile.take_or_wait_locked(TWO_AND_TWO);
                    *queue += u32::from(ask == Ask::Wait);
                    ask
                };
                let (in_use, waiting) = turnstile.load();
                assert!(in_use <= 2 && waiting <= 2 && (waiting == 0 || in_use == 2));
                match ask {
                    Ask::Go => give_back(turnstile, queue),
                    Ask::Wait if number == 0 => {
                        let mut queue = queue.lock().unwrap();
                        if *queue > 0 {
                            *queue -= 1;
                            turnstile.leave_locked();
                        }
                    }
                    _ => {}
                }
            }
        });
        let left = *queue.lock().unwrap();
        assert_eq!(turnstile.load(), (0, left));
        assert_eq!(left, 0, "whoever waited was passed a permit, which came back");
    });
}

/// Three environments ask for one key; whoever leads lands, fails or ends, whoever waits takes over or leaves. Everybody is told once
/// what he waits for, a turn that was told is one, and nothing is left behind.
#[test]
fn three_who_board_lead_fail_usurp_and_leave_are_each_told_once() {
    check(|| {
        let port = Port::new();
        let sides: Vec<_> = (0..3).map(|_| Side::new(&port)).collect();
        let (inside, invalidating) = (sides.clone(), port.clone());
        // Whoever waits when his thread is done, and whether he took the lead from another.
        let told = three(move |number| {
            let side = &inside[number];
            let receipt = match side.board(0) {
                Told::Present => return (None, false),
                Told::Lead(receipt) => {
                    if number == 0 {
                        side.fail(receipt);
                    } else {
                        side.land(receipt, 0);
                    }
                    return (None, false);
                }
                Told::Wait(receipt) => receipt,
            };
            match number {
                0 => ((!side.leave(receipt)).then_some(receipt), false),
                1 if side.usurp(receipt) => {
                    assert_eq!(side.said(), Said::default());
                    side.land(receipt, 0);
                    (None, true)
                }
                1 => (Some(receipt), false),
                _ => {
                    invalidating.invalidate();
                    (Some(receipt), false)
                }
            }
        });
        let usurped = told.iter().any(|(_, usurped)| *usurped);
        // Whoever is told that it is his turn takes it; that may be another's turn then.
        let waits = |(number, (receipt, _)): (usize, &(Option<_>, bool))| Some((number, (*receipt)?));
        let mut waiting: Vec<_> = told.iter().enumerate().filter_map(waits).collect();
        while let Some(at) = waiting.iter().position(|(number, _)| sides[*number].said() != Said::default()) {
            let (number, receipt) = waiting.remove(at);
            let said = sides[number].said();
            assert_eq!(said.yours + said.landed, 1);
            // A lead that was taken from him again lands nothing.
            let landed = sides[number].land(receipt, 0);
            assert!(landed == (said.yours == 1) || (usurped && !landed));
        }
        assert!(waiting.is_empty(), "nobody waits for ever");
        assert!(port.is_empty());
    });
}
