//! The breaker against a state machine written from what `BreakerOptions` of index.d.ts promises, with a list of calls for a window
//! and a set of probes.
//! Never packs anything into a word.

use crate::dice::Dice;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Value, json};
use spillway_engine::clock::MILLI;
use spillway_engine::policy::breaker::{OpenTime, Outcome, State, Threshold, trips};
use spillway_engine::policy::rolling::Sums;
use spillway_engine::primitive::breaker::{
    Breaker, BreakerConfig, BreakerHandle, OpenConfig, SlowConfig, WindowConfig,
};
use spillway_engine::primitive::circuit::Saved;
use spillway_engine::primitive::circuits::KeyText;
use spillway_engine::primitive::gate::Entry;
use spillway_engine::primitive::limit::Provenance;
use spillway_engine::store::fingerprint::Fingerprint;
use spillway_engine::store::generations::Generations;
use std::sync::Arc;

/// How long the window is; for one of calls, some time.
fn window_ms(config: &BreakerConfig) -> f64 {
    match config.window {
        WindowConfig::Ms(ms) => ms,
        WindowConfig::Calls(_) => 100.0,
    }
}

/// A call that ended: in which tenth of the window, and how.
struct Call {
    tenth: u64,
    failed: bool,
    slow: bool,
}

enum Stand {
    Closed { calls: Vec<Call>, in_a_row: u32 },
    Open { until: u64 },
    HalfOpen { out: u16, ok: u16, until: u64 },
    Isolated,
}

#[derive(Default)]
struct Seen {
    ok: u64,
    failed: u64,
    ignored: u64,
    refused: u64,
    stale: u64,
    opened: u64,
    half_opened: u64,
    closed: u64,
    isolated: u64,
}

/// The oracle.
struct Machine {
    config: BreakerConfig,
    stand: Stand,
    /// How often the state changed.
    changes: u32,
    failed_probes: u32,
    seen: Seen,
}

impl Machine {
    fn new(config: BreakerConfig) -> Self {
        let stand = Stand::Closed { calls: Vec::new(), in_a_row: 0 };
        Machine { config, stand, changes: 0, failed_probes: 0, seen: Seen::default() }
    }

    fn state(&self) -> State {
        match self.stand {
            Stand::Closed { .. } => State::Closed,
            Stand::Open { .. } => State::Open,
            Stand::HalfOpen { .. } => State::HalfOpen,
            Stand::Isolated => State::Isolated,
        }
    }

    fn go(&mut self, stand: Stand) {
        self.stand = stand;
        self.changes += 1;
    }

    fn close(&mut self) {
        self.failed_probes = 0;
        self.go(Stand::Closed { calls: Vec::new(), in_a_row: 0 });
    }

    /// Open at `now`; answers for how long.
    fn open(&mut self, now: u64) -> u64 {
        let mut lasts = self.config.open.for_ms as u64;
        for _ in 0..self.failed_probes {
            lasts = (lasts * 2).min(self.config.open.max_ms as u64);
        }
        let lasts = lasts.min(self.config.open.max_ms as u64);
        self.seen.opened += 1;
        self.go(Stand::Open { until: now + lasts });
        lasts
    }

    fn enter(&mut self, now: u64) -> Entry {
        let patience = self.config.probe_timeout_ms as u64;
        let wait = match &mut self.stand {
            Stand::Closed { .. } => return Entry::Admitted(self.changes),
            Stand::Isolated => None,
            Stand::Open { until } if now < *until => Some(*until - now),
            Stand::Open { .. } => {
                self.seen.half_opened += 1;
                self.go(Stand::HalfOpen { out: 1, ok: 0, until: now + patience });
                return Entry::Admitted(self.changes);
            }
            // A probe is late.
            Stand::HalfOpen { out, until, .. } if *out > 0 && now >= *until => {
                self.failed_probes += 1;
                Some(self.open(now))
            }
            Stand::HalfOpen { out, ok, until } if *out + *ok < self.config.probes => {
                (*out, *until) = (*out + 1, now + patience);
                return Entry::Admitted(self.changes);
            }
            Stand::HalfOpen { until, .. } => Some(*until - now),
        };
        self.seen.refused += 1;
        Entry::Refused(wait)
    }

    fn exit(&mut self, permit: u32, outcome: Outcome, took_ms: f64, now_ns: u64) {
        if permit != self.changes {
            self.seen.stale += 1;
            return;
        }
        match outcome {
            Outcome::Ok => self.seen.ok += 1,
            Outcome::Fail => self.seen.failed += 1,
            Outcome::Ignore => self.seen.ignored += 1,
        }
        let tenth = now_ns / self.tenth();
        match &mut self.stand {
            Stand::Open { .. } | Stand::Isolated => unreachable!("nobody is let in there"),
            Stand::Closed { calls, in_a_row } => {
                if outcome == Outcome::Ignore {
                    return;
                }
                let failed = outcome == Outcome::Fail;
                let slow = self.config.slow.as_ref().is_some_and(|slow| took_ms > slow.over_ms);
                calls.push(Call { tenth, failed, slow });
                *in_a_row = if failed { *in_a_row + 1 } else { 0 };
                let enough_in_a_row = self.config.consecutive.is_some_and(|bound| *in_a_row >= bound);
                if (failed || slow) && (enough_in_a_row || self.rates_reached(now_ns)) {
                    self.failed_probes = 0;
                    self.open(now_ns / MILLI);
                }
            }
            Stand::HalfOpen { out, ok, .. } => match outcome {
                Outcome::Ignore => *out -= 1,
                Outcome::Ok => {
                    (*out, *ok) = (*out - 1, *ok + 1);
                    if *ok == self.config.probes {
                        self.seen.closed += 1;
                        self.close();
                    }
                }
                Outcome::Fail => {
                    self.failed_probes += 1;
                    self.open(now_ns / MILLI);
                }
            },
        }
    }

    /// In a window of calls no time matters.
    fn tenth(&self) -> u64 {
        match self.config.window {
            WindowConfig::Ms(ms) => (ms * MILLI as f64) as u64 / 10,
            WindowConfig::Calls(_) => u64::MAX,
        }
    }

    fn window(&self, now_ns: u64) -> (u64, u64, u64) {
        let Stand::Closed { calls, .. } = &self.stand else { return (0, 0, 0) };
        let newest = now_ns / self.tenth();
        let last = match self.config.window {
            WindowConfig::Ms(_) => calls.len(),
            WindowConfig::Calls(last) => last as usize,
        };
        let within = || calls.iter().rev().take(last).filter(|call| newest - call.tenth < 10);
        let count = |calls: &mut dyn Iterator<Item = &Call>| calls.count() as u64;
        (
            count(&mut within()),
            count(&mut within().filter(|call| call.failed)),
            count(&mut within().filter(|call| call.slow)),
        )
    }

    /// It goes on in another process, at once: permits and counters stay behind.
    fn go_on_elsewhere(&mut self, now: u64) {
        self.seen = Seen::default();
        self.changes = 1;
        match &self.stand {
            Stand::Closed { .. } => {}
            Stand::Isolated => self.seen.isolated = 1,
            Stand::Open { .. } => self.seen.opened = 1,
            Stand::HalfOpen { .. } => {
                self.seen.opened = 1;
                self.stand = Stand::Open { until: now };
            }
        }
        if let Stand::Open { until } = &mut self.stand {
            *until = now.max(*until);
        }
    }

    fn rates_reached(&self, now_ns: u64) -> bool {
        let (calls, failures, slow) = self.window(now_ns);
        // The rates of these tests are whole hundredths, so no fraction is rounded.
        let reached = |part: u64, rate: f64| part * 100 >= (rate * 100.0).round() as u64 * calls;
        calls >= u64::from(self.config.min_calls)
            && (failures > 0 && reached(failures, self.config.failure_rate)
                || slow > 0 && self.config.slow.as_ref().is_some_and(|config| reached(slow, config.rate)))
    }

    fn report(&self, now_ns: u64) -> Value {
        let (calls, failures, slow) = self.window(now_ns);
        let Seen { ok, failed, ignored, refused, stale, opened, half_opened, closed, isolated } = self.seen;
        json!({
            "config": self.config, "provenance": null, "state": self.state().as_str(),
            "keys": 0, "openKeys": 0, "overflowed": 0,
            "window": { "calls": calls, "failures": failures, "slow": slow },
            "ok": ok, "failed": failed, "ignored": ignored, "refused": refused, "stale": stale,
            "transitions": { "opened": opened, "halfOpened": half_opened, "closed": closed, "isolated": isolated },
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Enter,
    Exit {
        which: prop::sample::Index,
        outcome: Outcome,
        slow: bool,
    },
    Isolate,
    Reset,
    /// Save it, and go on with another that is restored.
    GoOn,
}

fn actions() -> impl Strategy<Value = Do> {
    let outcome = prop_oneof![4 => Just(Outcome::Ok), 4 => Just(Outcome::Fail), 1 => Just(Outcome::Ignore)];
    prop_oneof![
        24 => Just(Do::Enter),
        24 => (any::<prop::sample::Index>(), outcome, prop::bool::weighted(0.3))
            .prop_map(|(which, outcome, slow)| Do::Exit { which, outcome, slow }),
        1 => Just(Do::Isolate),
        1 => Just(Do::Reset),
        1 => Just(Do::GoOn),
    ]
}

/// Milliseconds, near to what matters.
#[derive(Clone, Copy, Debug)]
enum Gap {
    Little(u64),
    Tenths(u64),
    OpenTime { doubled: u32, and: i64 },
    ProbeTimeout { and: i64 },
    Hour,
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![
        12 => (0..3u64).prop_map(Gap::Little),
        3 => (0..12u64).prop_map(Gap::Tenths),
        3 => (0..4u32, -1..=1i64).prop_map(|(doubled, and)| Gap::OpenTime { doubled, and }),
        2 => (-1..=1i64).prop_map(|and| Gap::ProbeTimeout { and }),
        1 => Just(Gap::Hour),
    ]
}

impl Gap {
    fn millis(self, config: &BreakerConfig) -> u64 {
        match self {
            Gap::Little(millis) => millis,
            Gap::Tenths(tenths) => tenths * window_ms(config) as u64 / 10,
            Gap::OpenTime { doubled, and } => ((config.open.for_ms as u64) << doubled).saturating_add_signed(and),
            Gap::ProbeTimeout { and } => (config.probe_timeout_ms as u64).saturating_add_signed(and),
            Gap::Hour => 3_600_000,
        }
    }
}

prop_compose! {
    fn configs()(
        window in prop_oneof![
            2 => (1..60u64).prop_map(|tenth| WindowConfig::Ms((tenth * 10) as f64)),
            1 => prop_oneof![1..8u32, 30..70u32].prop_map(WindowConfig::Calls),
        ],
        failure_rate in 1..=100u8,
        min_calls in 1..8u32,
        consecutive in prop::option::weighted(0.3, 1..6u32),
        slow in prop::option::weighted(0.4, (1..50u64, 1..=100u8)),
        (for_ms, max_ms) in (1..400u64, 1..3_000u64),
        probes in 1..5u16,
        probe_timeout in 1..500u64,
    ) -> BreakerConfig {
        BreakerConfig {
            window,
            failure_rate: f64::from(failure_rate) / 100.0,
            min_calls,
            consecutive,
            slow: slow.map(|(over, rate)| SlowConfig { over_ms: over as f64, rate: f64::from(rate) / 100.0 }),
            open: OpenConfig { for_ms: for_ms as f64, max_ms: (for_ms + max_ms) as f64, jitter: 0.0 },
            probes,
            probe_timeout_ms: probe_timeout as f64,
            max_keys: None,
            provenance: Provenance::default(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_breaker_is_the_machine_that_index_d_ts_promises(
        config in configs(),
        start in 0..10_000_000u64,
        steps in prop::collection::vec((gaps(), 0..MILLI, actions()), 1..64),
    ) {
        let mut breaker = Arc::new(Breaker::new(config.clone(), 1));
        let mut handle = BreakerHandle::new(breaker.clone());
        let mut machine = Machine::new(config.clone());
        let (mut now_ms, mut now) = (start, start * MILLI);
        // Permits that are out, those of earlier states among them.
        let mut permits: Vec<u32> = Vec::new();
        for (gap, part, action) in steps {
            now_ms += gap.millis(&config);
            now = now.max(now_ms * MILLI + part);
            match action {
                Do::Enter => {
                    let entry = handle.enter(now);
                    prop_assert_eq!(entry, machine.enter(now_ms));
                    if let Entry::Admitted(generation) = entry {
                        permits.push(generation);
                    }
                }
                Do::Exit { which, outcome, slow } => {
                    if !permits.is_empty() {
                        let permit = permits.remove(which.index(permits.len()));
                        let over = config.slow.as_ref().map_or(0.0, |slow| slow.over_ms);
                        let took_ms = if slow { over + 0.5 } else { over };
                        handle.exit(permit, outcome, took_ms, now);
                        machine.exit(permit, outcome, took_ms, now);
                    }
                }
                Do::Isolate => {
                    breaker.isolate();
                    machine.seen.isolated += u64::from(machine.state() != State::Isolated);
                    machine.failed_probes = 0;
                    machine.go(Stand::Isolated);
                }
                Do::Reset => {
                    breaker.reset();
                    machine.seen.closed += u64::from(machine.state() != State::Closed);
                    machine.close();
                }
                Do::GoOn => {
                    let saved: Saved = serde_json::from_str(&breaker.save(now)).unwrap();
                    breaker = Arc::new(Breaker::new(config.clone(), 1));
                    handle = BreakerHandle::new(breaker.clone());
                    breaker.restore(&saved, 0.0, now);
                    machine.go_on_elsewhere(now_ms);
                    permits.clear();
                }
            }
            prop_assert_eq!((breaker.state(), breaker.control().generation()), (machine.state(), machine.changes));
        }
        prop_assert_eq!(serde_json::to_value(breaker.report(now)).unwrap(), machine.report(now));
    }

    #[test]
    fn open_time_doubles_up_to_its_bound_and_varies_by_no_more_than_the_jitter(
        first in 1..100_000u64,
        more in 0..10_000_000u64,
        jitter in 0..=100u32,
        failed in 0..200u32,
        entropy in any::<u64>(),
    ) {
        let max = first + more;
        let mut middle = first;
        for _ in 0..failed.min(64) {
            middle = (middle * 2).min(max);
        }
        let share = f64::from(jitter) / 100.0;
        let lasts = OpenTime { first, max, jitter: share }.after(failed, entropy) as f64;
        let middle = middle as f64;
        prop_assert!(lasts >= (middle * (1.0 - share) - 1.0).max(1.0));
        prop_assert!(lasts <= (middle * (1.0 + share)).max(1.0));
        if jitter == 0 {
            prop_assert_eq!(lasts, middle);
        }
    }

    #[test]
    fn a_rate_of_whole_hundredths_trips_exactly_where_it_is_reached(
        calls in 0..100_000u64,
        rate in 1..=100u64,
        beside in -1..=1i64,
        min_calls in prop_oneof![1..100u32, 1..100_000u32],
    ) {
        let failures = (calls * rate).div_ceil(100).saturating_add_signed(beside).min(calls);
        let rate_of = rate as f64 / 100.0;
        let reached = failures > 0 && calls >= u64::from(min_calls) && failures * 100 >= rate * calls;
        let by_failures = Threshold { min_calls, failure_rate: rate_of, slow_rate: None, consecutive: None };
        prop_assert_eq!(trips(&by_failures, Sums { calls, failures, slow: 0 }, 0), reached);
        // A failure rate of two is never reached.
        let by_slow = Threshold { min_calls, failure_rate: 2.0, slow_rate: Some(rate_of), consecutive: None };
        prop_assert_eq!(trips(&by_slow, Sums { calls, failures: 0, slow: failures }, 0), reached);
    }
}

#[test]
fn the_smallest_rate_is_not_reached_by_no_call_at_all() {
    let threshold = Threshold { min_calls: 1, failure_rate: 1e-12, slow_rate: Some(1.0), consecutive: None };
    assert!(!trips(&threshold, Sums { calls: 10, failures: 0, slow: 1 }, 0));
    assert!(trips(&threshold, Sums { calls: 10, failures: 1, slow: 1 }, 1));
}

#[test]
fn jitter_spreads_the_open_time_over_its_whole_range() {
    let open = OpenTime { first: 1_000, max: 60_000, jitter: 0.2 };
    assert_eq!(open.after(0, 0), 800);
    assert_eq!(open.after(0, 1 << 63), 1_000);
    assert_eq!(open.after(0, u64::MAX), 1_200);
}

/// One environment's memory, of which a breaker uses one number.
#[derive(Default)]
struct Memory(Mutex<Option<(u32, i32)>>);

impl Generations for Memory {
    fn bump(&self, _slot: u32) {
        unreachable!("a breaker raises nothing")
    }

    fn show(&self, slot: u32, number: i32) {
        *self.0.lock() = Some((slot, number));
    }
}

fn shown() -> (Arc<Breaker>, Arc<Memory>) {
    let config = BreakerConfig {
        window: WindowConfig::Ms(1_000.0),
        failure_rate: 0.5,
        min_calls: 2,
        consecutive: None,
        slow: None,
        open: OpenConfig { for_ms: 20.0, max_ms: 40.0, jitter: 0.0 },
        probes: 2,
        probe_timeout_ms: 30.0,
        max_keys: None,
        provenance: Provenance::default(),
    };
    let memory = Arc::new(Memory::default());
    (Arc::new(Breaker::new(config, 1).shown(memory.clone())), memory)
}

/// What somebody who reads the memory may take for granted.
fn truth(breaker: &Breaker) -> Option<(u32, i32)> {
    let open_to_all = breaker.state() == State::Closed && !breaker.life().has_ended();
    let number = if open_to_all { breaker.control().generation() as i32 + 1 } else { 0 };
    breaker.slot().map(|slot| (slot, number))
}

fn act_at_random(breaker: &Breaker, handle: &BreakerHandle, permits: &mut Vec<u32>, dice: &mut Dice, now: u64) {
    match (dice.below(24), dice.index(permits.len())) {
        (0, _) => breaker.isolate(),
        (1..3, _) => breaker.reset(),
        (3..12, Some(index)) => {
            let outcome = dice.one_of(&[Outcome::Ok, Outcome::Fail, Outcome::Ignore]);
            handle.exit(permits.swap_remove(index), outcome, 1.0, now);
        }
        _ => {
            if let Entry::Admitted(generation) = handle.enter(now) {
                permits.push(generation);
            }
        }
    }
}

#[test]
fn what_environments_see_is_the_generation_while_closed_and_zero_otherwise() {
    let mut dice = Dice::new(13);
    for _ in 0..200 {
        let ((breaker, memory), mut now, mut permits) = (shown(), 0, Vec::new());
        let handle = BreakerHandle::new(breaker.clone());
        assert_eq!(*memory.0.lock(), truth(&breaker), "also before anything has happened");
        for _ in 0..500 {
            now += dice.one_of(&[0, 1, 5, 20, 30]) * MILLI;
            act_at_random(&breaker, &handle, &mut permits, &mut dice, now);
            assert_eq!(*memory.0.lock(), truth(&breaker));
        }
        breaker.reset();
        breaker.end();
        assert_eq!(memory.0.lock().map(|(_, number)| number), Some(0), "nobody enters what has ended");
    }
}

#[test]
fn of_threads_that_change_a_breaker_the_last_truth_is_what_stays_to_be_seen() {
    let (breaker, memory) = shown();
    for round in 0..3_000 {
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let breaker = &breaker;
                scope.spawn(move || {
                    let (mut dice, mut permits) = (Dice::new(round * 2 + thread), Vec::new());
                    let handle = BreakerHandle::new(breaker.clone());
                    for step in 0..20 {
                        act_at_random(breaker, &handle, &mut permits, &mut dice, (round * 20 + step) * MILLI);
                    }
                });
            }
        });
        assert_eq!(*memory.0.lock(), truth(&breaker));
    }
}

/// A key as the bridge hands it over.
fn key(number: u64) -> (Fingerprint, KeyText) {
    (crate::dice::key(number), Box::new([number as u16]))
}

#[test]
fn each_key_of_a_breaker_is_a_machine_of_its_own() {
    const KEYS: usize = 5;
    let mut dice = Dice::new(34);
    for _ in 0..2_000 {
        let config = BreakerConfig {
            window: dice.one_of(&[WindowConfig::Ms(100.0), WindowConfig::Calls(6)]),
            failure_rate: dice.one_of(&[0.25, 0.5, 1.0]),
            min_calls: dice.one_of(&[1, 3, 5]),
            consecutive: dice.one_of(&[None, Some(3)]),
            slow: None,
            open: OpenConfig { for_ms: 20.0, max_ms: 80.0, jitter: 0.0 },
            probes: dice.one_of(&[1, 2]),
            probe_timeout_ms: 30.0,
            max_keys: Some(KEYS as u32),
            provenance: Provenance::default(),
        };
        let breaker = Arc::new(Breaker::new(config.clone(), 1));
        let handle = BreakerHandle::new(breaker.clone());
        let mut machines = [(); KEYS].map(|()| Machine::new(config.clone()));
        let mut permits: Vec<(usize, u32, u32)> = Vec::new();
        let mut now = 0;
        for _ in 0..200 {
            now += dice.one_of(&[0, 0, 1, 5, 20, 40]);
            let which = dice.below(KEYS as u64) as usize;
            let (fingerprint, text) = key(which as u64);
            match (dice.below(30), dice.index(permits.len())) {
                (0, _) => {
                    assert!(breaker.isolate_key(fingerprint, || text, now * MILLI));
                    machines[which].failed_probes = 0;
                    machines[which].go(Stand::Isolated);
                }
                (1, _) if machines[which].changes > 0 => {
                    breaker.reset_key(fingerprint);
                    machines[which].close();
                }
                (2..15, Some(index)) => {
                    let (of, place, permit) = permits.swap_remove(index);
                    let outcome = dice.one_of(&[Outcome::Ok, Outcome::Fail, Outcome::Ignore]);
                    handle.exit_at(place, permit, outcome, 0.0, now * MILLI);
                    machines[of].exit(permit, outcome, 0.0, now * MILLI);
                }
                _ => {
                    let (entry, place) = handle.enter_key(fingerprint, || text, now * MILLI);
                    assert_eq!(entry, machines[which].enter(now));
                    if let Entry::Admitted(permit) = entry {
                        permits.push((which, place, permit));
                    }
                }
            }
            assert_eq!(breaker.state_of(fingerprint), machines[which].state());
        }
        let said = serde_json::to_value(breaker.report(now * MILLI)).unwrap();
        let sum = |count: fn(&Seen) -> u64| machines.iter().map(|machine| count(&machine.seen)).sum::<u64>();
        assert_eq!(
            ["ok", "failed", "ignored", "refused", "stale"].map(|of| said[of].as_u64().unwrap()),
            [
                sum(|seen| seen.ok),
                sum(|seen| seen.failed),
                sum(|seen| seen.ignored),
                sum(|seen| seen.refused),
                sum(|seen| seen.stale)
            ]
        );
        assert_eq!(said["overflowed"], 0);
        let open = machines.iter().filter(|machine| machine.state() != State::Closed).count();
        assert_eq!(said["openKeys"], open);
    }
}

#[test]
fn threads_that_bring_more_keys_than_there_are_places_drop_none_that_counts() {
    let config = BreakerConfig {
        window: WindowConfig::Ms(60_000.0),
        failure_rate: 1.0,
        min_calls: 1_000,
        consecutive: Some(2),
        slow: None,
        open: OpenConfig { for_ms: 60_000.0, max_ms: 60_000.0, jitter: 0.0 },
        probes: 1,
        probe_timeout_ms: 60_000.0,
        max_keys: Some(20),
        provenance: Provenance::default(),
    };
    let breaker = Arc::new(Breaker::new(config, 1));
    let handle = BreakerHandle::new(breaker.clone());
    for which in 0..10 {
        let (fingerprint, text) = key(which);
        for _ in 0..2 {
            let (Entry::Admitted(permit), place) = handle.enter_key(fingerprint, || text.clone(), 0) else { panic!() };
            handle.exit_at(place, permit, Outcome::Fail, 0.0, 0);
        }
    }
    std::thread::scope(|scope| {
        for thread in 0..3u64 {
            let breaker = &breaker;
            scope.spawn(move || {
                let (handle, mut dice) = (BreakerHandle::new(breaker.clone()), Dice::new(thread));
                for _ in 0..20_000 {
                    let (fingerprint, text) = key(100 + dice.below(1_000));
                    if let (Entry::Admitted(permit), place) = handle.enter_key(fingerprint, || text, 0) {
                        handle.exit_at(place, permit, Outcome::Ok, 0.0, 0);
                    }
                }
            });
        }
    });
    let said = serde_json::to_value(breaker.report(0)).unwrap();
    assert_eq!((&said["keys"], &said["openKeys"]), (&json!(20), &json!(10)));
    let ended = ["ok", "stale"].map(|of| said[of].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(ended, 60_000);
    assert!((0..10).all(|which| breaker.state_of(key(which).0) == State::Open));
}
