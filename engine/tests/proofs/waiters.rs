//! The queue and the count of permits against a `VecDeque` and a number.
//! Never looks at how the queue is linked.

use crate::dice::Dice;
use spillway_engine::policy::permits::{Ask, Permits};
use spillway_engine::store::waiters::{Place, Waiters};
use std::collections::VecDeque;

#[test]
fn the_queue_is_a_deque_from_whose_middle_one_may_leave() {
    let mut dice = Dice::new(1);
    for _ in 0..4_000 {
        let (mut queue, mut model) = (Waiters::default(), VecDeque::new());
        // Places of those who have gone.
        let mut gone: Vec<Place> = Vec::new();
        // Some queues grow, some are mostly empty.
        let joins = 1 + dice.below(6);
        for number in 0..300 {
            match dice.below(joins + 6) {
                0..3 => {
                    let (popped, expected) = (queue.pop(), model.pop_front());
                    assert_eq!(popped, expected.map(|(number, _)| number));
                    gone.extend(expected.map(|(_, place)| place));
                }
                3..5 => {
                    if let Some(index) = dice.index(model.len()) {
                        let (number, place) = model.remove(index).unwrap();
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
                    let place = queue.push(number);
                    assert_eq!(Place::from_word(place.to_word()), place);
                    model.push_back((number, place));
                }
            }
            assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
        for (number, _) in model {
            assert_eq!(queue.pop(), Some(number));
        }
        assert_eq!(queue.pop(), None);
    }
}

#[test]
fn permits_are_never_more_than_the_limit_and_nobody_overtakes_the_queue() {
    let mut dice = Dice::new(2);
    for _ in 0..4_000 {
        let (limit, places) = (1 + dice.below(5) as u32, dice.below(5) as u32);
        let (mut permits, mut in_use, mut waiting) = (Permits::new(limit, places), 0, 0);
        for _ in 0..300 {
            if dice.below(2) == 0 {
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
                let before = if expected == Ask::Wait { waiting - 1 } else { waiting };
                assert_eq!(permits.ask(before as usize, willing), expected);
            } else if waiting > 0 {
                // The permit passes to whoever waits: the count does not change.
                waiting -= 1;
            } else if in_use > 0 {
                permits.free();
                in_use -= 1;
            }
            assert_eq!(permits.in_use(), in_use);
        }
    }
}

#[test]
fn a_bulkhead_without_a_queue_is_full_at_its_limit() {
    let mut permits = Permits::new(1, 0);
    assert_eq!([permits.ask(0, true), permits.ask(0, true)], [Ask::Go, Ask::Full]);
}

#[test]
fn a_free_permit_is_not_given_past_those_who_wait_for_it() {
    let mut permits = Permits::new(2, 2);
    assert_eq!([permits.ask(1, false), permits.ask(1, true), permits.ask(2, true)], [Ask::Full, Ask::Wait, Ask::Full]);
    assert_eq!(permits.in_use(), 0);
}
