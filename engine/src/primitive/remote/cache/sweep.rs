//! Taking out all keys with a beginning, by SCAN. Owns that none of them is left. Never touches what is not ours.
//!
//! Everything is gone through twice. A load that began before may land while the first pass is under way, behind it: then its entry is
//! there from the beginning of the second. If the first pass has come across its token before, it cannot land.

use super::message::{self, PREFIX};
use super::reply::{at, bytes, list, number};
use super::scripts::SWEEP;
use super::spot::{Place, pattern, place_of};
use super::{Tier, now};
use crate::clock::{MILLI, Nanos};
use crate::redis::name::{bytes_of, slot_of};
use crate::redis::{Again, Request};
use std::sync::Arc;

/// Keys Redis looks at in one call.
const COUNT: u64 = 512;

/// How long one such call may take: nobody is waiting for a single one.
pub(super) const PATIENCE: Nanos = 1_000 * MILLI;

type Then = Box<dyn FnOnce(&Arc<Tier>, Option<u64>) + Send>;

struct Sweep {
    prefix: Vec<u16>,
    pattern: Vec<u8>,
    /// A slot of each server.
    shards: Vec<Option<u16>>,
    /// Which pass, which server, and where in it.
    pass: u32,
    shard: usize,
    cursor: u64,
    gone: u64,
    then: Then,
}

impl Sweep {
    fn slot(&self) -> Option<u16> {
        self.shards.get(self.shard).copied().flatten()
    }
}

impl Tier {
    /// Take out what begins with `prefix`, and tell everybody. `then`: how many entries went; none if Redis was not there for all of it.
    pub(super) fn sweep(self: &Arc<Self>, prefix: &[u16], then: impl FnOnce(&Arc<Self>, Option<u64>) + Send + 'static) {
        let shards = self.remote.shards();
        let pattern = pattern(&self.home, prefix);
        let (prefix, then) = (prefix.to_vec(), Box::new(then));
        self.sweep_on(Sweep { prefix, pattern, shards, pass: 0, shard: 0, cursor: 0, gone: 0, then });
    }

    fn sweep_on(self: &Arc<Self>, sweep: Sweep) {
        let request = Request::command("SCAN").number(sweep.cursor).arg("MATCH").arg(&sweep.pattern);
        let (slot, request) = (sweep.slot(), request.arg("COUNT").number(COUNT));
        self.ask(
            request,
            move || slot,
            Again::Yes,
            now() + PATIENCE,
            move |tier, answer| {
                let Ok(value) = answer else { return (sweep.then)(tier, None) };
                let Some(cursor) = at(&value, 0).and_then(number) else { return (sweep.then)(tier, None) };
                let found = list(at(&value, 1).unwrap_or(&value)).iter().filter_map(bytes).filter(|key| {
                    matches!(place_of(&tier.home, key), Some(Place::Entry(units) | Place::Flight(units))
                    if units.starts_with(&sweep.prefix))
                });
                let found: Vec<Vec<u8>> = found.map(<[u8]>::to_vec).collect();
                tier.take_out(Sweep { cursor, ..sweep }, found);
            },
        );
        self.flush();
    }

    fn take_out(self: &Arc<Self>, sweep: Sweep, mut found: Vec<Vec<u8>>) {
        let Some(last) = found.pop() else { return self.swept(sweep) };
        // In a cluster a script has keys of one slot.
        let (together, rest) = if self.remote.is_cluster() {
            (vec![last], found)
        } else {
            found.push(last);
            (found, Vec::new())
        };
        let slot = together.first().map(|key| slot_of(key));
        let request = Request::script(&SWEEP, together.iter());
        self.ask(
            request,
            move || slot,
            Again::Yes,
            now() + PATIENCE,
            move |tier, answer| match answer.ok().and_then(|value| number(&value)) {
                Some(gone) => tier.take_out(Sweep { gone: sweep.gone + gone, ..sweep }, rest),
                None => (sweep.then)(tier, None),
            },
        );
        self.flush();
    }

    fn swept(self: &Arc<Self>, mut sweep: Sweep) {
        if sweep.cursor == 0 {
            sweep.shard += 1;
            if sweep.shard >= sweep.shards.len() {
                (sweep.shard, sweep.pass) = (0, sweep.pass + 1);
            }
        }
        if sweep.pass < 2 {
            return self.sweep_on(sweep);
        }
        // Now that nobody can find it in Redis any more.
        let message = message::about(PREFIX, self.process, &bytes_of(&sweep.prefix));
        let request = Request::command("PUBLISH").arg(&self.channel).arg(message);
        self.ask(
            request,
            || None,
            Again::Yes,
            now() + PATIENCE,
            move |tier, answer| {
                (sweep.then)(tier, answer.is_ok().then_some(sweep.gone));
            },
        );
        self.flush();
    }
}
