//! Charges that are made all or none: over the limits of one limiter, and over limiters. Owns whose verdict is told, and what is
//! undone. Never charges what was asked after a denial.

use super::counting::{Counting, Taken};
use super::limit::{Limit, Plan};
use super::limiter::{Count, LimiterHandle};
use crate::clock::{Moment, Nanos};
use crate::policy::rate::{Answer, Verdict};
use crate::store::fingerprint::Fingerprint;
use smallvec::SmallVec;

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

impl Reason {
    pub(super) fn of(answer: Answer) -> Self {
        match answer {
            Answer::Allowed => Reason::Allowed,
            Answer::Limited => Reason::Limited,
            Answer::Impossible => Reason::Impossible,
        }
    }
}

/// One limit that an ask concerns.
struct Part<'a> {
    counting: Counting<'a>,
    key: Fingerprint,
    cost: u32,
    /// Which ask it belongs to, and which limit of it it is.
    place: (usize, usize),
}

impl<'a> Ask<'a> {
    fn parts(&self, index: usize) -> impl Iterator<Item = Part<'a>> {
        let Ask { handle, key, cost, plan } = *self;
        handle.limiter().limits().iter().enumerate().map(move |(which, limit)| Part {
            counting: limit.counting(plan),
            key,
            cost,
            place: (index, which),
        })
    }

    fn blocked(&self, index: usize, now: Moment) -> Option<Decision> {
        let wait = self.handle.limiter().blocked_for(self.key, now)?;
        let verdict = Verdict { answer: Answer::Limited, remaining: 0, retry_after: wait, reset: wait, wait: 0 };
        let denies = self.handle.limiter().limits().iter().position(|limit| !limit.is_shadow());
        let spoke = (index, denies.unwrap_or(0));
        Some(Decision { reason: Reason::Blocked, shadowed: denies.is_none(), spoke, verdict })
    }
}

/// The verdicts so far: the tightest, and the one that denies.
#[derive(Default)]
pub(super) struct Bench {
    tightest: Option<Spoken>,
    denies: Option<Spoken>,
    /// The same of the limits in shadow, which speak only where no other has anything to say.
    shadow_tightest: Option<Spoken>,
    shadow_denies: Option<Spoken>,
}

#[derive(Clone, Copy)]
struct Spoken {
    place: (usize, usize),
    verdict: Verdict,
}

impl Bench {
    pub(super) fn note(&mut self, place: (usize, usize), in_shadow: bool, verdict: Verdict) {
        let spoken = Spoken { place, verdict };
        if verdict.answer != Answer::Allowed {
            let denies = if in_shadow { &mut self.shadow_denies } else { &mut self.denies };
            if denies.is_none_or(|before| spoken.denies_longer_than(&before)) {
                *denies = Some(spoken);
            }
        } else {
            let tightest = if in_shadow { &mut self.shadow_tightest } else { &mut self.tightest };
            if tightest.is_none_or(|before| spoken.is_tighter_than(&before)) {
                *tightest = Some(spoken);
            }
        }
    }

    pub(super) fn decision(self) -> Option<Decision> {
        let shadowed = self.denies.is_none() && self.shadow_denies.is_some();
        let Spoken { place, verdict } = self.denies.or(self.shadow_denies).or(self.tightest).or(self.shadow_tightest)?;
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

/// What charging would be answered with, one ask at a time, spending nothing. What is left is what is left now.
pub(super) fn peek(ask: Ask<'_>, now: Moment) -> Option<Decision> {
    if let Some(blocked) = ask.blocked(0, now) {
        return Some(blocked);
    }
    let mut bench = Bench::default();
    for Part { counting, key, cost, place } in ask.parts(0) {
        let asked = counting.look(key, cost, None, now)?;
        let held = counting.look(key, 0, None, now)?;
        bench.note(place, counting.is_shadow(), Verdict { remaining: held.remaining, reset: held.reset, ..asked });
    }
    bench.decision()
}

/// Give back a charge made at `charged_at`. Where a limit in shadow had denied it, no such limit gets anything: which of them was
/// charged is not known.
pub(super) fn refund(ask: Ask<'_>, shadowed: bool, charged_at: Moment, now: Moment) {
    for Part { counting, key, cost, .. } in ask.parts(0) {
        if !(shadowed && counting.is_shadow()) {
            counting.refund(key, cost, charged_at, now);
        }
    }
}

/// Spend units of several keys of several limiters: all or nothing. The decision counts with whoever denied, or with all.
///
/// Limits are charged in order, and on a denial given back at the same moment: another thread may be denied in between, never
/// admitted too much. None if nothing is asked.
pub fn consume_all(asks: &[Ask<'_>], now: Moment) -> Option<Decision> {
    if let [one, two] = asks
        && let Some(decision) = consume_both(one, two, now)
    {
        return Some(decision);
    }
    take(asks, None, now)
}

impl<'a> Ask<'a> {
    /// Its limit, where that is the only one, counts, and no more has to be known: no plan, no block, no sketch.
    fn simply(&self) -> Option<&'a Limit> {
        self.handle.only_limit().filter(|limit| self.plan.is_none() && !limit.overflows())
    }
}

/// The usual case in short: a user's limit and the organisation's, and both admit. None if it is another; then nothing is spent.
#[inline]
fn consume_both(one: &Ask<'_>, two: &Ask<'_>, now: Moment) -> Option<Decision> {
    let (user, organisation) = (one.simply()?, two.simply()?);
    let counting = user.counting(None);
    let before = counting.before();
    let first = counting.charge(one.key, one.cost, now).filter(|verdict| verdict.answer == Answer::Allowed)?;
    let second =
        organisation.counting(None).charge(two.key, two.cost, now).filter(|verdict| verdict.answer == Answer::Allowed);
    let Some(second) = second else {
        counting.undo(one.key, one.cost, counting.taken(before, &first, now), now);
        return None;
    };
    one.handle.count(Count::Allowed);
    two.handle.count(Count::Allowed);
    let (first, second) = (Spoken { place: (0, 0), verdict: first }, Spoken { place: (1, 0), verdict: second });
    let Spoken { place, verdict } = if second.is_tighter_than(&first) { second } else { first };
    Some(Decision { reason: Reason::Allowed, shadowed: false, spoke: place, verdict })
}

/// As [`consume_all`]; with patience, reserve.
pub(super) fn take(asks: &[Ask<'_>], patience: Option<Nanos>, now: Moment) -> Option<Decision> {
    let count = |index: usize, counter| {
        if let Some(ask) = asks.get(index) {
            ask.handle.count(counter);
        }
    };
    let (mut blocked_in_shadow, mut shared) = (None, false);
    for (index, ask) in asks.iter().enumerate() {
        shared |= ask.parts(index).any(|part| part.counting.overflows());
        match ask.blocked(index, now) {
            Some(decision) if decision.shadowed => blocked_in_shadow = Some(decision),
            Some(decision) => {
                count(index, Count::Blocked);
                return Some(decision);
            }
            None => {}
        }
    }
    let parts = || asks.iter().enumerate().flat_map(|(index, ask)| ask.parts(index));
    let mut bench = Bench::default();
    if shared {
        // What keys share cannot be given back: so nothing is taken unless all of it can be had.
        for Part { counting, key, cost, place } in parts() {
            let verdict = counting.look(key, cost, patience, now)?;
            if verdict.answer != Answer::Allowed {
                bench.note(place, counting.is_shadow(), verdict);
            }
        }
        if bench.denies.is_some() {
            let decision = bench.decision()?;
            count(decision.spoke.0, Count::Limited);
            return Some(decision);
        }
        bench = Bench::default();
    }
    let mut taken: SmallVec<[(Part<'_>, Taken); 4]> = SmallVec::new();
    for part in parts() {
        let Part { counting, key, cost, place } = part;
        if bench.denies.is_some() {
            // Once one has denied, the others are only asked how long they would.
            bench.note(place, counting.is_shadow(), counting.look(key, cost, patience, now)?);
            continue;
        }
        let before = counting.before();
        let verdict = match patience {
            None => counting.charge(key, cost, now)?,
            Some(patience) => counting.reserve(key, cost, patience, now)?,
        };
        bench.note(place, counting.is_shadow(), verdict);
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
        Decision { shadowed: true, spoke: (index, _), .. } => count(index, Count::Shadowed),
        Decision { reason: Reason::Allowed, .. } => {}
        Decision { spoke: (index, _), .. } => count(index, Count::Limited),
    }
    if decision.ok() {
        for index in 0..asks.len() {
            if !(decision.shadowed && decision.spoke.0 == index) {
                count(index, Count::Allowed);
            }
        }
    }
    Some(decision)
}
