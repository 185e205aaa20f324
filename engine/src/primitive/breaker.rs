//! The breaker: two words and a window. Owns the races between those who enter and leave, the doubling and the counters.
//! Never calls the function it guards.

use super::life::Life;
use super::tally::{Stripe, Tally};
use crate::clock::{MILLI, Nanos};
use crate::policy::breaker::{
    Control, Enter, Exit, Millis, OpenTime, Outcome, State, Threshold, Until, enter, exit, trips,
};
use crate::policy::rolling::{Rolling, Sums};
use crate::store::generations::{BREAKER_SLOTS, EPOCH_SLOTS, Generations};
use crate::sync::{AtomicU64, Ordering};
use parking_lot::Mutex;
use serde::Serialize;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// What a breaker is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerConfig {
    /// Span of the rates, in milliseconds.
    pub window_ms: f64,
    /// Share of failures that opens.
    pub failure_rate: f64,
    /// Calls before a rate counts.
    pub min_calls: u32,
    /// Failures in a row that open.
    pub consecutive: Option<u32>,
    /// Slow calls, and the share of them that opens.
    pub slow: Option<SlowConfig>,
    /// How long open lasts.
    pub open: OpenConfig,
    /// Calls let through in half-open.
    pub probes: u16,
    /// How long a probe may stay out, in milliseconds.
    pub probe_timeout_ms: f64,
}

/// When a call is slow.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlowConfig {
    /// Over so many milliseconds.
    pub over_ms: f64,
    /// Share of slow calls that opens.
    pub rate: f64,
}

/// How long open lasts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenConfig {
    /// The first time, in milliseconds.
    pub for_ms: f64,
    /// It doubles up to this.
    pub max_ms: f64,
    /// Share by which it varies either way.
    pub jitter: f64,
}

const OK: usize = 0;
const FAILED: usize = 1;
const IGNORED: usize = 2;
const REFUSED: usize = 3;
const STALE: usize = 4;

/// The words that are raced for. Separate, so that a model checker can run them without the rest.
pub struct Gate {
    control: AtomicU64,
    until: AtomicU64,
    /// Half-open states in a row that failed. Written by whoever won the change of state.
    failed_probes: AtomicU64,
    probes: u16,
    probe_timeout: Millis,
    open_time: OpenTime,
    seed: u64,
}

/// What `Gate::enter` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In, with a permit of this generation.
    Admitted(u32),
    /// Out, for so many milliseconds if that is known.
    Refused(Option<Millis>),
}

/// What `Gate::exit` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The permit was of an earlier state.
    Stale,
    /// Closed: count it in the window of this generation.
    Count,
    /// The exit was taken note of.
    Noted,
    /// It closed the breaker.
    Closed,
    /// It opened the breaker.
    Opened,
}

impl Gate {
    /// A closed gate. `seed` spreads the jitter.
    pub fn new(probes: u16, probe_timeout: Millis, open_time: OpenTime, seed: u64) -> Self {
        Gate {
            control: AtomicU64::new(Control::NEW.0),
            until: AtomicU64::new(0),
            failed_probes: AtomicU64::new(0),
            probes,
            probe_timeout,
            open_time,
            seed,
        }
    }

    /// The control word.
    pub fn control(&self) -> Control {
        Control(self.control.load(Ordering::Acquire))
    }

    fn swap(&self, seen: Control, next: Control) -> bool {
        self.control.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ask to enter. Also answers whether this entry moved the breaker to another state.
    pub fn enter(&self, now: Millis) -> (Entry, Option<State>) {
        loop {
            let control = self.control();
            match enter(control, Until(self.until.load(Ordering::Acquire)), now, self.probes) {
                Enter::Admit => return (Entry::Admitted(control.generation()), None),
                Enter::Refuse { wait } => return (Entry::Refused(wait), None),
                Enter::Probe(next) => {
                    // Also before the swap: whoever sees this probe out must not find it late by the time of the one before.
                    // Into half-open it does nothing yet, since the generation is not there.
                    self.raise_until(next, now + self.probe_timeout);
                    if self.swap(control, next) {
                        self.raise_until(next, now + self.probe_timeout);
                        let moved = (control.state() != State::HalfOpen).then_some(State::HalfOpen);
                        return (Entry::Admitted(next.generation()), moved);
                    }
                }
                Enter::Reopen(next) => {
                    if self.swap(control, next) {
                        let lasts = self.open_until(next, now, true);
                        return (Entry::Refused(Some(lasts)), Some(State::Open));
                    }
                }
            }
        }
    }

    /// Write `until` for `control`, unless the breaker has moved on or a later time stands there: of two probes the last one's
    /// time counts, whichever thread comes last. The order of the three looks matters: a word written for a later generation
    /// is either seen in the second or makes the swap fail.
    fn raise_until(&self, control: Control, at: Millis) {
        let mut seen = self.until.load(Ordering::Acquire);
        loop {
            if Until(seen).of(control).is_some_and(|present| present >= at)
                || self.control().generation() != control.generation()
            {
                return;
            }
            let next = Until::new(control, at).0;
            match self.until.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(changed) => seen = changed,
            }
        }
    }

    /// Called only by the thread that won the change to `control`; until it has written, everybody is refused.
    fn open_until(&self, control: Control, now: Millis, probe_failed: bool) -> Millis {
        let failed = if probe_failed { self.failed_probes.fetch_add(1, Ordering::AcqRel) + 1 } else { 0 };
        let entropy = mix(self.seed ^ u64::from(control.generation()));
        let lasts = self.open_time.after(failed.min(63) as u32, entropy);
        self.raise_until(control, now + lasts);
        lasts
    }

    /// Come back with a permit of `generation`.
    pub fn exit(&self, generation: u32, outcome: Outcome, now: Millis) -> Left {
        loop {
            let control = self.control();
            match exit(control, generation, outcome, self.probes) {
                Exit::Stale => return Left::Stale,
                Exit::Count => return Left::Count,
                Exit::Nothing => return Left::Noted,
                Exit::Keep(next) => {
                    if self.swap(control, next) {
                        return Left::Noted;
                    }
                }
                Exit::Close(next) => {
                    if self.swap(control, next) {
                        self.failed_probes.store(0, Ordering::Release);
                        return Left::Closed;
                    }
                }
                Exit::Open(next) => {
                    if self.swap(control, next) {
                        self.open_until(next, now, true);
                        return Left::Opened;
                    }
                }
            }
        }
    }

    /// The window of `generation` says so: open, if the breaker is still in it.
    pub fn trip(&self, generation: u32, now: Millis) -> bool {
        let control = self.control();
        if control.generation() != generation || control.state() != State::Closed {
            return false;
        }
        let next = control.turn(State::Open);
        let won = self.swap(control, next);
        if won {
            self.failed_probes.store(0, Ordering::Release);
            self.open_until(next, now, false);
        }
        won
    }

    /// Go to `state` by hand, from wherever it is. Answers where that was.
    pub fn force(&self, state: State) -> State {
        loop {
            let control = self.control();
            if self.swap(control, control.turn(state)) {
                self.failed_probes.store(0, Ordering::Release);
                return control.state();
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64 finalizer.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Calls of one closed generation.
struct Window {
    generation: u32,
    rolling: Rolling,
    in_a_row: u32,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Transitions {
    opened: u64,
    half_opened: u64,
    closed: u64,
    isolated: u64,
}

/// One breaker, shared by all threads.
pub struct Breaker {
    config: BreakerConfig,
    gate: Gate,
    threshold: Threshold,
    window: Mutex<Window>,
    transitions: Mutex<Transitions>,
    shown: Option<Shown>,
    tally: Tally<5>,
    life: Life,
}

/// Where every environment reads, without asking, that the breaker is closed, and in which generation.
struct Shown {
    slot: u32,
    generations: Arc<dyn Generations>,
}

/// Spans shorter than this are measured by the precise clock.
const COARSE: f64 = 100.0;

/// What a snapshot says of a breaker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerReport {
    config: BreakerConfig,
    state: &'static str,
    window: WindowReport,
    ok: u64,
    failed: u64,
    ignored: u64,
    refused: u64,
    stale: u64,
    transitions: Transitions,
}

#[derive(Debug, Serialize)]
struct WindowReport {
    calls: u64,
    failures: u64,
    slow: u64,
}

impl Breaker {
    /// A closed breaker. `seed` spreads the jitter.
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        let open_time =
            OpenTime { first: millis(config.open.for_ms), max: millis(config.open.max_ms), jitter: config.open.jitter };
        Breaker {
            gate: Gate::new(config.probes, millis(config.probe_timeout_ms), open_time, seed),
            threshold: Threshold {
                min_calls: config.min_calls,
                failure_rate: config.failure_rate,
                slow_rate: config.slow.as_ref().map(|slow| slow.rate),
                consecutive: config.consecutive,
            },
            window: Mutex::new(Window {
                generation: 0,
                rolling: Rolling::new((config.window_ms * MILLI as f64) as Nanos),
                in_a_row: 0,
            }),
            transitions: Mutex::default(),
            shown: None,
            tally: Tally::default(),
            life: Life::default(),
            config,
        }
    }

    /// Have every environment see in its own memory whether it is closed: who finds it so need not ask to enter. After a
    /// thousand breakers there is no slot left, and everybody asks.
    pub fn shown(mut self, generations: Arc<dyn Generations>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let taken = NEXT.fetch_update(Relaxed, Relaxed, |next| (next < BREAKER_SLOTS).then_some(next + 1));
        self.shown = taken.ok().map(|slot| Shown { slot: EPOCH_SLOTS + slot, generations });
        self.show();
        self
    }

    /// The slot that shows it, if it has one.
    pub fn slot(&self) -> Option<u32> {
        self.shown.as_ref().map(|shown| shown.slot)
    }

    /// Show where it stands: the generation plus one while it is closed, else zero. To be called once more in an environment
    /// that came later.
    pub fn show(&self) {
        // Under the lock, so that of two threads the one that shows last has also read last.
        self.show_locked(&self.transitions.lock());
    }

    fn show_locked(&self, _order: &Transitions) {
        if let Some(Shown { slot, generations }) = &self.shown {
            let control = self.gate.control();
            let enters_freely = control.state() == State::Closed && !self.life.has_ended();
            generations.show(*slot, if enters_freely { control.generation() as i32 + 1 } else { 0 });
        }
    }

    /// End it, for every handle.
    pub fn end(&self) {
        self.life.end();
        self.show();
    }

    /// Whether a clock that is ten milliseconds behind is good enough for an exit: every span is much longer.
    pub fn bears_coarse_time(&self) -> bool {
        let shortest = (self.config.window_ms / 10.0).min(self.config.open.for_ms).min(self.config.probe_timeout_ms);
        shortest >= COARSE
    }

    /// What it is made of.
    pub fn config(&self) -> &BreakerConfig {
        &self.config
    }

    /// Whether it is open to callers at all.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.gate.control().state()
    }

    /// The control word, for vectors and tests.
    pub fn control(&self) -> Control {
        self.gate.control()
    }

    /// Refuse every call until reset.
    pub fn isolate(&self) {
        self.force(State::Isolated);
    }

    /// Close and forget.
    pub fn reset(&self) {
        self.force(State::Closed);
    }

    fn force(&self, state: State) {
        if self.gate.force(state) == state {
            self.show();
        } else {
            self.moved(state);
        }
    }

    fn moved(&self, to: State) {
        let mut transitions = self.transitions.lock();
        match to {
            State::Open => transitions.opened += 1,
            State::HalfOpen => transitions.half_opened += 1,
            State::Closed => transitions.closed += 1,
            State::Isolated => transitions.isolated += 1,
        }
        self.show_locked(&transitions);
    }

    /// Count a call of the closed `generation`; answers whether that opens the breaker.
    fn count(&self, generation: u32, failed: bool, slow: bool, now: Nanos) -> bool {
        let mut window = self.window.lock();
        if window.generation != generation {
            // Generations only go up, but for a wrap after half a billion changes of state.
            if generation.wrapping_sub(window.generation) & (1 << 28) != 0 {
                return false;
            }
            window.generation = generation;
            window.rolling.clear();
            window.in_a_row = 0;
        }
        window.rolling.record(now, failed, slow);
        window.in_a_row = if failed { window.in_a_row.saturating_add(1) } else { 0 };
        (failed || slow) && trips(&self.threshold, window.rolling.sums(now), window.in_a_row)
    }

    /// State and counters at `now`.
    pub fn report(&self, now: Nanos) -> BreakerReport {
        let [ok, failed, ignored, refused, stale] = self.tally.sums();
        let control = self.gate.control();
        let Sums { calls, failures, slow } = {
            let window = self.window.lock();
            if window.generation == control.generation() { window.rolling.sums(now) } else { Sums::default() }
        };
        BreakerReport {
            config: self.config.clone(),
            state: control.state().as_str(),
            window: WindowReport { calls, failures, slow },
            ok,
            failed,
            ignored,
            refused,
            stale,
            transitions: *self.transitions.lock(),
        }
    }
}

fn millis(from: f64) -> Millis {
    from.max(1.0) as Millis
}

/// One thread's way to a breaker.
pub struct BreakerHandle {
    breaker: Arc<Breaker>,
    stripe: Arc<Stripe<5>>,
    one_thread: PhantomData<Cell<()>>,
}

impl BreakerHandle {
    /// A handle with counters of its own.
    pub fn new(breaker: Arc<Breaker>) -> Self {
        BreakerHandle { stripe: breaker.tally.stripe(), breaker, one_thread: PhantomData }
    }

    /// The breaker itself.
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Ask to enter.
    pub fn enter(&self, now: Nanos) -> Entry {
        let (entry, moved) = self.breaker.gate.enter(now / MILLI);
        if let Some(state) = moved {
            self.breaker.moved(state);
        }
        if let Entry::Refused(_) = entry {
            self.stripe.add(REFUSED, 1);
        }
        entry
    }

    /// Come back with a permit of `generation`, after `took_ms` milliseconds.
    pub fn exit(&self, generation: u32, outcome: Outcome, took_ms: f64, now: Nanos) {
        let breaker = &*self.breaker;
        let left = breaker.gate.exit(generation, outcome, now / MILLI);
        if left == Left::Stale {
            return self.stripe.add(STALE, 1);
        }
        let counter = match outcome {
            Outcome::Ok => OK,
            Outcome::Fail => FAILED,
            Outcome::Ignore => IGNORED,
        };
        self.stripe.add(counter, 1);
        match left {
            Left::Count => {
                let slow = breaker.config.slow.as_ref().is_some_and(|slow| took_ms > slow.over_ms);
                if breaker.count(generation, outcome == Outcome::Fail, slow, now)
                    && breaker.gate.trip(generation, now / MILLI)
                {
                    breaker.moved(State::Open);
                }
            }
            Left::Closed => breaker.moved(State::Closed),
            Left::Opened => breaker.moved(State::Open),
            Left::Stale | Left::Noted => {}
        }
    }
}
