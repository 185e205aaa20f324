//! The cache against a plain map and a list of loads, over environments that come and go, and under threads.
//! Never decodes a value: bytes in, bytes out.

use crate::dice::{Dice, key};
use crate::letters::{LetterBox, Said, environment};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;
use spillway_engine::Code;
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle, Encoded, Miss};
use spillway_engine::store::bytes::OVERHEAD;
use spillway_engine::store::generations::{Generations, NoCopies, slot_of};
use spillway_engine::store::ledger::{Ledger, Receipt};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

const MILLI: u64 = 1_000_000;
const TTL_MS: u64 = 1_000;
const LARGEST: usize = 64;
const KEY_LEN: usize = 8;

fn config(max_bytes: u64, max_value_bytes: u64, jitter: f64) -> CacheConfig {
    CacheConfig { ttl_ms: TTL_MS as f64, jitter, max_bytes: max_bytes as f64, max_value_bytes: max_value_bytes as f64 }
}

fn encoded(value: &[u8], ttl_ms: Option<u64>) -> Encoded {
    Encoded { value: value.into(), ascii: value.is_ascii(), ttl_ms: ttl_ms.map(|ttl| ttl as f64) }
}

/// Remembers which numbers were raised.
#[derive(Default)]
struct Raised(Mutex<Vec<u32>>);

impl Generations for Raised {
    fn bump(&self, slot: u32) {
        self.0.lock().push(slot);
    }
}

/// One thread's end of it.
struct Side {
    number: u64,
    ledger: Arc<Ledger>,
    letters: Arc<LetterBox>,
    handle: CacheHandle,
}

impl Side {
    fn new(number: u64, cache: &Arc<Cache>) -> Self {
        let (ledger, letters) = environment();
        Side { number, handle: CacheHandle::new(cache.clone(), ledger.clone()), ledger, letters }
    }

    fn get(&self, number: u64, now: u64) -> Option<Vec<u8>> {
        self.handle.get(key(number), now).map(|bytes| bytes.value.to_vec())
    }

    fn set(&self, number: u64, value: &[u8], ttl_ms: Option<u64>, now: u64) -> Result<(), Code> {
        self.handle.set(key(number), KEY_LEN, encoded(value, ttl_ms), now).map_err(|fault| fault.code)
    }

    fn land(&self, receipt: Receipt, number: u64, value: &[u8], now: u64) -> Result<(), Code> {
        self.handle.land(receipt, key(number), KEY_LEN, encoded(value, None), now).map_err(|fault| fault.code)
    }
}

type Ticket = (u64, Receipt);

struct Load {
    key: u64,
    epoch: u64,
    /// Whoever misses the key now waits for it, and it may store.
    current: bool,
    leader: Ticket,
    waiting: VecDeque<Ticket>,
}

#[derive(Default)]
struct Model {
    /// Key → value and when it ends; those that have ended stay until somebody looks.
    values: HashMap<u64, (Vec<u8>, u64)>,
    epoch: u64,
    loads: Vec<Load>,
    raised: Vec<u32>,
    letters: Vec<(u64, Said)>,
    hits: u64,
    misses: u64,
    begun: u64,
    failed: u64,
    sets: u64,
    deletes: u64,
    expirations: u64,
}

impl Model {
    fn look(&mut self, number: u64, now: u64) -> Option<Vec<u8>> {
        let (value, ends) = self.values.get(&number)?.clone();
        if now < ends {
            return Some(value);
        }
        self.values.remove(&number);
        self.expirations += 1;
        None
    }

    fn changed(&mut self, number: u64) {
        self.loads.iter_mut().filter(|load| load.key == number).for_each(|load| load.current = false);
        self.raised.push(slot_of(key(number)));
    }

    /// The load at `index` fails: who waited longest goes on with it.
    fn hand_over(&mut self, index: usize) {
        match self.loads[index].waiting.pop_front() {
            Some(next) => {
                self.loads[index].leader = next;
                self.letters.push((next.0, Said::Yours(next.1)));
            }
            None => drop(self.loads.swap_remove(index)),
        }
    }

    fn report(&self, config: &CacheConfig) -> serde_json::Value {
        let weight = |value: &Vec<u8>| (KEY_LEN + value.len()) as u64 + OVERHEAD;
        json!({
            "config": config, "hits": self.hits, "misses": self.misses, "loads": self.begun,
            "loadFailures": self.failed, "sets": self.sets, "deletes": self.deletes, "evictions": 0,
            "expirations": self.expirations, "entries": self.values.len(),
            "bytes": self.values.values().map(|(value, _)| weight(value)).sum::<u64>(), "maxBytes": config.max_bytes,
        })
    }
}

#[test]
fn whatever_happens_the_cache_is_a_map_whose_loads_run_once_and_never_store_over_a_change() {
    let mut dice = Dice::new(9);
    for _ in 0..2_000 {
        let raised = Arc::new(Raised::default());
        let config = config(1 << 20, LARGEST as u64, 0.0);
        let cache = Arc::new(Cache::new(config.clone(), raised.clone()));
        let mut sides = Vec::from_iter((0..3).map(|number| Side::new(number, &cache)));
        let mut model = Model::default();
        let mut over: Vec<Ticket> = Vec::new();
        let mut now = 5_000 * MILLI;
        for turn in 0..250 {
            now += dice.one_of(&[0, 0, 1, MILLI, 10 * MILLI, (TTL_MS - 10) * MILLI, TTL_MS * MILLI]);
            let at = dice.below(3) as usize;
            let side = &sides[at];
            let number = dice.below(4);
            // One byte too many now and then.
            let value = vec![turn as u8; dice.below(LARGEST as u64 + 4) as usize];
            let fits = value.len() <= LARGEST;
            let fate = if fits { Ok(()) } else { Err(Code::ValueTooLarge) };
            let led = Vec::from_iter((0..model.loads.len()).filter(|load| model.loads[*load].leader.0 == side.number));
            match dice.below(24) {
                0..4 => {
                    let expected = model.look(number, now);
                    *(if expected.is_some() { &mut model.hits } else { &mut model.misses }) += 1;
                    assert_eq!(side.get(number, now), expected);
                }
                4..6 => {
                    let ttl = dice.one_of(&[None, Some(1), Some(5_000)]);
                    assert_eq!(side.set(number, &value, ttl, now), fate);
                    if fits {
                        model.values.insert(number, (value, now + ttl.unwrap_or(TTL_MS) * MILLI));
                        model.changed(number);
                        model.sets += 1;
                    }
                }
                6 => {
                    let readable = model.values.remove(&number).is_some_and(|(_, ends)| now < ends);
                    assert_eq!(side.handle.delete(key(number), now), readable);
                    model.changed(number);
                    model.deletes += 1;
                }
                7 => {
                    if dice.below(4) == 0 {
                        side.handle.clear();
                        model.values.clear();
                        model.epoch += 1;
                        model.raised.push(cache.epoch_slot());
                    }
                }
                8 => {
                    side.handle.touch(key(number), 3);
                    model.hits += 3;
                }
                9..15 => {
                    let boarded = side.handle.board(key(number), now);
                    let present = model.look(number, now);
                    let epoch = model.epoch;
                    let current = model.loads.iter_mut().find(|load| load.key == number && load.current);
                    match (boarded, present, current) {
                        (Miss::Present(bytes), Some(value), _) => assert_eq!(*bytes.value, *value),
                        (Miss::Wait(receipt), None, Some(load)) if load.epoch == epoch => {
                            load.waiting.push_back((side.number, receipt));
                        }
                        (Miss::Lead(receipt), None, current) => {
                            if let Some(load) = current {
                                assert_ne!(load.epoch, epoch, "one load a key");
                                load.current = false;
                            }
                            let leader = (side.number, receipt);
                            model.loads.push(Load { key: number, epoch, current: true, leader, waiting: [].into() });
                            model.begun += 1;
                        }
                        (_, present, _) => panic!("told something else, with {present:?} there"),
                    }
                }
                15..18 => {
                    if let Some(which) = dice.index(led.len()) {
                        let (receipt, number) = (model.loads[led[which]].leader.1, model.loads[led[which]].key);
                        assert_eq!(side.land(receipt, number, &value, now), fate);
                        over.push((side.number, receipt));
                        if fits {
                            let load = model.loads.swap_remove(led[which]);
                            for (waits, receipt) in load.waiting {
                                model.letters.push((waits, Said::Landed(receipt, value.clone())));
                                over.push((waits, receipt));
                            }
                            if load.current {
                                model.raised.push(slot_of(key(number)));
                                if load.epoch == model.epoch {
                                    model.values.insert(number, (value, now + TTL_MS * MILLI));
                                }
                            }
                        } else {
                            model.failed += 1;
                            model.hand_over(led[which]);
                        }
                    }
                }
                18..20 => {
                    if let Some(which) = dice.index(led.len()) {
                        let receipt = model.loads[led[which]].leader.1;
                        side.handle.fail(receipt);
                        over.push((side.number, receipt));
                        model.failed += 1;
                        model.hand_over(led[which]);
                    }
                }
                20..22 => {
                    let waiting = model.loads.iter_mut().flat_map(|load| {
                        let mine = load.waiting.iter().position(|waits| waits.0 == side.number);
                        mine.map(|index| load.waiting.remove(index).unwrap())
                    });
                    // Evaluated lazily: only the first of them leaves.
                    if let Some((_, receipt)) = waiting.take(1).next() {
                        assert!(side.handle.leave(receipt));
                        over.push((side.number, receipt));
                    }
                }
                22 => {
                    if let Some(index) = dice.index(over.len())
                        && over[index].0 == side.number
                    {
                        let receipt = over[index].1;
                        assert_eq!(side.land(receipt, number, &[1], now), Ok(()), "a late result is dropped");
                        side.handle.fail(receipt);
                        assert!(!side.handle.leave(receipt));
                    }
                }
                _ => {
                    // The thread ends with its loads and its waits, and another begins.
                    let gone = std::mem::replace(&mut sides[at], Side::new(turn + 3, &cache));
                    gone.ledger.close(&|| 0);
                    assert!(matches!(gone.handle.board(key(99), now), Miss::Refused));
                    for load in &mut model.loads {
                        load.waiting.retain(|waits| waits.0 != gone.number);
                    }
                    for index in (0..model.loads.len()).rev() {
                        if model.loads[index].leader.0 == gone.number {
                            model.hand_over(index);
                        }
                    }
                }
            }
            assert_eq!(std::mem::take(&mut *raised.0.lock()), std::mem::take(&mut model.raised));
            for side in &sides {
                let (mut came, mut expected) = (side.letters.empty(), Vec::new());
                for (_, said) in model.letters.extract_if(.., |(to, _)| *to == side.number) {
                    expected.push(said);
                }
                for said in &came {
                    if let Said::Yours(_) = said {
                        side.handle.note_lead();
                        model.begun += 1;
                    }
                }
                came.sort();
                expected.sort();
                assert_eq!(came, expected);
            }
            model.letters.clear();
        }
        assert_eq!(serde_json::to_value(cache.report()).unwrap(), model.report(&config));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_fresh_for_its_ttl_give_or_take_the_jitter(
        number in any::<u64>(),
        ttl in 1..1_000_000_000u64,
        jitter in 0..=100u32,
        now in 0..1u64 << 60,
    ) {
        let share = f64::from(jitter) / 100.0;
        let cache = Arc::new(Cache::new(config(65_536, 64, share), Arc::new(NoCopies)));
        let side = Side::new(0, &cache);
        side.set(number, b"1", Some(ttl), now).unwrap();
        let ttl = (ttl * MILLI) as f64;
        let (earliest, latest) = ((ttl * (1.0 - share)) as u64, (ttl * (1.0 + share)) as u64 + 1);
        prop_assert!(earliest == 0 || side.get(number, now + earliest - 1).is_some());
        prop_assert!(side.get(number, now + latest).is_none());
    }
}

#[test]
fn a_value_ends_exactly_at_its_time() {
    let side = Side::new(0, &Arc::new(Cache::new(config(65_536, 64, 0.0), Arc::new(NoCopies))));
    side.set(1, b"1", Some(5), 100).unwrap();
    assert!(side.get(1, 100 + 5 * MILLI - 1).is_some());
    assert!(side.get(1, 100 + 5 * MILLI).is_none());
}

#[test]
fn jitter_spreads_the_ends_of_many_keys_over_its_whole_range() {
    let side = Side::new(0, &Arc::new(Cache::new(config(1 << 20, 64, 0.1), Arc::new(NoCopies))));
    let ended = |from: u64, to: u64| {
        let now = |ms: u64| ms * MILLI;
        (0..1_000).for_each(|number| side.set(number, b"1", None, 0).unwrap());
        let before = (0..1_000).filter(|number| side.get(*number, now(from)).is_some()).count();
        before - (0..1_000).filter(|number| side.get(*number, now(to)).is_some()).count()
    };
    for (from, to) in [(899, 950), (950, 1_000), (1_000, 1_050), (1_050, 1_101)] {
        assert!((150..350).contains(&ended(from, to)), "a quarter of them ends in each quarter");
    }
}

#[test]
fn the_largest_value_is_kept_however_full_the_cache_is_and_max_bytes_is_never_passed() {
    let mut dice = Dice::new(10);
    for (max_bytes, largest) in
        [(65_536, 8_192), (65_536, 1), (1 << 20, 1 << 17), (3_000_000, 100_000), (1 << 24, 1 << 20)]
    {
        let cache = Arc::new(Cache::new(config(max_bytes, largest, 0.0), Arc::new(NoCopies)));
        let side = Side::new(0, &cache);
        for number in 0..3_000 {
            let len = if number % 10 == 0 { largest } else { dice.below(largest / 8 + 1) };
            side.set(number, &vec![b'x'; len as usize], None, 0).unwrap();
            assert_eq!(side.get(number, 0).map(|value| value.len() as u64), Some(len), "never a silent drop");
            let said = serde_json::to_value(cache.report()).unwrap();
            assert!(said["bytes"].as_u64().unwrap() <= max_bytes);
        }
        // The accounts are what can be read, to the byte.
        let readable = Vec::from_iter((0..3_000).filter_map(|number| side.get(number, 0)));
        let weight: u64 = readable.iter().map(|value| (KEY_LEN + value.len()) as u64 + OVERHEAD).sum();
        let said = serde_json::to_value(cache.report()).unwrap();
        assert_eq!((&said["entries"], &said["bytes"]), (&json!(readable.len()), &json!(weight)));
        assert_eq!(said["evictions"], json!(3_000 - readable.len()));
        assert!(weight > max_bytes / 2, "and the room is used: {weight} of {max_bytes}");
    }
}

#[test]
fn a_value_too_large_is_refused_and_the_old_one_stays() {
    let side = Side::new(0, &Arc::new(Cache::new(config(65_536, 64, 0.0), Arc::new(NoCopies))));
    side.set(1, b"old", None, 0).unwrap();
    let fault = side.handle.set(key(1), KEY_LEN, encoded(&[b'x'; 65], None), 0).unwrap_err();
    assert_eq!(fault.code, Code::ValueTooLarge);
    assert_eq!(fault.message, "the encoded value has 65 bytes and `maxValueBytes` is 64; raise it, or cache less");
    assert_eq!(side.get(1, 0).as_deref(), Some(&b"old"[..]));
}

#[test]
fn what_a_clear_leaves_behind_is_neither_read_nor_counted_and_makes_room() {
    let cache = Arc::new(Cache::new(config(65_536, 64, 0.0), Arc::new(NoCopies)));
    let side = Side::new(0, &cache);
    for number in 0..1_000 {
        side.set(number, b"old", None, 0).unwrap();
    }
    side.handle.clear();
    let said = serde_json::to_value(cache.report()).unwrap();
    assert_eq!((&said["entries"], &said["bytes"]), (&json!(0), &json!(0)));
    for number in 0..1_000 {
        assert_eq!(side.get(number, 0), None);
    }
    for number in 1_000..3_000 {
        side.set(number, b"new", None, 0).unwrap();
    }
    assert!(serde_json::to_value(cache.report()).unwrap()["entries"].as_u64().unwrap() > 200);
}

#[test]
fn a_thousand_who_ask_at_once_from_eight_threads_make_one_load() {
    let cache = Arc::new(Cache::new(config(1 << 20, 64, 0.0), Arc::new(NoCopies)));
    let start = Barrier::new(8);
    for round in 0..50 {
        let loads = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (cache, start, loads) = (&cache, &start, &loads);
                scope.spawn(move || {
                    let side = Side::new(thread, cache);
                    let mut waiting = 0;
                    let mut lead = None;
                    start.wait();
                    for _ in 0..125 {
                        match side.handle.board(key(round), 0) {
                            Miss::Present(bytes) => assert_eq!(*bytes.value, *b"loaded"),
                            Miss::Lead(receipt) => assert!(lead.replace(receipt).is_none()),
                            Miss::Wait(_) => waiting += 1,
                            Miss::Refused => panic!("refused"),
                        }
                    }
                    if let Some(receipt) = lead {
                        loads.fetch_add(1, Ordering::Relaxed);
                        side.land(receipt, round, b"loaded", 0).unwrap();
                    }
                    let mut came = 0;
                    while came < waiting {
                        let letters = side.letters.wait();
                        assert!(
                            letters.iter().all(|said| matches!(said, Said::Landed(_, value) if value == b"loaded"))
                        );
                        came += letters.len();
                    }
                });
            }
        });
        assert_eq!(loads.into_inner(), 1);
    }
}

/// What a key stands for, as a loader finds it, and how much of that the cache has been told.
#[derive(Default)]
struct Source {
    truth: AtomicU64,
    told: AtomicU64,
}

/// A value is the truth at some time. Whoever reads or waits never gets one from before what the cache had been told when he
/// asked.
#[test]
fn under_threads_nobody_who_asks_after_a_change_gets_what_was_loaded_before_it() {
    const KEYS: u64 = 4;
    let cache = Arc::new(Cache::new(config(1 << 20, 64, 0.0), Arc::new(NoCopies)));
    let sources: Vec<_> = (0..KEYS).map(|_| Source::default()).collect();
    let number_of = |value: &[u8]| u64::from_le_bytes(value.try_into().unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, sources) = (&cache, &sources);
            scope.spawn(move || {
                let mut dice = Dice::new(thread);
                let mut side = Side::new(thread, cache);
                for _ in 0..150_000 {
                    let which = dice.below(KEYS);
                    let source = &sources[which as usize];
                    let told = source.told.load(Ordering::SeqCst);
                    let change = || source.truth.fetch_add(1, Ordering::SeqCst) + 1;
                    match dice.below(16) {
                        // Each key is changed by one thread only, so that its changes have an order.
                        0 if which == thread => {
                            let truth = change();
                            side.set(which, &truth.to_le_bytes(), None, 0).unwrap();
                            source.told.store(truth, Ordering::SeqCst);
                        }
                        1 if which == thread => {
                            let truth = change();
                            side.handle.delete(key(which), 0);
                            source.told.store(truth, Ordering::SeqCst);
                        }
                        2 if thread == 0 && dice.below(8) == 0 => side.handle.clear(),
                        3..8 => {
                            if let Some(value) = side.get(which, 0) {
                                assert!(number_of(&value) >= told);
                            }
                        }
                        _ => match side.handle.board(key(which), 0) {
                            Miss::Present(bytes) => assert!(number_of(&bytes.value) >= told),
                            Miss::Lead(receipt) => load(&mut side, &mut dice, cache, source, receipt, which),
                            Miss::Wait(receipt) => {
                                let letter = side.letters.wait().pop().unwrap();
                                match letter {
                                    Said::Landed(_, value) => assert!(number_of(&value) >= told),
                                    Said::Expired(_) => panic!("the lead of a flight does not expire"),
                                    Said::Yours(_) => load(&mut side, &mut dice, cache, source, receipt, which),
                                }
                            }
                            Miss::Refused => panic!("refused"),
                        },
                    }
                }
            });
        }
    });

    /// Load, fail or end as the leader of a flight.
    fn load(side: &mut Side, dice: &mut Dice, cache: &Arc<Cache>, source: &Source, receipt: Receipt, which: u64) {
        let seen = source.truth.load(Ordering::SeqCst);
        if dice.below(4) == 0 {
            (0..200).for_each(|_| std::hint::spin_loop());
        }
        match dice.below(16) {
            0 => side.handle.fail(receipt),
            1 => {
                side.ledger.close(&|| 0);
                *side = Side::new(side.number, cache);
            }
            _ => side.land(receipt, which, &seen.to_le_bytes(), 0).unwrap(),
        }
    }
}
