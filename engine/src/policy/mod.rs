//! Pure rules: a word and a step in, a word and a verdict out. Never any I/O, lock, clock or allocation.

pub mod breaker;
pub mod budget;
pub mod divisor;
pub mod fixed_window;
pub mod freshness;
pub mod gcra;
pub mod histogram;
pub mod permits;
pub mod rate;
pub mod rolling;
pub mod sliding_window;

/// Units of a clock. Locally nanoseconds; another store may count in its own.
pub type Ticks = u64;

/// One change of one 64-bit word, as plain data, so that another engine can interpret it too.
///
/// Words of one kind form a lattice: what several keys share is raised by [`Step::join`] and read by [`Step::meet`], so that
/// each key finds at least its own charges in it.
pub trait Step {
    /// What the change answers with.
    type Verdict;

    /// The word after the change, and the answer. A word that comes back unchanged is not written.
    fn apply(&self, word: u64, now: Ticks) -> (u64, Self::Verdict);

    /// Whether `word` means the same as no word at all.
    fn expired(&self, word: u64, now: Ticks) -> bool;

    /// The word without what a clock that jumped back has left in the future.
    fn settle(&self, word: u64, now: Ticks) -> u64 {
        let _ = now;
        word
    }

    /// The least word that says at least as much was spent as either.
    fn join(&self, one: u64, other: u64) -> u64 {
        one.max(other)
    }

    /// The greatest word that says no more was spent than either.
    fn meet(&self, one: u64, other: u64) -> u64 {
        one.min(other)
    }

    /// How long a word may lie untouched before its age can no longer be told. Whoever keeps words drops expired ones before.
    fn memory(&self) -> Ticks {
        Ticks::MAX
    }
}
