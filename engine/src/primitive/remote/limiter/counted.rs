//! Windows counted by plain commands: `INCRBY` in a cell of the window's own, by a step of which the limit fills 63 bits. Owns when
//! that is as exact as a script, and what to do where it is not. Never charges a call that is denied.
//!
//! A charge over the limit overflows and is refused by Redis itself, so a denial writes nothing, and none has to be given back. Only
//! calls of one unit go this way; those of more go by the script, which also says what is left. The first call in a window goes by the
//! script as well: it finds out about blocks and other applications' data, and gives the cell its end. And so does every call while
//! it is not certain which window it is by the clock of Redis: close to its end, or when that clock has not been heard lately.
//!
//! A charge whose connection was lost is not sent again: it may have been counted, so the key may be limited too early, never too late.

use super::RemoteLimiter;
use super::asking::{Outcome, Put, TRIES};
use super::decision::{By, RemoteDecision};
use super::measure::{MICRO, Measure};
use crate::clock::{MILLI, Moment};
use crate::policy::Ticks;
use crate::redis::{Again, Request, Trouble, Value};
use crate::store::fingerprint::Fingerprint;
use std::sync::Arc;

/// How long a cell outlives its window, as in the judges: what is late must not find a window of its own.
const GRACE: Ticks = 10_000_000;

/// A cell that is counted in.
struct Counting {
    key: Fingerprint,
    stem: Vec<u8>,
    cell: Vec<u8>,
    unit: u64,
    window: u64,
    /// To the end of the window, at most.
    left: Ticks,
    sent: Moment,
}

impl RemoteLimiter {
    /// Spend one unit of a limit whose windows are counted by plain commands.
    pub(super) fn count_plainly(
        self: &Arc<Self>,
        key: Fingerprint,
        stem: Vec<u8>,
        now: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let Some((measure, unit)) = self.measures.first().and_then(|only| Some((only, only.unit()?))) else { return };
        let certain = self.hours.window(measure.width(), now).filter(|&(window, _, due)| {
            // One of them hears the time again.
            !due && self.known.as_ref().is_some_and(|known| known.has(key, window))
        });
        let Some((window, left, _)) = certain else {
            return self.count_by_script(key, stem, now, answer);
        };
        let cell = measure.cell(&stem, window);
        let request = Request::command("INCRBY").arg(&cell).number(unit);
        let (this, slot) = (self.clone(), self.slot_of(&stem));
        let counting = Counting { key, stem, cell, unit, window, left, sent: now };
        self.send_to(request, slot, Again::No, now, move |reply| this.has_counted(counting, reply, answer));
    }

    fn has_counted(
        self: &Arc<Self>,
        counting: Counting,
        reply: Result<Value, Trouble>,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let Counting { key, unit, window, left, sent, .. } = counting;
        let Some(measure) = self.measures.first() else { return };
        let told = |this: &Self, spent: Option<u32>| {
            let verdict = measure.counted(spent, left);
            let date = (window * measure.width()).max(this.hours_now(sent));
            if spent.is_none() {
                this.remember_denial(key, 1, &verdict, sent);
            }
            this.counted(RemoteDecision::by_limit(0, false, verdict, By::Redis, date))
        };
        match reply {
            Ok(Value::Int(sum)) => {
                let sum = u64::try_from(sum).unwrap_or(0);
                let spent =
                    (sum % unit == 0).then(|| u32::try_from(sum / unit).unwrap_or(0)).filter(|&spent| spent > 0);
                match spent {
                    Some(spent) => {
                        if spent == 1 {
                            // It was there, and is gone: so this charge has made it anew, without an end.
                            self.expire(&counting, measure);
                        }
                        answer(told(self, Some(spent)));
                    }
                    None => {
                        self.doubt(key);
                        self.give_up(&counting);
                        let trouble = Trouble::Error("another application has data here".to_owned());
                        answer(self.instead(key, 1, false, sent, &trouble));
                    }
                }
            }
            Err(Trouble::Error(text)) if text.contains("overflow") => answer(told(self, None)),
            Err(Trouble::Error(_)) => {
                // Blocked, reset, or not ours: the script can tell.
                self.doubt(key);
                self.count_by_script(key, counting.stem, sent, answer);
            }
            other => {
                if let Err(Trouble::Late | Trouble::Lost) = other {
                    // Carried out late, it may find its cell gone.
                    self.expire(&counting, measure);
                }
                let trouble = other.err().unwrap_or(Trouble::Lost);
                answer(self.instead(key, 1, false, sent, &trouble));
            }
        }
    }

    fn count_by_script(
        self: &Arc<Self>,
        key: Fingerprint,
        stem: Vec<u8>,
        sent: Moment,
        answer: impl FnOnce(RemoteDecision) + Send + 'static,
    ) {
        let Some(measure) = self.measures.first() else { return };
        let put =
            Put { measure: measure.clone(), stem, cost: 1, least: 1, patience: 0, looks: false, sent, told: None };
        let this = self.clone();
        self.put(put, TRIES, move |put, outcome| {
            if let Ok((Outcome::Judged(judged), _)) = &outcome
                && judged.granted > 0
                && let Some(known) = &this.known
            {
                known.note(key, judged.found[0]);
            }
            let decision = match outcome.and_then(|(outcome, now)| this.judged(put, &outcome, now)) {
                Ok(decision) => {
                    if decision.reason == super::RemoteReason::Limited {
                        this.remember_denial(key, 1, &decision.verdict, sent);
                    }
                    this.counted(decision)
                }
                Err(trouble) => this.instead(key, 1, false, sent, &trouble),
            };
            answer(decision);
        });
    }

    fn hours_now(&self, sent: Moment) -> Ticks {
        self.hours.between(sent).map_or(0, |(earliest, ..)| earliest)
    }

    pub(super) fn doubt(&self, key: Fingerprint) {
        if let Some(known) = &self.known {
            known.doubt(key);
        }
    }

    /// See to it that the cell has an end. Nobody waits for that.
    fn expire(&self, Counting { cell, stem, left, .. }: &Counting, measure: &Measure) {
        let life = (left.min(&measure.width()) + GRACE).div_ceil(MILLI / MICRO);
        let now = (self.clocks)();
        let request = Request::command("PEXPIRE").arg(cell).number(life);
        self.send(request, stem, Again::Yes, Moment { mono: now.mono + 1_000 * MILLI, ..now }, |_| {});
    }

    /// Take back what was added to somebody else's number.
    fn give_up(&self, Counting { cell, stem, unit, .. }: &Counting) {
        let request = Request::command("DECRBY").arg(cell).number(*unit);
        self.send(request, stem, Again::No, (self.clocks)(), |_| {});
    }
}
