//! The two words of one breaker under real threads. Owns the races between those who enter and leave, and the doubling.
//! Never takes a lock, and never counts calls.

use crate::policy::breaker::{Control, Enter, Exit, Millis, OpenTime, Outcome, State, Until, enter, exit};
use crate::sync::{AtomicU64, Ordering};

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
                    // Also before the swap: whoever sees this probe out must not find it late by the time of the one before. Not
                    // into half-open: the generation is not this one's yet, and may become that of another who opens the gate.
                    if control.state() == State::HalfOpen {
                        self.raise_until(next, now + self.probe_timeout);
                    }
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

    /// Go to `state` as another breaker left it, open for `left` more. Answers where this one was.
    pub fn resume(&self, state: State, now: Millis, left: Millis, failed_probes: u32) -> State {
        loop {
            let control = self.control();
            let next = control.turn(state);
            if self.swap(control, next) {
                self.failed_probes.store(u64::from(failed_probes), Ordering::Release);
                if state == State::Open {
                    self.raise_until(next, now + left);
                }
                return control.state();
            }
        }
    }

    /// How much longer it is open, if it is.
    pub fn left(&self, now: Millis) -> Millis {
        Until(self.until.load(Ordering::Acquire)).of(self.control()).map_or(0, |at| at.saturating_sub(now))
    }

    /// Half-open states in a row that failed.
    pub fn failed_probes(&self) -> u32 {
        self.failed_probes.load(Ordering::Acquire).min(u64::from(u32::MAX)) as u32
    }
}

/// Steele, Lea and Flood's SplitMix64 finalizer.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}
