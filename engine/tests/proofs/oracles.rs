//! Windows as a list of everything that was ever charged, counted from the first window of time and without an end.
//! Never packs, shifts or wraps anything.

use spillway_engine::policy::rate::{Answer, Verdict};

/// How far back a clock may be before it is one that jumped.
const SECOND: i128 = 1_000_000_000;

/// A fixed or a sliding window of one key.
#[derive(Clone)]
pub struct Windows {
    width: i128,
    limit: i128,
    slides: bool,
    /// Window and cost of each charge; a refund is a charge of less than nothing.
    charges: Vec<(i128, i128)>,
    /// The window that was charged last.
    stored: i128,
}

/// What counts at some moment.
#[derive(Clone, Copy, PartialEq)]
struct Standing {
    window: i128,
    /// Ticks into it; less than nothing for a clock that is a little behind.
    into: i128,
    previous: i128,
    current: i128,
    jumped: bool,
}

impl Windows {
    pub fn fixed(limit: u32, width: u64) -> Self {
        Windows { width: width.into(), limit: limit.into(), slides: false, charges: Vec::new(), stored: 0 }
    }

    pub fn sliding(limit: u32, width: u64) -> Self {
        Windows { slides: true, ..Windows::fixed(limit, width) }
    }

    fn sum(&self, window: i128) -> i128 {
        self.charges.iter().filter(|(of, _)| *of == window).map(|(_, cost)| cost).sum()
    }

    fn standing(&self, now: i128) -> Standing {
        let own = now / self.width;
        let at = |window: i128, previous, current| Standing {
            window,
            into: now - window * self.width,
            previous: if self.slides { previous } else { 0 },
            current,
            jumped: false,
        };
        let (previous, current) = (self.sum(self.stored - 1), self.sum(self.stored));
        let ahead = self.stored * self.width - now;
        if self.charges.is_empty() {
            at(own, 0, 0)
        } else if ahead <= 0 {
            at(own, self.sum(own - 1), self.sum(own))
        } else if ahead <= SECOND {
            at(self.stored, previous, current)
        } else {
            // The clock went back: what was spent then counts as spent now.
            Standing { jumped: true, ..at(own, previous, current) }
        }
    }

    /// Whether `cost` units and what counts at `standing`, `into` ticks into the window, are within the limit.
    fn fits(&self, Standing { previous, current, .. }: Standing, into: i128, cost: i128) -> bool {
        previous * (self.width - into) <= (self.limit - current - cost) * self.width
    }

    /// Whole units that count as spent, `into` ticks into the window.
    fn spent(&self, Standing { previous, current, .. }: Standing, into: i128) -> i128 {
        (previous * (self.width - into) + self.width - 1) / self.width + current
    }

    /// Whether a charge is admitted by what counts, or would count, if the window had begun `earlier` ticks later.
    pub fn fits_at(&self, cost: u32, now: u64, earlier: u64) -> bool {
        let standing = self.standing(now.into());
        self.fits(standing, (standing.into - i128::from(earlier)).max(0), cost.into())
    }

    /// The first tick from `now` on at which the charge is admitted.
    fn first(&self, cost: i128, now: i128) -> i128 {
        let admits = |at| {
            let standing = self.standing(at);
            self.fits(standing, standing.into.max(0), cost)
        };
        let (mut denied, mut admitted) = (now, now + SECOND + 3 * self.width);
        while admitted - denied > 1 {
            let middle = (denied + admitted) / 2;
            if admits(middle) { admitted = middle } else { denied = middle }
        }
        admitted
    }

    /// Charge, if the rules admit it.
    pub fn charge(&mut self, cost: u32, now: u64) -> Verdict {
        let standing = self.standing(now.into());
        let fits = self.fits(standing, standing.into.max(0), cost.into());
        self.follow(cost, now, cost == 0 || fits)
    }

    /// Charge if another has `admitted` it.
    pub fn follow(&mut self, cost: u32, now: u64, admitted: bool) -> Verdict {
        let (cost, now) = (i128::from(cost), i128::from(now));
        let mut standing = self.standing(now);
        if standing.jumped && cost > 0 {
            self.charges = vec![(standing.window - 1, standing.previous), (standing.window, standing.current)];
            self.stored = standing.window;
        }
        let answer = match () {
            () if admitted => Answer::Allowed,
            () if cost > self.limit => Answer::Impossible,
            () => Answer::Limited,
        };
        if admitted && cost > 0 {
            if standing.previous == 0 && standing.current == 0 {
                // A clock that goes back into a window from before everything was forgotten finds it empty.
                self.charges.clear();
            }
            self.charges.push((standing.window, cost));
            self.stored = standing.window;
            standing.current += cost;
        }
        let end = (standing.window + 1) * self.width - now;
        let reset = match () {
            () if standing.current > 0 && self.slides => end + self.width,
            () if standing.current > 0 || standing.previous > 0 => end,
            () => 0,
        };
        let retry_after = if answer == Answer::Limited { self.first(cost, now) - now } else { 0 };
        Verdict {
            answer,
            remaining: u32::try_from((self.limit - self.spent(standing, standing.into.max(0))).max(0)).unwrap(),
            retry_after: u64::try_from(retry_after).unwrap(),
            reset: u64::try_from(reset).unwrap(),
            wait: 0,
        }
    }

    /// Only into the window that was charged last, if it is that charge's.
    pub fn refund(&mut self, cost: u32, charged_at: u64) {
        let window = i128::from(charged_at) / self.width;
        if window == self.stored {
            let back = self.sum(window).min(cost.into());
            self.charges.push((window, -back));
        }
    }
}
