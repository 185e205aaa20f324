//! The breaker: one circuit, or one for each key. Owns what is shown and told of it, and the counters.
//! Never calls the function it guards.

use super::circuit::{Circuit, Exited, Moved, OkCounter, Rules, Saved, Span};
use super::circuits::{Circuits, KeyText};
use super::gate::Entry;
use super::life::Life;
use super::limit::Provenance;
use super::tally::{Stripe, Tally};
use crate::clock::{MILLI, Nanos};
use crate::policy::breaker::{Control, Millis, OpenTime, Outcome, State, Threshold};
use crate::policy::rolling::Sums;
use crate::store::fingerprint::Fingerprint;
use crate::store::generations::{BREAKER_SLOTS, EPOCH_SLOTS, Generations};
use parking_lot::Mutex;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use slab::Slab;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What a breaker is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerConfig {
    /// What the rates are taken over.
    #[serde(flatten)]
    pub window: WindowConfig,
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
    /// A circuit for each key, up to so many; none for one that all calls share.
    pub max_keys: Option<u32>,
    /// Where each of these came from.
    #[serde(skip)]
    pub provenance: Provenance,
}

/// What the rates are taken over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowConfig {
    /// The last so many milliseconds.
    Ms(f64),
    /// The last so many calls.
    Calls(u32),
}

impl Serialize for WindowConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (window_ms, window_calls) = match *self {
            WindowConfig::Ms(ms) => (Some(ms), None),
            WindowConfig::Calls(calls) => (None, Some(calls)),
        };
        let mut fields = serializer.serialize_struct("WindowConfig", 2)?;
        fields.serialize_field("windowMs", &window_ms)?;
        fields.serialize_field("windowCalls", &window_calls)?;
        fields.end()
    }
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

/// The number of the circuit that belongs to no key: the only one, or the one that keys without a place share.
pub const NO_PLACE: u32 = u32::MAX;

/// A change of state, as it is told.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Whose circuit; none for the one that belongs to no key.
    pub key: Option<Arc<[u16]>>,
    /// From where to where.
    pub moved: Moved,
}

/// Wants to know of transitions, whichever thread causes them. Told outside of every lock.
pub trait Witness: Send + Sync {
    /// It has moved.
    fn told(&self, transition: &Transition);
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
    rules: Rules,
    circuit: Circuit,
    keyed: Option<Circuits>,
    /// Entries of keys that found no place.
    overflowed: AtomicU64,
    transitions: Mutex<Transitions>,
    witnesses: Mutex<Slab<Arc<dyn Witness>>>,
    shown: Option<Shown>,
    tally: Tally<5>,
    life: Life,
}

/// Where every environment reads, without asking, that the breaker is closed, and in which generation.
struct Shown {
    slot: u32,
    generations: Arc<dyn Generations>,
}

/// Slots that no breaker has.
struct Slots {
    fresh: u32,
    back: Vec<u32>,
}

static SLOTS: Mutex<Slots> = Mutex::new(Slots { fresh: 0, back: Vec::new() });

impl Shown {
    fn new(generations: Arc<dyn Generations>) -> Option<Self> {
        let mut slots = SLOTS.lock();
        let number = match slots.back.pop() {
            Some(number) => number,
            None if slots.fresh == BREAKER_SLOTS => return None,
            None => {
                slots.fresh += 1;
                slots.fresh - 1
            }
        };
        Some(Shown { slot: EPOCH_SLOTS + number, generations })
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        // Every handle has let go of the breaker, so nobody reads the slot before its next owner shows itself there.
        self.generations.show(self.slot, 0);
        SLOTS.lock().back.push(self.slot - EPOCH_SLOTS);
    }
}

/// Spans shorter than this are measured by the precise clock.
const COARSE: f64 = 100.0;

/// What a snapshot says of a breaker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerReport {
    config: BreakerConfig,
    provenance: Provenance,
    state: Option<&'static str>,
    window: WindowReport,
    ok: u64,
    failed: u64,
    ignored: u64,
    refused: u64,
    stale: u64,
    transitions: Transitions,
    keys: u64,
    open_keys: u64,
    overflowed: u64,
}

#[derive(Debug, Default, Serialize)]
struct WindowReport {
    calls: u64,
    failures: u64,
    slow: u64,
}

impl WindowReport {
    fn add(&mut self, sums: Sums) {
        self.calls += sums.calls;
        self.failures += sums.failures;
        self.slow += sums.slow;
    }
}

impl Breaker {
    /// A closed breaker. `seed` spreads the jitter.
    pub fn new(config: BreakerConfig, seed: u64) -> Self {
        let rules = Rules {
            span: match config.window {
                WindowConfig::Ms(ms) => Span::Time((ms * MILLI as f64) as Nanos),
                WindowConfig::Calls(calls) => Span::Calls(calls),
            },
            threshold: Threshold {
                min_calls: config.min_calls,
                failure_rate: config.failure_rate,
                slow_rate: config.slow.as_ref().map(|slow| slow.rate),
                consecutive: config.consecutive,
            },
            slow_over_ms: config.slow.as_ref().map(|slow| slow.over_ms),
            open_time: OpenTime {
                first: millis(config.open.for_ms),
                max: millis(config.open.max_ms),
                jitter: config.open.jitter,
            },
            probes: config.probes,
            probe_timeout: millis(config.probe_timeout_ms),
        };
        Breaker {
            circuit: Circuit::new(&rules, seed),
            keyed: config.max_keys.map(|max| Circuits::new(max, seed.wrapping_add(1))),
            rules,
            overflowed: AtomicU64::new(0),
            transitions: Mutex::default(),
            witnesses: Mutex::default(),
            shown: None,
            tally: Tally::default(),
            life: Life::default(),
            config,
        }
    }

    /// Have every environment see in its own memory whether it is closed: who finds it so need not ask to enter. When a
    /// thousand breakers have a slot there is none left, and everybody asks; so they do for a breaker of keys.
    pub fn shown(mut self, generations: Arc<dyn Generations>) -> Self {
        if self.keyed.is_none() {
            self.shown = Shown::new(generations);
            self.show();
        }
        self
    }

    /// The slot that shows it, if it has one.
    pub fn slot(&self) -> Option<u32> {
        self.shown.as_ref().map(|shown| shown.slot)
    }

    /// Show where it stands: the generation plus one while it is closed, else zero. To be called once more in an environment
    /// that came later.
    pub fn show(&self) {
        self.circuit.settle(|control| {
            let Shown { slot, generations } = self.shown.as_ref()?;
            let enters_freely = control.state() == State::Closed && !self.life.has_ended();
            generations.show(*slot, if enters_freely { control.generation() as i32 + 1 } else { 0 });
            enters_freely.then(|| control.generation())
        });
    }

    /// End it, for every handle.
    pub fn end(&self) {
        self.life.end();
        self.show();
    }

    /// Whether a clock that is ten milliseconds behind is good enough for an exit: every span is much longer.
    pub fn bears_coarse_time(&self) -> bool {
        let tenth = match self.config.window {
            WindowConfig::Ms(ms) => ms / 10.0,
            WindowConfig::Calls(_) => f64::INFINITY,
        };
        tenth.min(self.config.open.for_ms).min(self.config.probe_timeout_ms) >= COARSE
    }

    /// What it is made of.
    pub fn config(&self) -> &BreakerConfig {
        &self.config
    }

    /// Whether it is open to callers at all.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Where it stands; with keys, the circuit that belongs to none.
    pub fn state(&self) -> State {
        self.circuit.state()
    }

    /// Where a key stands.
    pub fn state_of(&self, key: Fingerprint) -> State {
        let known = self.keyed.as_ref().and_then(|keyed| keyed.known(key, |_, circuit| circuit.state()));
        known.unwrap_or(State::Closed)
    }

    /// The control word, for vectors and tests.
    pub fn control(&self) -> Control {
        self.circuit.control()
    }

    /// Refuse every call until reset.
    pub fn isolate(&self) {
        self.force(State::Isolated);
    }

    /// Close and forget.
    pub fn reset(&self) {
        self.force(State::Closed);
    }

    fn force(&self, to: State) {
        let from = self.circuit.force(to);
        self.after(None, Moved { from, to });
    }

    /// Refuse every call of a key until it is reset. False if there is no place for it.
    pub fn isolate_key(&self, key: Fingerprint, text: impl FnOnce() -> KeyText, now: Nanos) -> bool {
        let force = |_, text: &KeyText, circuit: &Circuit| (told(text), circuit.force(State::Isolated));
        let forced = self.keyed.as_ref().and_then(|keyed| keyed.of_key(&self.rules, key, text, now, force));
        forced.map(|(text, from)| self.after(Some(text), Moved { from, to: State::Isolated })).is_some()
    }

    /// Close and forget a key.
    pub fn reset_key(&self, key: Fingerprint) {
        let force = |text: &KeyText, circuit: &Circuit| (told(text), circuit.force(State::Closed));
        if let Some((text, from)) = self.keyed.as_ref().and_then(|keyed| keyed.known(key, force)) {
            self.after(Some(text), Moved { from, to: State::Closed });
        }
    }

    /// After a change, which may have been none of the state: show it, count it and tell of it.
    fn after(&self, key: Option<Arc<[u16]>>, moved: Moved) {
        if key.is_none() {
            self.show();
        }
        if moved.from == moved.to {
            return;
        }
        {
            let mut transitions = self.transitions.lock();
            match moved.to {
                State::Open => transitions.opened += 1,
                State::HalfOpen => transitions.half_opened += 1,
                State::Closed => transitions.closed += 1,
                State::Isolated => transitions.isolated += 1,
            }
        }
        let witnesses: Vec<_> = self.witnesses.lock().iter().map(|(_, witness)| witness.clone()).collect();
        let transition = Transition { key, moved };
        for witness in witnesses {
            witness.told(&transition);
        }
    }

    /// State and counters at `now`.
    pub fn report(&self, now: Nanos) -> BreakerReport {
        let [ok, failed, ignored, refused, stale] = self.tally.sums();
        let (mut window, (mut keys, mut open_keys)) = (WindowReport::default(), (0, 0));
        let (sums, uncounted) = self.circuit.sums(now);
        window.add(sums);
        if let Some(keyed) = &self.keyed {
            keyed.each(|_, circuit| {
                keys += 1;
                open_keys += u64::from(circuit.state() != State::Closed);
                window.add(circuit.sums(now).0);
            });
        }
        BreakerReport {
            config: self.config.clone(),
            provenance: self.config.provenance.clone(),
            state: self.keyed.is_none().then(|| self.state().as_str()),
            window,
            ok: ok + uncounted,
            failed,
            ignored,
            refused,
            stale,
            transitions: *self.transitions.lock(),
            keys,
            open_keys,
            overflowed: self.overflowed.load(Relaxed),
        }
    }

    /// All that has to be known to go on elsewhere, as JSON: a circuit, or `{ keys }` with one for each key that is not as good as
    /// new.
    pub fn save(&self, now: Nanos) -> String {
        let json = |circuit: &Circuit| serde_json::to_string(&circuit.save(now)).unwrap_or_default();
        let Some(keyed) = &self.keyed else { return json(&self.circuit) };
        let mut keys = Vec::new();
        keyed.each(|text, circuit| {
            if circuit.state() != State::Closed || circuit.sums(now).0.calls > 0 {
                keys.push(format!(r#"{{"key":{},"circuit":{}}}"#, quoted(text), json(circuit)));
            }
        });
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    /// Go on from what was written down `elapsed_ms` ago.
    pub fn restore(&self, saved: &Saved, elapsed_ms: f64, now: Nanos) {
        self.after(None, self.circuit.restore(saved, elapsed_ms, now));
    }

    /// The same for a key. False if there is no place for it.
    pub fn restore_key(
        &self,
        key: Fingerprint,
        text: impl FnOnce() -> KeyText,
        saved: &Saved,
        elapsed_ms: f64,
        now: Nanos,
    ) -> bool {
        let restore = |_, text: &KeyText, circuit: &Circuit| (told(text), circuit.restore(saved, elapsed_ms, now));
        let restored = self.keyed.as_ref().and_then(|keyed| keyed.of_key(&self.rules, key, text, now, restore));
        restored.map(|(text, moved)| self.after(Some(text), moved)).is_some()
    }
}

fn millis(from: f64) -> Millis {
    from.max(1.0) as Millis
}

fn told(text: &KeyText) -> Arc<[u16]> {
    Arc::from(&**text)
}

/// A key as a JSON string, lone surrogates included: only escapes can hold those.
fn quoted(text: &KeyText) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for unit in text {
        match u8::try_from(*unit) {
            Ok(byte @ (b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')) => json.push(char::from(byte)),
            _ => json.push_str(&format!("\\u{unit:04x}")),
        }
    }
    json.push('"');
    json
}

/// One thread's way to a breaker.
pub struct BreakerHandle {
    breaker: Arc<Breaker>,
    stripe: Arc<Stripe<5>>,
    counter: Cell<Option<usize>>,
    witness: Cell<Option<usize>>,
    one_thread: PhantomData<Cell<()>>,
}

impl BreakerHandle {
    /// A handle with counters of its own.
    pub fn new(breaker: Arc<Breaker>) -> Self {
        BreakerHandle {
            stripe: breaker.tally.stripe(),
            breaker,
            counter: Cell::new(None),
            witness: Cell::new(None),
            one_thread: PhantomData,
        }
    }

    /// The breaker itself.
    pub fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Who has this handle counts calls that ended well here from now on, as long as the slot shows their generation and
    /// [`BreakerHandle::turn`] allows.
    pub fn count_with(&self, counter: Box<dyn OkCounter>) {
        self.counter.set(Some(self.breaker.circuit.join(counter)));
    }

    /// The counter counts for this moment from here on; for how long, until it has to say so again.
    pub fn turn(&self, now: Nanos) -> Nanos {
        self.counter.get().map_or(0, |counter| self.breaker.circuit.turn(counter, now))
    }

    /// Who has this handle wants to know of transitions.
    pub fn attend(&self, witness: Arc<dyn Witness>) {
        self.witness.set(Some(self.breaker.witnesses.lock().insert(witness)));
    }

    /// Ask to enter.
    pub fn enter(&self, now: Nanos) -> Entry {
        let (entry, moved) = self.breaker.circuit.enter(now);
        self.entered(entry, None, moved)
    }

    /// Ask to enter for a key; also the place to come back to. A key that finds none shares one circuit with its like.
    pub fn enter_key(&self, key: Fingerprint, text: impl FnOnce() -> KeyText, now: Nanos) -> (Entry, u32) {
        let Breaker { keyed, rules, overflowed, .. } = &*self.breaker;
        let enter = |number, text: &KeyText, circuit: &Circuit| {
            let (entry, moved) = circuit.enter(now);
            (entry, number, moved.map(|moved| (told(text), moved)))
        };
        let Some((entry, number, moved)) = keyed.as_ref().and_then(|keyed| keyed.of_key(rules, key, text, now, enter))
        else {
            overflowed.fetch_add(1, Relaxed);
            return (self.enter(now), NO_PLACE);
        };
        let (text, moved) = moved.unzip();
        (self.entered(entry, text, moved), number)
    }

    fn entered(&self, entry: Entry, key: Option<Arc<[u16]>>, moved: Option<Moved>) -> Entry {
        if let Entry::Refused(_) = entry {
            self.stripe.add(REFUSED, 1);
        }
        if let Some(moved) = moved {
            self.breaker.after(key, moved);
        }
        entry
    }

    /// Come back with a permit of `generation`, after `took_ms` milliseconds.
    pub fn exit(&self, generation: u32, outcome: Outcome, took_ms: f64, now: Nanos) {
        let Breaker { circuit, rules, .. } = &*self.breaker;
        let exited = circuit.exit(rules, generation, outcome, took_ms, now);
        self.exited(exited, None, outcome);
    }

    /// Who was let in with `generation` does not begin: as if nobody had asked.
    pub fn withdraw(&self, generation: u32, now: Nanos) {
        let Breaker { circuit, rules, .. } = &*self.breaker;
        let exited = circuit.exit(rules, generation, Outcome::Ignore, 0.0, now);
        debug_assert!(!matches!(exited, Exited::Moved(_)), "who decides nothing moves nothing");
    }

    /// The same as [`BreakerHandle::exit`], to the place that [`BreakerHandle::enter_key`] answered.
    pub fn exit_at(&self, place: u32, generation: u32, outcome: Outcome, took_ms: f64, now: Nanos) {
        if place == NO_PLACE {
            return self.exit(generation, outcome, took_ms, now);
        }
        let Breaker { keyed, rules, .. } = &*self.breaker;
        let exit = |text: &KeyText, circuit: &Circuit| {
            let exited = circuit.exit(rules, generation, outcome, took_ms, now);
            (exited, matches!(exited, Exited::Moved(_)).then(|| told(text)))
        };
        let exited = keyed.as_ref().and_then(|keyed| keyed.at(place, exit));
        let (exited, text) = exited.unwrap_or((Exited::Stale, None));
        self.exited(exited, text, outcome);
    }

    fn exited(&self, exited: Exited, key: Option<Arc<[u16]>>, outcome: Outcome) {
        let counter = match outcome {
            _ if exited == Exited::Stale => STALE,
            Outcome::Ok => OK,
            Outcome::Fail => FAILED,
            Outcome::Ignore => IGNORED,
        };
        self.stripe.add(counter, 1);
        if let Exited::Moved(moved) = exited {
            self.breaker.after(key, moved);
        }
    }
}

impl Drop for BreakerHandle {
    fn drop(&mut self) {
        if let Some(counter) = self.counter.get() {
            self.breaker.circuit.part(counter);
        }
        if let Some(witness) = self.witness.get() {
            let gone = self.breaker.witnesses.lock().try_remove(witness);
            drop(gone);
        }
    }
}
