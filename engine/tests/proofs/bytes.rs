//! The store of the cache against a model that takes everything out at once, and under threads.
//! Never a clock: time is an argument, in the steps the store keeps.

use crate::dice::Dice;
use spillway_engine::policy::freshness::{State, Windows};
use spillway_engine::store::bytes::{ByteStore, Look, Shape};
use spillway_engine::store::entry::{Draft, Kind, Name};
use spillway_engine::store::fingerprint::Fingerprint;
use spillway_engine::store::tags::{Force, MAX_RECORDS, TagHash};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

const MILLI: u64 = 1_000_000;

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn key(text: &str) -> Fingerprint {
    Fingerprint::of_units(&units(text))
}

fn tag(number: u64) -> TagHash {
    TagHash::of(&units(&format!("tag {number}")))
}

fn store(max_bytes: u64, max_value_bytes: u64, stale_ms: u64, grace_ms: u64) -> ByteStore {
    let windows = Windows::new(stale_ms * MILLI, grace_ms * MILLI);
    ByteStore::new(Shape { max_bytes, max_value_bytes, windows })
}

/// What one writes who knows only the key.
struct Writing<'a> {
    name: &'a [u16],
    kind: Kind,
    value: &'a [u8],
    tags: &'a [TagHash],
    ttl_ms: u64,
}

impl Writing<'_> {
    fn write(&self, store: &ByteStore, born: Option<u64>, now: u64) -> bool {
        let Writing { name, kind, value, tags, ttl_ms } = *self;
        let key = Fingerprint::of_units(name);
        let draft = Draft { key, name, kind, value, tags, ttl: ttl_ms * MILLI };
        assert!(store.fits(&draft));
        store.insert(key, &store.make(&draft, born, now), now).stored
    }
}

fn set(store: &ByteStore, name: &str, value: &[u8], tags: &[TagHash], ttl_ms: u64, now: u64) {
    let writing = Writing { name: &units(name), kind: Kind::Bytes, value, tags, ttl_ms };
    assert!(writing.write(store, None, now));
}

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    kind: Kind,
    tags: Vec<u64>,
    stored: u64,
    /// Ends of fresh, stale and grace.
    marks: [u64; 3],
    /// For each tag that was expired since it was born: when, and the limit.
    expired: HashMap<u64, (u64, u64)>,
}

/// A load under way: what was invalidated since it began.
#[derive(Default)]
struct Load {
    born: u64,
    cleared: bool,
    invalidated: Vec<u64>,
    expired: HashMap<u64, (u64, u64)>,
}

struct Model {
    entries: HashMap<String, Entry>,
    loads: Vec<Load>,
    /// Of each tag that was ever expired: when last, and the limit.
    limits: HashMap<u64, (u64, u64)>,
    stale: u64,
    grace: u64,
}

impl Model {
    fn marks(&self, kind: Kind, ttl_ms: u64, now: u64) -> [u64; 3] {
        let fresh = now + ttl_ms * MILLI;
        if kind == Kind::Nothing {
            return [fresh; 3];
        }
        [fresh, fresh + self.stale, fresh + self.stale + self.grace]
    }

    /// State and time left fresh, as though the entry had `further` tags that were expired so.
    fn look(&self, name: &str, now: u64, further: &HashMap<u64, (u64, u64)>) -> Option<(State, Entry)> {
        let entry = self.entries.get(name)?;
        let grace = if entry.kind == Kind::Nothing { 0 } else { self.grace };
        let [mut fresh, mut stale, mut gone] = entry.marks;
        for (at, until) in entry.expired.values().chain(further.values()) {
            (fresh, stale) = (fresh.min(*at), stale.min(*at));
            gone = gone.min(at + grace).min(*until);
        }
        let state = match now {
            _ if now >= gone => return None,
            _ if now < fresh => State::Fresh,
            _ if now < stale => State::Stale,
            _ => State::Grace,
        };
        Some((state, entry.clone()))
    }
}

fn random_name(dice: &mut Dice, keys: u64) -> String {
    let number = dice.below(keys);
    match number % 4 {
        0 => format!("a:{number}"),
        1 => format!("a:ü{number}"),
        2 => format!("b:€{number}"),
        _ => format!("b:{number}{}", "x".repeat(number as usize % 24 * 20)),
    }
}

/// Random operations. Where there is room for everything the store is the model; where there is not, it may know less.
fn compare_with_model(seed: u64, max_bytes: u64, keys: u64, turns: u32) -> [u64; 3] {
    let mut dice = Dice::new(seed);
    let roomy = max_bytes > 1 << 19;
    let (stale_ms, grace_ms) = (dice.one_of(&[0, 5, 100]), dice.one_of(&[0, 7, 200]));
    let store = store(max_bytes, 400, stale_ms, grace_ms);
    let (entries, loads, limits) = Default::default();
    let mut model = Model { entries, loads, limits, stale: stale_ms * MILLI, grace: grace_ms * MILLI };
    let mut now = dice.one_of(&[0, 5_000 * MILLI, 1 << 60]) / 10_000 * 10_000;
    let (mut found, mut missed) = (0, 0);
    for _ in 0..turns {
        now += dice.one_of(&[0, 0, 0, 10_000, MILLI, 3 * MILLI, 40 * MILLI]);
        let name = random_name(&mut dice, keys);
        let tags: Vec<u64> = (0..dice.one_of(&[0, 0, 1, 3])).map(|_| dice.below(5)).collect();
        let hashes: Vec<TagHash> = tags.iter().map(|number| tag(*number)).collect();
        let tags = Vec::from_iter(BTreeSet::from_iter(tags));
        let ttl_ms = dice.one_of(&[1, 50, 300, 5_000]);
        let kind = dice.one_of(&[Kind::Ascii, Kind::Utf8, Kind::Bytes, Kind::Nothing]);
        let len = if kind == Kind::Nothing { 0 } else { dice.below(400) };
        let value: Vec<u8> = (0..len).map(|_| dice.word() as u8).collect();
        let writing = Writing { name: &units(&name), kind, value: &value, tags: &hashes, ttl_ms };
        let entry = |marks| Entry {
            value: value.clone(),
            kind,
            tags: tags.clone(),
            stored: now,
            marks,
            expired: HashMap::new(),
        };
        match dice.below(32) {
            0..6 => {
                assert!(writing.write(&store, None, now));
                let marks = model.marks(kind, ttl_ms, now);
                model.entries.insert(name, entry(marks));
            }
            6..16 => {
                let look = match dice.below(3) {
                    0 => store.peek(key(&name), now, &[]),
                    _ => store.read(key(&name), now),
                };
                match (look, model.look(&name, now, &HashMap::new())) {
                    (Some(look), Some((state, entry))) => {
                        assert_eq!((look.state, look.value.bytes()), (state, &*entry.value), "{name} at {now}");
                        assert_eq!(look.value.kind(), entry.kind);
                        assert_eq!(look.age, (now / MILLI - entry.stored / MILLI) * MILLI);
                        assert_eq!(look.value.name().units().collect::<Vec<_>>(), units(&name));
                        let left = entry.marks[0] as i64 - now as i64;
                        match state {
                            State::Fresh if entry.expired.is_empty() => assert_eq!(look.fresh_for, left),
                            State::Fresh => assert!(look.fresh_for > 0),
                            _ => assert!(look.fresh_for <= 0),
                        }
                        found += 1;
                    }
                    (None, None) => missed += 1,
                    (None, Some(_)) => assert!(!roomy, "{name} is lost at {now}"),
                    (Some(look), None) => panic!("{name} is gone at {now} and reads {look:?}", look = look.state),
                }
            }
            16 => {
                let readable = model.look(&name, now, &HashMap::new()).is_some();
                model.entries.remove(&name);
                let removed = store.remove(key(&name), now).0;
                assert!(removed == readable || readable && !roomy);
            }
            17 => {
                let state = model.look(&name, now, &HashMap::new()).map(|(state, _)| state);
                let expected = state.is_some_and(|state| state < State::Grace);
                let grace = model.grace;
                if expected && let Some(entry) = model.entries.get_mut(&name) {
                    let grace = if entry.kind == Kind::Nothing { 0 } else { grace };
                    let [fresh, stale, mut gone] = entry.marks;
                    for (at, until) in entry.expired.values() {
                        gone = gone.min(at + grace).min(*until);
                    }
                    entry.marks = [fresh.min(now), stale.min(now), gone.min(now + grace)];
                }
                let expired = store.expire(key(&name), now).0;
                assert!(expired == expected || expected && !roomy);
            }
            18 => {
                store.invalidate(&hashes, Force::Hard, now, 0);
                model.entries.retain(|_, entry| !entry.tags.iter().any(|tag| tags.contains(tag)));
                model.loads.iter_mut().for_each(|load| load.invalidated.extend(&tags));
            }
            19 => {
                let until = dice.one_of(&[u64::MAX, now + 4 * MILLI]);
                store.invalidate(&hashes, Force::Soft(until), now, 0);
                for tag in &tags {
                    let limit = model.limits.insert(*tag, (now, until));
                    let Some((at, limit)) = limit else { continue };
                    if limit.min(at + model.grace) > now {
                        // Whoever still lives with a limit keeps it; who was not yet born has it too.
                        model.limits.insert(*tag, (now, until.min(limit)));
                    } else {
                        // Who is gone stays gone.
                        model.entries.retain(|_, entry| !entry.expired.contains_key(tag));
                        for load in model.loads.iter_mut().filter(|load| load.expired.contains_key(tag)) {
                            load.invalidated.push(*tag);
                        }
                    }
                }
                let limits = &model.limits;
                for entry in model.entries.values_mut() {
                    for tag in tags.iter().filter(|tag| entry.tags.contains(tag)) {
                        entry.expired.insert(*tag, limits[tag]);
                    }
                }
                for load in &mut model.loads {
                    load.expired.extend(tags.iter().map(|tag| (*tag, limits[tag])));
                }
            }
            20 => {
                if dice.below(16) == 0 {
                    store.clear();
                    model.entries.clear();
                    model.loads.iter_mut().for_each(|load| load.cleared = true);
                    assert_eq!(store.accounts().entries, 0);
                    assert_eq!(store.accounts().bytes, 0);
                }
            }
            21 => {
                let prefix = dice.one_of(&["a:", "b:", "a:ü", "b:€", "", "a:1", "nothing"]);
                if prefix.len() > 2 || dice.below(16) == 0 {
                    let before = model.entries.len();
                    let readable =
                        model.entries.keys().filter(|name| name.starts_with(prefix)).cloned().collect::<Vec<_>>();
                    let readable =
                        readable.iter().filter(|name| model.look(name, now, &HashMap::new()).is_some()).count() as u64;
                    model.entries.retain(|name, _| !name.starts_with(prefix));
                    let removed = store.remove_prefix(&units(prefix), now);
                    assert!(removed == readable || !roomy && removed < readable, "of {before}");
                }
            }
            22..25 => {
                let born = store.moment() + 1;
                // Loads of one moment have seen the same.
                if model.loads.len() < 4 && model.loads.iter().all(|load| load.born != born) {
                    model.loads.push(Load { born, ..Load::default() });
                }
            }
            25..28 => {
                let Some(which) = dice.index(model.loads.len()) else { continue };
                let load = model.loads.swap_remove(which);
                let good = !load.cleared && !tags.iter().any(|tag| load.invalidated.contains(tag));
                let overtaken = store.moment() + 1 > load.born;
                assert_eq!(writing.write(&store, Some(load.born), now), good);
                if good {
                    let expired = load.expired.into_iter().filter(|(tag, _)| tags.contains(tag)).collect();
                    let marks = model.marks(kind, ttl_ms, now);
                    model.entries.insert(name, Entry { expired, ..entry(marks) });
                } else {
                    assert!(overtaken);
                }
            }
            28 => {
                // A reader with further tags sees what it would see of an entry that has them. Here of nothing but the past.
                if let Some(look) = store.read_with(key(&name), now, &hashes) {
                    let (state, entry) = model.look(&name, now, &HashMap::new()).expect("it can be read");
                    assert_eq!(look.value.bytes(), entry.value);
                    assert!(look.state >= state);
                }
            }
            29 => store.touch(key(&name), 3),
            _ => store.sweep(now),
        }
        if roomy && dice.below(64) == 0 {
            (0..4).for_each(|_| store.sweep(now));
            let alive: Vec<_> =
                model.entries.keys().filter(|name| model.look(name, now, &HashMap::new()).is_some()).collect();
            for name in &alive {
                assert!(
                    store.peek(key(name), now, &[]).is_some(),
                    "{name} is lost at {now}, {:?}",
                    model.entries[*name]
                );
            }
            assert_eq!(store.accounts().entries, alive.len() as u64, "the dead have been swept");
        }
        assert!(store.accounts().bytes <= max_bytes);
    }
    [found, missed, store.accounts().evictions]
}

#[test]
fn with_room_for_everything_the_store_is_a_map_whose_entries_age_and_are_invalidated() {
    let [mut found, mut missed] = [0; 2];
    for seed in 0..1_500 {
        let [hits, misses, evictions] = compare_with_model(seed, 1 << 20, 24, 1_000);
        (found, missed) = (found + hits, missed + misses);
        assert_eq!(evictions, 0);
    }
    assert!(found > 80_000 && missed > 80_000, "{found} {missed}");
}

#[test]
fn with_little_room_the_store_forgets_but_never_reads_what_is_gone() {
    let [mut found, mut evicted] = [0; 2];
    for seed in 0..400 {
        let [hits, _, evictions] = compare_with_model(1_000_000 + seed, 1 << 14, 200, 2_000);
        (found, evicted) = (found + hits, evicted + evictions);
    }
    assert!(found > 5_000 && evicted > 500, "{found} {evicted}");
}

#[test]
fn further_tags_of_a_reader_count_as_though_the_entry_had_them() {
    let store = store(1 << 20, 512, 0, 1_000);
    set(&store, "page", b"1", &[], 10_000, 0);
    let read = |tags: &[TagHash], now| store.read_with(key("page"), now, tags).map(|look| look.state);
    assert_eq!(read(&[tag(1)], 0), Some(State::Fresh));
    store.invalidate(&[tag(2)], Force::Soft(u64::MAX), MILLI, 0);
    assert_eq!(read(&[tag(1), tag(2)], MILLI), Some(State::Grace));
    assert_eq!(read(&[tag(2)], 1_001 * MILLI), None, "grace is over, for this reader");
    store.invalidate(&[tag(1)], Force::Hard, MILLI, 0);
    assert_eq!(read(&[tag(1)], MILLI), None);
    assert_eq!(read(&[], MILLI), Some(State::Fresh), "others still read it");
    // A load that began before and lands afterwards is as old as its beginning.
    let born = store.moment() + 1;
    store.invalidate(&[tag(3)], Force::Hard, MILLI, 0);
    let landing = Writing { name: &units("late"), kind: Kind::Ascii, value: b"2", tags: &[], ttl_ms: 1_000 };
    assert!(landing.write(&store, Some(born), MILLI));
    assert!(store.read_with(key("late"), MILLI, &[]).is_some());
    assert!(store.read_with(key("late"), MILLI, &[tag(3)]).is_none());
}

#[test]
fn what_was_invalidated_stays_so_however_many_tags_are_invalidated_after_it() {
    let store = store(1 << 22, 512, 0, 0);
    set(&store, "tagged", b"1", &[tag(7)], 1_000_000, 0);
    set(&store, "other", b"1", &[tag(8)], 1_000_000, 0);
    set(&store, "plain", b"1", &[], 1_000_000, 0);
    store.invalidate(&[tag(7)], Force::Hard, 0, 0);
    for number in 0..MAX_RECORDS as u64 / 2 {
        store.invalidate(&[tag(1_000 + number)], Force::Hard, 0, 0);
    }
    assert!(store.peek(key("tagged"), 0, &[]).is_none());
    assert!(store.peek(key("other"), 0, &[]).is_some(), "within the bound nobody pays for others");
    for number in 0..MAX_RECORDS as u64 {
        store.invalidate(&[tag(1_000_000 + number)], Force::Hard, 0, 0);
    }
    assert!(store.peek(key("tagged"), 0, &[]).is_none());
    assert!(store.peek(key("other"), 0, &[]).is_none(), "past the bound it counts as invalidated");
    assert!(store.peek(key("plain"), 0, &[]).is_some());
    set(&store, "tagged", b"2", &[tag(7)], 1_000_000, 0);
    assert!(store.peek(key("tagged"), 0, &[]).is_some());
}

#[test]
fn a_hundred_and_twenty_eight_tags_and_keys_of_every_shape_come_back_as_they_were() {
    let store = store(1 << 24, 1 << 16, 0, 0);
    let tags: Vec<_> = (0..128).map(tag).collect();
    let names = [
        vec![],
        vec![0xd800],
        vec![0xdc00, 0xd800],
        units("ÿ"),
        units("Ā"),
        vec![0x41; 127],
        vec![0x41; 128],
        vec![0x20ac; 20_000],
    ];
    for (number, name) in names.iter().enumerate() {
        let value = vec![number as u8; number * 1_000];
        let writing = Writing { name, kind: Kind::Bytes, value: &value, tags: &tags, ttl_ms: 1_000 };
        // Overtaken by many moments or by none.
        let born = (number % 2 == 0).then(|| store.moment() + 1);
        (0..number * 100).for_each(|_| store.invalidate(&[tag(500)], Force::Hard, 0, 0));
        assert!(writing.write(&store, born, 0));
    }
    for (number, name) in names.iter().enumerate() {
        let Look { value, .. } = store.read(Fingerprint::of_units(name), 0).unwrap();
        assert_eq!(value.name().units().collect::<Vec<_>>(), *name);
        assert_eq!(matches!(value.name(), Name::Utf16(_)), name.iter().any(|unit| *unit > 255));
        assert_eq!(value.tags().collect::<Vec<_>>(), tags);
        assert_eq!(value.bytes(), vec![number as u8; number * 1_000]);
        assert_eq!(value.stamp() - value.born(), if number % 2 == 0 { number as u64 * 100 } else { 0 });
    }
    store.invalidate(&[tag(127)], Force::Hard, 0, 0);
    assert!(names.iter().all(|name| store.read(Fingerprint::of_units(name), 0).is_none()));
    assert_eq!(store.accounts().entries, 0, "who was found dead has gone");
}

#[test]
fn two_keys_that_share_what_the_table_knows_of_them_stay_apart() {
    let store = store(1 << 20, 512, 0, 0);
    let fingerprints = [0, 1, 1 << 16, 1 << 31].map(|high| Fingerprint { low: 42, high });
    for (number, key) in fingerprints.iter().enumerate() {
        let value = [number as u8];
        let draft = Draft { key: *key, name: &[], kind: Kind::Bytes, value: &value, tags: &[], ttl: MILLI };
        assert!(store.insert(*key, &store.make(&draft, None, 0), 0).stored);
    }
    for (number, key) in fingerprints.iter().enumerate() {
        assert_eq!(store.read(*key, 0).unwrap().value.bytes(), [number as u8]);
    }
}

#[test]
fn the_dead_do_not_stay_in_a_store_that_is_written_to() {
    let store = store(1 << 24, 512, 0, 0);
    for number in 0..10_000 {
        set(
            &store,
            &format!("old {number}"),
            &[1; 100],
            &[tag(number % 2)],
            if number % 4 < 2 { 10 } else { 1_000_000 },
            0,
        );
    }
    store.invalidate(&[tag(0)], Force::Hard, 0, 0);
    // Half of them by time, a half by tag: a quarter lives.
    let now = 20 * MILLI;
    for number in 0..12_000 {
        set(&store, &format!("new {}", number % 100), b"1", &[], 1_000, now);
    }
    let accounts = store.accounts();
    assert_eq!((accounts.entries, accounts.evictions), (2_600, 0));
    assert_eq!(accounts.expirations, 2_500, "that of an invalidated one is not counted");
}

/// What a writer has written of a key, and from where on readers must find it.
#[derive(Default)]
struct Written {
    begun: AtomicU64,
    done: AtomicU64,
    /// Nothing below has outlived an invalidation.
    floor: AtomicU64,
}

impl Written {
    fn told(&self) -> u64 {
        self.done.load(Ordering::SeqCst).max(self.floor.load(Ordering::SeqCst))
    }
}

#[test]
fn under_threads_no_read_is_older_than_the_last_completed_write_invalidation_or_clear() {
    const KEYS: u64 = 16;
    let store = store(1 << 18, 512, 1_000, 1_000);
    let names: Vec<String> = (0..KEYS).map(|number| format!("key {number}")).collect();
    let sets: Vec<Written> = (0..KEYS).map(|_| Written::default()).collect();
    let loads: Vec<Written> = (0..KEYS).map(|_| Written::default()).collect();
    let hits = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (store, names, sets, loads, hits) = (&store, &names, &sets, &loads, &hits);
            scope.spawn(move || {
                let mut dice = Dice::new(thread);
                for turn in 0..2_000_000u64 {
                    let number = dice.below(KEYS);
                    let name = units(&names[number as usize]);
                    let key = Fingerprint::of_units(&name);
                    let mine = number % 4 == thread;
                    let (set, load) = (&sets[number as usize], &loads[number as usize]);
                    let load_key = Fingerprint { low: !key.low, high: key.high };
                    let write = |key, value: u64, tag: TagHash, born| {
                        let draft = Draft {
                            key,
                            name: &name,
                            kind: Kind::Bytes,
                            value: &value.to_le_bytes(),
                            tags: &[tag],
                            ttl: 1 << 40,
                        };
                        store.insert(key, &store.make(&draft, born, turn * 10_000), 0).stored
                    };
                    let done = |number: u64| sets[number as usize].done.load(Ordering::SeqCst);
                    match dice.below(64) {
                        // A key is written by one thread only, so that its writes have an order.
                        0..6 if mine => {
                            let value = set.begun.fetch_add(1, Ordering::SeqCst) + 1;
                            match dice.below(4) {
                                0 => _ = store.remove(key, 0),
                                _ => _ = write(key, value, tag(number % 2), None),
                            }
                            set.done.fetch_max(value, Ordering::SeqCst);
                        }
                        6 if dice.below(16) == 0 => {
                            // What had been written completely before is gone afterwards.
                            let which = dice.below(2);
                            let before: Vec<_> = (0..KEYS).map(done).collect();
                            store.invalidate(&[tag(which)], Force::Hard, 0, 0);
                            for number in (0..KEYS).filter(|number| number % 2 == which) {
                                sets[number as usize].floor.fetch_max(before[number as usize] + 1, Ordering::SeqCst);
                            }
                        }
                        7 if dice.below(64) == 0 => {
                            let before: Vec<_> = (0..KEYS).map(done).collect();
                            if dice.below(2) == 0 {
                                store.clear()
                            } else {
                                _ = store.remove_prefix(&units("key"), 0)
                            }
                            for number in 0..KEYS {
                                sets[number as usize].floor.fetch_max(before[number as usize] + 1, Ordering::SeqCst);
                            }
                        }
                        8 if mine => {
                            // The source changes, and then the cache is told by tag or by clear.
                            let truth = load.begun.fetch_add(1, Ordering::SeqCst) + 1;
                            match dice.below(64) {
                                0 => {
                                    let before: Vec<_> = (0..KEYS).map(done).collect();
                                    store.clear();
                                    for number in 0..KEYS {
                                        sets[number as usize]
                                            .floor
                                            .fetch_max(before[number as usize] + 1, Ordering::SeqCst);
                                    }
                                }
                                _ => store.invalidate(&[tag(100 + number)], Force::Hard, 0, 0),
                            }
                            load.done.fetch_max(truth, Ordering::SeqCst);
                        }
                        9..14 => {
                            let born = store.moment() + 1;
                            let truth = load.begun.load(Ordering::SeqCst);
                            (0..dice.below(64)).for_each(|_| std::hint::spin_loop());
                            write(load_key, truth, tag(100 + number), Some(born));
                        }
                        roll => {
                            let (key, written) = if roll % 2 == 0 { (key, set) } else { (load_key, load) };
                            let told = written.told();
                            if let Some(look) = store.read(key, 0) {
                                let value = u64::from_le_bytes(look.value.bytes().try_into().unwrap());
                                assert!(value >= told, "{value} is older than {told}");
                                hits.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                }
            });
        }
    });
    assert!(hits.into_inner() > 1_000_000);
    (0..2).for_each(|_| store.sweep(0));
    let keys = names.iter().map(|name| key(name)).flat_map(|key| [key, Fingerprint { low: !key.low, ..key }]);
    assert_eq!(store.accounts().entries, keys.filter(|key| store.read(*key, 0).is_some()).count() as u64);
}
