//! What a cache over Redis is asked beyond memory. Owns how its answers cross. Never waits: each question is answered by a letter.
//!
//! Every callback answers the number of an ask. The codes of the answers: 0 nothing there, or done; 1 a value, with what `cacheGet`
//! leaves from 4 on, where the stamp is 0 if memory does not keep it; 3 the caller leads the load for all hosts, 0 has the fence;
//! 4 Redis was not there; 5 what is there is another application's; 6 the receipt leads no more; 7 owed. What a change found is in 0.

use super::{Entry, Tags, trouble};
use crate::hot::{Call, Callback, Reply, Trouble, enter, fingerprint};
use crate::mailbox::{Answer, Payload, Sender};
use napi::sys;
use spillway_engine::clock::{MILLI, Moment, Nanos, monotonic, wall};
use spillway_engine::primitive::cache::CacheHandle;
use spillway_engine::primitive::remote::cache::{Batch, Changed, Claimed, Fetched, Hit, Tier};
use spillway_engine::store::fingerprint::Key;
use spillway_engine::store::flights::Purpose;
use spillway_engine::store::tags::Force;
use std::fmt::Write;
use std::sync::Arc;

const NOTHING: i32 = 0;
const HIT: i32 = 1;
const LEAD: i32 = 3;
const ALONE: i32 = 4;
const FOREIGN: i32 = 5;
const GONE: i32 = 6;
const OWED: i32 = 7;

/// `cacheFetch(id, key, upTo, tags | undefined)` → an ask, or null when Redis is known not to be there
unsafe extern "C" fn fetch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let (up_to, tags) = (call.up_to(2), call.tags(call.argument(3))?);
        call.tier_keyed(|_, tier, key| {
            if !tier.is_worth_asking(key.fingerprint) {
                return call.null();
            }
            call.asking(|sender| {
                tier.fetch(key, up_to, tags.to_vec(), monotonic(), move |fetched| sender.answer(of_fetched(fetched)));
            })
        })
    })
}

/// `cacheClaim(id, key, receipt, purpose)` → an ask, or true: load it for this process
unsafe extern "C" fn claim(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<4>(env, info, |call| {
        let receipt = call.id(2)?;
        let purpose = match call.number(3) {
            Some(2.0) => Purpose::Reload,
            Some(1.0) => Purpose::Refresh,
            _ => Purpose::Missing,
        };
        call.tier_keyed(|cache, tier, key| {
            if !tier.is_worth_asking(key.fingerprint) {
                return call.boolean(true);
            }
            call.asking(|sender| {
                let done = move |claimed| sender.answer(of_claimed(claimed));
                tier.claim(cache.ledger(), receipt, key, purpose, monotonic(), done);
            })
        })
    })
}

/// `cacheSetFar(id, key, value, ttlMs | undefined, tags | undefined, since | undefined)` → an ask
unsafe extern "C" fn set(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<6>(env, info, |call| {
        let encoded = call.encoded(call.argument(2), call.argument(3), call.argument(4))?;
        let since = call.maybe(call.argument(5)).map(|moment| moment as u64);
        call.tier_keyed(|cache, tier, key| {
            call.changing(|sender| {
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.set(cache, key, &encoded, since, monotonic(), done).map_err(|fault| trouble(&fault))
            })
        })
    })
}

/// `cacheSetManyFar(id, keys, values, ttls, tags)` → an ask; nothing is stored if one cannot be. Left in trouble: which.
unsafe extern "C" fn set_many(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<5>(env, info, |call| {
        let entries = call.entries()?;
        call.tier(|cache, tier| {
            call.changing(|sender| {
                let keyed = entries
                    .iter()
                    .map(|Entry { units, encoded }| (Key { fingerprint: fingerprint(units), units }, encoded));
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.set_many(cache, keyed, monotonic(), done).map_err(|(index, fault)| {
                    call.environment.leave(0, index as f64);
                    trouble(&fault)
                })
            })
        })
    })
}

/// `cacheDeleteFar(id, key)` → an ask
unsafe extern "C" fn delete(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        call.tier_keyed(|cache, tier, key| {
            call.asking(|sender| {
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.delete(cache, key, monotonic(), done);
            })
        })
    })
}

/// `cacheExpireFar(id, key)` → an ask
unsafe extern "C" fn expire(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        call.tier_keyed(|cache, tier, key| {
            call.asking(|sender| {
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.expire(cache, key, monotonic(), done);
            })
        })
    })
}

/// `cacheDeletePrefixFar(id, prefix)` → an ask, which takes as long as going through all keys does
unsafe extern "C" fn delete_prefix(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let prefix = call.units(call.argument(1)).ok_or(Trouble::Key)?;
        call.tier(|cache, tier| {
            call.asking(|sender| {
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.delete_prefix(cache, &prefix, monotonic(), done);
            })
        })
    })
}

/// `cacheTagsFar(id, tags, soft)` → an ask; `soft` as of `cacheTags`
unsafe extern "C" fn invalidate(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let tags: Tags = call.tags(call.argument(1))?;
        let now = Moment { mono: monotonic(), wall: wall() };
        let force = match call.number(2) {
            Some(most_ms) => Force::Soft(now.mono.saturating_add((most_ms.max(0.0) * MILLI as f64) as Nanos)),
            None if call.flag(2) => Force::Soft(Nanos::MAX),
            None => Force::Hard,
        };
        call.tier(|_, tier| {
            call.asking(|sender| {
                tier.invalidate(&tags, force, now, Box::new(move |changed| sender.answer(of_changed(changed))));
            })
        })
    })
}

/// `cacheClearFar(id)` → an ask
unsafe extern "C" fn clear(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<1>(env, info, |call| {
        call.tier(|_, tier| {
            call.asking(|sender| {
                tier.clear(monotonic(), Box::new(move |changed| sender.answer(of_changed(changed))));
            })
        })
    })
}

/// `cacheVersionFar(id, version)` → an ask
unsafe extern "C" fn version(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<2>(env, info, |call| {
        let text = call.text(call.argument(1)).ok_or(Trouble::Internal)?;
        let version = String::from_utf8_lossy(&text);
        call.tier(|_, tier| {
            call.asking(|sender| {
                let done = Box::new(move |changed| sender.answer(of_changed(changed)));
                tier.set_version(&version, monotonic(), done);
            })
        })
    })
}

/// `cacheScan(id, cursor, prefix)` → an ask. Its payload: a JSON array of the next cursor, empty at the end, and keys.
unsafe extern "C" fn scan(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    enter::<3>(env, info, |call| {
        let cursor = call.text(call.argument(1)).ok_or(Trouble::Internal)?;
        let prefix = call.units(call.argument(2)).ok_or(Trouble::Key)?;
        call.tier(|_, tier| {
            call.asking(|sender| {
                let cursor = String::from_utf8_lossy(&cursor);
                tier.scan(&cursor, &prefix, monotonic(), move |batch| sender.answer(of_batch(batch)));
            })
        })
    })
}

impl<const N: usize> Call<'_, N> {
    /// A cache that has Redis behind it.
    fn tier<R>(&self, body: impl FnOnce(&CacheHandle, &Arc<Tier>) -> Result<R, Trouble>) -> Result<R, Trouble> {
        self.live_cache(|cache| body(cache, cache.cache().tier().ok_or(Trouble::Internal)?))
    }

    fn tier_keyed<R>(
        &self,
        body: impl FnOnce(&CacheHandle, &Arc<Tier>, Key<'_>) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        self.keyed(|cache, key| body(cache, cache.cache().tier().ok_or(Trouble::Internal)?, key))
    }

    /// Ask something that `body` has answered, now or later.
    fn asking(&self, body: impl FnOnce(Sender)) -> Reply {
        let (ask, sender) = self.environment.ask(self.env).ok_or(Trouble::Internal)?;
        body(sender);
        self.integer(i64::from(ask))
    }

    /// As [`Call::asking`], where it may turn out that there is nothing to ask: the letter that comes all the same goes to nobody.
    fn changing(&self, body: impl FnOnce(Sender) -> Result<(), Trouble>) -> Reply {
        let (ask, sender) = self.environment.ask(self.env).ok_or(Trouble::Internal)?;
        body(sender)?;
        self.integer(i64::from(ask))
    }
}

fn of_code(code: i32) -> Answer {
    Answer { code, ..Answer::default() }
}

fn of_hit(Hit { value, stamp, state, age, fresh_for }: Hit) -> Answer {
    let mut answer = of_code(HIT);
    let state = f64::from(super::crossing::state_number(state));
    let flags = super::crossing::flags(&value);
    let numbers = [(4, fresh_for as f64 / MILLI as f64), (5, stamp as f64), (6, state)];
    for (place, number) in numbers.into_iter().chain([(8, age as f64 / MILLI as f64), (9, flags)]) {
        if let Some(to) = answer.numbers.get_mut(place) {
            *to = number;
        }
    }
    answer.payload = (!value.negative()).then_some(Payload::Value(value));
    answer
}

fn of_fetched(fetched: Fetched) -> Answer {
    match fetched {
        Fetched::Miss => of_code(NOTHING),
        Fetched::Hit(hit) => of_hit(hit),
        Fetched::Alone => of_code(ALONE),
        Fetched::Foreign => of_code(FOREIGN),
    }
}

fn of_claimed(claimed: Claimed) -> Answer {
    match claimed {
        Claimed::Hit(hit) => of_hit(hit),
        Claimed::Lead(fence) => first(of_code(LEAD), fence as f64),
        Claimed::Alone => of_code(ALONE),
        Claimed::Foreign => of_code(FOREIGN),
        Claimed::Gone => of_code(GONE),
    }
}

fn of_changed(changed: Changed) -> Answer {
    let code = match changed {
        Changed { owed: true, .. } => OWED,
        Changed { foreign: true, .. } => FOREIGN,
        _ => NOTHING,
    };
    first(of_code(code), changed.found as f64)
}

fn of_batch(batch: Option<Batch>) -> Answer {
    let Some(Batch { next, keys }) = batch else { return of_code(ALONE) };
    let mut json = format!("[\"{next}\"");
    for key in keys {
        json.push_str(",\"");
        for unit in key {
            // Whatever is not plain is written by its number, half surrogates included.
            match u8::try_from(unit) {
                Ok(plain @ (b' '..=b'!' | b'#'..=b'[' | b']'..=b'~')) => json.push(char::from(plain)),
                _ => drop(write!(json, "\\u{unit:04x}")),
            }
        }
        json.push('"');
    }
    json.push(']');
    Answer { payload: Some(Payload::Text(json.into_bytes())), ..of_code(NOTHING) }
}

fn first(mut answer: Answer, number: f64) -> Answer {
    if let Some(to) = answer.numbers.first_mut() {
        *to = number;
    }
    answer
}

pub(in crate::hot) const CALLBACKS: &[(&str, Callback)] = &[
    ("cacheFetch", fetch),
    ("cacheClaim", claim),
    ("cacheSetFar", set),
    ("cacheSetManyFar", set_many),
    ("cacheDeleteFar", delete),
    ("cacheExpireFar", expire),
    ("cacheDeletePrefixFar", delete_prefix),
    ("cacheTagsFar", invalidate),
    ("cacheClearFar", clear),
    ("cacheVersionFar", version),
    ("cacheScan", scan),
];
