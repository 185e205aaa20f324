//! The cache against a plain map and a list of loads, over environments that come and go, and under threads.
//! Never decodes a value: bytes in, bytes out.

use crate::dice::{Dice, key};
use crate::letters::{LetterBox, Said, environment};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;
use spillway_engine::Code;
use spillway_engine::clock::Moment;
use spillway_engine::policy::freshness::State;
use spillway_engine::primitive::cache::{Cache, CacheConfig, CacheHandle, Encoded, Miss, UpTo};
use spillway_engine::store::entry::{Kind, STEP};
use spillway_engine::store::fingerprint::Key;
use spillway_engine::store::flights::{Purpose, Usurping};
use spillway_engine::store::generations::{Generations, NoCopies, slot_of};
use spillway_engine::store::ledger::{Ledger, Receipt};
use spillway_engine::store::tags::{Force, TagHash};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

const MILLI: u64 = 1_000_000;
const TTL_MS: u64 = 1_000;
const STALE_MS: u64 = 400;
const GRACE_MS: u64 = 700;
const NEGATIVE_MS: u64 = 90;
const PATIENCE_MS: u64 = 2_000;
const LARGEST: usize = 64;

fn config(max_bytes: u64, max_value_bytes: u64, jitter: f64) -> CacheConfig {
    CacheConfig {
        ttl_ms: TTL_MS as f64,
        jitter,
        negative_ttl_ms: NEGATIVE_MS as f64,
        max_bytes: max_bytes as f64,
        max_value_bytes: max_value_bytes as f64,
        load_timeout_ms: PATIENCE_MS as f64,
        ..CacheConfig::default()
    }
}

fn with_windows(config: CacheConfig) -> CacheConfig {
    CacheConfig { stale_ms: STALE_MS as f64, grace_ms: GRACE_MS as f64, ..config }
}

/// No bytes at all say that there is nothing.
fn encoded(value: Option<&[u8]>, tags: &[TagHash], ttl_ms: Option<u64>) -> Encoded<'static> {
    Encoded {
        kind: value.map_or(Kind::Nothing, Kind::of_text),
        value: value.unwrap_or_default().to_vec().into(),
        tags: tags.to_vec().into(),
        ttl_ms: ttl_ms.map(|ttl| ttl as f64),
    }
}

/// The name of the `number`th key: its high half, so that half of the numbers share their first unit.
fn name(number: u64) -> [u16; 2] {
    [b'a' as u16 + (number % 2) as u16, number as u16]
}

fn tag(number: u64) -> TagHash {
    TagHash::of(&[number as u16])
}

fn at(now: u64) -> Moment {
    Moment { mono: now, wall: now }
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
        self.handle.look(key(number), UpTo::Fresh, &[], now).map(|look| look.value.bytes().to_vec())
    }

    fn set(&self, number: u64, value: &[u8], ttl_ms: Option<u64>, now: u64) -> Result<(), Code> {
        self.store(number, &encoded(Some(value), &[], ttl_ms), now)
    }

    fn store(&self, number: u64, encoded: &Encoded<'_>, now: u64) -> Result<(), Code> {
        let units = name(number);
        self.handle.set(Key { fingerprint: key(number), units: &units }, encoded, now).map_err(|fault| fault.code)
    }

    fn board(&self, number: u64, purpose: Purpose, now: u64) -> Miss {
        let units = name(number);
        self.handle.board(Key { fingerprint: key(number), units: &units }, purpose, now)
    }

    fn land(&self, receipt: Receipt, value: &[u8], now: u64) -> Result<(), Code> {
        self.handle.land(receipt, &encoded(Some(value), &[], None), now).map(drop).map_err(|fault| fault.code)
    }
}

type Ticket = (u64, Receipt);

struct Waiting {
    ticket: Ticket,
    invalidation: u64,
}

struct Load {
    key: u64,
    /// After which mutations it began.
    born: u64,
    since: u64,
    /// Whoever misses the key now waits for it, and it may store.
    attached: bool,
    leader: Ticket,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone)]
struct Stored {
    /// None: there is nothing.
    value: Option<Vec<u8>>,
    born: u64,
    fresh_until: u64,
    stale_until: u64,
    ends: u64,
}

impl Stored {
    fn new(value: Option<Vec<u8>>, ttl_ms: u64, born: u64, now: u64) -> Self {
        let (stale_ms, grace_ms) = if value.is_some() { (STALE_MS, GRACE_MS) } else { (0, 0) };
        let fresh_until = now + ttl_ms * MILLI;
        let stale_until = fresh_until + stale_ms * MILLI;
        Stored { value, born, fresh_until, stale_until, ends: stale_until + grace_ms * MILLI }
    }

    fn state(&self, now: u64) -> Option<State> {
        [(State::Fresh, self.fresh_until), (State::Stale, self.stale_until), (State::Grace, self.ends)]
            .into_iter()
            .find_map(|(state, until)| (now < until).then_some(state))
    }

    /// From `now` on there is only grace, and none for nothing.
    fn expire(&mut self, now: u64) {
        let grace_ms = if self.value.is_some() { GRACE_MS } else { 0 };
        self.fresh_until = self.fresh_until.min(now);
        self.stale_until = self.stale_until.min(now);
        self.ends = self.ends.min(now + grace_ms * MILLI);
    }
}

#[derive(Default)]
struct Model {
    values: HashMap<u64, Stored>,
    moment: u64,
    last_invalidation: u64,
    /// Of the tag of a key: when it was invalidated last, when hard, and the time of the last.
    invalidated: HashMap<u64, (u64, u64, u64)>,
    loads: Vec<Load>,
    raised: Vec<u32>,
    letters: Vec<(u64, Said)>,
    counts: HashMap<&'static str, u64>,
}

impl Model {
    fn count(&mut self, what: &'static str, by: u64) {
        *self.counts.entry(what).or_default() += by;
    }

    fn look(&self, number: u64, now: u64) -> Option<(State, Option<Vec<u8>>)> {
        let stored = self.values.get(&number)?;
        Some((stored.state(now)?, stored.value.clone()))
    }

    fn changed(&mut self, number: u64) {
        self.moment += 1;
        self.loads.iter_mut().filter(|load| load.key == number).for_each(|load| load.attached = false);
        self.raised.push(slot_of(key(number)));
    }

    fn relead(&mut self, index: usize, leader: Ticket, now: u64) {
        let number = self.loads[index].key;
        let taken = self.loads.iter().any(|load| load.key == number && load.attached);
        let load = &mut self.loads[index];
        load.attached |= !taken;
        (load.leader, load.since, load.born) = (leader, now, self.moment + 1);
    }

    /// The load at `index` is free: who waited longest goes on with it, but nobody of an environment that has ended.
    fn hand_over(&mut self, index: usize, ended: Option<u64>, now: u64) {
        while let Some(Waiting { ticket, .. }) = self.loads[index].waiting.pop_front() {
            self.relead(index, ticket, now);
            if ended != Some(ticket.0) {
                return self.letters.push((ticket.0, Said::Yours(ticket.1)));
            }
        }
        self.loads.swap_remove(index);
    }

    /// An environment ends: what is in its book comes back in the order of the book.
    fn end(&mut self, ended: u64, now: u64) {
        let tickets = self.loads.iter().flat_map(|load| {
            load.waiting.iter().map(|waits| waits.ticket).chain([load.leader]).filter(|ticket| ticket.0 == ended)
        });
        let mut receipts = Vec::from_iter(tickets.map(|ticket| ticket.1));
        receipts.sort_by_key(|receipt| receipt & ((1 << 20) - 1));
        for ticket in receipts.into_iter().map(|receipt| (ended, receipt)) {
            if let Some(index) = self.loads.iter().position(|load| load.leader == ticket) {
                self.hand_over(index, Some(ended), now);
            }
            self.loads.iter_mut().for_each(|load| load.waiting.retain(|waits| waits.ticket != ticket));
        }
    }
}

#[test]
fn whatever_happens_the_cache_is_a_map_whose_loads_run_once_and_never_store_over_a_change() {
    let mut dice = Dice::new(9);
    let steps = [0, 0, 10_000, MILLI, 10 * MILLI, 90 * MILLI, 400 * MILLI, 990 * MILLI, TTL_MS * MILLI, 2_000 * MILLI];
    let purposes = [Purpose::Missing, Purpose::Missing, Purpose::Missing, Purpose::Refresh, Purpose::Reload];
    for round in 0..2_000 {
        let raised = Arc::new(Raised::default());
        let cache = Arc::new(Cache::new(with_windows(config(1 << 20, LARGEST as u64, 0.0)), raised.clone()));
        let mut sides = Vec::from_iter((0..3).map(|number| Side::new(number, &cache)));
        let mut model = Model::default();
        let mut over: Vec<Ticket> = Vec::new();
        let mut now = 5_000 * MILLI;
        for turn in 0..250 {
            now += dice.one_of(&steps);
            let place = dice.below(3) as usize;
            let side = &sides[place];
            let number = dice.below(4);
            // One byte too many now and then, and now and then nothing.
            let value = (dice.below(6) > 0).then(|| vec![turn as u8; dice.below(LARGEST as u64 + 4) as usize]);
            let fits = value.as_ref().is_none_or(|value| value.len() <= LARGEST);
            let fate = if fits { Ok(()) } else { Err(Code::ValueTooLarge) };
            let usual = if value.is_some() { TTL_MS } else { NEGATIVE_MS };
            let ttl = dice.one_of(&[None, None, Some(1), Some(5_000)]);
            let led = Vec::from_iter((0..model.loads.len()).filter(|load| model.loads[*load].leader.0 == side.number));
            match dice.below(34) {
                0..5 => {
                    let up_to = dice.one_of(&[UpTo::Fresh, UpTo::Stale, UpTo::Grace, UpTo::Any]);
                    let found = side.handle.look(key(number), up_to, &[], now);
                    let most = match up_to {
                        UpTo::Fresh => State::Fresh,
                        UpTo::Stale => State::Stale,
                        UpTo::Grace | UpTo::Any => State::Grace,
                    };
                    let expected = model.look(number, now).filter(|(state, _)| *state <= most);
                    let read = found.as_ref().map(|look| {
                        let value = (!look.value.negative()).then(|| look.value.bytes().to_vec());
                        assert_eq!(look.fresh_for > 0, look.state == State::Fresh);
                        (look.state, value)
                    });
                    assert_eq!(read, expected, "round {round}, turn {turn}");
                    match (up_to, expected.map(|(state, _)| state)) {
                        (UpTo::Fresh | UpTo::Stale, None) => model.count("misses", 1),
                        (UpTo::Fresh | UpTo::Stale, Some(State::Fresh)) => model.count("hits", 1),
                        (UpTo::Stale, Some(_)) => model.count("stale", 1),
                        (UpTo::Grace, Some(State::Grace)) => model.count("graced", 1),
                        _ => {}
                    }
                }
                5..7 => {
                    assert_eq!(side.store(number, &encoded(value.as_deref(), &[tag(number)], ttl), now), fate);
                    if fits {
                        model.changed(number);
                        model.values.insert(number, Stored::new(value, ttl.unwrap_or(usual), model.moment, now));
                        model.count("sets", 1);
                    }
                }
                7 => {
                    let readable = model.look(number, now).is_some();
                    model.values.remove(&number);
                    assert_eq!(side.handle.delete(key(number), now), readable);
                    model.changed(number);
                    model.count("deletes", 1);
                }
                8 => {
                    let served = model.look(number, now).is_some_and(|(state, _)| state <= State::Stale);
                    assert_eq!(side.handle.expire(key(number), now), served);
                    if let Some(stored) = model.values.get_mut(&number) {
                        stored.expire(now);
                    }
                    model.changed(number);
                }
                9 => {
                    model.moment += 1;
                    if dice.below(2) == 0 {
                        let prefix = &name(number)[..1];
                        let gone = (0..4).filter(|other| name(*other).starts_with(prefix));
                        let mut readable = 0;
                        for other in gone {
                            readable += u64::from(model.look(other, now).is_some());
                            model.values.remove(&other);
                            let mut loads = model.loads.iter_mut();
                            loads.by_ref().filter(|load| load.key == other).for_each(|load| load.attached = false);
                        }
                        assert_eq!(side.handle.delete_prefix(prefix, now), readable);
                        model.count("deletes", readable);
                    } else {
                        match dice.below(3) {
                            0 => cache.clear(),
                            _ => assert!(cache.set_version(&turn.to_string())),
                        }
                        model.values.clear();
                        model.loads.iter_mut().for_each(|load| load.attached = false);
                    }
                    model.raised.push(cache.epoch_slot());
                }
                10 => {
                    // A second soft one of what is in grace already would be a question to the store alone.
                    let (last, _, _) = model.invalidated.get(&number).copied().unwrap_or_default();
                    let born = model.values.get(&number).map(|stored| stored.born);
                    let loads = model.loads.iter().filter(|load| load.key == number).map(|load| load.born);
                    let hard = dice.below(2) == 0 || loads.chain(born).any(|born| born <= last);
                    let force = if hard { Force::Hard } else { Force::Soft(u64::MAX) };
                    cache.invalidate(&[tag(number)], force, at(now));
                    model.moment += 1;
                    model.last_invalidation = model.moment;
                    let (any, last_hard, time) = model.invalidated.entry(number).or_default();
                    (*any, *time) = (model.moment, now);
                    if hard {
                        *last_hard = model.moment;
                        model.values.remove(&number);
                    } else if let Some(stored) = model.values.get_mut(&number) {
                        stored.expire(now);
                    }
                    model.raised.push(cache.epoch_slot());
                }
                11 => {
                    side.handle.touch(key(number), 3);
                    model.count("hits", 3);
                }
                12..20 => {
                    let purpose = dice.one_of(&purposes);
                    let boarded = side.board(number, purpose, now);
                    let present = model.look(number, now).filter(|(state, _)| *state == State::Fresh);
                    let present = present.filter(|_| purpose != Purpose::Reload).map(|(_, value)| value);
                    let flying = model.loads.iter().position(|load| load.key == number && load.attached);
                    let late = flying.is_some_and(|index| now - model.loads[index].since >= PATIENCE_MS * MILLI);
                    match (boarded, present, flying) {
                        (Miss::Present(look), Some(value), _) => {
                            assert_eq!(look.value.bytes(), value.as_deref().unwrap_or_default());
                            assert_eq!(look.value.negative(), value.is_none());
                        }
                        (Miss::Taken, None, Some(_)) => assert!(purpose == Purpose::Refresh && !late),
                        (Miss::Wait(receipt), None, Some(index)) => {
                            assert!(purpose != Purpose::Refresh && !late);
                            let invalidation = model.last_invalidation;
                            let ticket = (side.number, receipt);
                            model.loads[index].waiting.push_back(Waiting { ticket, invalidation });
                        }
                        (Miss::Lead(receipt), None, flying) => {
                            let leader = (side.number, receipt);
                            match flying {
                                Some(index) => {
                                    assert!(late, "one load a key");
                                    over.push(model.loads[index].leader);
                                    model.relead(index, leader, now);
                                }
                                None => model.loads.push(Load {
                                    key: number,
                                    born: model.moment + 1,
                                    since: now,
                                    attached: true,
                                    leader,
                                    waiting: [].into(),
                                }),
                            }
                            model.count("loads", 1);
                            model.count("refreshes", u64::from(purpose == Purpose::Refresh));
                        }
                        (_, present, _) => panic!("told something else, with {present:?} there"),
                    }
                }
                20..24 => {
                    if let Some(which) = dice.index(led.len()) {
                        let index = led[which];
                        let (receipt, number) = (model.loads[index].leader.1, model.loads[index].key);
                        let ttl = if dice.below(4) == 0 { Some(0) } else { ttl };
                        let landing = encoded(value.as_deref(), &[tag(number)], ttl);
                        let landed = side.handle.land(receipt, &landing, now).map(drop).map_err(|fault| fault.code);
                        assert_eq!(landed, fate);
                        over.push((side.number, receipt));
                        if fits {
                            let (invalidated, hard, time) = model.invalidated.get(&number).copied().unwrap_or_default();
                            let load = &mut model.loads[index];
                            let (born, attached) = (load.born, load.attached);
                            let stays = |waits: &Waiting| invalidated >= born && waits.invalidation >= born;
                            let kept = load.waiting.iter().position(stays).unwrap_or(load.waiting.len());
                            for Waiting { ticket, .. } in load.waiting.drain(..kept).collect::<Vec<_>>() {
                                let bytes = value.clone().unwrap_or_default();
                                model.letters.push((ticket.0, Said::Landed(ticket.1, bytes)));
                                over.push(ticket);
                            }
                            model.hand_over(index, None, now);
                            if attached {
                                model.raised.push(slot_of(key(number)));
                                let ttl_ms = ttl.unwrap_or(usual);
                                if value.is_none() && ttl_ms == 0 {
                                    model.values.remove(&number);
                                } else if hard < born {
                                    let mut stored = Stored::new(value, ttl_ms, born, now);
                                    if invalidated >= born {
                                        stored.expire(time);
                                    }
                                    model.values.insert(number, stored);
                                }
                            }
                        } else {
                            model.count("loadFailures", 1);
                            model.hand_over(index, None, now);
                        }
                    }
                }
                24..27 => {
                    if let Some(which) = dice.index(led.len()) {
                        let receipt = model.loads[led[which]].leader.1;
                        if dice.below(2) == 0 {
                            side.handle.fail(receipt, &|| now);
                            model.count("loadFailures", 1);
                        } else {
                            assert!(side.ledger.give_back(receipt, &|| now));
                        }
                        over.push((side.number, receipt));
                        model.hand_over(led[which], None, now);
                    }
                }
                27..31 => {
                    let mine = model.loads.iter().enumerate().find_map(|(index, load)| {
                        let which = load.waiting.iter().position(|waits| waits.ticket.0 == side.number)?;
                        Some((index, which, load.waiting[which].ticket.1))
                    });
                    if let Some((index, which, receipt)) = mine {
                        if dice.below(3) == 0 {
                            assert!(side.handle.leave(receipt, &|| now));
                            over.push((side.number, receipt));
                            model.loads[index].waiting.remove(which);
                        } else {
                            let led_for = now - model.loads[index].since;
                            match side.handle.usurp(receipt, now) {
                                Usurping::NotYet(left) => assert_eq!(left, PATIENCE_MS * MILLI - led_for),
                                Usurping::Lead(_) => {
                                    assert!(led_for >= PATIENCE_MS * MILLI);
                                    over.push(model.loads[index].leader);
                                    model.loads[index].waiting.remove(which);
                                    model.relead(index, (side.number, receipt), now);
                                    model.count("loads", 1);
                                }
                                Usurping::Over => panic!("he waits"),
                            }
                        }
                    }
                }
                31..33 => {
                    if let Some(index) = dice.index(over.len())
                        && over[index].0 == side.number
                    {
                        let receipt = over.swap_remove(index).1;
                        assert_eq!(side.handle.usurp(receipt, now), Usurping::Over);
                        assert!(!side.handle.leave(receipt, &|| now));
                        assert_eq!(side.land(receipt, &[1], now), Ok(()), "a late result is dropped");
                        let before = side.ledger.settle(receipt);
                        assert_eq!(before, None);
                    }
                }
                _ => {
                    // The thread ends with its loads and its waits, and another begins.
                    let gone = std::mem::replace(&mut sides[place], Side::new(turn + 3, &cache));
                    gone.ledger.close(&|| now);
                    assert!(matches!(gone.board(99, Purpose::Missing, now), Miss::Refused));
                    model.end(gone.number, now);
                    over.retain(|ticket| ticket.0 != gone.number);
                }
            }
            assert_eq!(std::mem::take(&mut *raised.0.lock()), std::mem::take(&mut model.raised));
            for side in &sides {
                let came = side.letters.empty();
                let expected = model.letters.extract_if(.., |(to, _)| *to == side.number).map(|(_, said)| said);
                let expected = Vec::from_iter(expected);
                for said in &came {
                    if let Said::Yours(_) = said {
                        side.handle.note_lead();
                        model.count("loads", 1);
                    }
                }
                assert_eq!(came.len(), expected.len(), "everybody is written to once");
                assert_eq!(BTreeSet::from_iter(came), BTreeSet::from_iter(expected));
            }
            model.letters.clear();
        }
        let said = serde_json::to_value(cache.report()).unwrap();
        let names = ["hits", "misses", "stale", "graced", "loads", "loadFailures", "refreshes", "sets", "deletes"];
        for name in names {
            let expected = model.counts.get(name).copied().unwrap_or_default();
            assert_eq!(said[name], json!(expected), "{name}");
        }
        assert!(said["entries"].as_u64().is_some_and(|entries| entries <= 4));
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
        // To the store's step, which is rounded down to.
        let (now, step) = (now / STEP * STEP, STEP);
        let share = f64::from(jitter) / 100.0;
        let cache = Arc::new(Cache::new(config(65_536, 64, share), Arc::new(NoCopies)));
        let side = Side::new(0, &cache);
        side.set(number, b"1", Some(ttl), now).unwrap();
        let ttl = (ttl * MILLI) as f64;
        let (earliest, latest) = ((ttl * (1.0 - share)) as u64, (ttl * (1.0 + share)) as u64 + 1);
        prop_assert!(earliest <= step || side.get(number, now + earliest - step).is_some());
        prop_assert!(side.get(number, now + latest).is_none());
    }
}

#[test]
fn a_value_ends_exactly_at_its_time() {
    let side = Side::new(0, &Arc::new(Cache::new(config(65_536, 64, 0.0), Arc::new(NoCopies))));
    side.set(1, b"1", Some(5), STEP).unwrap();
    assert!(side.get(1, STEP + 5 * MILLI - 1).is_some());
    assert!(side.get(1, STEP + 5 * MILLI).is_none());
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
        let readable = (0..3_000).filter(|number| side.get(*number, 0).is_some()).count();
        let said = serde_json::to_value(cache.report()).unwrap();
        assert_eq!(said["entries"], json!(readable));
        assert_eq!(said["evictions"], json!(3_000 - readable));
        assert!(said["bytes"].as_u64().unwrap() > max_bytes / 2, "and the room is used");
    }
}

#[test]
fn a_value_too_large_is_refused_and_the_old_one_stays() {
    let side = Side::new(0, &Arc::new(Cache::new(config(65_536, 64, 0.0), Arc::new(NoCopies))));
    side.set(1, b"old", None, 0).unwrap();
    let (units, largest) = (name(1), encoded(Some(&[b'x'; 65]), &[], None));
    let fault = side.handle.set(Key { fingerprint: key(1), units: &units }, &largest, 0).unwrap_err();
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
    cache.clear();
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
                        match side.board(round, Purpose::Missing, 0) {
                            Miss::Present(look) => assert_eq!(look.value.bytes(), b"loaded"),
                            Miss::Lead(receipt) => assert!(lead.replace(receipt).is_none()),
                            Miss::Wait(_) => waiting += 1,
                            Miss::Taken | Miss::Refused => panic!("refused"),
                        }
                    }
                    if let Some(receipt) = lead {
                        loads.fetch_add(1, Ordering::Relaxed);
                        side.land(receipt, b"loaded", 0).unwrap();
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
                        2 if thread == 0 && dice.below(8) == 0 => cache.clear(),
                        3..8 => {
                            if let Some(value) = side.get(which, 0) {
                                assert!(number_of(&value) >= told);
                            }
                        }
                        _ => match side.board(which, Purpose::Missing, 0) {
                            Miss::Present(look) => assert!(number_of(look.value.bytes()) >= told),
                            Miss::Lead(receipt) => load(&mut side, &mut dice, cache, source, receipt),
                            Miss::Wait(receipt) => {
                                let letter = side.letters.wait().pop().unwrap();
                                match letter {
                                    Said::Landed(_, value) => assert!(number_of(&value) >= told),
                                    Said::Yours(_) => load(&mut side, &mut dice, cache, source, receipt),
                                    _ => panic!("the lead of a flight does not expire"),
                                }
                            }
                            Miss::Taken | Miss::Refused => panic!("refused"),
                        },
                    }
                }
            });
        }
    });

    /// Load, fail or end as the leader of a flight.
    fn load(side: &mut Side, dice: &mut Dice, cache: &Arc<Cache>, source: &Source, receipt: Receipt) {
        let seen = source.truth.load(Ordering::SeqCst);
        if dice.below(4) == 0 {
            (0..200).for_each(|_| std::hint::spin_loop());
        }
        match dice.below(16) {
            0 => side.handle.fail(receipt, &|| 0),
            1 => {
                side.ledger.close(&|| 0);
                *side = Side::new(side.number, cache);
            }
            _ => side.land(receipt, &seen.to_le_bytes(), 0).unwrap(),
        }
    }
}
