//! The queue and the word of permits against a `VecDeque` for each rank and two numbers.
//! Never looks at how the queue is linked or the word is laid out.

use crate::dice::Dice;
use spillway_engine::policy::permits::{Ask, Back, Permits};
use spillway_engine::store::turnstile::Turnstile;
use spillway_engine::store::waiters::{Place, RANKS, Waiters};
use std::collections::VecDeque;

/// Who is next: the highest rank that anybody is in.
fn pop<T>(queues: &mut [VecDeque<T>; RANKS]) -> Option<T> {
    queues.iter_mut().rev().find_map(VecDeque::pop_front)
}

#[test]
fn the_queue_is_a_deque_for_each_rank_from_whose_middle_one_may_leave() {
    let mut dice = Dice::new(1);
    for round in 0..4_000 {
        let mut queue = Waiters::default();
        let mut model: [VecDeque<(u64, Place)>; RANKS] = Default::default();
        // Places of those who have gone.
        let mut gone: Vec<Place> = Vec::new();
        // Some queues grow, some are mostly empty; and some know one rank only.
        let (joins, ranks) = (1 + dice.below(6), if round % 2 == 0 { 1 } else { RANKS as u64 });
        for number in 0..300 {
            match dice.below(joins + 6) {
                0..3 => {
                    assert_eq!(queue.first().copied(), model.iter().rev().find_map(|rank| rank.front()).map(|it| it.0));
                    let (popped, expected) = (queue.pop(), pop(&mut model));
                    assert_eq!(popped, expected.map(|(number, _)| number));
                    gone.extend(expected.map(|(_, place)| place));
                }
                3..5 => {
                    let rank = dice.below(ranks) as usize;
                    if let Some(index) = dice.index(model[rank].len()) {
                        let (number, place) = model[rank].remove(index).unwrap();
                        assert_eq!(queue.leave(place), Some(number));
                        gone.push(place);
                    }
                }
                5 => {
                    if let Some(index) = dice.index(gone.len()) {
                        assert_eq!(queue.leave(gone[index]), None, "a place stands for one waiter only");
                    }
                }
                _ => {
                    let rank = dice.below(ranks) as usize;
                    let place = if ranks == 1 { queue.push(number) } else { queue.push_in(rank, number) };
                    assert_eq!(Place::from_word(place.to_word()), place);
                    model[rank].push_back((number, place));
                }
            }
            assert_eq!(queue.lens(), std::array::from_fn(|rank| model[rank].len()));
            assert_eq!((queue.len(), queue.is_empty()), (queue.lens().iter().sum(), queue.lens() == [0; RANKS]));
        }
        while let Some((number, _)) = pop(&mut model) {
            assert_eq!(queue.pop(), Some(number));
        }
        assert_eq!(queue.pop(), None);
    }
}

#[test]
fn a_rank_above_the_highest_is_the_highest() {
    let mut queue = Waiters::default();
    queue.push_in(RANKS - 1, 1);
    queue.push_in(RANKS + 7, 2);
    queue.push_in(0, 3);
    assert_eq!([queue.pop(), queue.pop(), queue.pop(), queue.pop()], [Some(1), Some(2), Some(3), None]);
}

#[test]
fn permits_are_never_more_than_the_limit_and_nobody_overtakes_the_queue() {
    let mut dice = Dice::new(2);
    for _ in 0..4_000 {
        let (limit, places) = (1 + dice.below(5) as u32, dice.below(5) as u32);
        let (permits, turnstile) = (Permits { limit, queue: places }, Turnstile::default());
        let (mut in_use, mut waiting) = (0, 0);
        for _ in 0..300 {
            match dice.below(5) {
                0..2 => {
                    let willing = dice.below(2) == 0;
                    let expected = if in_use < limit && waiting == 0 {
                        in_use += 1;
                        Ask::Go
                    } else if willing && waiting < places {
                        waiting += 1;
                        Ask::Wait
                    } else {
                        Ask::Full
                    };
                    let ask = if willing { turnstile.take_or_wait_locked(permits) } else { turnstile.take(permits) };
                    assert_eq!(ask, expected);
                }
                2..4 if in_use > 0 => {
                    // The permit passes to whoever waits: then as many are out as before.
                    let expected = if waiting > 0 { Back::Next } else { Back::Free };
                    assert_eq!(turnstile.give_back(), expected);
                    if expected == Back::Free {
                        in_use -= 1;
                    } else {
                        assert_eq!(turnstile.load(), (in_use, waiting), "whose it is has yet to be said");
                        assert_eq!(turnstile.pass_locked(), Back::Next);
                        waiting -= 1;
                    }
                }
                4 if waiting > 0 => {
                    turnstile.leave_locked();
                    waiting -= 1;
                }
                _ => {}
            }
            assert_eq!(turnstile.load(), (in_use, waiting));
        }
    }
}

#[test]
fn a_bulkhead_without_a_queue_is_full_at_its_limit() {
    let (permits, turnstile) = (Permits { limit: 1, queue: 0 }, Turnstile::default());
    assert_eq!([turnstile.take_or_wait_locked(permits), turnstile.take_or_wait_locked(permits)], [Ask::Go, Ask::Full]);
}

#[test]
fn what_somebody_uses_does_not_end_and_what_has_ended_gives_out_nothing() {
    let (permits, turnstile) = (Permits { limit: 1, queue: 1 }, Turnstile::default());
    assert_eq!(turnstile.take(permits), Ask::Go);
    assert!(!turnstile.end());
    assert_eq!(turnstile.give_back(), Back::Free);
    assert!(!turnstile.is_gone());
    assert_eq!([turnstile.end(), turnstile.end()], [true, false], "one of all who try ends it");
    assert!(turnstile.is_gone());
    assert_eq!([turnstile.take(permits), turnstile.take_or_wait_locked(permits)], [Ask::Gone, Ask::Gone]);
    assert_eq!(turnstile.load(), (0, 0));
}
