//! The word of permits that threads share: one compare-and-swap to take a free permit or to give it back.
//! Never waits, and never knows who does: whoever lets the number of those who wait change holds the lock of their queue.

use crate::policy::permits::{self, Ask, Back, Permits};
use crate::sync::{AtomicU64, Ordering};

/// A word of [`permits`].
#[derive(Debug)]
pub struct Turnstile {
    word: AtomicU64,
}

impl Default for Turnstile {
    fn default() -> Self {
        Turnstile { word: AtomicU64::new(0) }
    }
}

impl Turnstile {
    #[inline]
    fn change<R>(&self, step: impl Fn(u64) -> (u64, R)) -> R {
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let (next, answer) = step(seen);
            if next == seen {
                return answer;
            }
            // What was done under a permit is seen by whoever has it next.
            match self.word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return answer,
                Err(changed) => seen = changed,
            }
        }
    }

    /// A free permit, if nobody waits for one.
    #[inline]
    pub fn take(&self, permits: Permits) -> Ask {
        self.change(|word| permits.ask(word, false))
    }

    /// A permit, or a place in the queue that the caller has locked: there the waiter goes before the lock does.
    pub fn take_or_wait_locked(&self, permits: Permits) -> Ask {
        self.change(|word| permits.ask(word, true))
    }

    /// Give a permit back, unless somebody waits for it: then it is still out, and [`Turnstile::pass_locked`] says whose it is.
    #[inline]
    pub fn give_back(&self) -> Back {
        self.change(permits::back_unless_wanted)
    }

    /// A permit passes to the next of the queue that the caller has locked. With nobody left it is free.
    pub fn pass_locked(&self) -> Back {
        self.change(permits::back)
    }

    /// One has left the queue that the caller has locked.
    pub fn leave_locked(&self) {
        self.change(|word| (permits::left(word), ()));
    }

    /// End it, if nobody has a permit. True for the one whose call ended it.
    pub fn end(&self) -> bool {
        self.change(|word| {
            let next = permits::ended(word);
            (next, next != word)
        })
    }

    /// Whether it has ended.
    pub fn is_gone(&self) -> bool {
        permits::is_gone(self.word.load(Ordering::Acquire))
    }

    /// Permits out, and how many wait.
    pub fn load(&self) -> (u32, u32) {
        let word = self.word.load(Ordering::Acquire);
        (permits::in_use(word), permits::waiting(word))
    }
}
