//! Answers that are waited for together. Owns that the last one calls. Never calls twice, nor under its lock.

use parking_lot::Mutex;
use std::sync::Arc;

type All<T> = Box<dyn FnOnce(Vec<T>) + Send>;

/// Places for answers, and who is told when all have come.
pub(super) struct Gather<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    places: Vec<Option<T>>,
    missing: usize,
    all: Option<All<T>>,
}

impl<T> Gather<T> {
    /// So many answers.
    pub(super) fn new(count: usize, all: impl FnOnce(Vec<T>) + Send + 'static) -> Arc<Self> {
        let places = (0..count).map(|_| None).collect();
        Arc::new(Gather(Mutex::new(Waiting { places, missing: count, all: Some(Box::new(all)) })))
    }

    /// One has come.
    pub(super) fn land(&self, place: usize, answer: T) {
        let mut waiting = self.0.lock();
        if let Some(free @ None) = waiting.places.get_mut(place) {
            *free = Some(answer);
            waiting.missing -= 1;
        }
        if waiting.missing == 0
            && let Some(all) = waiting.all.take()
        {
            let answers = std::mem::take(&mut waiting.places);
            drop(waiting);
            all(answers.into_iter().flatten().collect());
        }
    }
}
