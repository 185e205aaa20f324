//! Pure rules: a word and a step in, a word and a verdict out. Never any I/O, lock, clock or allocation.

pub mod breaker;
pub mod gcra;
pub mod permits;
pub mod rolling;

/// Units of a clock. Locally nanoseconds; another store may count in its own.
pub type Ticks = u64;

/// One change of one 64-bit word, as plain data, so that another engine can interpret it too.
pub trait Step {
    /// What the change answers with.
    type Verdict;

    /// The word after the change, and the answer. A word that comes back unchanged is not written.
    fn apply(&self, word: u64, now: Ticks) -> (u64, Self::Verdict);

    /// Whether `word` means the same as no word at all.
    fn expired(&self, word: u64, now: Ticks) -> bool;
}
