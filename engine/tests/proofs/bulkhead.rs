//! The bulkhead against one number and one `VecDeque`, over several environments that come and go.
//! Never asks the bulkhead who is next: the model says so before it looks.

use crate::dice::Dice;
use crate::letters::{LetterBox, Said, environment};
use spillway_engine::primitive::bulkhead::{Bulkhead, BulkheadConfig, BulkheadHandle, Grant};
use spillway_engine::store::ledger::{Ledger, Receipt};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

fn bulkhead(limit: u32, queue: u32) -> Arc<Bulkhead> {
    Arc::new(Bulkhead::new(BulkheadConfig { limit, queue }))
}

fn report(bulkhead: &Bulkhead) -> serde_json::Value {
    serde_json::to_value(bulkhead.report()).unwrap()
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
}

type Held = (u32, Receipt);

#[derive(Default)]
struct Model {
    limit: usize,
    places: usize,
    held: Vec<Held>,
    queue: VecDeque<Held>,
    /// What was held or waited for once.
    past: Vec<Held>,
    letters: Vec<Held>,
    admitted: u64,
    refused: u64,
    left: u64,
    /// Waiters whose environment ended: they left, or were called up in vain, whichever came first.
    died: u64,
}

impl Model {
    fn free(&mut self, held: Held) {
        let at = self.held.iter().position(|other| *other == held).unwrap();
        self.past.push(self.held.remove(at));
        if let Some(next) = self.queue.pop_front() {
            self.held.push(next);
            self.letters.push(next);
        }
    }

    fn ask(&mut self, grant: Grant, number: u32, willing: bool) {
        if self.held.len() < self.limit && self.queue.is_empty() {
            let Grant::Permit(receipt) = grant else { panic!("{grant:?} with permits free") };
            self.held.push((number, receipt));
            self.admitted += 1;
        } else if willing && self.queue.len() < self.places {
            let Grant::Queued(receipt) = grant else { panic!("{grant:?} with places free") };
            self.queue.push_back((number, receipt));
        } else {
            assert_eq!(grant, Grant::Full);
            self.refused += 1;
        }
    }
}

#[test]
fn whatever_happens_the_bulkhead_is_a_count_and_a_deque_and_every_permit_comes_back() {
    let mut dice = Dice::new(4);
    for _ in 0..4_000 {
        let (limit, places) = (1 + dice.below(5) as u32, dice.below(7) as u32);
        let bulkhead = bulkhead(limit, places);
        let mut model = Model { limit: limit as usize, places: places as usize, ..Model::default() };
        let mut sides: Vec<_> = (0..3).map(|number| Side::new(number, &bulkhead)).collect();
        for turn in 0..400 {
            let side = dice.below(3) as usize;
            let Side { number, handle, .. } = &sides[side];
            match dice.below(32) {
                0..4 => model.ask(handle.try_acquire(), *number, false),
                4..14 => model.ask(handle.acquire(), *number, true),
                14..24 => {
                    if let Some(index) = dice.index(model.held.len()) {
                        let held = model.held[index];
                        if held.0 == *number {
                            handle.release(held.1);
                            model.free(held);
                        }
                    }
                }
                24..27 => {
                    if let Some(index) = dice.index(model.queue.len()) {
                        let waits = model.queue[index];
                        if waits.0 == *number {
                            assert!(handle.leave(waits.1));
                            model.past.extend(model.queue.remove(index));
                            model.left += 1;
                        }
                    }
                }
                27..29 => {
                    // Nobody leaves a queue with a permit in his hand.
                    if let Some(index) = dice.index(model.held.len()) {
                        let held = model.held[index];
                        assert!(held.0 != *number || !handle.leave(held.1));
                    }
                    // And a place is no permit.
                    if let Some(&(_, receipt)) = model.queue.iter().find(|waits| waits.0 == *number) {
                        handle.release(receipt);
                    }
                }
                29..31 => {
                    if let Some(index) = dice.index(model.past.len()) {
                        let past = model.past[index];
                        if past.0 == *number {
                            handle.release(past.1);
                            assert!(!handle.leave(past.1));
                        }
                    }
                }
                _ => {
                    // The thread ends, and another begins in its place.
                    let gone = std::mem::replace(&mut sides[side], Side::new(turn + 3, &bulkhead));
                    gone.ledger.close();
                    assert_eq!(gone.handle.acquire(), Grant::Full, "an environment that has ended gets nothing");
                    model.refused += 1;
                    let before = model.queue.len();
                    model.queue.retain(|waits| waits.0 != gone.number);
                    model.died += (before - model.queue.len()) as u64;
                    for held in model.held.clone() {
                        if held.0 == gone.number {
                            model.free(held);
                        }
                    }
                }
            }
            for Side { number, letters, handle, .. } in &sides {
                let expected = model.letters.extract_if(.., |letter| letter.0 == *number);
                let expected = Vec::from_iter(expected.map(|(_, receipt)| Said::Yours(receipt)));
                let came = letters.empty();
                for _ in &came {
                    handle.note_arrival();
                    model.admitted += 1;
                }
                assert_eq!(came, expected);
            }
            model.letters.clear();
        }
        let said = report(&bulkhead);
        assert_eq!(said["inUse"], model.held.len());
        assert_eq!(said["waiting"], model.queue.len());
        assert_eq!(said["admitted"], model.admitted);
        assert_eq!(said["refused"], model.refused);
        let left = said["left"].as_u64().unwrap();
        assert!((model.left..=model.left + model.died).contains(&left));

        for Side { ledger, .. } in &sides {
            ledger.close();
        }
        let fresh = Side::new(u32::MAX, &bulkhead);
        let grants = Vec::from_iter((0..=limit).map(|_| fresh.handle.try_acquire()));
        let permits = grants.iter().filter(|grant| matches!(grant, Grant::Permit(_))).count();
        assert_eq!(permits, limit as usize, "every permit is there again, and none twice");
    }
}

#[test]
fn a_queue_of_waiters_whose_environments_have_ended_passes_the_permit_to_nobody() {
    let bulkhead = bulkhead(1, 3);
    let (first, second) = (Side::new(1, &bulkhead), Side::new(2, &bulkhead));
    let Grant::Permit(permit) = first.handle.acquire() else { panic!() };
    for _ in 0..3 {
        assert!(matches!(second.handle.acquire(), Grant::Queued(_)));
    }
    second.ledger.close();
    first.handle.release(permit);
    assert!(second.letters.empty().is_empty());
    assert_eq!((report(&bulkhead)["inUse"].clone(), report(&bulkhead)["waiting"].clone()), (0.into(), 0.into()));
}

/// Threads that fight over two permits, and some that end while they hold one or wait.
#[test]
fn threads_never_hold_more_than_the_limit_at_once_and_leave_none_behind() {
    const LIMIT: u32 = 2;
    let bulkhead = bulkhead(LIMIT, 3);
    let (inside, start) = (AtomicU32::new(0), Barrier::new(4));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (bulkhead, inside, start) = (&bulkhead, &inside, &start);
            scope.spawn(move || {
                let mut dice = Dice::new(thread);
                let mut side = Side::new(0, bulkhead);
                start.wait();
                for _ in 0..100_000 {
                    let permit = match side.handle.acquire() {
                        Grant::Permit(receipt) => receipt,
                        Grant::Queued(receipt) => {
                            if dice.below(4) == 0 && side.handle.leave(receipt) {
                                continue;
                            }
                            if dice.below(50) == 0 {
                                // Maybe the letter has come already: then it is a permit that comes back.
                                side.ledger.close();
                                side = Side::new(0, bulkhead);
                                continue;
                            }
                            assert_eq!(side.letters.wait(), [Said::Yours(receipt)]);
                            receipt
                        }
                        Grant::Full => continue,
                    };
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < LIMIT);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    if dice.below(50) == 0 {
                        side.ledger.close();
                        side = Side::new(0, bulkhead);
                    } else {
                        side.handle.release(permit);
                        side.handle.release(permit);
                    }
                }
            });
        }
    });
    assert_eq!((report(&bulkhead)["inUse"].clone(), report(&bulkhead)["waiting"].clone()), (0.into(), 0.into()));
}
