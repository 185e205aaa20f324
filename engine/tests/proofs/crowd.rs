//! Limiters under four threads that charge, refund, reserve, reset and block what they share.
//! Never asserts what a lucky schedule decides: every bound holds of all of them.

use crate::dice::{Dice, key};
use crate::limiters::{
    ALGORITHMS, HOUR, MILLI, TODAY, ask, at, bucket, fixed, handle, limiter, of, planned, report, sliding,
};
use spillway_engine::primitive::limiter::{Ask, Decision, Limiter, LimiterHandle, Reason, consume_all};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

const HOUR_MS: f64 = 3_600_000.0;
const THREADS: u64 = 4;
const KEYS: u64 = 16;

/// `act` in each of the threads, with dice of its own.
fn crowd<T: Send>(seed: u64, act: impl Fn(u64, &mut Dice) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let act = &act;
        let threads = Vec::from_iter(
            (0..THREADS).map(|thread| scope.spawn(move || act(thread, &mut Dice::new(seed * THREADS + thread)))),
        );
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// What the keys of a limiter have spent, as those who spent it know. Never more than the limiter knows: a charge is noted
/// after it was made, a refund before.
struct Book {
    spent: Vec<AtomicI64>,
    /// The most a key may ever have spent.
    most: i64,
}

impl Book {
    fn new(most: i64) -> Self {
        Book { spent: (0..KEYS).map(|_| AtomicI64::new(0)).collect(), most }
    }

    fn note(&self, number: u64, units: i64) {
        let spent = self.spent[number as usize].fetch_add(units, Ordering::AcqRel) + units;
        assert!(spent <= self.most, "{spent} of {}", self.most);
    }

    fn of(&self, number: u64) -> i64 {
        self.spent[number as usize].load(Ordering::Acquire)
    }
}

/// How many calls a limiter answered how: allowed, limited, blocked, shadowed.
type Counts = [u64; 4];

fn counts(limiter: &Limiter) -> Counts {
    let report = report(limiter);
    ["allowed", "limited", "blocked", "shadowed"].map(|name| report[name].as_u64().unwrap())
}

/// The call whose answer is `decision` counts with whoever spoke, or with all of `asked`.
fn count(counted: &mut [Counts], asked: &[usize], decision: &Decision) {
    let (spoke, _) = decision.spoke;
    match decision.reason {
        Reason::Allowed => asked.iter().for_each(|which| counted[*which][0] += 1),
        Reason::Limited | Reason::Impossible => counted[asked[spoke]][1] += 1,
        Reason::Blocked => counted[asked[spoke]][2] += 1,
    }
}

/// Time stands still, so everything that was spent and not given back is there at the end, to the unit.
#[test]
fn ten_million_calls_over_several_limiters_spend_exactly_what_was_admitted_and_are_all_counted() {
    const CALLS: u64 = 10_000_000;
    // A unit of the bucket an hour; plans and reservations may spend beyond its burst.
    let limiters = [
        limiter([bucket(40, 40.0 * HOUR_MS, 40)]),
        limiter([fixed(40, 24.0 * HOUR_MS)]),
        limiter([sliding(40, 24.0 * HOUR_MS)]),
        limiter([bucket(50, 50.0 * HOUR_MS, 50), fixed(30, HOUR_MS), sliding(45, 2.0 * HOUR_MS)]),
    ];
    let plans = [(0, None, Some(80)), (1, Some(60), None), (2, Some(60), None)]
        .map(|(which, limit, burst): (usize, _, _)| limiters[which].plan(limit, None, burst).unwrap());
    let books = [100, 60, 60, 30].map(Book::new);
    let now = at(TODAY);

    let expected = crowd(1, |_, dice| {
        let handles = limiters.each_ref().map(|limiter| LimiterHandle::new(limiter.clone()));
        let mut counted = [[0; 4]; 4];
        // Admitted charges: of which limiter, key, cost.
        let mut mine: Vec<(usize, u64, u32)> = Vec::new();
        for _ in 0..CALLS / THREADS {
            let (which, number, cost) = (dice.below(4) as usize, dice.below(KEYS), 1 + dice.below(4) as u32);
            match dice.below(64) {
                0..24 => {
                    let decision = handles[which].consume(key(number), cost, now).unwrap();
                    count(&mut counted, &[which], &decision);
                    if decision.ok() {
                        books[which].note(number, cost.into());
                        mine.push((which, number, cost));
                    }
                }
                24..40 => {
                    let others = [which, (which + 1 + dice.below(3) as usize) % 4];
                    let numbers = [number, dice.below(KEYS)];
                    let plan = plans.get(others[0]).filter(|_| dice.below(2) == 0);
                    let asks = [
                        Ask { plan, ..ask(&handles[others[0]], numbers[0], cost) },
                        ask(&handles[others[1]], numbers[1], 1),
                    ];
                    let decision = consume_all(&asks, now).unwrap();
                    count(&mut counted, &others, &decision);
                    if decision.ok() {
                        for (which, number, cost) in [(others[0], numbers[0], cost), (others[1], numbers[1], 1)] {
                            books[which].note(number, cost.into());
                            mine.push((which, number, cost));
                        }
                    }
                }
                40..44 => {
                    let decision = handles[0].reserve(key(number), cost, 60 * HOUR, now).unwrap();
                    count(&mut counted, &[0], &decision);
                    if decision.ok() {
                        books[0].note(number, cost.into());
                        mine.push((0, number, cost));
                    }
                }
                44..62 => {
                    if let Some(index) = dice.index(mine.len()) {
                        let (which, number, cost) = mine.swap_remove(index);
                        books[which].note(number, -i64::from(cost));
                        LimiterHandle::refund(ask(&handles[which], number, cost), false, now, now);
                    }
                }
                62 => {
                    if dice.below(64) == 0 {
                        assert!(handles[which].block(key(number), TODAY + HOUR, now));
                    } else {
                        handles[which].unblock(key(number), now);
                    }
                }
                _ => {
                    handles[which].peek(key(number), cost, None, now).unwrap();
                }
            }
        }
        counted
    });

    for (which, limiter) in limiters.iter().enumerate() {
        let handle = LimiterHandle::new(limiter.clone());
        let sums: Counts = std::array::from_fn(|answer| expected.iter().map(|counted| counted[which][answer]).sum());
        assert_eq!(counts(limiter), sums, "limiter {which}");
        assert!(sums[0] > 100_000 && sums[1] > 100_000 && sums[2] > 0, "{sums:?}");
        for number in 0..KEYS {
            handle.unblock(key(number), now);
            let verdict = handle.peek(key(number), 0, None, now).unwrap().verdict;
            let spent = books[which].of(number);
            match which {
                0 => assert_eq!(verdict.reset, spent as u64 * HOUR, "key {number}"),
                3 => assert_eq!(i64::from(verdict.remaining), 30 - spent, "key {number}"),
                _ => assert_eq!(i64::from(verdict.remaining), (40 - spent).max(0), "limiter {which}, key {number}"),
            }
        }
    }
}

/// The clock moves by a nanosecond a call, and nothing refills meanwhile. Each reset may give a limit, and nothing else may.
#[test]
fn under_resets_refunds_and_denials_of_several_limits_no_key_spends_more_than_its_limit_for_each_reset() {
    for algorithm in ALGORITHMS {
        let of_ten = |limit| limiter([of(algorithm, limit, 24.0 * 100.0 * HOUR_MS, limit)]);
        let (wide, narrow) = (of_ten(10), of_ten(5));
        let clock = AtomicU64::new(TODAY);
        let [spent, given, resets] = [i64::MAX; 3].map(Book::new);
        crowd(2, |_, dice| {
            let (wide, narrow) = (LimiterHandle::new(wide.clone()), LimiterHandle::new(narrow.clone()));
            let mut mine = Vec::new();
            for _ in 0..250_000 {
                let now = at(clock.fetch_add(1, Ordering::AcqRel));
                let number = dice.below(4);
                match dice.below(32) {
                    0 => {
                        resets.note(number, 1);
                        wide.reset(key(number), now);
                    }
                    1 => narrow.reset(key(number), now),
                    2..5 => {
                        if let Some(index) = dice.index(mine.len()) {
                            let (number, charged_at) = mine.swap_remove(index);
                            spent.note(number, -1);
                            LimiterHandle::refund(ask(&wide, number, 1), false, charged_at, now);
                        }
                    }
                    _ => {
                        if consume_all(&[ask(&wide, number, 1), ask(&narrow, dice.below(4), 1)], now).unwrap().ok() {
                            spent.note(number, 1);
                            given.note(number, 1);
                            mine.push((number, now));
                        }
                    }
                }
            }
        });
        for number in 0..4 {
            let (spent, given, resets) = (spent.of(number), given.of(number), resets.of(number));
            assert!(spent <= 10 * (1 + resets), "{spent} after {resets} resets");
            assert!(given > resets / 2, "and it does give again");
        }
    }
}

/// Two threads at once, over and over; each is told the number of the round. `second` is made in its thread.
fn rounds<S: Fn(u64)>(count: u64, first: impl Fn(u64), second: impl Fn() -> S + Sync, after: impl Fn(u64)) {
    let (begun, ended, off) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let wait_for = |counter: &AtomicU64, value| {
        let mut spins = 0u32;
        while counter.load(Ordering::Acquire) < value {
            assert!(!off.load(Ordering::Relaxed), "the other thread failed");
            spins += 1;
            if spins.is_multiple_of(256) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    };
    std::thread::scope(|scope| {
        let _called_off = CalledOff(&off);
        scope.spawn(|| {
            let _called_off = CalledOff(&off);
            let second = second();
            for round in 0..count {
                wait_for(&begun, round + 1);
                second(round);
                ended.store(round + 1, Ordering::Release);
            }
        });
        for round in 0..count {
            begun.store(round + 1, Ordering::Release);
            first(round);
            wait_for(&ended, round + 1);
            after(round);
        }
    });
}

/// Tells the other thread when this one fails, so that it does not wait for ever.
struct CalledOff<'a>(&'a AtomicBool);

impl Drop for CalledOff<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The longer it takes until the last limit denies, the more happens meanwhile: what is undone then is of the cell that was
/// charged, or nothing.
#[test]
fn a_charge_undone_beside_a_reset_is_never_taken_off_what_was_spent_since() {
    for algorithm in ALGORITHMS {
        let limiter = limiter([of(algorithm, 10, 24.0 * HOUR_MS, 10)]);
        let (mine, looking) = (LimiterHandle::new(limiter.clone()), LimiterHandle::new(limiter.clone()));
        let between = Vec::from_iter((0..20).map(|_| handle([bucket(1_000_000_000, HOUR_MS, 1_000_000_000)])));
        let denying = handle([fixed(1, 24.0 * HOUR_MS)]);
        assert!(denying.consume(key(1), 1, at(TODAY)).unwrap().ok());
        let spent = AtomicBool::new(false);
        rounds(
            20_000,
            |round| {
                let asks = std::iter::once(&mine).chain(&between).chain([&denying]).map(|handle| ask(handle, 1, 5));
                let denied = consume_all(&asks.collect::<Vec<_>>(), at(TODAY + round)).unwrap();
                assert!(!denied.ok());
            },
            || {
                let (limiter, spent) = (LimiterHandle::new(limiter.clone()), &spent);
                move |round| {
                    limiter.reset(key(1), at(TODAY + round));
                    let decision = limiter.consume(key(1), 10, at(TODAY + round)).unwrap();
                    spent.store(decision.ok(), Ordering::Release);
                }
            },
            |round| {
                let left = looking.peek(key(1), 0, None, at(TODAY + round)).unwrap().verdict.remaining;
                assert!(
                    left == 0 || !spent.load(Ordering::Acquire),
                    "round {round}: {left} left of ten that were spent"
                );
            },
        );
    }
}

/// Whoever asks about the reset before it has the cell's lock gives back into the next one's cell.
#[test]
fn a_refund_beside_a_reset_never_gives_back_what_was_spent_since() {
    for algorithm in ALGORITHMS {
        let limiter = limiter([of(algorithm, 10, 24.0 * HOUR_MS, 10)]);
        let time = |round: u64| TODAY + round * 10;
        let (refunding, looking) = (LimiterHandle::new(limiter.clone()), LimiterHandle::new(limiter.clone()));
        assert!(looking.consume(key(1), 10, at(time(0))).unwrap().ok());
        rounds(
            20_000,
            |round| LimiterHandle::refund(ask(&refunding, 1, 10), false, at(time(round)), at(time(round) + 9)),
            || {
                let resetting = LimiterHandle::new(limiter.clone());
                move |round| {
                    resetting.reset(key(1), at(time(round) + 1));
                    assert!(resetting.consume(key(1), 10, at(time(round) + 10)).unwrap().ok());
                }
            },
            |round| {
                let left = looking.peek(key(1), 0, None, at(time(round) + 10)).unwrap().verdict.remaining;
                assert_eq!(left, 0, "round {round}: ten were spent after the reset");
            },
        );
    }
}

/// Time moves while they charge; each goes by the time it read, and may be overtaken.
#[test]
fn while_time_moves_nobody_is_admitted_more_than_the_bound_of_the_algorithm() {
    // All of it within the second that a clock may be behind without having jumped: a thread may rest at any point.
    const WINDOW: u64 = MILLI / 5;
    for algorithm in ALGORITHMS {
        let limiter = limiter([of(algorithm, 10, 0.2, 10)]);
        let empty = fixed(1, HOUR_MS);
        let clock = AtomicU64::new(TODAY);
        let admitted = AtomicU64::new(0);
        let in_window = Vec::from_iter((0..4_096).map(|_| AtomicU64::new(0)));
        crowd(3, |_, dice| {
            let (handle, denying) = (LimiterHandle::new(limiter.clone()), handle([empty.clone()]));
            denying.consume(key(1), 1, at(TODAY)).unwrap();
            for _ in 0..500_000 {
                let now = match dice.below(8) {
                    0 => clock.fetch_add(dice.below(WINDOW / 64), Ordering::AcqRel),
                    _ => clock.load(Ordering::Acquire),
                };
                if now > TODAY + 4_000 * WINDOW {
                    return;
                }
                // What is undone by a clock that is behind may be what has refilled already: buckets are proven without.
                let undone = dice.below(4) == 0 && limiter.reads().wall;
                let decision = if undone {
                    consume_all(&[ask(&handle, 1, 1), ask(&denying, 1, 1)], at(now)).unwrap()
                } else {
                    handle.consume(key(1), 1, at(now)).unwrap()
                };
                assert!(!undone || !decision.ok());
                if decision.ok() {
                    admitted.fetch_add(1, Ordering::Relaxed);
                    let counted_in = (now + decision.verdict.reset - 1 - TODAY) / WINDOW;
                    in_window[counted_in as usize].fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let span = clock.load(Ordering::Relaxed) - TODAY;
        let (admitted, windows) = (admitted.into_inner(), span / WINDOW + 1);
        if limiter.reads().wall {
            // A fixed window resets with its end, a sliding one with the end of the next.
            let counts = Vec::from_iter(in_window.iter().map(|count| count.load(Ordering::Relaxed)));
            let over = counts.iter().position(|&count| count > 10);
            assert!(
                over.is_none(),
                "{algorithm:?}: {:?}",
                over.map(|at| (at, counts.get(at.saturating_sub(2)..at + 3)))
            );
            assert!(admitted <= 10 * windows, "{algorithm:?}: {admitted} in {windows} windows");
        } else {
            assert!(admitted <= 10 + span / (WINDOW / 10));
        }
        assert!(windows > 100 && admitted > 5 * windows, "{admitted} in {windows} windows");
    }
}

/// The first reservation that reaches farther than any before waits until every thread knows how far words may lie. A thread
/// that did not would take it for the leftover of a clock that jumped, and cut it.
#[test]
fn a_reservation_farther_ahead_than_ever_before_is_never_taken_for_a_clock_that_jumped() {
    for round in 0..600 {
        let limiter = limiter([bucket(1, HOUR_MS, 1)]);
        let admitted: u64 = crowd(100 + round, |thread, dice| {
            let handle = LimiterHandle::new(limiter.clone());
            let mut admitted = 0;
            for reach in 0..100 {
                let patience = if thread == 0 { reach * HOUR } else { dice.below(2) * dice.below(reach + 1) * HOUR };
                let decision = if thread < 2 {
                    handle.reserve(key(1), 1, patience, at(TODAY)).unwrap()
                } else {
                    handle.peek(key(1), 1, None, at(TODAY)).unwrap();
                    handle.consume(key(1), 1, at(TODAY)).unwrap()
                };
                admitted += u64::from(decision.ok());
            }
            admitted
        })
        .into_iter()
        .sum();
        let handle = LimiterHandle::new(limiter.clone());
        let reset = handle.peek(key(1), 0, None, at(TODAY)).unwrap().verdict.reset;
        assert_eq!(reset, admitted * HOUR, "round {round}: a debt was cut");
    }
}

/// The same, when it is a plan that reaches farther.
#[test]
fn a_charge_on_a_plan_larger_than_any_before_is_never_taken_for_a_clock_that_jumped() {
    for round in 0..600 {
        let limiter = limiter([bucket(1, HOUR_MS, 1)]);
        let admitted: u64 = crowd(1_000 + round, |thread, _| {
            let handle = LimiterHandle::new(limiter.clone());
            let mut admitted = 0;
            for size in 1..40 {
                if thread < 2 {
                    let plan = limiter.plan(None, None, Some(size)).unwrap();
                    admitted += u64::from(consume_all(&[planned(&handle, 1, 1, &plan)], at(TODAY)).unwrap().ok());
                } else {
                    admitted += u64::from(handle.consume(key(1), 1, at(TODAY)).unwrap().ok());
                }
            }
            admitted
        })
        .into_iter()
        .sum();
        let handle = LimiterHandle::new(limiter.clone());
        assert_eq!(handle.peek(key(1), 0, None, at(TODAY)).unwrap().verdict.reset, admitted * HOUR, "round {round}");
    }
}
