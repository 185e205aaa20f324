//! The bulkhead against numbers and a `VecDeque` for each priority, over several environments that come and go, keys and leases.
//! Never asks the bulkhead who is next: the model says so before it looks.

use crate::dice::{Dice, key};
use crate::letters::{LetterBox, Said, environment};
use spillway_engine::clock::{MILLI, Nanos};
use spillway_engine::primitive::bulkhead::{Bulkhead, BulkheadConfig, BulkheadHandle, Grant};
use spillway_engine::store::ledger::{Ledger, Receipt};
use spillway_engine::store::waiters::RANKS;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

const NORMAL: usize = 1;

fn bulkhead(limit: u32, queue: u32) -> Arc<Bulkhead> {
    Arc::new(Bulkhead::new(BulkheadConfig { limit, queue, ..BulkheadConfig::default() }))
}

fn report(bulkhead: &Bulkhead, now: Nanos) -> serde_json::Value {
    serde_json::to_value(bulkhead.report(now)).unwrap()
}

/// One thread's end of it.
struct Side {
    /// Which environment over the whole test, for the model.
    number: u32,
    ledger: Arc<Ledger>,
    letters: Arc<LetterBox>,
    handle: BulkheadHandle,
}

impl Side {
    fn new(number: u32, bulkhead: &Arc<Bulkhead>) -> Self {
        let (ledger, letters) = environment();
        Side { number, handle: BulkheadHandle::new(bulkhead.clone(), ledger.clone()), ledger, letters }
    }

    /// The thread ends.
    fn end(&self, now: Nanos) {
        self.ledger.close(&|| now);
        self.handle.close(&|| now);
    }
}

/// A permit: of which environment, with which receipt, or counted; and when it expires.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    side: u32,
    receipt: Option<Receipt>,
    ends_at: Option<Nanos>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Waits {
    side: u32,
    receipt: Receipt,
}

/// The permits of one key, or of all.
#[derive(Default)]
struct Room {
    held: Vec<Held>,
    queue: [VecDeque<Waits>; RANKS],
}

impl Room {
    fn waiting(&self) -> usize {
        self.queue.iter().map(VecDeque::len).sum()
    }
}

#[derive(Default)]
struct Model {
    limit: usize,
    places: usize,
    lease: Option<Nanos>,
    now: Nanos,
    rooms: Vec<Room>,
    /// What was held or waited for once.
    past: Vec<Waits>,
    letters: Vec<(u32, Said)>,
    admitted: u64,
    refused: u64,
    left: u64,
    expired: u64,
    /// Whose wait is over, however it ended.
    waited: u64,
    /// Waiters whose environment ended: they left, or were called up in vain, whichever came first.
    died: u64,
    most: usize,
}

impl Model {
    fn begin(&mut self, room: usize, side: u32, receipt: Option<Receipt>) {
        let ends_at = self.lease.map(|lease| self.now + lease);
        self.rooms[room].held.push(Held { side, receipt, ends_at });
        self.admitted += 1;
    }

    fn take_back(&mut self, room: usize, held: Held) {
        let room = &mut self.rooms[room];
        let at = room.held.iter().position(|other| *other == held).unwrap();
        room.held.remove(at);
        self.past.extend(held.receipt.map(|receipt| Waits { side: held.side, receipt }));
    }

    fn free(&mut self, room: usize, held: Held) {
        self.take_back(room, held);
        if let Some(next) = self.rooms[room].queue.iter_mut().rev().find_map(VecDeque::pop_front) {
            self.waited += 1;
            self.begin(room, next.side, Some(next.receipt));
            self.letters.push((next.side, Said::Yours(next.receipt)));
        }
    }

    /// Whoever comes by finds out what has expired.
    fn look(&mut self, room: usize) {
        let now = self.now;
        while let Some(held) =
            self.rooms[room].held.iter().find(|held| held.ends_at.is_some_and(|end| end <= now)).copied()
        {
            self.expired += 1;
            self.letters.extend(held.receipt.map(|receipt| (held.side, Said::Expired(receipt))));
            self.free(room, held);
        }
    }

    fn ask(&mut self, room: usize, rank: usize, grant: Grant, side: u32, willing: bool) {
        if self.rooms[room].held.len() < self.limit && self.rooms[room].waiting() == 0 {
            let Grant::Permit(receipt) = grant else { panic!("{grant:?} with permits free") };
            self.begin(room, side, Some(receipt));
        } else if willing && self.rooms[room].waiting() < self.places {
            let Grant::Queued(receipt) = grant else { panic!("{grant:?} with places free") };
            self.rooms[room].queue[rank].push_back(Waits { side, receipt });
            self.most = self.most.max(self.rooms[room].waiting());
        } else {
            assert_eq!(grant, Grant::Full);
            self.refused += 1;
        }
    }

    /// A permit somewhere, if there is one.
    fn any_held(&self, dice: &mut Dice) -> Option<(usize, Held)> {
        let room = dice.below(self.rooms.len() as u64) as usize;
        dice.index(self.rooms[room].held.len()).map(|index| (room, self.rooms[room].held[index]))
    }

    fn die(&mut self, side: u32) {
        for room in 0..self.rooms.len() {
            let before = self.rooms[room].waiting();
            self.rooms[room].queue.iter_mut().for_each(|queue| queue.retain(|waits| waits.side != side));
            let died = (before - self.rooms[room].waiting()) as u64;
            self.died += died;
            self.waited += died;
            for held in self.rooms[room].held.clone() {
                if held.side == side {
                    self.free(room, held);
                }
            }
        }
    }

    fn compare(&mut self, bulkhead: &Bulkhead) {
        (0..self.rooms.len()).for_each(|room| self.look(room));
        let said = report(bulkhead, self.now);
        let sum = |of: &dyn Fn(&Room) -> usize| self.rooms.iter().map(of).sum::<usize>();
        assert_eq!(said["inUse"], sum(&|room| room.held.len()));
        assert_eq!(said["waiting"], sum(&|room| room.waiting()));
        for (rank, priority) in ["low", "normal", "high", "critical"].into_iter().enumerate() {
            assert_eq!(said["waitingByPriority"][priority], sum(&|room| room.queue[rank].len()));
        }
        let in_use = if bulkhead.config().per_key { sum(&|room| usize::from(!room.held.is_empty())) } else { 0 };
        assert_eq!(said["keys"], in_use, "a key without a permit out has no room");
        assert_eq!(said["admitted"], self.admitted);
        assert_eq!(said["refused"], self.refused);
        assert_eq!(said["expired"], self.expired);
        assert_eq!(said["wait"]["count"], self.waited);
        assert_eq!(said["peakWaiting"], self.most);
        let left = said["left"].as_u64().unwrap();
        assert!((self.left..=self.left + self.died).contains(&left));
    }
}

/// One random thing that happens. True when it was something.
fn step(dice: &mut Dice, bulkhead: &Arc<Bulkhead>, model: &mut Model, sides: &mut [Side], next_side: &mut u32) {
    let (per_key, lease) = (bulkhead.config().per_key, model.lease);
    let at = dice.below(sides.len() as u64) as usize;
    let Side { number, handle, .. } = &sides[at];
    let room = dice.below(model.rooms.len() as u64) as usize;
    let (key, rank, time) = (per_key.then(|| key(room as u64)), dice.below(RANKS as u64) as usize, model.now);
    let now = move || time;
    match dice.below(40) {
        0..5 => {
            model.look(room);
            model.ask(room, rank, handle.try_acquire(key, &now), *number, false);
        }
        5..15 => {
            model.look(room);
            model.ask(room, rank, handle.acquire(key, rank, &now), *number, true);
        }
        15..19 if !per_key && lease.is_none() => {
            let free = model.rooms[0].held.len() < model.limit && model.rooms[0].waiting() == 0;
            assert_eq!(handle.enter(), free);
            if free {
                model.begin(0, *number, None);
            }
        }
        15..28 => {
            if let Some((room, held)) = model.any_held(dice)
                && held.side == *number
            {
                match held.receipt {
                    Some(receipt) => handle.release(receipt, &now),
                    None => handle.exit(&now),
                }
                model.free(room, held);
            }
        }
        28..32 => {
            let queue = &model.rooms[room].queue[rank];
            if let Some(index) = dice.index(queue.len()) {
                let waits = queue[index];
                if waits.side == *number {
                    assert!(handle.leave(waits.receipt, &now));
                    model.past.extend(model.rooms[room].queue[rank].remove(index));
                    model.left += 1;
                    model.waited += 1;
                }
            }
        }
        32..34 => {
            // Nobody leaves a queue with a permit in his hand.
            if let Some((_, Held { side, receipt: Some(receipt), .. })) = model.any_held(dice) {
                assert!(side != *number || !handle.leave(receipt, &now));
            }
            // And a place is no permit.
            if let Some(waits) = model.rooms[room].queue[rank].iter().find(|waits| waits.side == *number) {
                handle.release(waits.receipt, &now);
            }
        }
        34..37 => {
            // Given back before, expired, or left: it stands for nothing.
            if let Some(index) = dice.index(model.past.len()) {
                let past = model.past[index];
                if past.side == *number {
                    handle.release(past.receipt, &now);
                    assert!(!handle.leave(past.receipt, &now));
                }
            }
        }
        37..39 => model.now += dice.below(40) * MILLI,
        _ => {
            // The thread ends, and another begins in its place.
            let gone = std::mem::replace(&mut sides[at], Side::new(*next_side, bulkhead));
            *next_side += 1;
            gone.end(time);
            model.die(gone.number);
            model.look(room);
            assert_eq!(gone.handle.acquire(key, rank, &now), Grant::Full, "an environment that has ended gets nothing");
            // A place that was free may have been given to nobody, and to nobody else.
            model.refused += 1;
            assert!(gone.letters.empty().len() < 1_000);
        }
    }
}

fn the_same_letters(model: &mut Model, sides: &[Side]) {
    for Side { number, letters, .. } in sides {
        let mut expected = Vec::from_iter(model.letters.extract_if(.., |letter| letter.0 == *number).map(|it| it.1));
        let mut came = letters.empty();
        expected.sort();
        came.sort();
        assert_eq!(came, expected);
    }
    model.letters.clear();
}

#[test]
fn after_a_million_random_operations_every_permit_is_home_and_all_went_as_the_model_said() {
    let mut dice = Dice::new(4);
    for world in 0..2_500 {
        let (limit, queue) = (1 + dice.below(5) as u32, dice.below(7) as u32);
        let lease_ms = (world % 2 == 0).then(|| 20.0 + dice.below(200) as f64);
        let config = BulkheadConfig { limit, queue, lease_ms, per_key: world % 4 > 1, ..BulkheadConfig::default() };
        let keys = if config.per_key { 3 } else { 1 };
        let bulkhead = Arc::new(Bulkhead::new(config));
        let mut model = Model {
            limit: limit as usize,
            places: queue as usize,
            lease: lease_ms.map(|lease_ms| lease_ms as Nanos * MILLI),
            rooms: (0..keys).map(|_| Room::default()).collect(),
            ..Model::default()
        };
        let mut sides: Vec<_> = (0..3).map(|number| Side::new(number, &bulkhead)).collect();
        let mut next_side = 3;
        for _ in 0..400 {
            step(&mut dice, &bulkhead, &mut model, &mut sides, &mut next_side);
            the_same_letters(&mut model, &sides);
            if dice.below(20) == 0 {
                model.compare(&bulkhead);
                the_same_letters(&mut model, &sides);
            }
        }
        model.compare(&bulkhead);

        sides.iter().for_each(|side| side.end(model.now));
        let said = report(&bulkhead, model.now);
        assert_eq!([&said["inUse"], &said["waiting"], &said["keys"]], [0, 0, 0]);
        let fresh = Side::new(u32::MAX, &bulkhead);
        for room in 0..keys {
            let key = bulkhead.config().per_key.then(|| key(room));
            let grants = Vec::from_iter((0..=limit).map(|_| fresh.handle.try_acquire(key, &|| model.now)));
            let permits = grants.iter().filter(|grant| matches!(grant, Grant::Permit(_))).count();
            assert_eq!(permits, limit as usize, "every permit is there again, and none twice");
        }
    }
}

#[test]
fn a_queue_of_waiters_whose_environments_have_ended_passes_the_permit_to_nobody() {
    let bulkhead = bulkhead(1, 3);
    let (first, second) = (Side::new(1, &bulkhead), Side::new(2, &bulkhead));
    let Grant::Permit(permit) = first.handle.acquire(None, NORMAL, &|| 0) else { panic!() };
    for _ in 0..3 {
        assert!(matches!(second.handle.acquire(None, NORMAL, &|| 0), Grant::Queued(_)));
    }
    second.end(0);
    first.handle.release(permit, &|| 0);
    assert!(second.letters.empty().is_empty());
    let said = report(&bulkhead, 0);
    assert_eq!([&said["inUse"], &said["waiting"]], [0, 0]);
}

#[test]
fn who_is_queued_stays_queued_however_many_of_a_higher_priority_come() {
    let bulkhead = bulkhead(1, 3);
    let side = Side::new(1, &bulkhead);
    let ask = |rank| side.handle.acquire(None, rank, &|| 0);
    let Grant::Permit(held) = ask(0) else { panic!() };
    let [Grant::Queued(low), Grant::Queued(critical), Grant::Queued(normal)] = [ask(0), ask(3), ask(1)] else {
        panic!()
    };
    assert_eq!([ask(3), ask(3)], [Grant::Full, Grant::Full]);
    let mut next = held;
    for expected in [critical, normal, low] {
        side.handle.release(next, &|| 0);
        assert_eq!(side.letters.empty(), [Said::Yours(expected)]);
        next = expected;
    }
}

fn leased(limit: u32, queue: u32, lease_ms: f64) -> Arc<Bulkhead> {
    Arc::new(Bulkhead::new(BulkheadConfig { limit, queue, lease_ms: Some(lease_ms), ..BulkheadConfig::default() }))
}

#[test]
fn a_permit_expires_on_the_nanosecond_and_goes_to_who_waits_though_its_holder_says_nothing() {
    let bulkhead = leased(1, 1, 5.0);
    let (hung, other) = (Side::new(1, &bulkhead), Side::new(2, &bulkhead));
    let Grant::Permit(lost) = hung.handle.acquire(None, NORMAL, &|| 100) else { panic!() };
    let Grant::Queued(waits) = other.handle.acquire(None, NORMAL, &|| 100) else { panic!() };
    let end = 100 + 5 * MILLI;
    assert_eq!(other.handle.expire(None, end - 1), Some(1));
    assert_eq!(other.letters.empty(), []);
    assert_eq!(other.handle.expire(None, end), Some(5 * MILLI), "the next lease begins when the permit passes on");
    assert_eq!((other.letters.empty(), hung.letters.empty()), (vec![Said::Yours(waits)], vec![Said::Expired(lost)]));
    // What comes late frees nobody's permit.
    hung.handle.release(lost, &|| end);
    hung.end(end);
    assert_eq!(other.handle.try_acquire(None, &|| end), Grant::Full);
    assert_eq!(report(&bulkhead, end)["inUse"], 1);
    assert_eq!(report(&bulkhead, end + 5 * MILLI)["inUse"], 0, "and to look is enough");
    assert_eq!(report(&bulkhead, end + 5 * MILLI)["expired"], 2);
}

#[test]
fn a_lease_passes_over_a_waiter_whose_environment_has_ended() {
    let bulkhead = leased(1, 2, 5.0);
    let (dead, alive) = (Side::new(1, &bulkhead), Side::new(2, &bulkhead));
    let Grant::Permit(_) = alive.handle.acquire(None, NORMAL, &|| 0) else { panic!() };
    let Grant::Queued(_) = dead.handle.acquire(None, NORMAL, &|| 0) else { panic!() };
    let Grant::Queued(waits) = alive.handle.acquire(None, NORMAL, &|| 0) else { panic!() };
    dead.end(0);
    alive.handle.expire(None, 5 * MILLI);
    assert!(alive.letters.empty().contains(&Said::Yours(waits)));
    assert_eq!(report(&bulkhead, 5 * MILLI)["inUse"], 1);
}

#[test]
fn an_idle_key_costs_nothing_and_a_key_has_permits_of_its_own() {
    let config = BulkheadConfig { limit: 1, queue: 1, per_key: true, ..BulkheadConfig::default() };
    let bulkhead = Arc::new(Bulkhead::new(config));
    let side = Side::new(1, &bulkhead);
    for number in 0..10_000 {
        let Grant::Permit(permit) = side.handle.try_acquire(Some(key(number)), &|| 0) else { panic!() };
        assert_eq!(side.handle.try_acquire(Some(key(number)), &|| 0), Grant::Full);
        if number % 1_000 != 0 {
            side.handle.release(permit, &|| 0);
        }
    }
    assert_eq!(report(&bulkhead, 0)["keys"], 10);
    side.end(0);
    assert_eq!(report(&bulkhead, 0)["keys"], 0);
}

/// Threads that fight over two permits, and some that end while they hold one or wait.
fn fight(config: BulkheadConfig) {
    let (limit, keyed) = (config.limit, config.per_key);
    let counted = !keyed && config.lease_ms.is_none();
    let bulkhead = Arc::new(Bulkhead::new(config));
    let (inside, start) = (AtomicU32::new(0), Barrier::new(4));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (bulkhead, inside, start) = (&bulkhead, &inside, &start);
            scope.spawn(move || {
                let mut dice = Dice::new(thread);
                let mut side = Side::new(0, bulkhead);
                let key = keyed.then(|| key(1));
                start.wait();
                for _ in 0..60_000 {
                    let receipt = if counted && dice.below(2) == 0 && side.handle.enter() {
                        None
                    } else {
                        match side.handle.acquire(key, dice.below(4) as usize, &|| 0) {
                            Grant::Permit(receipt) => Some(receipt),
                            Grant::Queued(receipt) => {
                                if dice.below(4) == 0 && side.handle.leave(receipt, &|| 0) {
                                    continue;
                                }
                                if dice.below(50) == 0 {
                                    // Maybe the letter has come already: then it is a permit that comes back.
                                    side.end(0);
                                    side = Side::new(0, bulkhead);
                                    continue;
                                }
                                assert_eq!(side.letters.wait(), [Said::Yours(receipt)]);
                                Some(receipt)
                            }
                            Grant::Full => continue,
                        }
                    };
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < limit);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    if dice.below(50) == 0 {
                        side.end(0);
                        side = Side::new(0, bulkhead);
                    } else if let Some(receipt) = receipt {
                        side.handle.release(receipt, &|| 0);
                        side.handle.release(receipt, &|| 0);
                    } else {
                        side.handle.exit(&|| 0);
                    }
                }
            });
        }
    });
    let said = report(&bulkhead, 0);
    assert_eq!([&said["inUse"], &said["waiting"], &said["keys"]], [0, 0, 0]);
}

#[test]
fn threads_never_hold_more_than_the_limit_at_once_and_leave_none_behind() {
    fight(BulkheadConfig { limit: 2, queue: 3, ..BulkheadConfig::default() });
}

#[test]
fn threads_that_make_and_end_the_room_of_a_key_never_have_two_of_it() {
    fight(BulkheadConfig { limit: 1, queue: 1, per_key: true, ..BulkheadConfig::default() });
}

#[test]
fn threads_whose_leases_never_end_are_as_those_without() {
    fight(BulkheadConfig { limit: 2, queue: 3, lease_ms: Some(1.0), ..BulkheadConfig::default() });
}

/// A lease that has ended as soon as its permit passes on, beside a thread that does nothing but look.
#[test]
fn a_permit_is_told_of_before_its_end_is() {
    let bulkhead = leased(1, 1, 1.0);
    let over = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let looker = Side::new(0, &bulkhead);
            while over.load(Ordering::Acquire) == 0 {
                looker.handle.expire(None, Nanos::MAX);
            }
        });
        let (holder, waiter) = (Side::new(1, &bulkhead), Side::new(2, &bulkhead));
        let mut first = Vec::new();
        for _ in 0..100_000 {
            let Grant::Permit(permit) = holder.handle.try_acquire(None, &|| 0) else { continue };
            let receipt = match waiter.handle.acquire(None, NORMAL, &|| 0) {
                Grant::Queued(receipt) => receipt,
                Grant::Permit(receipt) => {
                    waiter.handle.release(receipt, &|| 0);
                    continue;
                }
                Grant::Full => continue,
            };
            holder.handle.release(permit, &|| 0);
            let about_it = |said: &Said| matches!(*said, Said::Yours(of) | Said::Expired(of) if of == receipt);
            first.push(loop {
                if let Some(said) = waiter.letters.wait().into_iter().find(about_it) {
                    break (said, Said::Yours(receipt));
                }
            });
            waiter.handle.release(receipt, &|| 0);
        }
        over.store(1, Ordering::Release);
        assert!(first.len() > 1_000, "{}", first.len());
        assert!(first.into_iter().all(|(said, wanted)| said == wanted));
    });
}

/// A release and the end of its lease at the same moment, from two threads: the permit passes on once.
#[test]
fn a_release_beside_its_lease_s_end_gives_the_permit_back_once() {
    const ROUNDS: u64 = 100_000;
    let bulkhead = leased(1, 0, 1.0);
    // Twice the round, and one more while it is under way. Met spinning: a barrier wakes its threads too far apart.
    let step = AtomicU64::new(0);
    let meet = |wanted: u64| {
        let mut patience = 10_000_000;
        while step.load(Ordering::SeqCst) < wanted {
            assert!(patience > 0, "the other thread has failed");
            patience -= 1;
            std::thread::yield_now();
        }
    };
    let dawdle = |dice: &mut Dice| (0..dice.below(40)).for_each(|_| std::hint::spin_loop());
    std::thread::scope(|scope| {
        let (bulkhead, step) = (&bulkhead, &step);
        scope.spawn(move || {
            let (looker, mut dice) = (Side::new(1, bulkhead), Dice::new(1));
            for round in 0..ROUNDS {
                meet(2 * round + 1);
                dawdle(&mut dice);
                looker.handle.expire(None, (2 * round + 1) * MILLI);
                step.store(2 * round + 2, Ordering::SeqCst);
            }
        });
        let (holder, mut dice) = (Side::new(2, bulkhead), Dice::new(2));
        for round in 0..ROUNDS {
            let now = 2 * round * MILLI;
            let Grant::Permit(receipt) = holder.handle.try_acquire(None, &|| now) else { panic!("it is not home") };
            step.store(2 * round + 1, Ordering::SeqCst);
            dawdle(&mut dice);
            holder.handle.release(receipt, &|| now);
            meet(2 * round + 2);
            assert_eq!(report(bulkhead, now)["inUse"], 0);
        }
    });
}
