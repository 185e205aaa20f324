//! Nobody reads what is older than the last completed write: four threads, every way to write and to forget, ten million operations.
//! Never judges what is absent.
//!
//! A mutator raises the truth of what it concerns, mutates, and then raises the floor to that. Whoever reads notes the floor first,
//! and what a loader finds is the truth while it runs. So whatever is older than the noted floor is stale: in the store, in a
//! letter, and in a copy whose numbers say that it is current.

use crate::dice::{Dice, key};
use crate::letters::{LetterBox, Said, environment};
use spillway_engine::clock::Moment;
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle, Encoded, Miss, UpTo};
use spillway_engine::store::entry::Kind;
use spillway_engine::store::fingerprint::Key;
use spillway_engine::store::flights::{Purpose, Usurping};
use spillway_engine::store::generations::{Generations, SLOTS, slot_of};
use spillway_engine::store::ledger::{Ledger, Receipt};
use spillway_engine::store::tags::{Force, TagHash};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const THREADS: u64 = 4;
const OPERATIONS: u64 = 10_000_000;
const KEYS: u64 = 320;
const GROUPS: u64 = 8;
const COMMON: u64 = 16;
/// Time goes on by this with each operation of anybody.
const STEP: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const AT_ONCE: usize = 16;

/// How new something must be, or is. A load says all of it; a set says only what its thread alone changes.
#[derive(Clone, Copy, Debug)]
struct Age {
    own: u32,
    common: u32,
    all: u32,
}

impl Age {
    fn is_older_than(self, floor: Age) -> bool {
        self.own < floor.own || self.common < floor.common || self.all < floor.all
    }
}

/// One number for each member, as it is for whoever loads, for what must not be fresh, and for what must not be at all.
struct Level {
    truth: Vec<AtomicU32>,
    soft: Vec<AtomicU32>,
    hard: Vec<AtomicU32>,
}

impl Level {
    fn new(members: u64) -> Self {
        let numbers = || (0..members).map(|_| AtomicU32::new(0)).collect();
        Level { truth: numbers(), soft: numbers(), hard: numbers() }
    }

    fn mutate<R>(&self, members: &[u64], soft: bool, mutate: impl FnOnce() -> R) -> R {
        let versions: Vec<u32> =
            members.iter().map(|member| self.truth[*member as usize].fetch_add(1, Ordering::SeqCst) + 1).collect();
        let answer = mutate();
        for (member, version) in members.iter().zip(versions) {
            self.soft[*member as usize].fetch_max(version, Ordering::SeqCst);
            if !soft {
                self.hard[*member as usize].fetch_max(version, Ordering::SeqCst);
            }
        }
        answer
    }
}

struct Board {
    keys: Level,
    common: Level,
    all: Level,
    now: AtomicU64,
}

impl Board {
    fn age(&self, number: u64, of: impl Fn(&Level) -> &Vec<AtomicU32>) -> Age {
        let read = |level, member: u64| of(level)[member as usize].load(Ordering::SeqCst);
        Age { own: read(&self.keys, number), common: read(&self.common, number % COMMON), all: read(&self.all, 0) }
    }

    fn floors(&self, number: u64) -> Floors {
        Floors { soft: self.age(number, |level| &level.soft), hard: self.age(number, |level| &level.hard) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Floors {
    soft: Age,
    hard: Age,
}

/// The numbers of all threads, one array each.
struct Slots(Vec<Vec<AtomicU32>>);

impl Generations for Slots {
    fn bump(&self, slot: u32) {
        for slots in &self.0 {
            slots[slot as usize].fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn group(number: u64) -> u64 {
    number / THREADS % GROUPS
}

fn units(number: u64) -> [u16; 3] {
    [number % THREADS, group(number), number].map(|unit| unit as u16)
}

fn own_tag(number: u64) -> TagHash {
    TagHash::of(&[1, (number % THREADS) as u16, group(number) as u16])
}

fn common_tag(number: u64) -> TagHash {
    TagHash::of(&[2, (number % COMMON) as u16])
}

fn bytes_of(number: u64, age: Age) -> Vec<u8> {
    [number as u32, age.own, age.common, age.all].iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn age_of(number: u64, bytes: &[u8]) -> Age {
    let words: Vec<u32> = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(u64::from(words[0]), number, "the value of another key");
    Age { own: words[1], common: words[2], all: words[3] }
}

/// What of a load is known while it runs.
struct Load {
    receipt: Receipt,
    number: u64,
    found: Age,
    tags: Vec<TagHash>,
}

#[derive(Default)]
struct Counts(HashMap<&'static str, u64>);

impl Counts {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// A copy with the numbers its key's slot and the cache's had before it was read.
struct Copy {
    age: Age,
    fresh_until: u64,
    seen: (u32, u32),
}

struct Side<'a> {
    thread: u64,
    board: &'a Board,
    slots: &'a [AtomicU32],
    dice: Dice,
    ledger: Arc<Ledger>,
    letters: Arc<LetterBox>,
    handle: CacheHandle,
    mine: Vec<u64>,
    copies: HashMap<u64, Copy>,
    loads: Vec<Load>,
    waits: HashMap<Receipt, (u64, Floors)>,
    counts: Counts,
}

impl<'a> Side<'a> {
    fn new(thread: u64, board: &'a Board, slots: &'a [AtomicU32], cache: &Arc<Cache>) -> Self {
        let (ledger, letters) = environment();
        Side {
            thread,
            board,
            slots,
            dice: Dice::new(7_919 * (thread + 1)),
            handle: CacheHandle::new(cache.clone(), ledger.clone()),
            ledger,
            letters,
            mine: (0..KEYS).filter(|number| number % THREADS == thread).collect(),
            copies: HashMap::new(),
            loads: Vec::new(),
            waits: HashMap::new(),
            counts: Counts::default(),
        }
    }

    fn now(&self) -> u64 {
        self.board.now.fetch_add(STEP, Ordering::Relaxed)
    }

    fn judge(&mut self, how: &'static str, number: u64, age: Age, floor: Age) {
        self.counts.add(how);
        assert!(
            !age.is_older_than(floor),
            "{how} of {number} in thread {}: {age:?}, and {floor:?} had been completed",
            self.thread
        );
    }

    fn seen(&self, number: u64) -> (u32, u32) {
        let [slot, epoch] = [slot_of(key(number)), self.handle.cache().epoch_slot()];
        (self.slots[slot as usize].load(Ordering::SeqCst), self.slots[epoch as usize].load(Ordering::SeqCst))
    }

    /// As JavaScript reads: from a current copy, or else from the store, of which a copy is kept.
    fn read(&mut self) {
        let number = self.dice.below(KEYS);
        let floor = self.board.floors(number);
        let now = self.now();
        let seen = self.seen(number);
        if let Some(copy) = self.copies.get(&number).filter(|copy| copy.seen == seen && now < copy.fresh_until) {
            let age = copy.age;
            return self.judge("copy", number, age, floor.soft);
        }
        let up_to = if self.dice.below(4) == 0 { UpTo::Stale } else { UpTo::Fresh };
        let Some(look) = self.handle.look(key(number), up_to, &[], now) else { return };
        let age = age_of(number, look.value.bytes());
        self.copies.insert(number, Copy { age, fresh_until: now.saturating_add_signed(look.fresh_for), seen });
        self.judge("read", number, age, floor.soft);
    }

    fn look(&mut self) {
        let number = self.dice.below(KEYS);
        let floor = self.board.floors(number);
        let now = self.now();
        if let Some(look) = self.handle.look(key(number), UpTo::Any, &[], now) {
            let floor = if look.state == State::Grace { floor.hard } else { floor.soft };
            self.judge("look", number, age_of(number, look.value.bytes()), floor);
        }
    }

    fn set(&mut self) {
        let number = self.mine[self.dice.below(self.mine.len() as u64) as usize];
        let ttl_ms = if self.dice.below(4) == 0 { Some(1.0 + self.dice.below(3) as f64) } else { None };
        // Only the first thread clears, so only it knows what its own sets came after; what others invalidate says nothing of a set.
        let all = if self.thread == 0 { self.board.all.truth[0].load(Ordering::SeqCst) } else { u32::MAX };
        let own = self.board.keys.truth[number as usize].load(Ordering::SeqCst) + 1;
        let mut tags = vec![own_tag(number)];
        if self.dice.below(2) == 0 {
            tags.push(common_tag(number));
        }
        let value = bytes_of(number, Age { own, common: u32::MAX, all });
        let encoded = Encoded { kind: Kind::Bytes, value: value.into(), tags: tags.into(), ttl_ms };
        let (handle, now) = (&self.handle, self.now());
        let text = units(number);
        let key = Key { fingerprint: key(number), units: &text };
        self.board.keys.mutate(&[number], false, || handle.set(key, &encoded, now)).unwrap();
        self.counts.add("set");
    }

    fn forget(&mut self) {
        let number = self.mine[self.dice.below(self.mine.len() as u64) as usize];
        let together: Vec<u64> = self.mine.iter().copied().filter(|other| group(*other) == group(number)).collect();
        let (handle, cache, board, now) = (&self.handle, self.handle.cache(), self.board, self.now());
        let at = Moment { mono: now, wall: now };
        let soft = Force::Soft(u64::MAX);
        let what = match self.dice.below(64) {
            0..26 => {
                board.keys.mutate(&[number], false, || handle.delete(key(number), now));
                "delete"
            }
            26..42 => {
                board.keys.mutate(&[number], true, || handle.expire(key(number), now));
                "expire"
            }
            42..47 => {
                board.keys.mutate(&together, false, || cache.invalidate(&[own_tag(number)], Force::Hard, at));
                "tag"
            }
            47..51 => {
                board.keys.mutate(&together, true, || cache.invalidate(&[own_tag(number)], soft, at));
                "soft tag"
            }
            51..57 => {
                let member = self.dice.below(COMMON);
                let hard = self.dice.below(2) == 0;
                let force = if hard { Force::Hard } else { soft };
                let tags = [TagHash::of(&[3]), common_tag(member)];
                board.common.mutate(&[member], !hard, || cache.invalidate(&tags, force, at));
                if hard { "common tag" } else { "soft common tag" }
            }
            57..60 => {
                board.keys.mutate(&together, false, || handle.delete_prefix(&units(number)[..2], now));
                "prefix"
            }
            60..62 if self.thread == 0 => {
                board.all.mutate(&[0], false, || cache.clear());
                "clear"
            }
            62..64 if self.thread == 0 => {
                let version = self.dice.below(3).to_string();
                board.all.mutate(&[0], false, || {
                    if !cache.set_version(&version) {
                        cache.clear();
                    }
                });
                "version"
            }
            _ => return,
        };
        self.counts.add(what);
    }

    /// What is missing is loaded or waited for; the others' letters come meanwhile.
    fn board(&mut self) {
        if self.loads.len() + self.waits.len() >= AT_ONCE {
            return self.proceed();
        }
        let number = self.dice.below(KEYS);
        let floors = self.board.floors(number);
        let purpose = self.dice.one_of(&[Purpose::Missing, Purpose::Missing, Purpose::Refresh, Purpose::Reload]);
        let now = self.now();
        let text = units(number);
        match self.handle.board(Key { fingerprint: key(number), units: &text }, purpose, now) {
            Miss::Present(look) => self.judge("present", number, age_of(number, look.value.bytes()), floors.soft),
            Miss::Lead(receipt) => self.lead(receipt, number),
            Miss::Wait(receipt) => {
                self.waits.insert(receipt, (number, floors));
            }
            Miss::Taken => {}
            Miss::Refused => panic!("refused"),
        }
    }

    /// The loader reads its source at once, and has its answer some time later.
    fn lead(&mut self, receipt: Receipt, number: u64) {
        let tags = vec![own_tag(number), common_tag(number)];
        let found = self.board.age(number, |level| &level.truth);
        self.loads.push(Load { receipt, number, found, tags });
        self.counts.add("load");
    }

    /// One of the loads under way ends, or somebody who waits is tired of it, and the letters are read.
    fn proceed(&mut self) {
        if let Some(index) = self.dice.index(self.loads.len()) {
            let Load { receipt, number, found, tags } = self.loads.swap_remove(index);
            let now = self.now();
            match self.dice.below(16) {
                0 => self.handle.fail(receipt, &|| now),
                1 => drop(self.ledger.give_back(receipt, &|| now)),
                _ => {
                    let ttl_ms = if self.dice.below(4) == 0 { Some(1.0) } else { None };
                    let value = bytes_of(number, found);
                    let encoded = Encoded { kind: Kind::Bytes, value: value.into(), tags: tags.into(), ttl_ms };
                    self.handle.land(receipt, &encoded, now).unwrap();
                }
            }
        }
        if self.dice.below(64) == 0
            && let Some((&receipt, &(number, _))) = self.waits.iter().next()
        {
            let now = self.now();
            if let Usurping::Lead(_) = self.handle.usurp(receipt, now) {
                self.waits.remove(&receipt);
                self.counts.add("usurped");
                self.lead(receipt, number);
            }
        }
        for letter in self.letters.empty() {
            self.open(letter);
        }
    }

    fn open(&mut self, letter: Said) {
        match letter {
            Said::Landed(receipt, value) => {
                let (number, floors) = self.waits.remove(&receipt).unwrap();
                self.judge("letter", number, age_of(number, &value), floors.soft);
            }
            Said::Yours(receipt) => {
                let (number, _) = self.waits.remove(&receipt).unwrap();
                self.handle.note_lead();
                self.counts.add("called");
                self.lead(receipt, number);
            }
            _ => panic!("the lead of a flight does not expire"),
        }
    }

    fn run(mut self) -> Counts {
        for _ in 0..OPERATIONS / THREADS {
            match self.dice.below(200) {
                0..14 => self.set(),
                14..17 => self.forget(),
                17..32 => self.board(),
                32..40 => self.proceed(),
                40..48 => self.look(),
                _ => self.read(),
            }
        }
        while !self.loads.is_empty() || !self.waits.is_empty() {
            self.proceed();
            std::thread::yield_now();
        }
        self.counts
    }
}

#[test]
fn nobody_reads_what_is_older_than_the_last_completed_write_over_ten_million_operations_of_four_threads() {
    let slots = Arc::new(Slots((0..THREADS).map(|_| (0..SLOTS).map(|_| AtomicU32::new(0)).collect()).collect()));
    let config = CacheConfig {
        ttl_ms: 3_600_000.0,
        stale_ms: 2.0,
        grace_ms: 60_000.0,
        max_bytes: 64.0 * 1024.0 * 1024.0,
        max_value_bytes: 1024.0,
        // In the time of this test, so that some are taken over while they run.
        load_timeout_ms: 0.5,
        ..CacheConfig::default()
    };
    let cache = Arc::new(Cache::new(config, slots.clone()));
    let board = Board {
        keys: Level::new(KEYS),
        common: Level::new(COMMON),
        all: Level::new(1),
        now: AtomicU64::new(5_000 * MILLI),
    };
    let mut sums = HashMap::new();
    std::thread::scope(|scope| {
        let (board, cache, slots) = (&board, &cache, &slots);
        let threads = Vec::from_iter(
            (0..THREADS)
                .map(|thread| scope.spawn(move || Side::new(thread, board, &slots.0[thread as usize], cache).run())),
        );
        for thread in threads {
            for (what, count) in thread.join().unwrap().0 {
                *sums.entry(what).or_insert(0) += count;
            }
        }
    });
    for (what, least) in [
        ("copy", 1_000_000),
        ("read", 500_000),
        ("look", 100_000),
        ("present", 50_000),
        ("letter", 1_000),
        ("load", 50_000),
        ("called", 500),
        ("usurped", 10),
        ("set", 500_000),
        ("delete", 10_000),
        ("expire", 10_000),
        ("tag", 2_000),
        ("soft tag", 2_000),
        ("common tag", 2_000),
        ("soft common tag", 2_000),
        ("prefix", 1_000),
        ("clear", 500),
        ("version", 500),
    ] {
        assert!(sums.get(what).is_some_and(|count| *count >= least), "{what}: {sums:?}");
    }
}
