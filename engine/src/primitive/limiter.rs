//! The limiter: limits over capped cells, and keys that are blocked. Owns configuration, counters, what a refund may give back
//! and that several limits are charged all or none. Never throws for a "no", and never writes on one.

use super::life::Life;
use super::limit::{Counting, Limit, LimitConfig, LimitReport, Plan, Taken};
use super::tally::{Stripe, Tally};
use crate::clock::{Moment, Nanos};
use crate::error::{Code, Fault};
use crate::policy::rate::{Answer, Verdict};
use crate::policy::{Step, Ticks};
use crate::store::cells::Cells;
use crate::store::fingerprint::Fingerprint;
use serde::Serialize;
use smallvec::SmallVec;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

/// What a limiter is made of. All of its limits pass, or none is charged.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LimiterConfig {
    /// At least one.
    pub limits: Vec<LimitConfig>,
}

const ALLOWED: usize = 0;
const LIMITED: usize = 1;
const BLOCKED: usize = 2;
const SHADOWED: usize = 3;

/// One limiter, shared by all threads.
pub struct Limiter {
    config: LimiterConfig,
    /// As many as in the configuration.
    limits: Box<[Limit]>,
    /// What its limits go by.
    reads: Reads,
    /// Keys that are blocked, with the time until when. Made by the first block.
    blocks: OnceLock<Cells>,
    tally: Tally<4>,
    life: Life,
}

/// What a snapshot says of a limiter.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimiterReport {
    limits: Vec<LimitReport>,
    /// Cells of all limits.
    keys: usize,
    /// Keys that are blocked, or were and have not been looked at since.
    blocked_keys: usize,
    allowed: u64,
    limited: u64,
    blocked: u64,
    shadowed: u64,
    overflowed: u64,
    bytes: usize,
}

/// Which clocks a limiter goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The monotonic one.
    pub mono: bool,
    /// The calendar's.
    pub wall: bool,
}

/// Why an answer is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Charged.
    Allowed,
    /// A limit is reached.
    Limited,
    /// The cost is more than a limit ever frees.
    Impossible,
    /// The key is blocked.
    Blocked,
}

/// What a limiter, or several, answered. The numbers are those of the tightest limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the tightest limit said.
    pub reason: Reason,
    /// Whether the call goes through only because whoever denied it is in shadow.
    pub shadowed: bool,
    /// Which of the charges spoke, and which limit of its limiter.
    pub spoke: (usize, usize),
    /// The numbers.
    pub verdict: Verdict,
}

impl Decision {
    /// Whether the call goes through.
    pub fn ok(&self) -> bool {
        self.reason == Reason::Allowed || self.shadowed
    }
}

/// Units of one key of one limiter.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Who is asked.
    pub handle: &'a LimiterHandle,
    /// Whose units.
    pub key: Fingerprint,
    /// How many.
    pub cost: u32,
    /// Another rate than the limiter's own, for this key.
    pub plan: Option<&'a Plan>,
}

/// Until when a key is blocked.
struct Block {
    until: Ticks,
}

impl Step for Block {
    type Verdict = ();

    fn apply(&self, _word: u64, _now: Ticks) -> (u64, ()) {
        (self.until, ())
    }

    fn expired(&self, word: u64, now: Ticks) -> bool {
        word <= now
    }
}

/// Looks at a block without changing it.
struct Blocked;

impl Step for Blocked {
    type Verdict = Ticks;

    fn apply(&self, word: u64, now: Ticks) -> (u64, Ticks) {
        (word, word.saturating_sub(now))
    }

    fn expired(&self, word: u64, now: Ticks) -> bool {
        word <= now
    }
}

impl Limiter {
    /// A limiter nobody has asked yet.
    pub fn new(config: LimiterConfig) -> Result<Self, Fault> {
        if config.limits.is_empty() {
            return Err(Fault::new(Code::Option, "a limiter needs at least one limit"));
        }
        let limits = config.limits.iter().map(Limit::new).collect::<Result<Box<[_]>, _>>()?;
        Ok(Limiter {
            reads: Reads {
                mono: limits.iter().any(|limit| !limit.is_calendar()),
                wall: limits.iter().any(Limit::is_calendar),
            },
            limits,
            blocks: OnceLock::new(),
            config,
            tally: Tally::default(),
            life: Life::default(),
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &LimiterConfig {
        &self.config
    }

    /// Whether it is open.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// Bytes of its cells.
    pub fn bytes(&self) -> usize {
        self.limits.iter().map(Limit::bytes).sum::<usize>() + self.blocks.get().map_or(0, Cells::bytes)
    }

    /// Which clocks whoever asks it has to read.
    #[inline]
    pub fn reads(&self) -> Reads {
        Reads { mono: self.reads.mono || self.blocks.get().is_some(), wall: self.reads.wall }
    }

    /// Whether units can be reserved: every limit is a token bucket.
    pub fn is_reservable(&self) -> bool {
        !self.reads.wall
    }

    /// Another rate for some keys. Only a limiter of one limit has plans; of several, each would need its own.
    pub fn plan(&self, limit: Option<u32>, window_ms: Option<f64>, burst: Option<u32>) -> Result<Plan, Fault> {
        match &*self.limits {
            [one] => one.plan(limit, window_ms, burst),
            _ => Err(Fault::new(Code::Option, "a limiter of several limits takes no override")),
        }
    }

    /// State and counters.
    pub fn report(&self) -> LimiterReport {
        let [allowed, limited, blocked, shadowed] = self.tally.sums();
        LimiterReport {
            limits: self.limits.iter().map(Limit::report).collect(),
            keys: self.limits.iter().map(Limit::keys).sum(),
            blocked_keys: self.blocks.get().map_or(0, Cells::len),
            allowed,
            limited,
            blocked,
            shadowed,
            overflowed: self.limits.iter().map(Limit::overflowed).sum(),
            bytes: self.bytes(),
        }
    }

    /// How much longer the key is blocked, if it is.
    #[inline]
    fn blocked_for(&self, key: Fingerprint, now: Moment) -> Option<Nanos> {
        let blocks = self.blocks.get()?;
        // A caller that has not read the clock asked before the first block was there.
        if now.mono == 0 {
            return None;
        }
        blocks.look(key, now.mono, || Blocked).filter(|wait| *wait > 0)
    }
}

/// One thread's way to a limiter.
pub struct LimiterHandle {
    limiter: Arc<Limiter>,
    stripe: Arc<Stripe<4>>,
    /// The stripe has one writer: a handle may move to another thread, but never be used by two.
    one_thread: PhantomData<Cell<()>>,
}

impl LimiterHandle {
    /// A handle with counters of its own.
    pub fn new(limiter: Arc<Limiter>) -> Self {
        LimiterHandle { stripe: limiter.tally.stripe(), limiter, one_thread: PhantomData }
    }

    /// The limiter itself.
    pub fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// Spend `cost` units of `key`. None only for a store without room, which does not exist.
    #[inline]
    pub fn consume(&self, key: Fingerprint, cost: u32, now: Moment) -> Option<Decision> {
        match &*self.limiter.limits {
            [limit] if !limit.is_shadow() && self.limiter.blocks.get().is_none() => {
                let verdict = limit.counting(None).charge(key, cost, None, now)?;
                let reason = Reason::of(verdict.answer);
                self.stripe.add(if reason == Reason::Allowed { ALLOWED } else { LIMITED }, 1);
                Some(Decision { reason, shadowed: false, spoke: (0, 0), verdict })
            }
            _ => consume_all(&[Ask { handle: self, key, cost, plan: None }], now),
        }
    }

    /// What `consume` would answer, spending nothing. What is left is what is left now.
    pub fn peek(&self, key: Fingerprint, cost: u32, plan: Option<&Plan>, now: Moment) -> Option<Decision> {
        let ask = Ask { handle: self, key, cost, plan };
        if let Some(blocked) = ask.blocked(0, now) {
            return Some(blocked);
        }
        let mut tally = Bench::default();
        for (index, part) in ask.parts(0).enumerate() {
            let asked = part.counting.look(key, cost, None, now)?;
            let held = part.counting.look(key, 0, None, now)?;
            tally.note(
                (0, index),
                part.limit.is_shadow(),
                Verdict { remaining: held.remaining, reset: held.reset, ..asked },
            );
        }
        tally.decision()
    }

    /// Spend `cost` units as soon as they are free, if that is within `patience`. Only for a limiter whose limits are all token
    /// buckets; None otherwise.
    pub fn reserve(&self, key: Fingerprint, cost: u32, patience: Nanos, now: Moment) -> Option<Decision> {
        if !self.limiter.is_reservable() {
            return None;
        }
        take(&[Ask { handle: self, key, cost, plan: None }], Some(patience), now)
    }

    /// Give back a charge of `ask` made at `charged_at`, less what has refilled since. Where a limit in shadow had denied it, no
    /// such limit gets anything: which of them was charged is not known.
    pub fn refund(ask: Ask<'_>, shadowed: bool, charged_at: Moment, now: Moment) {
        for part in ask.parts(0).filter(|part| !(shadowed && part.limit.is_shadow())) {
            part.counting.refund(part.key, part.cost, charged_at, now);
        }
    }

    /// Forget the key. A block of it stays.
    pub fn reset(&self, key: Fingerprint, now: Moment) {
        for limit in &self.limiter.limits {
            limit.reset(key, now);
        }
    }

    /// Deny the key everything until `until`, on the monotonic clock. False if more keys are blocked than the limiter may hold.
    pub fn block(&self, key: Fingerprint, until: Nanos, now: Moment) -> bool {
        let max_keys = self.limiter.config.limits.iter().map(|limit| limit.max_keys).max().unwrap_or(1);
        let blocks = self.limiter.blocks.get_or_init(|| Cells::exact(max_keys as usize));
        blocks.update(key, now.mono, || Block { until }).is_some()
    }

    /// Lift the block of a key. Whether there was one.
    pub fn unblock(&self, key: Fingerprint, now: Moment) -> bool {
        let was = self.limiter.blocked_for(key, now).is_some();
        if let Some(blocks) = self.limiter.blocks.get() {
            blocks.remove(key);
        }
        was
    }
}

impl Reason {
    fn of(answer: Answer) -> Self {
        match answer {
            Answer::Allowed => Reason::Allowed,
            Answer::Limited => Reason::Limited,
            Answer::Impossible => Reason::Impossible,
        }
    }
}

/// One limit that an ask concerns.
struct Part<'a> {
    limit: &'a Limit,
    counting: Counting<'a>,
    key: Fingerprint,
    cost: u32,
    /// Which ask it belongs to, and which limit of it it is.
    place: (usize, usize),
}

impl<'a> Ask<'a> {
    fn parts(&self, index: usize) -> impl Iterator<Item = Part<'a>> {
        let Ask { handle, key, cost, plan } = *self;
        handle.limiter.limits.iter().enumerate().map(move |(which, limit)| Part {
            limit,
            counting: limit.counting(plan),
            key,
            cost,
            place: (index, which),
        })
    }

    fn blocked(&self, index: usize, now: Moment) -> Option<Decision> {
        let wait = self.handle.limiter.blocked_for(self.key, now)?;
        let verdict = Verdict { answer: Answer::Limited, remaining: 0, retry_after: wait, reset: wait, wait: 0 };
        let shadowed = self.handle.limiter.limits.iter().all(Limit::is_shadow);
        Some(Decision { reason: Reason::Blocked, shadowed, spoke: (index, 0), verdict })
    }
}

/// The verdicts so far: the tightest, and the one that denies.
#[derive(Default)]
struct Bench {
    tightest: Option<Spoken>,
    denies: Option<Spoken>,
    shadow_denies: Option<Spoken>,
}

#[derive(Clone, Copy)]
struct Spoken {
    place: (usize, usize),
    verdict: Verdict,
}

impl Bench {
    fn note(&mut self, place: (usize, usize), in_shadow: bool, verdict: Verdict) {
        let spoken = Spoken { place, verdict };
        if verdict.answer != Answer::Allowed {
            let denies = if in_shadow { &mut self.shadow_denies } else { &mut self.denies };
            if denies.is_none_or(|before| spoken.denies_longer_than(&before)) {
                *denies = Some(spoken);
            }
        } else if self.tightest.is_none_or(|before| spoken.is_tighter_than(&before)) {
            self.tightest = Some(spoken);
        }
    }

    fn decision(self) -> Option<Decision> {
        let shadowed = self.denies.is_none() && self.shadow_denies.is_some();
        let Spoken { place, verdict } = self.denies.or(self.shadow_denies).or(self.tightest)?;
        Some(Decision { reason: Reason::of(verdict.answer), shadowed, spoke: place, verdict })
    }
}

impl Spoken {
    /// Who waits for the longest denial is admitted by every other.
    fn denies_longer_than(&self, other: &Spoken) -> bool {
        let key = |spoken: &Spoken| (spoken.verdict.answer == Answer::Impossible, spoken.verdict.retry_after);
        key(self) > key(other)
    }

    fn is_tighter_than(&self, other: &Spoken) -> bool {
        let (one, two) = (&self.verdict, &other.verdict);
        (one.remaining, std::cmp::Reverse((one.wait, one.reset)))
            < (two.remaining, std::cmp::Reverse((two.wait, two.reset)))
    }
}

/// Spend units of several keys of several limiters: all or nothing. The decision counts with whoever denied, or with all.
///
/// Limits are charged in order, and on a denial given back at the same moment: another thread may be denied in between, never
/// admitted too much. None if nothing is asked.
pub fn consume_all(asks: &[Ask<'_>], now: Moment) -> Option<Decision> {
    take(asks, None, now)
}

fn take(asks: &[Ask<'_>], patience: Option<Nanos>, now: Moment) -> Option<Decision> {
    let count = |index: usize, counter| {
        if let Some(ask) = asks.get(index) {
            ask.handle.stripe.add(counter, 1);
        }
    };
    let mut blocked_in_shadow = None;
    for (index, ask) in asks.iter().enumerate() {
        match ask.blocked(index, now) {
            Some(decision) if decision.shadowed => blocked_in_shadow = Some(decision),
            Some(decision) => {
                count(index, BLOCKED);
                return Some(decision);
            }
            None => {}
        }
    }
    let mut bench = Bench::default();
    let mut taken: SmallVec<[(Part<'_>, Taken); 4]> = SmallVec::new();
    for part in asks.iter().enumerate().flat_map(|(index, ask)| ask.parts(index)) {
        let Part { limit, counting, key, cost, place } = part;
        if bench.denies.is_some() {
            // Once one has denied, the others are only asked how long they would.
            bench.note(place, limit.is_shadow(), counting.look(key, cost, patience, now)?);
            continue;
        }
        let before = counting.before(key);
        let verdict = counting.charge(key, cost, patience, now)?;
        bench.note(place, limit.is_shadow(), verdict);
        if verdict.answer == Answer::Allowed {
            taken.push((part, counting.taken(before, &verdict, now)));
        } else if bench.denies.is_some() {
            for (part, taken) in taken.drain(..) {
                part.counting.undo(part.key, part.cost, taken, now);
            }
        }
    }
    let mut decision = bench.decision()?;
    if let Some(blocked) = blocked_in_shadow.filter(|_| decision.reason == Reason::Allowed) {
        decision = blocked;
    }
    match decision {
        Decision { shadowed: true, spoke: (index, _), .. } => count(index, SHADOWED),
        Decision { reason: Reason::Allowed, .. } => {}
        Decision { spoke: (index, _), .. } => count(index, LIMITED),
    }
    if decision.ok() {
        for index in 0..asks.len() {
            if !(decision.shadowed && decision.spoke.0 == index) {
                count(index, ALLOWED);
            }
        }
    }
    Some(decision)
}
