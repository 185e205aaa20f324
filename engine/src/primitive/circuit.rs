//! One breaker's state: its gate and the calls that decide over it. Owns what an exit counts for, and when that opens the gate.
//! Never knows a name, a key or who listens.
//!
//! Calls that ended well while it was closed need not be told of one by one: who has memory that can be read from here counts
//! them there, and they are taken over before anything is decided. So that each lands in the bucket of its time, whoever counts
//! says once a bucket that time goes on ([`Circuit::turn`]).

use super::gate::{Entry, Gate, Left};
use crate::clock::{MILLI, Nanos};
use crate::policy::breaker::{Control, Millis, OpenTime, Outcome, State, Threshold, trips};
use crate::policy::rolling::{Rolling, Sums};
use crate::store::ring::Ring;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use slab::Slab;

/// What the circuits of one breaker have in common.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) span: Span,
    pub(super) threshold: Threshold,
    pub(super) slow_over_ms: Option<f64>,
    pub(super) open_time: OpenTime,
    pub(super) probes: u16,
    pub(super) probe_timeout: Millis,
}

/// What the rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span {
    Time(Nanos),
    Calls(u32),
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it stood.
    pub from: State,
    /// Where it stands.
    pub to: State,
}

/// Counts calls that ended well where it costs its owner nothing: a number that only goes up, and wraps.
pub trait OkCounter: Send + Sync {
    /// The number now.
    fn count(&self) -> u32;
}

/// How long at most a counter may go untold, so that it does not wrap in between.
const LONGEST_TURN: Nanos = 60_000 * MILLI;

struct Pending {
    counter: Box<dyn OkCounter>,
    /// What of it has been taken over.
    taken: u32,
    /// In whose bucket the rest belongs.
    since: Nanos,
}

#[derive(Clone)]
enum Window {
    // Five times as large as the other.
    Time(Box<Rolling>),
    Calls(Ring),
}

impl Window {
    fn new(span: Span) -> Self {
        match span {
            Span::Time(span) => Window::Time(Box::new(Rolling::new(span))),
            Span::Calls(calls) => Window::Calls(Ring::new(calls)),
        }
    }

    fn record(&mut self, now: Nanos, failed: bool, slow: bool) {
        match self {
            Window::Time(rolling) => rolling.record(now, failed, slow),
            Window::Calls(ring) => ring.push(failed, slow),
        }
    }

    fn add_well(&mut self, at: Nanos, calls: u64) {
        match self {
            Window::Time(rolling) => rolling.add(at, Sums { calls, failures: 0, slow: 0 }),
            Window::Calls(ring) => ring.push_well(calls),
        }
    }

    fn sums(&self, now: Nanos) -> Sums {
        match self {
            Window::Time(rolling) => rolling.sums(now),
            Window::Calls(ring) => ring.sums(),
        }
    }

    fn clear(&mut self) {
        match self {
            Window::Time(rolling) => rolling.clear(),
            Window::Calls(ring) => ring.clear(),
        }
    }
}

struct Book {
    /// Which closed state the window is of.
    generation: u32,
    window: Window,
    in_a_row: u32,
    /// What the counters count for: the closed state their owners were last shown. None: they count nothing.
    shown: Option<u32>,
    pending: Slab<Pending>,
    /// Calls that were taken over from counters.
    ok: u64,
}

impl Book {
    /// Take over what the counters have.
    fn take_over_locked(&mut self) {
        for (_, Pending { counter, taken, since }) in &mut self.pending {
            let count = counter.count();
            let more = u64::from(count.wrapping_sub(*taken));
            *taken = count;
            self.ok += more;
            // A call that ended in the very moment of a change of state may count on either side of it; in no other.
            if more > 0 && self.shown == Some(self.generation) {
                self.window.add_well(*since, more);
                self.in_a_row = 0;
            }
        }
    }

    /// Go on with the calls of `generation`. False if the window is of a later one.
    fn begin_locked(&mut self, generation: u32) -> bool {
        // Generations only go up, but for a wrap after half a billion changes of state.
        if self.generation != generation {
            if generation.wrapping_sub(self.generation) & (1 << 28) != 0 {
                return false;
            }
            self.generation = generation;
            self.window.clear();
            self.in_a_row = 0;
        }
        true
    }
}

pub(super) struct Circuit {
    gate: Gate,
    book: Mutex<Book>,
}

/// What [`Circuit::exit`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exited {
    /// The permit was of an earlier state.
    Stale,
    /// It was counted, and nothing else.
    Counted,
    /// It changed the state.
    Moved(Moved),
}

impl Circuit {
    /// A closed one. `seed` spreads the jitter.
    pub(super) fn new(rules: &Rules, seed: u64) -> Self {
        Circuit {
            gate: Gate::new(rules.probes, rules.probe_timeout, rules.open_time, seed),
            book: Mutex::new(Book {
                generation: 0,
                window: Window::new(rules.span),
                in_a_row: 0,
                shown: None,
                pending: Slab::new(),
                ok: 0,
            }),
        }
    }

    pub(super) fn control(&self) -> Control {
        self.gate.control()
    }

    pub(super) fn state(&self) -> State {
        self.control().state()
    }

    pub(super) fn enter(&self, now: Nanos) -> (Entry, Option<Moved>) {
        let (entry, to) = self.gate.enter(now / MILLI);
        let moved = to.map(|to| Moved { from: if to == State::Open { State::HalfOpen } else { State::Open }, to });
        (entry, moved)
    }

    pub(super) fn exit(&self, rules: &Rules, generation: u32, outcome: Outcome, took_ms: f64, now: Nanos) -> Exited {
        let from = State::HalfOpen;
        match self.gate.exit(generation, outcome, now / MILLI) {
            Left::Stale => Exited::Stale,
            Left::Noted => Exited::Counted,
            Left::Closed => Exited::Moved(Moved { from, to: State::Closed }),
            Left::Opened => Exited::Moved(Moved { from, to: State::Open }),
            Left::Count => {
                let slow = rules.slow_over_ms.is_some_and(|over_ms| took_ms > over_ms);
                let opens = self.count(rules, generation, outcome == Outcome::Fail, slow, now)
                    && self.gate.trip(generation, now / MILLI);
                if opens { Exited::Moved(Moved { from: State::Closed, to: State::Open }) } else { Exited::Counted }
            }
        }
    }

    /// Count a call of the closed `generation`; answers whether that opens the breaker.
    fn count(&self, rules: &Rules, generation: u32, failed: bool, slow: bool, now: Nanos) -> bool {
        let mut book = self.book.lock();
        book.take_over_locked();
        if !book.begin_locked(generation) {
            return false;
        }
        book.window.record(now, failed, slow);
        book.in_a_row = if failed { book.in_a_row.saturating_add(1) } else { 0 };
        (failed || slow) && trips(&rules.threshold, book.window.sums(now), book.in_a_row)
    }

    /// Go to `state` by hand; where it was.
    pub(super) fn force(&self, state: State) -> State {
        self.gate.force(state)
    }

    /// To be called after every change of state. What the counters hold is of the state before; from here on they count for the
    /// one that `show` shows: the generation while it is closed, else none.
    ///
    /// Under the lock, so that of two threads the one that shows last has also read last.
    pub(super) fn settle(&self, show: impl FnOnce(Control) -> Option<u32>) {
        let mut book = self.book.lock();
        book.take_over_locked();
        let control = self.control();
        if control.state() == State::Closed {
            let _ = book.begin_locked(control.generation());
        }
        book.shown = show(control);
    }

    /// One more counts calls that ended well; the number it has here.
    pub(super) fn join(&self, counter: Box<dyn OkCounter>) -> usize {
        let taken = counter.count();
        self.book.lock().pending.insert(Pending { counter, taken, since: 0 })
    }

    /// It counts no more.
    pub(super) fn part(&self, joined: usize) {
        let gone = {
            let mut book = self.book.lock();
            book.take_over_locked();
            book.pending.try_remove(joined)
        };
        drop(gone);
    }

    /// What this counter counts from here on belongs to `now`, for as long as is answered; then it has to say so again.
    pub(super) fn turn(&self, joined: usize, now: Nanos) -> Nanos {
        let mut book = self.book.lock();
        book.take_over_locked();
        if let Some(pending) = book.pending.get_mut(joined) {
            pending.since = now;
        }
        match &book.window {
            Window::Time(rolling) => rolling.rest(now).min(LONGEST_TURN),
            Window::Calls(_) => LONGEST_TURN,
        }
    }

    /// What the window holds, and how many calls were taken over from counters.
    pub(super) fn sums(&self, now: Nanos) -> (Sums, u64) {
        let mut book = self.book.lock();
        book.take_over_locked();
        let current = book.generation == self.control().generation();
        (if current { book.window.sums(now) } else { Sums::default() }, book.ok)
    }

    /// Whether it could be forgotten: closed, and without anything that counts against it.
    pub(super) fn is_quiet(&self, now: Nanos) -> bool {
        let (Sums { failures, slow, .. }, _) = self.sums(now);
        self.state() == State::Closed && failures == 0 && slow == 0
    }

    /// All that has to be known to go on elsewhere. Half-open is written down as it is.
    pub(super) fn save(&self, now: Nanos) -> Saved {
        let mut book = self.book.lock();
        book.take_over_locked();
        let control = self.control();
        let current = control.state() == State::Closed && book.generation == control.generation();
        let window = match &book.window {
            Window::Time(rolling) => {
                let held = rolling.buckets(now).filter(|(_, sums)| current && sums.calls > 0);
                let row = |(age, Sums { calls, failures, slow })| {
                    (age as f64 / MILLI as f64, calls as f64, failures as f64, slow as f64)
                };
                SavedWindow::Buckets { buckets: held.map(row).collect() }
            }
            Window::Calls(ring) => {
                let digit = |(failed, slow)| char::from(b'0' + u8::from(failed) + 2 * u8::from(slow));
                SavedWindow::Calls { calls: ring.calls().filter(|_| current).map(digit).collect() }
            }
        };
        Saved {
            state: control.state().as_str().to_owned(),
            open_ms: (control.state() == State::Open).then(|| self.gate.left(now / MILLI) as f64),
            failed_probes: self.gate.failed_probes(),
            in_a_row: if current { book.in_a_row } else { 0 },
            window,
        }
    }

    /// Go on from what was written down `elapsed_ms` ago; where it stood. The caller settles it.
    pub(super) fn restore(&self, saved: &Saved, elapsed_ms: f64, now: Nanos) -> Moved {
        let (state, open_ms) = match saved.state.as_str() {
            "isolated" => (State::Isolated, 0.0),
            "open" => (State::Open, saved.open_ms.unwrap_or(0.0) - elapsed_ms),
            "half-open" => (State::Open, 0.0),
            _ => (State::Closed, 0.0),
        };
        let from = self.gate.resume(state, now / MILLI, open_ms.max(0.0).ceil() as Millis, saved.failed_probes);
        let mut book = self.book.lock();
        book.take_over_locked();
        let control = self.control();
        // Another thread may have moved it on meanwhile: then the window is of a state that has ended.
        if control.state() == State::Closed && state == State::Closed {
            book.shown = None;
            let _ = book.begin_locked(control.generation());
            book.in_a_row = saved.in_a_row;
            match (&mut book.window, &saved.window) {
                (Window::Time(rolling), SavedWindow::Buckets { buckets }) => {
                    for (age_ms, calls, failures, slow) in buckets {
                        let sums = Sums { calls: *calls as u64, failures: *failures as u64, slow: *slow as u64 };
                        rolling.add_before(now, ((age_ms + elapsed_ms) * MILLI as f64) as Nanos, sums);
                    }
                }
                (Window::Calls(ring), SavedWindow::Calls { calls }) => {
                    for digit in calls.bytes().map(|byte| byte.wrapping_sub(b'0')) {
                        ring.push(digit & 1 != 0, digit & 2 != 0);
                    }
                }
                // Options have changed in between: what was counted otherwise does not fit.
                _ => {}
            }
        }
        Moved { from, to: state }
    }
}

/// A circuit as plain data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// As a user sees it.
    pub state: String,
    /// How long it stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_ms: Option<f64>,
    /// Half-open states in a row that failed.
    pub failed_probes: u32,
    /// Failures in a row.
    pub in_a_row: u32,
    /// What was counted.
    pub window: SavedWindow,
}

/// What a window holds, as plain data.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SavedWindow {
    /// How long ago each bucket began, its calls, and of those the failed and the slow.
    Buckets {
        #[allow(missing_docs)]
        buckets: Vec<(f64, f64, f64, f64)>,
    },
    /// A digit for each call, the oldest first: 1 if it failed, and 2 more if it was slow.
    Calls {
        #[allow(missing_docs)]
        calls: String,
    },
}
