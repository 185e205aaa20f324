//! The kernels that race, under every schedule of two threads that loom can find.
//! Never takes a lock but loom's, and neither does a kernel: parking_lot is not modelled.
//!
//! `RUSTFLAGS='--cfg loom' cargo test -p spillway-engine --release --test loom_kernels`
#![cfg(loom)]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test that panics is a test that fails")]

#[path = "kernels/port.rs"]
mod port;

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;
use port::{Port, Said, Side, Told};
use spillway_engine::policy::Step;
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

/// `burst` units at once and a very long wait for the next.
fn rate(burst: u32) -> Gcra {
    Gcra::new(1, 1 << 40, burst, 1).unwrap()
}

/// Two threads at once; what each of them answered.
fn both<T: 'static>(first: impl FnOnce() -> T + 'static, second: impl FnOnce() -> T + 'static) -> (T, T) {
    let first = thread::spawn(first);
    let second = second();
    (first.join().unwrap(), second)
}

fn spend(word: &AtomicU64, rate: Gcra, costs: &[u32]) -> u32 {
    let charge =
        |&cost: &u32| if word::update(word, NOW, &Charge { rate, cost }).answer == Answer::Allowed { cost } else { 0 };
    costs.iter().map(charge).sum()
}

#[test]
fn two_threads_spend_exactly_what_there_is() {
    loom::model(|| {
        let word = Arc::new(AtomicU64::new(0));
        let other = word.clone();
        let (first, second) = both(move || spend(&other, rate(3), &[1, 1]), {
            let word = word.clone();
            move || spend(&word, rate(3), &[1, 1])
        });
        assert_eq!(first + second, 3);
        assert_eq!(word.load(Ordering::Relaxed), NOW + 3 * rate(3).period());
    });
}

#[test]
fn a_refund_beside_a_charge_loses_neither() {
    loom::model(|| {
        let word = Arc::new(AtomicU64::new(0));
        assert_eq!(spend(&word, rate(3), &[2]), 2);
        let (charging, refunding) = (word.clone(), word.clone());
        let (spent, _) = both(
            move || spend(&charging, rate(3), &[1]),
            move || {
                word::update(&refunding, NOW, &Refund { rate: rate(3), cost: 2, charged_at: NOW });
                0
            },
        );
        assert_eq!(spent, 1);
        assert_eq!(word.load(Ordering::Relaxed), NOW + rate(3).period());
    });
}

/// Keys of a sketch of two words a row: Bob shares Alice's word in the first row, Carol in the second.
const ALICE: Fingerprint = Fingerprint { low: 0, high: 0 };
const BOB: Fingerprint = Fingerprint { low: 1 << 63, high: 0 };
const CAROL: Fingerprint = Fingerprint { low: 0, high: 1 << 63 };

fn spend_of<R: Rate + Copy>(sketch: &Sketch, key: Fingerprint, rate: R, costs: &[u32]) -> u32 {
    let charge = |&cost: &u32| {
        let verdict = sketch.update(key, NOW, &Charge { rate, cost }).unwrap();
        if verdict.answer == Answer::Allowed { cost } else { 0 }
    };
    costs.iter().map(charge).sum()
}

/// The same with a bucket, a fixed and a sliding window of `limit` units.
macro_rules! with_every_rate {
    ($limit:expr, |$rate:ident| $body:expr) => {{
        let $rate = rate($limit);
        loom::model(move || $body);
        let $rate = FixedWindow::new($limit, 1 << 40);
        loom::model(move || $body);
        let $rate = SlidingWindow::new($limit, 1 << 40);
        loom::model(move || $body);
    }};
}

/// One key is charged by one caller at a time, as its shard's lock sees to; others that share its words are not held up.
#[test]
fn a_neighbour_in_one_row_never_hides_a_charge() {
    with_every_rate!(2, |rate| {
        let sketch = Arc::new(Sketch::new(2, NOW));
        let other = sketch.clone();
        let (alice, bob) = both(move || spend_of(&other, ALICE, rate, &[1, 1]), {
            let sketch = sketch.clone();
            move || spend_of(&sketch, BOB, rate, &[1, 1])
        });
        assert!(alice <= 2 && bob <= 2);
        for (key, spent) in [(ALICE, alice), (BOB, bob)] {
            // What is left is given out afterwards, never more.
            assert!(spent + spend_of(&sketch, key, rate, &[1, 1, 1]) <= 2);
        }
    });
}

#[test]
fn neighbours_in_both_rows_never_hide_a_charge() {
    with_every_rate!(3, |rate| {
        let sketch = Arc::new(Sketch::new(2, NOW));
        // The rows differ from the start: the smaller word is now the second row's.
        assert_eq!(spend_of(&sketch, BOB, rate, &[1]), 1);
        let other = sketch.clone();
        let ((alice, _), (bob, carol)) = both(move || (spend_of(&other, ALICE, rate, &[2]), 0), {
            let sketch = sketch.clone();
            move || (spend_of(&sketch, BOB, rate, &[1]), spend_of(&sketch, CAROL, rate, &[2]))
        });
        for (key, spent) in [(ALICE, alice), (BOB, 1 + bob), (CAROL, carol)] {
            assert!(spent + spend_of(&sketch, key, rate, &[1, 1, 1, 1]) <= 3);
        }
    });
}

/// Two neighbours find the leftover of a clock that jumped in the word they share: whoever cuts it, neither loses a charge.
#[test]
fn a_leftover_that_two_cut_at_once_takes_no_charge_with_it() {
    fn check<R: Rate + Copy + Send + Sync + 'static>(rate: R) {
        loom::model(move || {
            let sketch = Arc::new(Sketch::new(2, NOW));
            let later = Charge { rate, cost: 1 };
            assert_eq!(sketch.update(ALICE, NOW + (1 << 42), &later).unwrap().answer, Answer::Allowed);
            let other = sketch.clone();
            let (alice, bob) = both(move || spend_of(&other, ALICE, rate, &[1]), {
                let sketch = sketch.clone();
                move || spend_of(&sketch, BOB, rate, &[1])
            });
            assert!(1 + alice + spend_of(&sketch, ALICE, rate, &[1, 1]) <= 2);
            assert!(bob + spend_of(&sketch, BOB, rate, &[1, 1]) <= 2);
        });
    }
    check(FixedWindow::new(2, 1 << 40));
    check(SlidingWindow::new(2, 1 << 40));
}

/// A gate that opened at `OPENED`.
fn open_gate(probes: u16) -> Gate {
    let gate = Gate::new(probes, PROBE_TIMEOUT, OPEN, 1);
    assert!(gate.trip(0, OPENED));
    gate
}

fn admitted(entry: (Entry, Option<State>)) -> u32 {
    u32::from(matches!(entry.0, Entry::Admitted(_)))
}

#[test]
fn two_threads_at_the_end_of_open_are_admitted_as_exactly_the_probes() {
    for probes in 1..=3 {
        loom::model(move || {
            let gate = Arc::new(open_gate(probes));
            let other = gate.clone();
            let enter_twice = |gate: &Gate| admitted(gate.enter(HALF)) + admitted(gate.enter(HALF));
            let (first, second) = both(move || enter_twice(&other), {
                let gate = gate.clone();
                move || enter_twice(&gate)
            });
            assert!(first + second <= u32::from(probes));
            // Whoever was refused only because `until` was being written comes again.
            let later: u32 = (0..4).map(|_| admitted(gate.enter(HALF))).sum();
            assert_eq!(first + second + later, u32::from(probes));
            assert_eq!(gate.enter(HALF).0, Entry::Refused(Some(PROBE_TIMEOUT)));
            assert_eq!((gate.control().state(), gate.control().generation()), (State::HalfOpen, 2));
        });
    }
}

#[test]
fn nobody_is_let_in_while_the_end_of_open_is_being_written() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(1, PROBE_TIMEOUT, OPEN, 1));
        let other = gate.clone();
        let (tripped, entry) = both(
            move || {
                assert!(other.trip(0, OPENED));
                None
            },
            {
                let gate = gate.clone();
                move || Some(gate.enter(OPENED).0)
            },
        );
        assert!(tripped.is_none());
        let entry = entry.unwrap();
        let allowed = [Entry::Admitted(0), Entry::Refused(Some(1)), Entry::Refused(Some(5_000))];
        assert!(allowed.contains(&entry), "{entry:?}");
        assert_eq!(gate.enter(OPENED).0, Entry::Refused(Some(5_000)));
    });
}

/// One probe came back long ago and nobody asked since. The next to be let in is not late.
#[test]
fn a_probe_let_in_after_a_long_quiet_is_never_taken_for_late() {
    loom::model(|| {
        let gate = Arc::new(open_gate(2));
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        assert_eq!(gate.exit(probe, Outcome::Ok, HALF), Left::Noted);
        let (other, much_later) = (gate.clone(), HALF + 1_000_000);
        let (first, second) = both(move || gate.enter(much_later), move || other.enter(much_later));
        assert_eq!(admitted(first) + admitted(second), 1);
        assert_eq!((first.1, second.1), (None, None), "nobody opens the breaker");
    });
}

#[test]
fn of_two_late_comers_one_opens_again_and_none_is_let_in() {
    loom::model(|| {
        let gate = Arc::new(open_gate(2));
        assert_eq!(admitted(gate.enter(HALF)), 1);
        let (other, late) = (gate.clone(), HALF + PROBE_TIMEOUT);
        let (first, second) = both(move || other.enter(late), {
            let gate = gate.clone();
            move || gate.enter(late)
        });
        assert_eq!(admitted(first) + admitted(second), 0);
        assert_eq!([first.1, second.1].iter().flatten().count(), 1);
        assert_eq!(gate.enter(late).0, Entry::Refused(Some(10_000)), "and the open time has doubled");
    });
}

#[test]
fn of_two_probes_that_come_back_exactly_one_closes() {
    loom::model(|| {
        let gate = Arc::new(open_gate(2));
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        assert_eq!(gate.enter(HALF).0, Entry::Admitted(probe));
        let other = gate.clone();
        let (first, second) = both(move || other.exit(probe, Outcome::Ok, HALF), {
            let gate = gate.clone();
            move || gate.exit(probe, Outcome::Ok, HALF)
        });
        assert!(matches!((first, second), (Left::Noted, Left::Closed) | (Left::Closed, Left::Noted)));
        assert_eq!((gate.control().state(), gate.control().generation()), (State::Closed, 3));
    });
}

#[test]
fn of_a_probe_that_fails_and_one_that_does_not_the_failure_always_opens() {
    loom::model(|| {
        let gate = Arc::new(open_gate(2));
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        assert_eq!(gate.enter(HALF).0, Entry::Admitted(probe));
        let other = gate.clone();
        let (failed, succeeded) = both(move || other.exit(probe, Outcome::Fail, HALF), {
            let gate = gate.clone();
            move || gate.exit(probe, Outcome::Ok, HALF)
        });
        assert_eq!(failed, Left::Opened);
        assert!(matches!(succeeded, Left::Noted | Left::Stale));
        assert_eq!(gate.enter(HALF).0, Entry::Refused(Some(10_000)));
    });
}

#[test]
fn an_exit_beside_an_enter_never_lets_one_probe_too_many_in() {
    loom::model(|| {
        let gate = Arc::new(open_gate(2));
        let Entry::Admitted(probe) = gate.enter(HALF).0 else { panic!("the first probe is let in") };
        let other = gate.clone();
        let (_, entries) = both(
            move || {
                assert_eq!(other.exit(probe, Outcome::Ignore, HALF), Left::Noted);
                0
            },
            {
                let gate = gate.clone();
                move || admitted(gate.enter(HALF)) + admitted(gate.enter(HALF))
            },
        );
        // The permit that was ignored comes back: two probes are out in the end, never three.
        let later: u32 = (0..3).map(|_| admitted(gate.enter(HALF))).sum();
        assert_eq!(entries + later, 2);
        assert_eq!((gate.control().issued(), gate.control().ok()), (2, 0));
    });
}

#[test]
fn a_trip_beside_an_exit_leaves_the_exit_stale_or_counted_and_the_gate_open() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(1, PROBE_TIMEOUT, OPEN, 1));
        let other = gate.clone();
        let (_, left) = both(
            move || {
                assert!(other.trip(0, OPENED));
                Left::Opened
            },
            {
                let gate = gate.clone();
                move || gate.exit(0, Outcome::Fail, OPENED)
            },
        );
        assert!(matches!(left, Left::Count | Left::Stale));
        assert_eq!((gate.control().state(), gate.control().generation()), (State::Open, 1));
        assert_eq!(gate.exit(0, Outcome::Ok, OPENED), Left::Stale);
    });
}

#[test]
fn of_two_failures_that_reach_the_threshold_one_opens() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(1, PROBE_TIMEOUT, OPEN, 1));
        let other = gate.clone();
        let (first, second) = both(move || other.trip(0, OPENED), {
            let gate = gate.clone();
            move || gate.trip(0, OPENED)
        });
        assert!(first != second);
        assert_eq!(gate.enter(OPENED).0, Entry::Refused(Some(5_000)));
    });
}

#[test]
fn an_isolation_beside_a_recovery_is_never_undone() {
    loom::model(|| {
        let gate = Arc::new(open_gate(1));
        let other = gate.clone();
        let (_, entry) = both(
            move || {
                other.force(State::Isolated);
                None
            },
            {
                let gate = gate.clone();
                move || {
                    let Entry::Admitted(probe) = gate.enter(HALF).0 else { return None };
                    Some(gate.exit(probe, Outcome::Ok, HALF))
                }
            },
        );
        assert!(matches!(entry, None | Some(Left::Closed | Left::Stale)));
        assert_eq!(gate.control().state(), State::Isolated);
        assert_eq!(gate.enter(HALF).0, Entry::Refused(None));
    });
}

/// Somebody who was let in as a probe is late to write its time: the breaker has been reset and has opened again meanwhile.
#[test]
fn a_time_written_late_does_not_hide_the_time_of_a_later_state() {
    loom::model(|| {
        let gate = Arc::new(open_gate(1));
        let other = gate.clone();
        both(
            move || {
                other.enter(HALF);
            },
            {
                let gate = gate.clone();
                move || {
                    gate.force(State::Closed);
                    assert!(gate.trip(gate.control().generation(), HALF));
                }
            },
        );
        assert_eq!(gate.control().state(), State::Open);
        assert_eq!(gate.enter(HALF + 1_000).0, Entry::Refused(Some(4_000)));
    });
}

/// What is restored as open has its time, whatever else happens to the gate at that moment; or it is not open any more.
#[test]
fn a_restore_beside_a_trip_or_a_probe_leaves_no_open_state_without_its_time() {
    loom::model(|| {
        let gate = Arc::new(open_gate(1));
        let other = gate.clone();
        both(
            move || {
                other.enter(HALF);
            },
            {
                let gate = gate.clone();
                move || {
                    gate.resume(State::Open, HALF, 700, 3);
                }
            },
        );
        assert_eq!(gate.control().state(), State::Open);
        assert_eq!(gate.enter(HALF).0, Entry::Refused(Some(700)));
        assert_eq!(gate.failed_probes(), 3);
        let gate = Arc::new(Gate::new(1, PROBE_TIMEOUT, OPEN, 1));
        let other = gate.clone();
        both(
            move || {
                other.trip(0, HALF);
            },
            {
                let gate = gate.clone();
                move || {
                    gate.resume(State::Open, HALF, 700, 0);
                }
            },
        );
        assert_eq!(gate.enter(HALF).0, Entry::Refused(Some(700)));
    });
}

const ONE_AND_ONE: Permits = Permits { limit: 1, queue: 1 };

/// A free permit taken and given back beside another who does the same: one word, and nobody else's lock.
#[test]
fn of_two_who_take_the_only_permit_one_has_it_and_it_comes_back() {
    loom::model(|| {
        let turnstile = Arc::new(Turnstile::default());
        let inside = Arc::new(AtomicU64::new(0));
        let act = |turnstile: Arc<Turnstile>, inside: Arc<AtomicU64>| {
            move || {
                let has_it = turnstile.take(ONE_AND_ONE) == Ask::Go;
                if has_it {
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    inside.fetch_sub(1, Ordering::Relaxed);
                    assert_eq!(turnstile.give_back(), Back::Free);
                }
                has_it
            }
        };
        let (first, second) = both(act(turnstile.clone(), inside.clone()), act(turnstile.clone(), inside));
        assert!(first || second);
        assert_eq!(turnstile.load(), (0, 0));
    });
}

/// One gives the only permit back while another is about to wait for it: the permit is free, or the other's, never lost between
/// the word and the queue. The queue is one number here, under a lock as it has.
#[test]
fn a_permit_that_comes_back_beside_somebody_who_begins_to_wait_is_his_or_free() {
    loom::model(|| {
        let turnstile = Arc::new(Turnstile::default());
        let queue = Arc::new(Mutex::new(0));
        assert_eq!(turnstile.take(ONE_AND_ONE), Ask::Go);
        let (giving, waiting) = ((turnstile.clone(), queue.clone()), (turnstile.clone(), queue.clone()));
        let (passed_on, has_it) = both(
            move || {
                let (turnstile, queue) = giving;
                if turnstile.give_back() == Back::Free {
                    return false;
                }
                let mut queue = queue.lock().unwrap();
                let next = turnstile.pass_locked() == Back::Next;
                if next {
                    *queue -= 1;
                }
                next
            },
            move || {
                let (turnstile, queue) = waiting;
                let mut queue = queue.lock().unwrap();
                match turnstile.take_or_wait_locked(ONE_AND_ONE) {
                    Ask::Go => true,
                    Ask::Wait => {
                        *queue += 1;
                        false
                    }
                    answer => panic!("{answer:?} with a place free"),
                }
            },
        );
        assert_ne!(passed_on, has_it, "either he waited and it passed to him, or it was free and he took it");
        assert_eq!((turnstile.load(), *queue.lock().unwrap()), ((1, 0), 0));
    });
}

/// The last permit of a key comes back beside somebody who asks for one: he has it, or finds the word ended.
#[test]
fn a_word_that_ends_beside_somebody_who_asks_gives_out_nothing_afterwards() {
    loom::model(|| {
        let turnstile = Arc::new(Turnstile::default());
        assert_eq!(turnstile.take(ONE_AND_ONE), Ask::Go);
        let (giving, asking) = (turnstile.clone(), turnstile.clone());
        let (ended, has_it) = both(
            move || {
                assert_eq!(giving.give_back(), Back::Free);
                giving.end()
            },
            move || asking.take(ONE_AND_ONE) == Ask::Go,
        );
        assert!(!(ended && has_it));
        assert_eq!((turnstile.is_gone(), turnstile.load()), (ended, (u32::from(has_it), 0)));
    });
}

/// Whoever asks while a load lands finds the value or has it sent, and nobody loads a second time.
#[test]
fn of_one_who_asks_while_a_load_lands_none_loads_again_and_none_is_forgotten() {
    loom::model(|| {
        let port = Port::new();
        let (leading, asking) = (Side::new(&port), Side::new(&port));
        let lead = leading.lead();
        let asker = asking.clone();
        let (_, waits) = both(
            move || leading.land(lead, 0),
            move || match asker.board(0) {
                Told::Present => false,
                Told::Wait(_) => true,
                Told::Lead(_) => panic!("there is a load, or there is what it brought"),
            },
        );
        assert_eq!(asking.said(), Said { yours: 0, landed: u32::from(waits) });
        assert!(port.is_empty());
    });
}

/// A load that lands beside a deletion is stored before it or not at all, and whoever asks afterwards loads anew.
#[test]
fn what_lands_beside_a_deletion_does_not_outlive_it() {
    loom::model(|| {
        let port = Port::new();
        let side = Side::new(&port);
        let (lead, deleting, landing) = (side.lead(), port.clone(), side.clone());
        both(
            move || assert!(landing.land(lead, 0)),
            move || {
                deleting.delete();
            },
        );
        assert_eq!(port.value(), None);
        assert!(matches!(side.board(0), Told::Lead(_)));
    });
}

/// Whoever asks after an invalidation is not sent what was loaded from before it: he loads himself.
#[test]
fn who_asks_after_an_invalidation_is_not_sent_what_was_loaded_before() {
    loom::model(|| {
        let port = Port::new();
        let (leading, asking) = (Side::new(&port), Side::new(&port));
        let (lead, asker, inside) = (leading.lead(), asking.clone(), port.clone());
        let (_, leads) = both(
            move || leading.land(lead, 0),
            move || {
                inside.invalidate();
                match asker.board(0) {
                    Told::Lead(_) => true,
                    Told::Wait(_) => false,
                    Told::Present => panic!("what is there was invalidated"),
                }
            },
        );
        assert_eq!(asking.said(), Said { yours: u32::from(!leads), landed: 0 });
        assert!(!port.is_empty() && port.value().is_none());
    });
}

/// The only one who waits leaves while the load fails: he is gone and the flight over, or he leads and knows it.
#[test]
fn who_leaves_while_the_turn_passes_to_him_has_left_or_is_told() {
    loom::model(|| {
        let port = Port::new();
        let (leading, waiting) = (Side::new(&port), Side::new(&port));
        let (lead, waits, leaver) = (leading.lead(), waiting.wait(), waiting.clone());
        let (_, left) = both(
            move || {
                leading.fail(lead);
                false
            },
            move || leaver.leave(waits),
        );
        assert_eq!(waiting.said(), Said { yours: u32::from(!left), landed: 0 });
        assert_eq!(port.is_empty(), left);
        assert!(left || waiting.land(waits, 0), "what he was told is true");
    });
}

/// A leader past his time lands while one who waits takes the lead: one of the two comes too late, and it is told only once.
#[test]
fn of_a_late_leader_and_his_usurper_one_leads() {
    loom::model(|| {
        let port = Port::new();
        let (leading, waiting) = (Side::new(&port), Side::new(&port));
        let (lead, waits, usurper) = (leading.lead(), waiting.wait(), waiting.clone());
        let (landed, usurped) = both(move || leading.land(lead, 0), move || usurper.usurp(waits));
        assert_ne!(landed, usurped);
        assert_eq!(waiting.said(), Said { yours: 0, landed: u32::from(landed) });
        assert_eq!(port.is_empty(), landed);
        assert!(landed || (port.value().is_none() && waiting.land(waits, 0)));
    });
}

/// The next in turn ends with his environment while the turn passes to him: the one behind has it, once.
#[test]
fn a_turn_that_passes_to_one_who_ends_goes_on_to_the_next() {
    loom::model(|| {
        let port = Port::new();
        let (leading, ending, waiting) = (Side::new(&port), Side::new(&port), Side::new(&port));
        let lead = leading.lead();
        ending.wait();
        let waits = waiting.wait();
        both(move || leading.fail(lead), move || ending.end());
        assert_eq!(waiting.said(), Said { yours: 1, landed: 0 });
        assert!(waiting.land(waits, 0) && port.is_empty());
    });
}

/// What the others rely on: a step is applied to the word it was computed from.
#[test]
fn a_step_is_never_applied_to_a_word_that_has_changed() {
    struct Increment;
    impl Step for Increment {
        type Verdict = u64;
        fn apply(&self, word: u64, _now: u64) -> (u64, u64) {
            (word + 1, word)
        }
        fn expired(&self, _word: u64, _now: u64) -> bool {
            false
        }
    }
    loom::model(|| {
        let word = Arc::new(AtomicU64::new(0));
        let other = word.clone();
        let (first, second) =
            both(move || word::update(&other, NOW, &Increment), move || word::update(&word, NOW, &Increment));
        assert_eq!(first + second, 1);
    });
}
