//! The count of permits, as one word. Owns who may go, wait or must leave. Never locks and knows no waiter by name.
//!
//! | bits | field | invariant |
//! | --- | --- | --- |
//! | 63 | gone | the word has ended while nobody had a permit; all others are 0 then, for ever |
//! | 62…32 | waiting | at most `queue`; while it is above 0, every permit is out |
//! | 31…0 | in use | at most `limit` |

const GONE: u64 = 1 << 63;
const ONE_WAITING: u64 = 1 << 32;

/// How many permits there are, and places to wait for one.
#[derive(Clone, Copy, Debug)]
pub struct Permits {
    /// Permits.
    pub limit: u32,
    /// Places.
    pub queue: u32,
}

/// What somebody who asks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Go: a permit was taken.
    Go,
    /// Wait at the end of the queue.
    Wait,
    /// Neither a permit nor a place.
    Full,
    /// The word has ended: ask another.
    Gone,
}

/// What becomes of a permit that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// It is free.
    Free,
    /// It stays out, for the next who waits.
    Next,
}

impl Permits {
    /// Ask for a permit. Nobody overtakes those who wait.
    #[inline]
    pub fn ask(self, word: u64, willing_to_wait: bool) -> (u64, Ask) {
        if word & GONE != 0 {
            (word, Ask::Gone)
        } else if waiting(word) == 0 && in_use(word) < self.limit {
            (word + 1, Ask::Go)
        } else if willing_to_wait && waiting(word) < self.queue {
            (word + ONE_WAITING, Ask::Wait)
        } else {
            (word, Ask::Full)
        }
    }
}

/// A permit came back. It is taken over by one of those who wait, who then waits no more.
#[inline]
pub fn back(word: u64) -> (u64, Back) {
    if waiting(word) > 0 { (word - ONE_WAITING, Back::Next) } else { (freed(word), Back::Free) }
}

/// A permit came back, if nobody waits for it; else the word is as it was.
#[inline]
pub fn back_unless_wanted(word: u64) -> (u64, Back) {
    if waiting(word) > 0 { (word, Back::Next) } else { (freed(word), Back::Free) }
}

fn freed(word: u64) -> u64 {
    debug_assert!(in_use(word) > 0, "a permit came back that was never out");
    if in_use(word) > 0 { word - 1 } else { word }
}

/// One who waited has left.
pub fn left(word: u64) -> u64 {
    debug_assert!(waiting(word) > 0, "somebody left who never waited");
    if waiting(word) > 0 { word - ONE_WAITING } else { word }
}

/// The end of a word that nobody uses; any other is as it was.
pub fn ended(word: u64) -> u64 {
    if word == 0 { GONE } else { word }
}

/// Whether it has ended.
pub fn is_gone(word: u64) -> bool {
    word & GONE != 0
}

/// Permits out.
pub fn in_use(word: u64) -> u32 {
    word as u32
}

/// Those who wait.
pub fn waiting(word: u64) -> u32 {
    ((word & !GONE) >> 32) as u32
}
