//! The states of a breaker, on two words. Owns who may enter, what an exit changes and how long open lasts.
//! Never reads time, locks or counts calls: rates are [`super::rolling`]'s.
//!
//! ```text
//! control   63      61 60                  32 31            16 15             0
//!           | state:3 |    generation:29     |    issued:16    |     ok:16      |
//! until     63                  48 47                                          0
//!           |   generation:16     |               milliseconds:48              |
//! ```
//!
//! - `generation` goes up with every change of state, so a permit of an earlier state is known as stale.
//! - `issued` and `ok` are zero except in half-open, where `ok ≤ issued ≤ probes`.
//! - `until` belongs to the control word whose generation it carries (the low 16 bits). Any other generation means that the
//!   thread which won the change is still writing it: refuse for the moment.

use super::rolling::Sums;

/// Milliseconds on the clock the caller reads. Below 2^48.
pub type Millis = u64;

const GENERATION_BITS: u64 = (1 << 29) - 1;
const MILLIS_BITS: u64 = (1 << 48) - 1;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go through and are counted.
    Closed,
    /// Calls are refused until a time.
    Open,
    /// A few calls go through as probes.
    HalfOpen,
    /// Calls are refused until reset by hand.
    Isolated,
}

impl State {
    /// The name a user sees.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
            State::Isolated => "isolated",
        }
    }
}

/// The control word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control(pub u64);

impl Control {
    /// Closed, in the first generation.
    pub const NEW: Control = Control(0);

    fn pack(state: State, generation: u64, issued: u64, ok: u64) -> Self {
        Control((state as u64) << 61 | (generation & GENERATION_BITS) << 32 | issued << 16 | ok)
    }

    /// Where the breaker stands.
    pub fn state(self) -> State {
        match self.0 >> 61 {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            _ => State::Isolated,
        }
    }

    /// Which state in the history of this breaker it is.
    pub fn generation(self) -> u32 {
        (self.0 >> 32 & GENERATION_BITS) as u32
    }

    /// Probes let through in this half-open state.
    pub fn issued(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Of those, how many came back `ok`.
    pub fn ok(self) -> u16 {
        self.0 as u16
    }

    /// The next generation, in `state`.
    pub fn turn(self, state: State) -> Self {
        Control::pack(state, u64::from(self.generation()) + 1, 0, 0)
    }

    fn with(self, issued: u16, ok: u16) -> Self {
        Control::pack(self.state(), u64::from(self.generation()), u64::from(issued), u64::from(ok))
    }
}

/// The word beside the control word: open, or half-open, lasts until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until(pub u64);

impl Until {
    /// The word for `at`, belonging to `control`.
    pub fn new(control: Control, at: Millis) -> Self {
        Until(u64::from(control.generation()) << 48 | (at & MILLIS_BITS))
    }

    /// The time, if the word belongs to `control`; none while it is being written.
    pub fn of(self, control: Control) -> Option<Millis> {
        (self.0 >> 48 == u64::from(control.generation()) & 0xffff).then_some(self.0 & MILLIS_BITS)
    }
}

/// How a guarded call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The dependency answered.
    Ok,
    /// The dependency failed.
    Fail,
    /// It says nothing about the dependency.
    Ignore,
}

/// What somebody who wants to enter has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enter {
    /// Go in; nothing is written.
    Admit,
    /// Stay out, and ask again after so many milliseconds, if that is known.
    Refuse {
        /// At least 1 where it is known.
        wait: Option<Millis>,
    },
    /// Swap the control word for this one. Who wins writes `until`, as now plus the probe timeout, and goes in as a probe.
    Probe(Control),
    /// Swap the control word for this open one: a probe never came back. Who wins writes `until` and stays out.
    Reopen(Control),
}

/// Ask to enter at `now`.
///
/// A half-open state ends by its time only while a probe is out: with none out there is nothing that could be late, and a quiet
/// service keeps collecting its probes.
pub fn enter(control: Control, until: Until, now: Millis, probes: u16) -> Enter {
    match control.state() {
        State::Closed => Enter::Admit,
        State::Isolated => Enter::Refuse { wait: None },
        State::Open => match until.of(control) {
            None => Enter::Refuse { wait: Some(1) },
            Some(at) if now < at => Enter::Refuse { wait: Some(at - now) },
            Some(_) => Enter::Probe(control.turn(State::HalfOpen).with(1, 0)),
        },
        State::HalfOpen => match until.of(control) {
            None => Enter::Refuse { wait: Some(1) },
            Some(at) if now >= at && control.issued() > control.ok() => Enter::Reopen(control.turn(State::Open)),
            Some(_) if control.issued() < probes => Enter::Probe(control.with(control.issued() + 1, control.ok())),
            Some(at) => Enter::Refuse { wait: Some(at.saturating_sub(now).max(1)) },
        },
    }
}

/// What an exit changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The permit is of an earlier state: count it as stale, change nothing.
    Stale,
    /// Count it in the window; [`trips`] says whether that opens the breaker.
    Count,
    /// Nothing to count, nothing to change.
    Nothing,
    /// Swap the control word for this one, in the same state.
    Keep(Control),
    /// Swap the control word for this closed one.
    Close(Control),
    /// Swap the control word for this open one; who wins writes `until`.
    Open(Control),
}

/// Come out of a call that began in `generation`.
pub fn exit(control: Control, generation: u32, outcome: Outcome, probes: u16) -> Exit {
    if control.generation() != generation {
        return Exit::Stale;
    }
    match (control.state(), outcome) {
        (State::Closed, Outcome::Ignore) => Exit::Nothing,
        (State::Closed, _) => Exit::Count,
        // No permit is out, so one that claims to be was given back before or is none of ours.
        (State::Open | State::Isolated, _) => Exit::Stale,
        (State::HalfOpen, _) if control.ok() >= control.issued() => Exit::Stale,
        (State::HalfOpen, Outcome::Fail) => Exit::Open(control.turn(State::Open)),
        (State::HalfOpen, Outcome::Ok) if control.ok() + 1 >= probes => Exit::Close(control.turn(State::Closed)),
        (State::HalfOpen, Outcome::Ok) => Exit::Keep(control.with(control.issued(), control.ok() + 1)),
        (State::HalfOpen, Outcome::Ignore) => Exit::Keep(control.with(control.issued() - 1, control.ok())),
    }
}

/// When a window of calls opens the breaker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Calls in the window before a rate counts.
    pub min_calls: u32,
    /// Share of failures that opens.
    pub failure_rate: f64,
    /// Share of slow calls that opens.
    pub slow_rate: Option<f64>,
    /// Failures in a row that open.
    pub consecutive: Option<u32>,
}

/// Whether the window opens the breaker. Asked only after a failure or a slow call.
pub fn trips(threshold: &Threshold, sums: Sums, in_a_row: u32) -> bool {
    if threshold.consecutive.is_some_and(|bound| in_a_row >= bound) {
        return true;
    }
    if sums.calls < u64::from(threshold.min_calls) {
        return false;
    }
    // Compared as products, so that 0.1 of ten calls is one call and not a hair more.
    let reached = |part: u64, rate: f64| part > 0 && part as f64 >= rate * sums.calls as f64 - 1e-9;
    reached(sums.failures, threshold.failure_rate) || threshold.slow_rate.is_some_and(|rate| reached(sums.slow, rate))
}

/// How long open lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenTime {
    /// The first time.
    pub first: Millis,
    /// It doubles up to this.
    pub max: Millis,
    /// Share by which it varies either way, 0 to 1.
    pub jitter: f64,
}

impl OpenTime {
    /// The time after `failed_probes` half-open states in a row that failed. `entropy` is any evenly spread word.
    pub fn after(&self, failed_probes: u32, entropy: u64) -> Millis {
        let doubled = self.first.saturating_mul(1u64.checked_shl(failed_probes.min(63)).unwrap_or(u64::MAX));
        let bounded = doubled.min(self.max) as f64;
        // The upper 53 bits fill a double exactly: a point in [0, 1).
        let point = (entropy >> 11) as f64 / (1u64 << 53) as f64;
        (bounded * (1.0 + self.jitter * (2.0 * point - 1.0))).max(1.0) as Millis
    }
}
