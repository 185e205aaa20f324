//! How an entry of a cache ages: fresh, then stale, then in grace, then gone. Owns the arithmetic.
//! Never keeps an entry, and never asks what has been invalidated.
//!
//! Of an entry's life only its end is written down. Where it was fresh and stale follows from there, backwards, so that an entry
//! which has to go earlier needs no more than an earlier end.

use super::Ticks;

/// The longest a window or a time to live may be: ten years. Beyond, sums would leave what an entry can write down.
pub const LONGEST: Ticks = 10 * 365 * 86_400 * 1_000_000_000;

/// What an entry is good for. In the order in which it passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// To be served.
    Fresh,
    /// To be served while it is loaded anew.
    Stale,
    /// To be served if loading fails.
    Grace,
}

/// How long an entry of a cache is kept beyond its time to live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    stale: Ticks,
    grace: Ticks,
}

/// The life of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it is gone.
    pub ends: Ticks,
    /// It says that there is nothing: no window follows its time to live.
    pub negative: bool,
    /// It comes from a file: it is never fresh.
    pub restored: bool,
    /// All but its grace was taken from it. Said here as well as by its end, since a reader may have read the clock before that.
    pub expired: bool,
}

impl Windows {
    /// `stale` follows the time to live, and `grace` follows that.
    pub fn new(stale: Ticks, grace: Ticks) -> Self {
        Windows { stale: stale.min(LONGEST), grace: grace.min(LONGEST) }
    }

    /// How long an entry that is stale no more is kept.
    pub fn grace(&self) -> Ticks {
        self.grace
    }

    fn of(&self, negative: bool) -> Windows {
        if negative { Windows::default() } else { *self }
    }

    /// When an entry is gone that is written at `now` to be fresh for `ttl`.
    pub fn ends(&self, now: Ticks, ttl: Ticks, negative: bool) -> Ticks {
        let Windows { stale, grace } = self.of(negative);
        now.saturating_add(ttl.min(LONGEST)).saturating_add(stale).saturating_add(grace)
    }

    /// When an entry that is gone at `ends` ceases to be fresh, as far as only that is known. Never below 0.
    pub fn fresh_until(&self, ends: Ticks, negative: bool) -> Ticks {
        let Windows { stale, grace } = self.of(negative);
        ends.saturating_sub(grace).saturating_sub(stale)
    }

    /// How long an entry stays fresh, as far as its end tells; negative: since when it is not.
    pub fn fresh_for(&self, life: Life, now: Ticks) -> i64 {
        let Windows { stale, grace } = self.of(life.negative);
        (life.ends as i64).saturating_sub_unsigned(now).saturating_sub_unsigned(grace).saturating_sub_unsigned(stale)
    }

    /// When an entry is gone that stays fresh for `fresh_for`, which may be negative.
    pub fn ends_of(&self, now: Ticks, fresh_for: i64, negative: bool) -> Ticks {
        let Windows { stale, grace } = self.of(negative);
        let fresh_for = fresh_for.min(LONGEST as i64);
        now.saturating_add(stale).saturating_add(grace).saturating_add_signed(fresh_for)
    }

    /// What is left of it, if at `now` all but its grace is taken from it: no more than was left.
    pub fn expired(&self, life: Life, now: Ticks) -> Life {
        Life { ends: life.ends.min(now.saturating_add(self.of(life.negative).grace)), expired: true, ..life }
    }

    /// What it is good for at `now`. None: it is gone.
    pub fn state(&self, life: Life, now: Ticks) -> Option<State> {
        if now >= life.ends {
            return None;
        }
        let Windows { grace, .. } = self.of(life.negative);
        Some(if life.expired {
            State::Grace
        } else if now < self.fresh_until(life.ends, life.negative) && !life.restored {
            State::Fresh
        } else if now < life.ends.saturating_sub(grace) {
            State::Stale
        } else {
            State::Grace
        })
    }
}

/// `ttl` made longer or shorter by up to `share` of it. `point` says by how much: the same for all of a key's life, so that keys
/// written together do not end together.
pub fn jittered(ttl: Ticks, share: f64, point: u64) -> Ticks {
    let place = (point >> 11) as f64 / (1u64 << 53) as f64;
    // A float beyond the range of an integer becomes its largest.
    (ttl as f64 * (1.0 + share * (2.0 * place - 1.0))).max(0.0) as Ticks
}
