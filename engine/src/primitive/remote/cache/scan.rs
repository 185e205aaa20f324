//! Which keys there are, for operators. Owns the place where a listing goes on. Never blocks Redis for more than a batch.

use super::Tier;
use super::reply::{at, bytes, list, number};
use super::spot::{Place, pattern, place_of};
use super::sweep::PATIENCE;
use crate::clock::Nanos;
use crate::redis::{Again, Request};
use std::sync::Arc;

/// Keys Redis looks at for one batch.
const COUNT: u64 = 256;

/// Some of the keys, of whatever version.
#[derive(Debug)]
pub struct Batch {
    /// Where to go on; empty: that was all.
    pub next: String,
    /// Keys in UTF-16 units. One may come twice.
    pub keys: Vec<Vec<u16>>,
}

impl Tier {
    /// List keys that begin with `prefix`, from a place that a batch before has named; empty: from the beginning. `done`: none if Redis
    /// was not there, or has never named such a place.
    pub fn scan(
        self: &Arc<Self>,
        place: &str,
        prefix: &[u16],
        now: Nanos,
        done: impl FnOnce(Option<Batch>) + Send + 'static,
    ) {
        let shards = self.remote.shards();
        let (shard, cursor) = place.split_once('.').unwrap_or(("0", "0"));
        let (Ok(shard), Ok(cursor)) = (shard.parse::<usize>(), cursor.parse::<u64>()) else { return done(None) };
        let Some(slot) = shards.get(shard).copied() else { return done(None) };
        let request = Request::command("SCAN").number(cursor).arg("MATCH").arg(pattern(&self.home, prefix));
        let (request, prefix) = (request.arg("COUNT").number(COUNT), prefix.to_vec());
        self.ask(
            request,
            move || slot,
            Again::Yes,
            now + PATIENCE,
            move |tier, answer| {
                done(answer.ok().and_then(|value| {
                    let next = match at(&value, 0).and_then(number)? {
                        0 if shard + 1 < shards.len() => format!("{}.0", shard + 1),
                        0 => String::new(),
                        cursor => format!("{shard}.{cursor}"),
                    };
                    let found = list(at(&value, 1)?).iter().filter_map(bytes);
                    let keys = found.filter_map(|key| match place_of(&tier.home, key) {
                        Some(Place::Entry(units)) if units.starts_with(&prefix) => Some(units),
                        _ => None,
                    });
                    Some(Batch { next, keys: keys.collect() })
                }));
            },
        );
    }
}
