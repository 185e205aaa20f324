//! What the limiter is asked on the hot path. Owns how a decision is left for JavaScript, and how its charge is dated.
//! Never reads a clock that no limit goes by.

use super::{Call, Callback, Reply, Trouble, enter, manual, manual_wall};
use crate::environment::{Handle, typed_array};
use napi::sys;
use smallvec::SmallVec;
use spillway_engine::clock::{MILLI, Moment, Nanos, millis_up, monotonic, wall};
use spillway_engine::policy::rate::{Answer, Verdict};
use spillway_engine::primitive::limit::Plan;
use spillway_engine::primitive::limiter::{Ask, Decision, Limiter, LimiterHandle, Reads, Reason, consume_all};

/// How many charges may be made together, at most.
const CHARGES: usize = 8;

/// Keys of one `limiterConsumeMany`, at most. `lib/limiter.js` has the same number, and that of a row.
const MANY: usize = 64;

/// Numbers for each of those keys.
const ROW: usize = 6;

impl<const N: usize> Call<'_, N> {
    /// A limiter that has not ended, and what its charges are dated from.
    #[inline]
    fn limiter<R>(&self, body: impl FnOnce(&LimiterHandle, Moment) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.handle(|handle| {
            let (limiter, origin) = live(handle)?;
            body(limiter, origin)
        })
    }

    /// A cost that is left out is 1.
    #[inline]
    pub(super) fn cost(&self, index: usize) -> Result<u32, Trouble> {
        if self.count <= index {
            return Ok(1);
        }
        whole(self.number(index).ok_or(Trouble::Cost)?)
    }

    /// Now, on the clocks that are read; on a manual clock the two last arguments.
    #[inline]
    fn moment<const MANUAL: bool>(&self, reads: Reads) -> Result<Moment, Trouble> {
        self.moment_at::<MANUAL>(N - 2, reads)
    }

    #[inline]
    fn moment_at<const MANUAL: bool>(&self, index: usize, reads: Reads) -> Result<Moment, Trouble> {
        if MANUAL {
            return Ok(Moment { mono: manual(self.given(index)?), wall: manual_wall(self.given(index + 1)?) });
        }
        Ok(Moment { mono: if reads.mono { monotonic() } else { 0 }, wall: if reads.wall { wall() } else { 0 } })
    }

    /// The override in three arguments from `index` on, each maybe undefined.
    fn plan(&self, index: usize, limiter: &Limiter) -> Result<Option<Plan>, Trouble> {
        let [limit, window_ms, burst] = [0, 1, 2].map(|more| self.number(index + more));
        if limit.is_none() && window_ms.is_none() && burst.is_none() {
            return Ok(None);
        }
        // JavaScript has seen to it that both are whole and fit.
        let whole = |number: Option<f64>| number.map(|number| number as u32);
        limiter.plan(whole(limit), window_ms, whole(burst)).map(Some).map_err(|_| Trouble::Plan)
    }

    /// Leave what `decided` does, of the one limit there is.
    #[inline]
    fn answered(&self, verdict: Verdict, date: [f64; 2]) -> Reply {
        let reason = match verdict.answer {
            Answer::Allowed => 0.0,
            Answer::Limited => 1.0,
            Answer::Impossible => 2.0,
        };
        let [remaining, retry_after, reset] = numbers(&verdict);
        self.environment.leave_all(0, [remaining, retry_after, reset, reason, date[0], date[1]]);
        self.boolean(verdict.answer == Answer::Allowed)
    }

    /// Leave remaining, retryAfterMs, resetMs, who spoke, the charge's date, its date on the calendar, and waitMs.
    #[inline]
    fn decided(&self, decision: Decision, date: [f64; 2]) -> Reply {
        let [remaining, retry_after, reset, spoke] = row(&decision);
        let wait = millis_up(decision.verdict.wait) as i64 as f64;
        self.environment.leave_all(0, [remaining, retry_after, reset, spoke, date[0], date[1], wait]);
        self.boolean(decision.ok())
    }
}

fn live(handle: &Handle) -> Result<(&LimiterHandle, Moment), Trouble> {
    match handle {
        Handle::Limiter { handle, origin } if !handle.limiter().life().has_ended() => Ok((handle, *origin)),
        _ => Err(Trouble::Disposed),
    }
}

#[inline]
pub(super) fn whole(cost: f64) -> Result<u32, Trouble> {
    let whole = cost as u32;
    if f64::from(whole) == cost { Ok(whole) } else { Err(Trouble::Cost) }
}

/// remaining, retryAfterMs, resetMs, and who spoke: `charge | limit:6 | shadowed:1 | reason:2`.
#[inline]
fn row(Decision { reason, shadowed, spoke: (charge, limit), verdict }: &Decision) -> [f64; 4] {
    let reason = match reason {
        Reason::Allowed => 0,
        Reason::Limited => 1,
        Reason::Impossible => 2,
        Reason::Blocked => 3,
    };
    let spoke = charge << 9 | limit << 3 | usize::from(*shadowed) << 2 | reason;
    let [remaining, retry_after, reset] = numbers(verdict);
    [remaining, retry_after, reset, spoke as f64]
}

/// remaining, retryAfterMs and resetMs.
#[inline(always)]
fn numbers(verdict: &Verdict) -> [f64; 3] {
    let retry_after = match verdict.answer {
        Answer::Allowed => 0.0,
        Answer::Limited => millis_up(verdict.retry_after) as i64 as f64,
        Answer::Impossible => f64::INFINITY,
    };
    [f64::from(verdict.remaining), retry_after, millis_up(verdict.reset) as i64 as f64]
}

/// A charge's date, on the monotonic clock and on the calendar. On a clock that was not read it means nothing.
#[inline]
fn date_of(origin: Moment, now: Moment) -> [f64; 2] {
    [now.mono.wrapping_sub(origin.mono), now.wall.wrapping_sub(origin.wall)].map(|span| span as i64 as f64)
}

fn moment_of(origin: Moment, date: [f64; 2]) -> Moment {
    let [mono, wall] = date.map(|date| date as i64 as u64);
    Moment { mono: origin.mono.wrapping_add(mono), wall: origin.wall.wrapping_add(wall) }
}

/// `limiterConsume(id, key[, cost[, nowMs, wallMs]])` → ok
unsafe extern "C" fn consume<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        call.limiter(|limiter, origin| {
            let now = call.moment::<MANUAL>(limiter.limiter().reads())?;
            let date = date_of(origin, now);
            if let Some(verdict) = limiter.consume_simply(key, cost, now) {
                return call.answered(verdict, date);
            }
            let decision = limiter.consume(key, cost, now).ok_or(Trouble::Internal)?;
            call.decided(decision, date)
        })
    })
}

/// `limiterConsumePlan(id, key, cost, limit, windowMs, burst[, nowMs, wallMs])` → ok
unsafe extern "C" fn consume_plan<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<8>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        call.limiter(|handle, origin| {
            let plan = call.plan(3, handle.limiter())?;
            let now = call.moment::<MANUAL>(handle.limiter().reads())?;
            let decision =
                consume_all(&[Ask { handle, key, cost, plan: plan.as_ref() }], now).ok_or(Trouble::Internal)?;
            call.decided(decision, date_of(origin, now))
        })
    })
}

/// `limiterPeek(id, key, cost, limit, windowMs, burst[, nowMs, wallMs])` → ok
unsafe extern "C" fn peek<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<8>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        call.limiter(|limiter, _| {
            let plan = call.plan(3, limiter.limiter())?;
            let now = call.moment::<MANUAL>(limiter.limiter().reads())?;
            let decision = limiter.peek(key, cost, plan.as_ref(), now).ok_or(Trouble::Internal)?;
            call.decided(decision, [0.0; 2])
        })
    })
}

/// `limiterReserve(id, key, cost, maxWaitMs[, nowMs, wallMs])` → ok, or null where a limit is no token bucket
unsafe extern "C" fn reserve<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        let patience = (call.given(3)? * MILLI as f64) as Nanos;
        call.limiter(|limiter, origin| {
            if !limiter.limiter().is_reservable() {
                return call.null();
            }
            let now = call.moment::<MANUAL>(limiter.limiter().reads())?;
            let decision = limiter.reserve(key, cost, patience, now).ok_or(Trouble::Internal)?;
            call.decided(decision, date_of(origin, now))
        })
    })
}

/// `limiterRefund(id, key, cost, date, wallDate, shadowed, limit, windowMs, burst[, nowMs, wallMs])` → true
unsafe extern "C" fn refund<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<11>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        let date = [call.given(3)?, call.given(4)?];
        let shadowed = call.given(5)? != 0.0;
        call.limiter(|handle, origin| {
            let limiter = handle.limiter();
            let plan = call.plan(6, limiter)?;
            let now = call.moment::<MANUAL>(limiter.reads())?;
            let ask = Ask { handle, key, cost, plan: plan.as_ref() };
            LimiterHandle::refund(ask, shadowed, moment_of(origin, date), now);
            call.boolean(true)
        })
    })
}

/// `limiterUncount(id, key, cost[, nowMs, wallMs])` → true: give back what was charged at this moment's window, whoever did
unsafe extern "C" fn uncount<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let key = call.key(1)?;
        let cost = call.cost(2)?;
        call.limiter(|handle, _| {
            let now = call.moment::<MANUAL>(handle.limiter().reads())?;
            LimiterHandle::refund(Ask { handle, key, cost, plan: None }, false, now, now);
            call.boolean(true)
        })
    })
}

/// `limiterReset(id, key[, nowMs, wallMs])` → true
unsafe extern "C" fn reset<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let key = call.key(1)?;
        call.limiter(|limiter, _| {
            limiter.reset(key, call.moment::<MANUAL>(limiter.limiter().reads())?);
            call.boolean(true)
        })
    })
}

/// The clock blocks go by.
const MONO: Reads = Reads { mono: true, wall: false };

/// `limiterBlock(id, key, durationMs[, nowMs, wallMs])` → whether there was room
unsafe extern "C" fn block<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let key = call.key(1)?;
        let duration = (call.given(2)? * MILLI as f64) as Nanos;
        call.limiter(|limiter, _| {
            let now = call.moment::<MANUAL>(MONO)?;
            call.boolean(limiter.block(key, now.mono.saturating_add(duration), now))
        })
    })
}

/// `limiterUnblock(id, key[, nowMs, wallMs])` → whether it was blocked
unsafe extern "C" fn unblock<const MANUAL: bool>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let key = call.key(1)?;
        call.limiter(|limiter, _| call.boolean(limiter.unblock(key, call.moment::<MANUAL>(MONO)?)))
    })
}

/// `limiterConsumeMany(id, rows, [nowMs, wallMs,] key, key, …)` → true. Up to [`MANY`] keys, all at one moment. A row of `rows` holds
/// the cost before, and after it what `decided` leaves without waitMs. JavaScript has seen to it that keys and costs are some.
unsafe extern "C" fn consume_many<const MANUAL: bool>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // Arguments rather than an array: reading an element of one costs as much as a charge.
    enter::<{ 4 + MANY }>(env, info, |call| {
        call.limiter(|limiter, origin| {
            let now = call.moment_at::<MANUAL>(2, limiter.limiter().reads())?;
            let [mono, calendar] = date_of(origin, now);
            // SAFETY: an argument of this call, whose data is aligned for its kind. Nothing runs JavaScript, or lets go of the array,
            // while the slice is used.
            let rows = unsafe {
                let (data, count) =
                    typed_array(env, call.argument(1), sys::TypedarrayType::float64_array).ok_or(Trouble::Internal)?;
                std::slice::from_raw_parts_mut(data.cast::<f64>(), count)
            };
            let first = if MANUAL { 4 } else { 2 };
            for (key, left) in (first..call.count.min(4 + MANY)).zip(rows.chunks_exact_mut(ROW)) {
                let key = call.key(key)?;
                let cost = whole(left.first().copied().unwrap_or(f64::NAN))?;
                let decision = limiter.consume(key, cost, now).ok_or(Trouble::Internal)?;
                let [remaining, retry_after, reset, spoke] = row(&decision);
                left.copy_from_slice(&[remaining, retry_after, reset, spoke, mono, calendar]);
            }
            call.boolean(true)
        })
    })
}

/// `consumeBoth([nowMs, wallMs,] id, key, id, key)` → ok, for one unit each; `consumeAll([nowMs, wallMs,] id, key, cost, …)`. Up to
/// eight charges, all of limiters on one clock. Left: what `decided` leaves. `N` is room for the arguments: each costs, given or not.
unsafe extern "C" fn consume_together<const MANUAL: bool, const PRICED: bool, const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    enter::<N>(env, info, |call| {
        let handles = call.environment.handles.borrow();
        let mut asks: SmallVec<[Ask<'_>; 2]> = SmallVec::new();
        let mut reads = Reads::default();
        let mut origin = Moment::default();
        let first = if MANUAL { 2 } else { 0 };
        for at in (first..call.count).step_by(if PRICED { 3 } else { 2 }) {
            let open = handles.get(call.id(at)?).ok_or(Trouble::Disposed)?;
            let (handle, dated_from) = live(&open.handle)?;
            let key = call.key(at + 1)?;
            let cost = if PRICED { call.cost(at + 2)? } else { 1 };
            asks.push(Ask { handle, key, cost, plan: None });
            let needs = handle.limiter().reads();
            reads = Reads { mono: reads.mono || needs.mono, wall: reads.wall || needs.wall };
            origin = dated_from;
        }
        let now = call.moment_at::<MANUAL>(0, reads)?;
        let decision = consume_all(&asks, now).ok_or(Trouble::Internal)?;
        call.decided(decision, date_of(origin, now))
    })
}

pub(super) const CALLBACKS: &[(&str, Callback)] = &[
    ("limiterConsume", consume::<false>),
    ("limiterConsumeAt", consume::<true>),
    ("limiterConsumePlan", consume_plan::<false>),
    ("limiterConsumePlanAt", consume_plan::<true>),
    ("limiterPeek", peek::<false>),
    ("limiterPeekAt", peek::<true>),
    ("limiterReserve", reserve::<false>),
    ("limiterReserveAt", reserve::<true>),
    ("limiterRefund", refund::<false>),
    ("limiterRefundAt", refund::<true>),
    ("limiterUncount", uncount::<false>),
    ("limiterUncountAt", uncount::<true>),
    ("limiterReset", reset::<false>),
    ("limiterResetAt", reset::<true>),
    ("limiterBlock", block::<false>),
    ("limiterBlockAt", block::<true>),
    ("limiterUnblock", unblock::<false>),
    ("limiterUnblockAt", unblock::<true>),
    ("limiterConsumeMany", consume_many::<false>),
    ("limiterConsumeManyAt", consume_many::<true>),
    ("consumeBoth", consume_together::<false, false, 4>),
    ("consumeBothAt", consume_together::<true, false, 6>),
    ("consumeAll", consume_together::<false, true, { 3 * CHARGES }>),
    ("consumeAllAt", consume_together::<true, true, { 2 + 3 * CHARGES }>),
];
