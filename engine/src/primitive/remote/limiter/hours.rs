//! What time it is at Redis, as far as can be known without asking: every answer of a script says when it was given. Owns how sure that
//! is. Never takes a guess for certain.

use super::measure::MICRO;
use crate::clock::{MILLI, Moment, Nanos};
use crate::policy::Ticks;
use parking_lot::Mutex;

/// For how long an answer tells the time.
const FRESH: Nanos = 1_000 * MILLI;

/// After that it is time to hear it again.
const DUE: Nanos = 50 * MILLI;

/// Clocks that differ in speed by more are broken: one part in two thousand.
const DRIFT: u64 = 2_000;

/// How far the clocks of this machine may part within [`FRESH`] without one of them having been set, or having slept.
const TOGETHER: Nanos = 20 * MILLI;

/// The clock of Redis.
#[derive(Debug, Default)]
pub(super) struct Hours {
    heard: Mutex<Option<Heard>>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    /// What Redis said, some time between these two.
    said: Ticks,
    asked: Nanos,
    answered: Moment,
}

impl Hours {
    /// Redis said that it is `said`, to a question from `asked` whose answer came at `answered`.
    pub(super) fn heard(&self, said: Ticks, asked: Nanos, answered: Moment) {
        let mut heard = self.heard.lock();
        let wide = |heard: &Heard| heard.answered.mono.saturating_sub(heard.asked);
        let news = Heard { said, asked, answered };
        // A quick answer tells more than a slow one; one that is due for renewal tells less than any.
        let worse = heard.as_ref().is_some_and(|before| {
            answered.mono.saturating_sub(before.answered.mono) < DUE && wide(before) < wide(&news)
        });
        if !worse {
            *heard = Some(news);
        }
    }

    /// The earliest and the latest it can be, if that is known well enough; and whether it should be asked again.
    pub(super) fn between(&self, now: Moment) -> Option<(Ticks, Ticks, bool)> {
        let Heard { said, asked, answered } = (*self.heard.lock())?;
        let age = now.mono.checked_sub(answered.mono)?;
        let parted = now.wall.wrapping_sub(answered.wall).wrapping_sub(age) as i64;
        if age > FRESH || parted.unsigned_abs() > TOGETHER {
            return None;
        }
        let drift = age / DRIFT / MICRO + 1;
        let latest = said + now.mono.saturating_sub(asked) / MICRO + drift;
        Some(((said + age / MICRO).saturating_sub(drift), latest, age > DUE))
    }

    /// The window it must be, by windows of this width, the time until it ends at most, and whether that should be heard again.
    pub(super) fn window(&self, width: Ticks, now: Moment) -> Option<(u64, Ticks, bool)> {
        let (earliest, latest, due) = self.between(now)?;
        let window = earliest.checked_div(width)?;
        let certain = window == latest.checked_div(width)?;
        certain.then(|| (window, (window + 1) * width - earliest, due))
    }

    /// The window it was when one server `told` the time, if it has; otherwise the one it may be. In a cluster each has its own clock,
    /// and who has just told it is the one that is asked again.
    pub(super) fn window_at(&self, told: Option<Ticks>, width: Ticks, now: Moment) -> u64 {
        match told {
            Some(time) => time.checked_div(width).unwrap_or(0),
            None => self.guess(width, now),
        }
    }

    /// The window it may be: by what was heard, or else by the calendar here.
    fn guess(&self, width: Ticks, now: Moment) -> u64 {
        let time = match *self.heard.lock() {
            Some(Heard { said, answered, .. }) => said + now.mono.saturating_sub(answered.mono) / MICRO,
            None => now.wall / MICRO,
        };
        time.checked_div(width).unwrap_or(0)
    }
}
