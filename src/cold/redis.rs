//! Opening a registry over Redis, whether that is ready, and how it is. Owns which spillways share a connection and a registry. Never
//! shows a password, and never waits.
#![allow(unreachable_pub, missing_docs, reason = "the macro exports what is pub; fields are documented in index.d.ts")]

use super::registries::{keep, origin};
use super::{Result, environment, internal, raise};
use crate::environment::Kept;
use crate::mailbox::{Answer, Payload};
use crate::slots::AllCopies;
use napi::Env;
use napi_derive::napi;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use spillway_engine::error::{Code, Fault};
use spillway_engine::primitive::registry::Registry;
use spillway_engine::primitive::remote::Far;
use spillway_engine::redis::{Fleet, Member, Obstacle, Opened, Target, examine, open};
use std::sync::{Arc, Weak};

/// What spillways of one prefix over one Redis have together.
pub(crate) struct Store {
    target: Arc<Target>,
    prefix: String,
    registry: Arc<Registry>,
    opened: Arc<Opened>,
    fleet: Fleet,
}

/// Those that are open and not isolated, in all environments.
static STORES: Mutex<Vec<Weak<Store>>> = Mutex::new(Vec::new());

impl Store {
    /// The one that is open, or a new one. Connecting goes on by itself.
    fn shared(target: Target, prefix: String, who: &str) -> Arc<Self> {
        // Those that were looked at may have ended meanwhile: they are let go of when nothing is locked any more.
        let (store, _seen) = {
            let mut stores = STORES.lock();
            stores.retain(|store| store.strong_count() > 0);
            let seen: Vec<_> = stores.iter().filter_map(Weak::upgrade).collect();
            let same = || seen.iter().filter(|store| *store.target == target);
            let store = same().find(|store| store.prefix == prefix).cloned().unwrap_or_else(|| {
                let opened = same().next().map(|store| store.opened.clone());
                let made = Store::new(target.clone(), prefix.clone(), who, opened);
                stores.push(Arc::downgrade(&made));
                made
            });
            (store, seen)
        };
        store
    }

    /// One of its own, unless a connection is given.
    fn new(target: Target, prefix: String, who: &str, opened: Option<Arc<Opened>>) -> Arc<Self> {
        let opened = opened.unwrap_or_else(|| Arc::new(self::open(target.clone())));
        let far = Far::new(opened.link.clone(), target.deadline).hearing(opened.push.clone());
        let size = far.fleet.clone();
        let registry = Arc::new(Registry::over(far, Arc::new(AllCopies)));
        let (breakers, who) = (Arc::downgrade(&registry), serde_json::from_str(who).unwrap_or_default());
        let fleet = Fleet::start(opened.link.clone(), &prefix, size, Box::new(move || said(&who, &breakers)));
        Arc::new(Store { target: Arc::new(target), prefix, registry, opened, fleet })
    }

    fn report(&self) -> Value {
        let mut store = Map::from_iter([("kind".to_owned(), json!("redis"))]);
        if let Ok(Value::Object(figures)) = serde_json::to_value(self.opened.link.report()) {
            store.extend(figures);
        }
        json!({ "store": store, "fleet": self.fleet.members().iter().map(member).collect::<Vec<_>>() })
    }
}

/// What this process says of itself: its host and number, and what its breakers of this registry are.
fn said(who: &Map<String, Value>, registry: &Weak<Registry>) -> String {
    let mut said = who.clone();
    let breakers = registry.upgrade().map(|registry| registry.breaker_states()).unwrap_or_default();
    said.insert("breakers".to_owned(), breakers.into());
    Value::Object(said).to_string()
}

/// A process as it has described itself; nothing more is believed of it.
fn member(Member { id, seen_ms, said, .. }: &Member) -> Value {
    let mut said = serde_json::from_str::<Map<String, Value>>(said).unwrap_or_default();
    let mut take = |name: &str| said.remove(name).unwrap_or_default();
    json!({ "id": id, "seenMs": seen_ms, "host": take("host"), "pid": take("pid"), "breakers": take("breakers") })
}

/// A registry over the Redis that `target` describes, as JSON; the same for all who name the same and the same prefix, unless
/// `isolated`. `who` is what other processes are told of this one.
#[napi(catch_unwind)]
pub fn open_redis(env: Env, target: String, prefix: String, isolated: bool, who: String) -> Result<u32> {
    let target = Target::from_json(&target).map_err(|why| raise(Fault::new(Code::Option, why)))?;
    let store = if isolated { Store::new(target, prefix, &who, None) } else { Store::shared(target, prefix, &who) };
    let registry = store.registry.clone();
    keep(environment(env)?, Kept { registry, origin: origin(), is_shared: !isolated, store: Some(store) })
}

/// Ask whether Redis is there, lets us in and has what is needed. Answers the number of the ask; its code is 0 and its payload what was
/// found, as JSON; or another, and a sentence. `keeps_alive`: whether the process waits for it.
#[napi(catch_unwind)]
pub fn redis_ready(env: Env, id: u32, keeps_alive: bool) -> Result<u32> {
    let environment = environment(env)?;
    let store = store(environment, id)?;
    let asked = if keeps_alive { environment.ask(env.raw()) } else { environment.ask_in_passing() };
    let (ask, sender) = asked.ok_or_else(|| internal("the environment is not attached"))?;
    let done = move |answer: std::result::Result<spillway_engine::redis::Findings, Obstacle>| {
        let (code, text) = match answer {
            Ok(found) => (
                0,
                json!({
                    "eviction": found.eviction,
                    "dropsLimits": found.drops_limits,
                })
                .to_string(),
            ),
            Err(obstacle) => (code(&obstacle), obstacle.to_string()),
        };
        sender.answer(Answer { code, payload: Some(Payload::Text(text.into_bytes())), ..Answer::default() });
    };
    examine(store.target.clone(), store.prefix.clone(), Box::new(done));
    Ok(ask)
}

/// `lib/redis-store.js` has the same numbers.
fn code(obstacle: &Obstacle) -> i32 {
    match obstacle {
        Obstacle::Auth(_) => 1,
        Obstacle::Denied(_) => 2,
        Obstacle::Version(_) => 3,
        Obstacle::Database(_) => 4,
        Obstacle::Tls(_) => 5,
        Obstacle::Mode(_) => 6,
        Obstacle::Down(_) => 7,
    }
}

/// How the store is and who shares it, as JSON.
#[napi(catch_unwind)]
pub fn redis_report(env: Env, id: u32) -> Result<String> {
    Ok(store(environment(env)?, id)?.report().to_string())
}

fn store(environment: &crate::environment::Environment, id: u32) -> Result<Arc<Store>> {
    let kept = super::registries::kept(environment, Some(id))?;
    kept.store.ok_or_else(|| internal("a registry without a store"))
}
