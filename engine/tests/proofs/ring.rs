//! The ring of calls against a plain list of everything that ever happened.
//! Never looks into a word.

use crate::dice::Dice;
use spillway_engine::policy::rolling::Sums;
use spillway_engine::store::ring::Ring;

#[test]
fn the_ring_holds_the_last_so_many_calls_of_a_list() {
    let mut dice = Dice::new(21);
    for round in 0..4_000 {
        let size = dice.one_of(&[1, 2, 31, 32, 33, 64, 100, 1_000]);
        let (mut ring, mut list) = (Ring::new(size), Vec::new());
        for _ in 0..dice.below(40) {
            if dice.below(4) == 0 {
                let count = dice.one_of(&[0, 1, 31, 32, 65, 200, 5_000]);
                ring.push_well(count);
                list.extend((0..count).map(|_| (false, false)));
            } else {
                let call = (dice.below(2) == 0, dice.below(3) == 0);
                ring.push(call.0, call.1);
                list.push(call);
            }
            let held = &list[list.len().saturating_sub(size as usize)..];
            let count = |which: fn(&&(bool, bool)) -> bool| held.iter().filter(which).count() as u64;
            let sums = Sums { calls: held.len() as u64, failures: count(|call| call.0), slow: count(|call| call.1) };
            assert_eq!(ring.sums(), sums, "in round {round}");
            assert!(ring.calls().eq(held.iter().copied()), "in round {round}");
        }
        ring.clear();
        assert_eq!((ring.sums(), ring.calls().count()), (Sums::default(), 0));
    }
}
