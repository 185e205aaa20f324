//! What a limiter over Redis is asked. Owns how its decisions are left for JavaScript, those of this moment and those that Redis
//! answers later. Never waits for one.
//!
//! A callback answers a boolean, ok, when it was decided at once; the number of an ask when Redis was asked; `undefined` in trouble.
//! Left beside a decision, and with the answer of an ask: remaining, retryAfterMs, resetMs, who spoke, the date of the charge, by whom
//! it was decided, waitMs. The code of such an answer is 1 for ok. What is no decision ends with the code 0 when it was done,
//! 1 when nothing was sent, 2 when nobody knows.

use crate::environment::{Handle, typed_array};
use crate::hot::limiter::whole;
use crate::hot::{Call, Callback, Reply, Trouble, enter, fingerprint};
use crate::mailbox::{Answer, NUMBERS, Payload, Sender};
use napi::sys;
use smallvec::SmallVec;
use spillway_engine::clock::{MILLI, Moment, Nanos, millis_up, monotonic, wall};
use spillway_engine::primitive::remote::limiter::{
    self, RemoteAsk, RemoteDecision, RemoteLimiter, RemotePlan, RemoteReason,
};
use spillway_engine::redis;
use spillway_engine::store::fingerprint::Key;
use std::sync::Arc;

/// Numbers of a decision, and of a row of `farConsumeMany`. `lib/remote-decision.js` has the same.
const ROW: usize = 7;

/// How many charges may be made together, at most.
const CHARGES: usize = 8;

/// Who is refused without a time comes again after so long.
const AGAIN_MS: f64 = 1_000.0;

/// Codes of what is no decision.
const DONE: i32 = 0;
const NOT_ASKED: i32 = 1;
const UNKNOWN: i32 = 2;

type Limiter = Arc<RemoteLimiter>;

impl<const N: usize> Call<'_, N> {
    /// A limiter over Redis that has not ended.
    #[inline]
    fn far<R>(&self, body: impl FnOnce(&Limiter) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| body(live(handle)?))
    }

    /// A limiter and the key in the second argument.
    #[inline]
    fn far_keyed<R>(&self, body: impl FnOnce(&Limiter, Key<'_>) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.with_key(self.argument(1), |key| self.far(|limiter| body(limiter, key)))
    }

    /// The override in three arguments from `index` on, each maybe undefined.
    fn far_plan(&self, index: usize, limiter: &Limiter) -> Result<Option<RemotePlan>, Trouble> {
        let [limit, window_ms, burst] = [0, 1, 2].map(|more| self.number(index + more));
        if limit.is_none() && window_ms.is_none() && burst.is_none() {
            return Ok(None);
        }
        // JavaScript has seen to it that both are whole and fit.
        let whole = |number: Option<f64>| number.map(|number| number as u32);
        limiter.plan(whole(limit), window_ms, whole(burst)).map(Some).map_err(|_| Trouble::Plan)
    }

    /// Ask for a decision; or answer it, if it was made at once.
    fn decided_by(&self, ask: impl FnOnce(Told) -> Option<RemoteDecision>) -> Reply {
        let (number, sender) = self.environment.ask(self.env).ok_or(Trouble::Internal)?;
        match ask(Told(sender)) {
            Some(decision) => self.decided_at_once(&decision),
            None => self.integer(i64::from(number)),
        }
    }

    #[inline]
    fn decided_at_once(&self, decision: &RemoteDecision) -> Reply {
        self.environment.leave_all(0, row(decision));
        self.boolean(decision.ok)
    }

    /// Ask for what is no decision. `ask` answers whether there was nothing to ask.
    fn done_by(&self, ask: impl FnOnce(Sender) -> bool) -> Reply {
        let (number, sender) = self.environment.ask(self.env).ok_or(Trouble::Internal)?;
        if ask(sender) { self.boolean(true) } else { self.integer(i64::from(number)) }
    }
}

/// Where a decision is told.
struct Told(Sender);

impl Told {
    fn of(self, decision: &RemoteDecision) {
        let mut numbers = [0.0; NUMBERS];
        for (number, left) in numbers.iter_mut().zip(row(decision)) {
            *number = left;
        }
        self.0.answer(Answer { code: i32::from(decision.ok), numbers, payload: None });
    }
}

fn live(handle: &Handle) -> Result<&Limiter, Trouble> {
    match handle {
        Handle::RemoteLimiter(limiter) if !limiter.life().has_ended() => Ok(limiter),
        _ => Err(Trouble::Disposed),
    }
}

/// Both clocks: what Redis has said is dated on the one, windows of the calendar go by the other.
#[inline]
fn now() -> Moment {
    Moment { mono: monotonic(), wall: wall() }
}

/// What is left of a decision. Who spoke: `charge | limit:6 | shadowed:1 | reason:3`.
#[inline]
fn row(decision: &RemoteDecision) -> [f64; ROW] {
    let RemoteDecision { reason, shadowed, spoke: (asked, limit), verdict, by, charge, .. } = decision;
    let spoke = asked << 10 | limit << 4 | usize::from(*shadowed) << 3 | *reason as usize;
    let retry_after = match reason {
        RemoteReason::Allowed => 0.0,
        RemoteReason::Impossible => f64::INFINITY,
        _ if decision.ok && !shadowed => 0.0,
        // Of this moment nobody knows when it ends; "at once" would be wrong in any case.
        RemoteReason::Unavailable if verdict.retry_after == 0 => AGAIN_MS,
        _ => millis_up(verdict.retry_after) as i64 as f64,
    };
    let [wait, reset] = [verdict.wait, verdict.reset].map(|span| millis_up(span) as i64 as f64);
    let by = f64::from(*by as u8);
    [f64::from(verdict.remaining), retry_after, reset, spoke as f64, date_of(*charge), by, wait]
}

/// The two numbers of a charge as one: whole microseconds below 2^51, and in quarters of one who made it, of three.
#[inline]
fn date_of([date, by]: [f64; 2]) -> f64 {
    date + by / 4.0
}

fn charge_of(date: f64) -> [f64; 2] {
    [date.trunc(), date.fract() * 4.0]
}

/// How what is no decision has ended; `found` is left.
fn told<T>(sender: Sender, result: Result<T, redis::Trouble>, found: impl FnOnce(T) -> f64) {
    let mut numbers = [0.0; NUMBERS];
    let code = match result {
        Ok(done) => {
            numbers[0] = found(done);
            DONE
        }
        Err(redis::Trouble::Down | redis::Trouble::Full) => NOT_ASKED,
        Err(_) => UNKNOWN,
    };
    sender.answer(Answer { code, numbers, payload: None });
}

/// `farConsume(id, key[, cost])`
unsafe extern "C" fn consume(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        call.with_key(call.argument(1), |key| {
            let cost = call.cost(2)?;
            call.far(|limiter| {
                let now = now();
                if let Some(decision) = limiter.decide(key, cost, now) {
                    return call.decided_at_once(&decision);
                }
                call.decided_by(|told| limiter.consume(key, cost, None, now, |decision| told.of(&decision)))
            })
        })
    })
}

/// `farConsumePlan(id, key, cost, limit, windowMs, burst)`
unsafe extern "C" fn consume_plan(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            let (cost, plan) = (call.cost(2)?, call.far_plan(3, limiter)?);
            call.decided_by(|told| limiter.consume(key, cost, plan.as_ref(), now(), |decision| told.of(&decision)))
        })
    })
}

/// `farPeek(id, key, cost, limit, windowMs, burst)`
unsafe extern "C" fn peek(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            let (cost, plan) = (call.cost(2)?, call.far_plan(3, limiter)?);
            call.decided_by(|told| limiter.peek(key, cost, plan.as_ref(), now(), |decision| told.of(&decision)))
        })
    })
}

/// `farReserve(id, key, cost, maxWaitMs)`; null where a limit is no token bucket
unsafe extern "C" fn reserve(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            let cost = call.cost(2)?;
            let patience = (call.given(3)? * MILLI as f64) as Nanos;
            if !limiter.is_reservable() {
                return call.null();
            }
            call.decided_by(|told| limiter.reserve(key, cost, patience, now(), |decision| told.of(&decision)))
        })
    })
}

/// `farRefund(id, key, cost, date, shadowed, limit, windowMs, burst)` → true if there was nothing to ask
unsafe extern "C" fn refund(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<8>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            let cost = call.cost(2)?;
            let charge = charge_of(call.given(3)?);
            let shadowed = call.given(4)? != 0.0;
            let plan = call.far_plan(5, limiter)?;
            call.done_by(|sender| {
                let end = |result| told(sender, result, |()| 1.0);
                limiter.refund(key, cost, plan.as_ref(), charge, shadowed, now(), end)
            })
        })
    })
}

/// `farReset(id, key)` → an ask
unsafe extern "C" fn reset(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            call.done_by(|sender| {
                limiter.reset(key, now(), |result| told(sender, result, |_| 1.0));
                false
            })
        })
    })
}

/// `farBlock(id, key, durationMs)` → an ask
unsafe extern "C" fn block(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            let duration = (call.given(2)? * MILLI as f64) as Nanos;
            call.done_by(|sender| {
                limiter.block(key, duration, now(), |result| told(sender, result, |_| 1.0));
                false
            })
        })
    })
}

/// `farUnblock(id, key)` → an ask. Left with its answer: whether it was blocked.
unsafe extern "C" fn unblock(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        call.far_keyed(|limiter, key| {
            call.done_by(|sender| {
                limiter.unblock(key, now(), |result| told(sender, result, |was| f64::from(u8::from(was))));
                false
            })
        })
    })
}

/// `farConsumeMany(id, rows, keys)` → true, with the decisions in the rows; or an ask, with them in the payload. A row holds the cost
/// before, and after it what is left of a decision, with ok in the place of waitMs.
unsafe extern "C" fn consume_many(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let units = call.elements(call.argument(2))?.map(|key| call.units(key).filter(|units| !units.is_empty()));
        let units = units.collect::<Option<Vec<_>>>().ok_or(Trouble::Key)?;
        call.far(|limiter| {
            // SAFETY: an argument of this call, whose data is aligned for its kind. Nothing runs JavaScript, or lets go of the array,
            // while the slice is used.
            let rows = unsafe {
                let (data, count) =
                    typed_array(env, call.argument(1), sys::TypedarrayType::float64_array).ok_or(Trouble::Internal)?;
                std::slice::from_raw_parts_mut(data.cast::<f64>(), count)
            };
            let cost = |row: &[f64]| whole(row.first().copied().unwrap_or(f64::NAN));
            let costs = rows.chunks_exact(ROW).map(cost).collect::<Result<Vec<_>, _>>()?;
            let keys = units.iter().map(|units| Key { fingerprint: fingerprint(units), units });
            let asks: Vec<_> = keys.zip(costs).collect();
            let (number, sender) = call.environment.ask(call.env).ok_or(Trouble::Internal)?;
            let answer = |decisions: Vec<RemoteDecision>| {
                let bytes = decisions.iter().flat_map(counted).flat_map(f64::to_ne_bytes).collect();
                sender.answer(Answer { payload: Some(Payload::Bytes(bytes)), ..Answer::default() });
            };
            let Some(decisions) = limiter.consume_many(&asks, now(), answer) else {
                return call.integer(i64::from(number));
            };
            for (left, decision) in rows.chunks_exact_mut(ROW).zip(&decisions) {
                left.copy_from_slice(&counted(decision));
            }
            call.boolean(true)
        })
    })
}

/// A row, with ok in the place of waitMs.
fn counted(decision: &RemoteDecision) -> [f64; ROW] {
    let [remaining, retry_after, reset, spoke, date, by, _] = row(decision);
    [remaining, retry_after, reset, spoke, date, by, f64::from(u8::from(decision.ok))]
}

/// `farConsumeAll(id, key, cost, …)`: up to eight charges, all of limiters over one Redis
unsafe extern "C" fn consume_all(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<{ 3 * CHARGES }>(env, info, |call| {
        let handles = call.environment.handles.borrow();
        let mut units: SmallVec<[Vec<u16>; CHARGES]> = SmallVec::new();
        let mut charges: SmallVec<[(&Limiter, u32); CHARGES]> = SmallVec::new();
        for at in (0..call.count).step_by(3) {
            let open = handles.get(call.id(at)?).ok_or(Trouble::Disposed)?;
            units.push(call.units(call.argument(at + 1)).filter(|units| !units.is_empty()).ok_or(Trouble::Key)?);
            charges.push((live(&open.handle)?, call.cost(at + 2)?));
        }
        let asks: SmallVec<[RemoteAsk<'_>; CHARGES]> = charges
            .iter()
            .zip(&units)
            .map(|((limiter, cost), units)| RemoteAsk {
                limiter,
                key: Key { fingerprint: fingerprint(units), units },
                cost: *cost,
            })
            .collect();
        call.decided_by(|told| limiter::consume_all(&asks, now(), |decision| told.of(&decision)))
    })
}

pub(in crate::hot) const CALLBACKS: &[(&str, Callback)] = &[
    ("farConsume", consume),
    ("farConsumePlan", consume_plan),
    ("farPeek", peek),
    ("farReserve", reserve),
    ("farRefund", refund),
    ("farReset", reset),
    ("farBlock", block),
    ("farUnblock", unblock),
    ("farConsumeMany", consume_many),
    ("farConsumeAll", consume_all),
];
