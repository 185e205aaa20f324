//! Names, their ends, and the snapshot beside the interfaces a user reads.
//! Never repeats the field names of index.d.ts: they are read from it.

use crate::limiters::bucket;
use serde_json::Value;
use spillway_engine::Code;
use spillway_engine::primitive::breaker::{Breaker, BreakerConfig, OpenConfig, SlowConfig, WindowConfig};
use spillway_engine::primitive::budget::{Budget, BudgetConfig};
use spillway_engine::primitive::bulkhead::{Bulkhead, BulkheadConfig};
use spillway_engine::primitive::cache::{Cache, CacheConfig};
use spillway_engine::primitive::limit::{LimitConfig, Provenance};
use spillway_engine::primitive::limiter::{Limiter, LimiterConfig};
use spillway_engine::primitive::registry::{OnMismatch, Registry};
use spillway_engine::store::generations::{Generations, NoCopies};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

fn registry() -> Registry {
    Registry::new(Arc::new(NoCopies))
}

fn thirty() -> LimiterConfig {
    like_thirty(|_| ())
}

/// Thirty in five minutes, but for the `change`.
fn like_thirty(change: impl FnOnce(&mut LimitConfig)) -> LimiterConfig {
    let mut limit = bucket(30, 300_000.0, 30);
    change(&mut limit);
    LimiterConfig { limits: vec![limit] }
}

fn breaker() -> BreakerConfig {
    BreakerConfig {
        window: WindowConfig::Ms(60_000.0),
        failure_rate: 0.5,
        min_calls: 10,
        consecutive: Some(5),
        slow: Some(SlowConfig { over_ms: 1_000.0, rate: 0.5 }),
        open: OpenConfig { for_ms: 5_000.0, max_ms: 60_000.0, jitter: 0.2 },
        probes: 3,
        probe_timeout_ms: 15_000.0,
        max_keys: None,
        provenance: Provenance::default(),
    }
}

fn cache() -> CacheConfig {
    CacheConfig {
        ttl_ms: 300_000.0,
        jitter: 0.1,
        max_bytes: 65_536.0,
        max_value_bytes: 8_192.0,
        ..CacheConfig::default()
    }
}

fn open(registry: &Registry, config: LimiterConfig, on_mismatch: OnMismatch) -> Arc<Limiter> {
    registry.open("", "chat", config, on_mismatch).unwrap()
}

fn one_permit() -> BulkheadConfig {
    BulkheadConfig { limit: 1, lease_ms: Some(1_000.0), ..BulkheadConfig::default() }
}

#[test]
fn the_same_name_is_the_same_primitive() {
    let registry = registry();
    let first = open(&registry, thirty(), OnMismatch::Throw);
    assert!(Arc::ptr_eq(&first, &open(&registry, thirty(), OnMismatch::Throw)));
    assert!(Arc::ptr_eq(&first, &open(&registry, thirty(), OnMismatch::Replace)));
}

#[test]
fn a_prefix_and_a_kind_keep_a_name_apart() {
    let registry = registry();
    let plain = open(&registry, thirty(), OnMismatch::Throw);
    let prefixed = registry.open::<Limiter>("api", "chat", thirty(), OnMismatch::Throw).unwrap();
    assert!(!Arc::ptr_eq(&plain, &prefixed));
    registry.open::<Bulkhead>("", "chat", one_permit(), OnMismatch::Throw).unwrap();
    let snapshot: Value = serde_json::from_str(&registry.snapshot(0)).unwrap();
    let names = |kind: &str| Vec::from_iter(snapshot[kind].as_object().unwrap().keys().cloned());
    assert_eq!((names("limiters"), names("bulkheads")), (vec!["api:chat".into(), "chat".into()], vec!["chat".into()]));
}

#[test]
fn a_name_opened_with_other_options_is_refused_with_every_difference() {
    let registry = registry();
    open(&registry, thirty(), OnMismatch::Throw);
    let other = like_thirty(|limit| (limit.limit, limit.burst) = (31, 7));
    let fault = registry.open::<Limiter>("", "chat", other, OnMismatch::Throw).err().unwrap();
    assert_eq!(fault.code, Code::Mismatch);
    assert!(fault.message.starts_with("the limiter \"chat\" is open with other options: "), "{fault}");
    for difference in ["`limit` is 30 there and 31 here", "`burst` is 30 there and 7 here"] {
        assert!(fault.message.contains(difference), "{fault}");
    }
    assert!(!fault.message.contains("`maxKeys`"), "{fault}");
    assert!(fault.message.contains("`onMismatch: 'replace'`"), "{fault}");
}

#[test]
fn a_difference_in_one_of_several_limits_is_told_with_the_name_of_the_limit() {
    let registry = registry();
    let several = |hourly| {
        let named =
            |name: &str, limit, window_ms| LimitConfig { name: name.to_owned(), ..bucket(limit, window_ms, limit) };
        LimiterConfig { limits: vec![named("api/1m", 30, 60_000.0), named("api/1h", hourly, 3_600_000.0)] }
    };
    open(&registry, several(300), OnMismatch::Throw);
    let told = |other| registry.open::<Limiter>("", "chat", other, OnMismatch::Throw).err().unwrap().message;
    let message = told(several(200));
    assert!(message.contains("`api/1h limit` is 300 there and 200 here"), "{message}");
    assert!(!message.contains("api/1m"), "{message}");
    let message = told(thirty());
    assert!(message.contains("`api/1m limit` is 30 there and missing here"), "{message}");
}

#[test]
fn a_difference_inside_an_option_is_told_too() {
    let registry = registry();
    registry.open::<Breaker>("", "stripe", breaker(), OnMismatch::Throw).unwrap();
    let fault = registry
        .open::<Breaker>("", "stripe", BreakerConfig { slow: None, ..breaker() }, OnMismatch::Throw)
        .err()
        .unwrap();
    assert!(fault.message.contains("`slow` is {") && fault.message.contains("} there and null here"), "{fault}");
}

#[test]
fn a_replaced_primitive_lives_on_in_its_handles_and_its_release_leaves_the_name_alone() {
    let registry = registry();
    let old = open(&registry, thirty(), OnMismatch::Throw);
    let other = like_thirty(|limit| limit.limit = 31);
    let new = open(&registry, other.clone(), OnMismatch::Replace);
    assert!(!Arc::ptr_eq(&old, &new) && !old.life().has_ended());
    registry.release("", "chat", &old);
    assert!(old.life().has_ended() && !new.life().has_ended());
    assert!(Arc::ptr_eq(&new, &open(&registry, other, OnMismatch::Throw)));
    registry.dispose("", "chat", &old);
    assert!(!new.life().has_ended());
}

#[test]
fn the_last_to_let_go_ends_the_name() {
    let registry = registry();
    let first = open(&registry, thirty(), OnMismatch::Throw);
    let second = open(&registry, thirty(), OnMismatch::Throw);
    registry.release("", "chat", &first);
    assert!(!first.life().has_ended());
    registry.release("", "chat", &second);
    assert!(first.life().has_ended());
    assert!(!Arc::ptr_eq(&first, &open(&registry, thirty(), OnMismatch::Throw)), "the name starts anew");
}

#[test]
fn dispose_ends_a_name_for_everybody_and_frees_it() {
    let registry = registry();
    let first = open(&registry, thirty(), OnMismatch::Throw);
    let second = open(&registry, thirty(), OnMismatch::Throw);
    registry.dispose("", "chat", &first);
    assert!(second.life().has_ended());
    let fresh = open(&registry, like_thirty(|limit| limit.limit = 1), OnMismatch::Throw);
    registry.dispose("", "chat", &first);
    registry.release("", "chat", &first);
    registry.release("", "chat", &second);
    assert!(!fresh.life().has_ended(), "a second end of the old one is none of the new one's");
}

#[test]
fn a_primitive_that_cannot_be_made_leaves_no_name_behind() {
    let registry = registry();
    let too_fine = like_thirty(|limit| (limit.limit, limit.window_ms) = (1_000_000, 1.0));
    let fault = registry.open::<Limiter>("", "chat", too_fine.clone(), OnMismatch::Throw).err().unwrap();
    assert_eq!(fault.code, Code::RateTooFine);
    let made = open(&registry, thirty(), OnMismatch::Throw);
    assert!(registry.open::<Limiter>("", "chat", too_fine, OnMismatch::Replace).is_err());
    assert!(Arc::ptr_eq(&made, &open(&registry, thirty(), OnMismatch::Throw)), "nor does it take one away");
}

/// Counts how often any number was raised.
#[derive(Default)]
struct Raised(AtomicU64);

impl Generations for Raised {
    fn bump(&self, _slot: u32) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_end_of_a_registry_ends_all_four_kinds_and_the_decoded_copies_of_its_caches() {
    let raised = Arc::new(Raised::default());
    let registry = Registry::new(raised.clone());
    let limiter = open(&registry, thirty(), OnMismatch::Throw);
    let breaker = registry.open::<Breaker>("", "stripe", breaker(), OnMismatch::Throw).unwrap();
    let bulkhead = registry.open::<Bulkhead>("", "pool", one_permit(), OnMismatch::Throw).unwrap();
    let cache = registry.open::<Cache>("", "prices", cache(), OnMismatch::Throw).unwrap();
    registry.close();
    let ended = [limiter.life(), breaker.life(), bulkhead.life(), cache.life()].map(|life| life.has_ended());
    assert_eq!((ended, raised.0.load(Ordering::Relaxed)), ([true; 4], 1));
    assert_eq!(
        registry.snapshot(0),
        r#"{"breakers":{},"budgets":{},"bulkheads":{},"caches":{},"leases":{},"limiters":{}}"#
    );
}

/// A thread that ends lets go of the name just as another opens it.
#[test]
fn a_name_that_was_opened_is_not_ended_by_one_who_lets_go_at_the_same_time() {
    let (registry, start) = (registry(), Barrier::new(2));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..100_000 {
                    let config = one_permit();
                    let mine = registry.open::<Bulkhead>("", "pool", config, OnMismatch::Throw).unwrap();
                    assert!(!mine.life().has_ended());
                    (0..50).for_each(|_| std::hint::spin_loop());
                    assert!(!mine.life().has_ended());
                    registry.release("", "pool", &mine);
                }
            });
        }
    });
    assert_eq!(
        registry.snapshot(0),
        r#"{"breakers":{},"budgets":{},"bulkheads":{},"caches":{},"leases":{},"limiters":{}}"#
    );
}

/// What an interface of index.d.ts says: names, and what is within.
#[derive(Debug, Default, PartialEq)]
struct Shape(BTreeMap<String, Shape>);

impl Shape {
    fn of(value: &Value) -> Self {
        let fields = value.as_object().into_iter().flatten();
        Shape(fields.map(|(name, value)| (name.clone(), Shape::of(value))).collect())
    }

    /// The interface `name`, with what it extends.
    fn declared(declarations: &str, name: &str) -> Self {
        let (_, after) = declarations.split_once(&format!("interface {name} ")).expect(name);
        let (head, body) = after.split_once('{').unwrap();
        let mut shape = Shape::fields(&mut body.chars());
        if let Some(parent) = head.trim().strip_prefix("extends ") {
            shape.0.append(&mut Shape::declared(declarations, parent.trim()).0);
        }
        shape
    }

    /// The fields up to the brace that closes them.
    fn fields(rest: &mut std::str::Chars<'_>) -> Self {
        let (mut shape, mut word, mut name) = (Shape::default(), String::new(), None);
        while let Some(letter) = rest.next() {
            match letter {
                '/' => {
                    // The only comments within interfaces are of this form.
                    let mut before = ' ';
                    rest.by_ref().find(|letter| std::mem::replace(&mut before, *letter) == '*' && *letter == '/');
                }
                ':' => name = Some(std::mem::take(&mut word).trim().trim_start_matches("readonly ").to_owned()),
                '{' => {
                    let within = Shape::fields(rest);
                    shape.0.insert(name.clone().expect("a brace follows a name"), within);
                }
                '\n' | ';' | '}' => {
                    if let Some(name) = name.take() {
                        shape.0.entry(name).or_default();
                    }
                    word.clear();
                    if letter == '}' {
                        // What is optional is there over Redis alone.
                        shape.0.retain(|name, _| !name.ends_with('?'));
                        return shape;
                    }
                }
                letter => word.push(letter),
            }
        }
        panic!("an interface without an end")
    }
}

#[test]
fn a_snapshot_has_exactly_the_fields_of_the_declared_interfaces() {
    let registry = registry();
    open(&registry, thirty(), OnMismatch::Throw);
    registry.open::<Breaker>("", "stripe", breaker(), OnMismatch::Throw).unwrap();
    registry.open::<Bulkhead>("", "pool", one_permit(), OnMismatch::Throw).unwrap();
    registry.open::<Cache>("", "prices", cache(), OnMismatch::Throw).unwrap();
    registry.open::<Budget>("", "stripe", BudgetConfig { ratio: 0.2, floor: 10 }, OnMismatch::Throw).unwrap();
    let snapshot: Value = serde_json::from_str(&registry.snapshot(0)).unwrap();

    let declarations = include_str!("../../../index.d.ts");
    // Sheds, policies and the event loop are JavaScript's to tell of.
    let native = |name: &String| !["loop", "policies", "sheds"].contains(&name.as_str());
    let top = Vec::from_iter(Shape::declared(declarations, "Snapshot").0.into_keys().filter(native));
    assert_eq!(top, Vec::from_iter(Shape::of(&snapshot).0.into_keys()));
    for (report, interface) in [
        (&snapshot["limiters"]["chat"], "LimiterSnapshot"),
        (&snapshot["limiters"]["chat"]["limits"][0], "LimitSnapshot"),
        (&snapshot["breakers"]["stripe"], "BreakerSnapshot"),
        (&snapshot["bulkheads"]["pool"], "BulkheadSnapshot"),
        (&snapshot["caches"]["prices"], "CacheSnapshot"),
        (&snapshot["budgets"]["stripe"], "BudgetSnapshot"),
    ] {
        assert_eq!(Shape::of(report), Shape::declared(declarations, interface), "{interface}");
    }
    assert_eq!(snapshot["breakers"]["stripe"]["state"], "closed");
}

#[test]
fn an_option_that_is_off_is_null_in_a_snapshot() {
    let registry = registry();
    let off = BreakerConfig { consecutive: None, slow: None, ..breaker() };
    registry.open::<Breaker>("", "stripe", off, OnMismatch::Throw).unwrap();
    let snapshot: Value = serde_json::from_str(&registry.snapshot(0)).unwrap();
    let config = &snapshot["breakers"]["stripe"]["config"];
    assert_eq!((&config["consecutive"], &config["slow"]), (&Value::Null, &Value::Null));
}
