//! Which setting is best just now. Owns one shadow of the cache for each, and how well each has done of late.
//! Never shadows more than a bounded number of keys: of a large cache, a sample.

use super::ghosts::mix;
use super::setting::{Merit, SETTINGS, Setting};
use super::shadow::Shadow;
use super::spread::Spread;

/// Entries of one shadow, at most; more where there are so many real ones that they hardly count beside them.
const FEWEST: usize = 256;
const MOST: usize = 2048;
const RESIDENTS_FOR_ONE: usize = 64;

/// A hit counts less by this part for each turn of a shadow since, which is as many uses as it has entries: half after 33.
const FADED_IN_A_TURN: f64 = 1.0 / 48.0;

/// Uses between two looks at the scores.
const TERM: u32 = 16;

/// A setting is left for another that has this many hits more, beside as many as the chance of a sample makes likely.
const AHEAD: f64 = 1.0;
const AHEAD_BY_CHANCE: f64 = 0.1;

/// That is long in seeing a change of ways. So there is a second score, of about this many turns, and whoever is ahead in it by
/// so many times what chance makes likely is followed at once.
const RECENT_TURNS: f64 = 6.0;
const AHEAD_BEYOND_CHANCE: f64 = 8.0;

/// Where weights differ, settings that leave them out of account are seldom better, a sample seldom tells, and to change and
/// change back costs more than it brings: they have to be so many times as good.
const FAVOUR: f64 = 1.25;

/// The heaviest of the sampled keys, as a part of a shadow's capacity: a heavier one would say more about itself than about many.
const HEAVIEST: u64 = 8;

struct Juror {
    setting: Setting,
    shadow: Shadow,
    /// Hits, faded slowly.
    score: f64,
    /// Hits, faded fast.
    recent: f64,
}

/// The shadows and what they have led to.
pub(super) struct Jury {
    jurors: Vec<Juror>,
    chosen: usize,
    capacity: u64,
    /// One key in two to the power of this is shadowed.
    rarity: u32,
    uses: u32,
    spread: Spread,
}

impl Jury {
    /// For a cache of so many entries.
    pub(super) fn new(capacity: u64, residents: usize) -> Self {
        let rarity = (residents / FEWEST).checked_ilog2().map_or(0, |rarity| rarity + 1);
        let juror =
            |setting| Juror { setting, shadow: Shadow::new(capacity >> rarity, setting), score: 0.0, recent: 0.0 };
        let jurors = SETTINGS.into_iter().map(juror).collect();
        Jury { jurors, chosen: 0, capacity, rarity, uses: 0, spread: Spread::default() }
    }

    /// What a newcomer weighs, of the sample or not.
    pub(super) fn note(&mut self, weight: u32) {
        self.spread.note(weight);
    }

    /// Somebody who is there already, and was used so many times.
    pub(super) fn learn(&mut self, hash: u64, weight: u32, frequency: u32) {
        self.note(weight);
        if mix(hash).trailing_zeros() < self.rarity {
            return;
        }
        for Juror { shadow, score, .. } in &mut self.jurors {
            shadow.observe(hash, weight, 1);
            if frequency > 1 {
                shadow.observe(hash, weight, frequency - 1);
            }
            // Whatever the setting: so that the first few hits that tell them apart do not decide.
            *score += f64::from(frequency);
        }
    }

    /// Where weights differ one begins with density: it is told from the weights alone.
    pub(super) fn open(&mut self) -> Setting {
        if self.spread.is_wide() {
            self.chosen = self.jurors.iter().position(|juror| juror.setting.merit == Merit::Density).unwrap_or(0);
        }
        self.setting()
    }

    /// What is followed.
    pub(super) fn setting(&self) -> Setting {
        self.jurors.get(self.chosen).map_or(SETTINGS[0], |juror| juror.setting)
    }

    /// Somebody used the key. Answers the setting to follow from now on, if it is another one.
    #[inline]
    pub(super) fn observe(&mut self, hash: u64, weight: u32, times: u32, residents: usize) -> Option<Setting> {
        if mix(hash).trailing_zeros() < self.rarity {
            return None;
        }
        self.try_all(hash, weight, times, residents)
    }

    fn try_all(&mut self, hash: u64, weight: u32, times: u32, residents: usize) -> Option<Setting> {
        let room = self.capacity >> self.rarity;
        if self.rarity > 0 && u64::from(weight) > room / HEAVIEST {
            return None;
        }
        let mut longest = 0;
        let mut heaviest = 0;
        for Juror { shadow, score, recent, .. } in &mut self.jurors {
            let hits = times.saturating_sub(u32::from(!shadow.observe(hash, weight, times)));
            *score += f64::from(hits);
            *recent += f64::from(hits);
            longest = longest.max(shadow.len());
            heaviest = heaviest.max(shadow.weight());
        }
        let most = (residents / RESIDENTS_FOR_ONE).clamp(FEWEST, MOST);
        if longest >= most {
            self.sample(self.rarity + 1);
        } else if self.rarity > 0 && longest < most / 4 && heaviest > room / 2 {
            self.sample(self.rarity - 1);
        }
        self.uses = self.uses.wrapping_add(1);
        if self.uses.is_multiple_of(TERM) { self.judge(longest) } else { None }
    }

    /// Shadow one key in two to the power of `rarity`.
    fn sample(&mut self, rarity: u32) {
        self.rarity = rarity;
        for Juror { shadow, .. } in &mut self.jurors {
            shadow.resize(self.capacity >> rarity);
            shadow.retain(|hash| mix(hash).trailing_zeros() >= rarity);
        }
    }

    fn judge(&mut self, entries: usize) -> Option<Setting> {
        let turns = f64::from(TERM) / entries.max(TERM as usize) as f64;
        for Juror { score, recent, .. } in &mut self.jurors {
            *score *= 1.0 - turns * FADED_IN_A_TURN;
            *recent *= 1.0 - turns / RECENT_TURNS;
        }
        let best = match self.ahead(|juror| juror.recent, AHEAD_BEYOND_CHANCE) {
            Some(best) => {
                for Juror { score, recent, .. } in &mut self.jurors {
                    *score = *recent;
                }
                best
            }
            None => {
                let wide = self.spread.is_wide();
                let favour = |juror: &Juror| if wide && juror.setting.merit == Merit::Density { FAVOUR } else { 1.0 };
                self.ahead(|juror| juror.score * favour(juror), AHEAD_BY_CHANCE)?
            }
        };
        self.chosen = best;
        Some(self.setting())
    }

    /// Who is ahead of the chosen one, by more than so many times what chance makes likely.
    fn ahead(&self, score: impl Fn(&Juror) -> f64, chances: f64) -> Option<usize> {
        let now = self.jurors.get(self.chosen).map_or(0.0, &score);
        let scores = self.jurors.iter().map(&score).enumerate();
        let (best, most) = scores.max_by(|one, other| one.1.total_cmp(&other.1))?;
        (best != self.chosen && most > now + chances * most.sqrt() + AHEAD).then_some(best)
    }

    /// Whether the best of the shadows still holds the key. Says nothing where it is one of a sample.
    pub(super) fn holds(&self, hash: u64) -> bool {
        self.rarity == 0 && self.jurors.get(self.chosen).is_some_and(|juror| juror.shadow.holds(hash))
    }

    /// The key is no longer there, for another reason than want of room.
    pub(super) fn remove(&mut self, hash: u64) {
        if mix(hash).trailing_zeros() >= self.rarity {
            for Juror { shadow, .. } in &mut self.jurors {
                shadow.remove(hash);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.jurors.iter().map(|juror| juror.shadow.bytes()).sum()
    }
}
