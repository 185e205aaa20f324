//! Replies that came together. Owns what is done once for all of them: who is told of thirty answers is woken once, when all of them
//! are there. Never keeps anything beyond the batch.

use std::cell::RefCell;

type Then = Box<dyn FnOnce()>;

thread_local! {
    static OPEN: RefCell<Option<Vec<Then>>> = const { RefCell::new(None) };
}

/// Do it when all replies are handed out that came with the one at hand; at once where there is none.
pub fn after_batch(then: impl FnOnce() + 'static) {
    let now = OPEN.with_borrow_mut(|open| match open {
        Some(later) => {
            later.push(Box::new(then));
            None
        }
        None => Some(then),
    });
    if let Some(then) = now {
        then();
    }
}

/// A batch is being handed out on this thread, until this is dropped.
pub(super) struct Batch(());

impl Batch {
    pub(super) fn open() -> Self {
        OPEN.set(Some(Vec::new()));
        Batch(())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        OPEN.take().into_iter().flatten().for_each(|then| then());
    }
}
