//! A right that is out here, as it is kept. Owns when it ends for this process, and when it is to be renewed. Never asks anybody.

use super::holders::Wish;
use super::keeper::Holder;
use super::line::Line;
use crate::clock::{MILLI, Nanos};
use crate::store::ledger::Receipt;
use std::sync::Arc;

/// A right that is out here.
pub(super) struct Right {
    pub(super) wish: Wish,
    pub(super) line: Arc<Line>,
    pub(super) holder: Arc<Holder>,
    pub(super) receipt: Receipt,
    /// When the request was sent that it rests on.
    pub(super) since: Nanos,
    /// Whether the last renewal got no answer.
    pub(super) in_doubt: bool,
    /// When it is to be renewed.
    pub(super) due: Nanos,
    /// Whether that is on its way.
    pub(super) asking: bool,
}

impl Right {
    pub(super) fn new(wish: Wish, line: Arc<Line>, holder: Arc<Holder>, receipt: Receipt, since: Nanos) -> Self {
        Right { wish, line, holder, receipt, since, in_doubt: false, due: 0, asking: false }
    }

    /// The local deadline.
    pub(super) fn ends_at(&self) -> Nanos {
        self.since.saturating_add(self.wish.ttl).saturating_sub(margin(self.wish.ttl))
    }

    /// On a grid, so that the rights of a moment are renewed together.
    pub(super) fn next(&self, now: Nanos, max_stall: Nanos) -> Nanos {
        let step = step(self.wish.ttl, max_stall);
        let grid = (step / 8).max(1);
        ((now + step) / grid * grid).max(now + 1).min(self.ends_at())
    }
}

/// How long before its expiry a right is not believed any more: clocks that differ by a hundredth, and what a round trip hides.
pub fn margin(ttl: Nanos) -> Nanos {
    ttl / 100 + 2 * MILLI
}

pub(super) fn step(ttl: Nanos, max_stall: Nanos) -> Nanos {
    (ttl / 3).min(max_stall / 3)
}
