//! Several limits at once, of one limiter or of many: all pass and all are charged, or none is.
//! Never looks into a limit: what it holds is what it says when it is asked alone.

use crate::dice::{Dice, key};
use crate::limiters::{
    ALGORITHMS, HOUR, MILLI, SECOND, TODAY, admits, ask, at, bucket, consume, fixed, handle, left, of, report, sliding,
};
use spillway_engine::primitive::limit::LimitConfig;
use spillway_engine::primitive::limiter::{Decision, LimiterHandle, Reason, consume_all};

const HOUR_MS: f64 = 3_600_000.0;

/// A limiter whose only key is spent.
fn spent(number: u64, now: u64) -> LimiterHandle {
    let handle = handle([bucket(1, HOUR_MS, 1)]);
    assert!(admits(&handle, number, 1, now));
    handle
}

#[test]
fn whoever_was_charged_before_another_denied_has_what_it_had() {
    for algorithm in ALGORITHMS {
        let (willing, denying) = (handle([of(algorithm, 10, HOUR_MS, 10)]), spent(1, TODAY));
        assert!(admits(&willing, 1, 4, TODAY));
        let decision = consume_all(&[ask(&willing, 1, 5), ask(&denying, 1, 1)], at(TODAY)).unwrap();
        assert_eq!((decision.reason, decision.spoke), (Reason::Limited, (1, 0)));
        assert_eq!(left(&willing, 1, TODAY), 6, "{algorithm:?}");
    }
}

/// A thread read the clock before the window turned, another one has turned it: the charge counts in the new window, and so
/// must what is given back.
#[test]
fn a_charge_by_a_clock_that_is_a_little_behind_is_given_back_where_it_counted() {
    for config in [fixed(10, 10_000.0), sliding(10, 10_000.0), fixed(10, 100.0), sliding(10, 100.0)] {
        for behind in [1, MILLI, SECOND / 2, SECOND] {
            let (willing, denying) = (handle([config.clone()]), spent(1, TODAY - behind));
            assert!(admits(&willing, 1, 4, TODAY));
            let asks = [ask(&willing, 1, 5), ask(&denying, 1, 1)];
            let decision = consume_all(&asks, at(TODAY - behind)).unwrap();
            assert_eq!(decision.reason, Reason::Limited);
            assert_eq!(left(&willing, 1, TODAY), 6, "{config:?}, {behind} behind");
        }
    }
}

#[test]
fn a_reset_at_the_same_moment_does_not_make_a_denied_call_spend() {
    for algorithm in ALGORITHMS {
        let (willing, denying) = (handle([of(algorithm, 10, HOUR_MS, 10)]), spent(1, TODAY));
        willing.reset(key(1), at(TODAY));
        assert!(!consume_all(&[ask(&willing, 1, 5), ask(&denying, 1, 1)], at(TODAY)).unwrap().ok());
        assert_eq!(left(&willing, 1, TODAY), 10, "{algorithm:?}");
        // Nor one by a clock that was ahead of everybody's, and be it another key's.
        for number in 0..200 {
            willing.reset(key(number), at(TODAY + HOUR));
        }
        assert!(!consume_all(&[ask(&willing, 1, 5), ask(&denying, 1, 1)], at(TODAY)).unwrap().ok());
        assert_eq!(left(&willing, 1, TODAY), 10, "{algorithm:?}");
    }
}

#[test]
fn a_reservation_waits_for_the_slowest_limit_and_is_told_when_the_denying_one_would_take_it() {
    let patience = 600 * SECOND;
    let handle = handle([bucket(10, 1_000.0, 10), bucket(60, 60_000.0, 10), bucket(1, 1_000_000.0, 3)]);
    let reserve = |cost, now| handle.reserve(key(1), cost, patience, at(now)).unwrap();
    assert!(admits(&handle, 1, 3, TODAY));
    // A thousand seconds for one of the third, which would have to wait for too long; the second would wait and be asked to.
    let denied = reserve(1, TODAY);
    assert_eq!((denied.reason, denied.spoke, denied.verdict.retry_after), (Reason::Limited, (0, 2), 400 * SECOND));
    assert_eq!(reserve(1, TODAY + 400 * SECOND - 1).reason, Reason::Limited);
    let granted = reserve(1, TODAY + 400 * SECOND);
    assert_eq!((granted.reason, granted.spoke, granted.verdict.wait), (Reason::Allowed, (0, 2), 600 * SECOND));
}

#[test]
fn of_two_limits_that_make_a_reservation_wait_the_longer_wait_is_told_whichever_refills_first() {
    let handle = handle([bucket(10, 1_000_000.0, 10), bucket(1, 50_000.0, 1)]);
    let decisions = Vec::from_iter((0..11).map(|_| handle.reserve(key(1), 1, 600 * SECOND, at(TODAY)).unwrap()));
    assert!(decisions.iter().all(Decision::ok));
    // The first waits for 100 seconds and has refilled in 1,100; the second for 500 and in 550.
    let Decision { spoke, verdict, .. } = decisions[10];
    assert_eq!((spoke, verdict.wait, verdict.reset), ((0, 1), 500 * SECOND, 550 * SECOND));
}

/// The limit that would let a reservation wait is not the one to be waited for.
#[test]
fn what_a_denied_reservation_is_told_is_never_of_a_limit_that_would_have_taken_it() {
    let handle = handle([bucket(1, 1_000_000.0, 1), bucket(1, 600_000.0, 1)]);
    let reserve = |patience, now| handle.reserve(key(1), 1, patience * SECOND, at(now)).unwrap();
    assert!(reserve(2_000, TODAY).ok() && reserve(2_000, TODAY).ok());
    // A third has to wait 2,000 seconds for the first limit and 1,200 for the second.
    let denied = reserve(1_900, TODAY);
    assert_eq!((denied.reason, denied.spoke, denied.verdict.retry_after), (Reason::Limited, (0, 0), 100 * SECOND));
    assert!(!reserve(1_900, TODAY + 100 * SECOND - 1).ok());
    assert!(reserve(1_900, TODAY + 100 * SECOND).ok());
}

/// Limits of limiters, each a second time as a limiter of its own that is asked alone.
struct Alone {
    config: LimitConfig,
    limiter: usize,
    handle: LimiterHandle,
}

fn some_limit(dice: &mut Dice) -> LimitConfig {
    let limit = 1 + dice.below(12) as u32;
    let window_ms = dice.one_of(&[0.05, 1.0, 3.5, 10.0]);
    let shadow = dice.below(5) == 0;
    LimitConfig { shadow, ..of(dice.one_of(&ALGORITHMS), limit, window_ms, 1 + dice.below(12) as u32) }
}

/// What all of several limits together say is what each says alone: the longest denial, or the least that is left.
#[test]
fn several_limits_together_say_what_each_says_alone() {
    let mut dice = Dice::new(51);
    let (mut oks, mut denials, mut shadows, mut blocks) = (0, 0, 0, 0);
    for _ in 0..3_000 {
        let configs = Vec::from_iter(
            (0..1 + dice.below(3)).map(|_| Vec::from_iter((0..1 + dice.below(3)).map(|_| some_limit(&mut dice)))),
        );
        let handles = Vec::from_iter(configs.iter().map(|limits| handle(limits.clone())));
        let mut all = Vec::new();
        for (limiter, limits) in configs.iter().enumerate() {
            for config in limits {
                all.push(Alone {
                    config: config.clone(),
                    limiter,
                    handle: handle([LimitConfig { shadow: false, ..config.clone() }]),
                });
            }
        }
        let mut until = vec![0; handles.len()];
        let (mut now, mut retry_after) = (TODAY + dice.below(10 * MILLI), 0);
        for _ in 0..40 {
            now += match dice.below(6) {
                0 => retry_after,
                1 => dice.below(MILLI * 4),
                2 => dice.below(50_000),
                _ => 0,
            };
            if dice.below(30) == 0 {
                let which = dice.below(handles.len() as u64) as usize;
                until[which] = now + dice.below(2 * MILLI);
                assert!(handles[which].block(key(1), until[which], at(now)));
            }
            let first = dice.below(handles.len() as u64) as usize;
            let asked = Vec::from_iter((first..handles.len()).map(|which| (which, 1 + dice.below(4) as u32)));
            let asks = Vec::from_iter(asked.iter().map(|(which, cost)| ask(&handles[*which], 1, *cost)));
            let decision = consume_all(&asks, at(now)).unwrap();

            let in_shadow = |which: usize| configs[which].iter().all(|config| config.shadow);
            let blocked = |which: usize| until[which] > now;
            if let Some(place) = asked.iter().position(|(which, _)| blocked(*which) && !in_shadow(*which)) {
                let wait = until[asked[place].0] - now;
                assert_eq!(
                    (decision.reason, decision.spoke.0, decision.verdict.retry_after),
                    (Reason::Blocked, place, wait)
                );
                assert!(!decision.ok());
                (retry_after, blocks) = (0, blocks + 1);
                continue;
            }
            let parts = Vec::from_iter(all.iter().filter_map(|alone| {
                let (_, cost) = asked.iter().find(|(which, _)| *which == alone.limiter)?;
                Some((alone, *cost, alone.handle.peek(key(1), *cost, None, at(now)).unwrap()))
            }));
            let denied =
                |shadow: bool| parts.iter().filter(move |(alone, _, said)| alone.config.shadow == shadow && !said.ok());
            let longest = |shadow| {
                denied(shadow).map(|(.., said)| (said.reason == Reason::Impossible, said.verdict.retry_after)).max()
            };
            if let Some((impossible, wait)) = longest(false) {
                assert!(!decision.ok());
                assert_eq!((decision.reason == Reason::Impossible, decision.verdict.retry_after), (impossible, wait));
                retry_after = wait;
                denials += 1;
                if !impossible && asked.iter().all(|(which, _)| !blocked(*which)) {
                    let would = |later| {
                        parts.iter().all(|(alone, cost, _)| {
                            alone.config.shadow || alone.handle.peek(key(1), *cost, None, at(now + later)).unwrap().ok()
                        })
                    };
                    assert!(would(wait) && !would(wait - 1), "admitted at exactly that tick");
                }
                continue;
            }
            let charged = Vec::from_iter(
                parts
                    .iter()
                    .filter(|(.., said)| said.ok())
                    .map(|(alone, cost, _)| (alone, alone.handle.consume(key(1), *cost, at(now)).unwrap().verdict)),
            );
            // A limit in shadow speaks only where there is no other.
            let speaks = |shadow| charged.iter().filter(move |(alone, _)| alone.config.shadow == shadow);
            let charged = Vec::from_iter(speaks(speaks(false).next().is_none()).map(|(_, verdict)| *verdict));
            assert!(decision.ok());
            retry_after = 0;
            if let Some((impossible, wait)) = longest(true) {
                assert!(
                    decision.shadowed
                        && decision.reason == if impossible { Reason::Impossible } else { Reason::Limited }
                );
                assert_eq!(decision.verdict.retry_after, wait);
                shadows += 1;
            } else if asked.iter().any(|(which, _)| blocked(*which)) {
                assert!(decision.shadowed && decision.reason == Reason::Blocked);
                shadows += 1;
            } else {
                let least = charged.iter().map(|verdict| verdict.remaining).min().unwrap();
                assert_eq!(
                    (decision.shadowed, decision.reason, decision.verdict.remaining),
                    (false, Reason::Allowed, least)
                );
                let longest =
                    charged.iter().filter(|verdict| verdict.remaining == least).map(|verdict| verdict.reset).max();
                assert_eq!(
                    Some(decision.verdict.reset),
                    longest,
                    "and of those with as little left the one that takes longest"
                );
                oks += 1;
            }
        }
    }
    assert!(
        oks > 10_000 && denials > 10_000 && shadows > 1_000 && blocks > 1_000,
        "{oks} {denials} {shadows} {blocks}"
    );
}

#[test]
fn a_limit_in_shadow_that_denies_is_not_charged_and_denies_nobody() {
    let shadow = LimitConfig { shadow: true, ..bucket(2, HOUR_MS, 2) };
    let handle = handle([shadow, fixed(10, HOUR_MS)]);
    for _ in 0..2 {
        assert!(!consume(&handle, 1, 1, TODAY).shadowed);
    }
    for left in (0..8).rev() {
        let decision = consume(&handle, 1, 1, TODAY);
        assert!(decision.ok() && decision.shadowed && decision.reason == Reason::Limited, "{left} left of the second");
        assert_eq!((decision.spoke, decision.verdict.retry_after), ((0, 0), HOUR / 2));
    }
    let denied = consume(&handle, 1, 1, TODAY);
    assert!(!denied.ok() && !denied.shadowed && denied.spoke == (0, 1));
    // What shadow admitted gives back what was charged, and that was not the shadow's.
    LimiterHandle::refund(ask(&handle, 1, 1), true, at(TODAY), at(TODAY));
    let again = consume(&handle, 1, 1, TODAY);
    assert!(again.ok() && again.shadowed);
    let said = report(handle.limiter());
    let counts = ["allowed", "limited", "blocked", "shadowed"].map(|name| said[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 0, 9]);
}

#[test]
fn a_blocked_key_is_denied_everything_until_its_time_and_charged_nothing() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, HOUR_MS, 10)]);
        assert!(admits(&handle, 1, 4, TODAY));
        assert!(handle.block(key(1), TODAY + 5 * SECOND, at(TODAY)));
        for later in [0, SECOND, 5 * SECOND - 1] {
            for cost in [0, 1, 11] {
                let wait = 5 * SECOND - later;
                for decision in [
                    consume(&handle, 1, cost, TODAY + later),
                    handle.peek(key(1), cost, None, at(TODAY + later)).unwrap(),
                ] {
                    assert_eq!(
                        (decision.ok(), decision.reason, decision.verdict.retry_after),
                        (false, Reason::Blocked, wait)
                    );
                }
            }
        }
        assert!(admits(&handle, 2, 1, TODAY), "and no other key is");
        assert!(admits(&handle, 1, 6, TODAY + 5 * SECOND), "nothing was charged meanwhile");
        assert!(handle.block(key(1), TODAY + HOUR, at(TODAY + 6 * SECOND)));
        assert!(handle.unblock(key(1), at(TODAY + 7 * SECOND)) && !handle.unblock(key(1), at(TODAY + 7 * SECOND)));
        assert!(consume(&handle, 1, 0, TODAY + 7 * SECOND).ok());
    }
}

#[test]
fn a_block_outlives_a_reset_and_a_shorter_one_takes_its_place() {
    let handle = handle([bucket(10, HOUR_MS, 10)]);
    assert!(handle.block(key(1), TODAY + HOUR, at(TODAY)));
    handle.reset(key(1), at(TODAY + 1));
    assert_eq!(consume(&handle, 1, 1, TODAY + 1).reason, Reason::Blocked);
    assert!(handle.block(key(1), TODAY + SECOND, at(TODAY + 1)));
    assert!(admits(&handle, 1, 1, TODAY + SECOND));
}

#[test]
fn blocks_are_never_shared_or_dropped_early_so_beyond_the_cap_a_new_one_is_refused() {
    let limit = LimitConfig { max_keys: 20, ..bucket(10, HOUR_MS, 10) };
    let handle = handle([limit]);
    for number in 0..20 {
        assert!(handle.block(key(number), TODAY + HOUR, at(TODAY)));
    }
    for number in 20..200 {
        assert!(!handle.block(key(number), TODAY + HOUR, at(TODAY)));
        assert_eq!(consume(&handle, number, 1, TODAY).reason, Reason::Allowed, "nobody is blocked for another");
    }
    assert!((0..20).all(|number| consume(&handle, number, 1, TODAY).reason == Reason::Blocked));
    assert!(handle.block(key(5), TODAY + 2 * HOUR, at(TODAY)), "one that is blocked can be for longer");
    assert!(handle.block(key(300), TODAY + 2 * HOUR, at(TODAY + HOUR)), "and an ended one makes room");
}

#[test]
fn only_buckets_take_reservations() {
    let patience = HOUR;
    assert!(handle([fixed(10, HOUR_MS)]).reserve(key(1), 1, patience, at(TODAY)).is_none());
    assert!(handle([bucket(10, HOUR_MS, 10), sliding(10, HOUR_MS)]).reserve(key(1), 1, patience, at(TODAY)).is_none());
    let mixed = handle([bucket(10, HOUR_MS, 10), sliding(10, HOUR_MS)]);
    assert!(!mixed.limiter().is_reservable() && mixed.reserve(key(1), 1, patience, at(TODAY)).is_none());
    assert_eq!(mixed.peek(key(1), 0, None, at(TODAY)).unwrap().verdict.reset, 0, "and nothing was charged");
    let handle = handle([bucket(10, HOUR_MS, 10), bucket(20, HOUR_MS, 10)]);
    assert!(handle.limiter().is_reservable());
    // However patient: neither the charge nor the look after it passes what a word can hold.
    for patience in [0, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 62] {
        assert_eq!(handle.reserve(key(patience), 11, patience, at(TODAY)).unwrap().reason, Reason::Impossible);
        assert!(handle.reserve(key(patience), 10, patience, at(TODAY)).unwrap().ok());
    }
}

#[test]
fn one_key_asked_for_twice_is_charged_twice_or_not_at_all() {
    for algorithm in ALGORITHMS {
        let handle = handle([of(algorithm, 10, HOUR_MS, 10)]);
        let twice = |cost| consume_all(&[ask(&handle, 1, cost), ask(&handle, 1, cost)], at(TODAY)).unwrap();
        let denied = twice(6);
        assert!(!denied.ok());
        assert_eq!(left(&handle, 1, TODAY), 10, "{algorithm:?}");
        let allowed = twice(4);
        assert_eq!((allowed.ok(), allowed.verdict.remaining), (true, 2));
        assert_eq!(left(&handle, 1, TODAY), 2);
        assert!(!twice(2).ok());
        assert!(twice(1).ok());
        assert_eq!(left(&handle, 1, TODAY), 0);
    }
}
