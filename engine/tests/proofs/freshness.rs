//! How an entry ages, against three marks on a line that are moved by hand.
//! Never asks the windows where a mark is.

use crate::dice::Dice;
use spillway_engine::policy::freshness::{LONGEST, Life, State, Windows, jittered};

/// The end of being fresh, of being stale, of grace.
#[derive(Clone, Copy)]
struct Marks {
    fresh: i128,
    stale: i128,
    grace: i128,
}

impl Marks {
    fn state(self, at: i128, restored: bool) -> Option<State> {
        match at {
            _ if at < self.fresh => Some(if restored { State::Stale } else { State::Fresh }),
            _ if at < self.stale => Some(State::Stale),
            _ if at < self.grace => Some(State::Grace),
            _ => None,
        }
    }
}

#[test]
fn over_random_timelines_an_entry_is_fresh_then_stale_then_in_grace_then_gone() {
    let mut dice = Dice::new(51);
    let (mut seen, mut expired) = ([0u32; 4], 0);
    for _ in 0..200_000 {
        let spans = [0, 1, 10, 1_000, 50_000, LONGEST];
        let (stale, grace, ttl) = (dice.one_of(&spans), dice.one_of(&spans), dice.one_of(&spans));
        let (stale, grace, ttl) = (dice.below(stale + 1), dice.below(grace + 1), dice.below(ttl + 1));
        let (negative, restored) = (dice.below(4) == 0, dice.below(4) == 0);
        let windows = Windows::new(stale, grace);
        let start = dice.one_of(&[0, 5, 1 << 60]);
        let mut now = start;
        let mut life = Life { ends: windows.ends(now, ttl, negative), negative, restored, expired: false };
        let wide = |span: u64| i128::from(span);
        let (stale, grace) = if negative { (0, 0) } else { (wide(stale), wide(grace)) };
        let fresh = wide(now) + wide(ttl);
        let mut marks = Marks { fresh, stale: fresh + stale, grace: fresh + stale + grace };
        for _ in 0..8 {
            // Onto a mark, next to it, or anywhere.
            let mark = dice.one_of(&[marks.fresh, marks.stale, marks.grace]).max(wide(now)) as u64;
            let anywhere = now + dice.below(ttl + 2);
            now = dice.one_of(&[now, now + 1, mark, mark.saturating_sub(1).max(now), anywhere]);
            let state = marks.state(wide(now), restored);
            assert_eq!(windows.state(life, now), state, "{windows:?} {life:?} from {start} at {now}");
            seen[state.map_or(3, |state| state as usize)] += 1;
            if state == Some(State::Fresh) {
                assert_eq!(wide(windows.fresh_until(life.ends, negative)), marks.fresh);
            }
            if dice.below(8) == 0 {
                life = windows.expired(life, now);
                let now = wide(now);
                marks = Marks {
                    fresh: marks.fresh.min(now),
                    stale: marks.stale.min(now),
                    grace: marks.grace.min(now + grace),
                };
                expired += 1;
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 50_000) && expired > 100_000, "{seen:?} {expired}");
}

#[test]
fn an_entry_that_is_expired_soon_after_the_start_of_the_clock_has_its_grace_and_nothing_else() {
    // What would have to lie before 0 to be the end of being stale does not make it stale.
    let windows = Windows::new(1_000_000, 50);
    let life = Life { ends: windows.ends(3, 10, false), negative: false, restored: false, expired: false };
    let life = windows.expired(life, 5);
    assert_eq!(windows.state(life, 4), Some(State::Grace), "for a reader whose clock was read before as well");
    assert_eq!(windows.state(life, 5), Some(State::Grace));
    assert_eq!(windows.state(life, 54), Some(State::Grace));
    assert_eq!(windows.state(life, 55), None);
}

#[test]
fn jitter_moves_a_time_to_live_by_up_to_its_share_evenly_and_the_same_way_for_the_same_point() {
    let mut dice = Dice::new(52);
    let mut quarters = [0; 4];
    for _ in 0..100_000 {
        let (ttl, point) = (1_000_000 + dice.below(1 << 40), dice.word());
        let share = dice.one_of(&[0.0, 0.1, 0.5, 1.0]);
        let moved = jittered(ttl, share, point);
        assert_eq!(moved, jittered(ttl, share, point));
        let by = (moved as f64 - ttl as f64) / ttl as f64;
        assert!(by.abs() <= share + 1e-6, "{ttl} by {by}, of {share}");
        if share > 0.0 {
            quarters[(((by / share + 1.0) * 2.0) as usize).min(3)] += 1;
        }
    }
    let all: u32 = quarters.iter().sum();
    assert!(quarters.iter().all(|count| count * 5 > all && count * 3 < all), "{quarters:?}");
    assert_eq!(jittered(u64::MAX, 1.0, u64::MAX), u64::MAX);
    assert_eq!(jittered(0, 1.0, 7), 0);
}
