//! Counters without sharing: each handle counts on a line of its own. Never read on the hot path.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of a primitive, over all its handles, the gone ones included.
#[derive(Debug)]
pub struct Tally<const N: usize> {
    book: Mutex<Book<N>>,
}

#[derive(Debug)]
struct Book<const N: usize> {
    stripes: Vec<Arc<Stripe<N>>>,
    /// What the handles that are gone had counted.
    gone: [u64; N],
}

/// The counters of one handle. Padded to two lines, since processors fetch lines in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Stripe<const N: usize> {
    counts: [AtomicU64; N],
}

impl<const N: usize> Stripe<N> {
    /// Count `amount` under `index`. One writer at a time, so no locked instruction is needed; a reader sees whole numbers.
    pub(super) fn add(&self, index: usize, amount: u64) {
        if let Some(count) = self.counts.get(index) {
            count.store(count.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
        }
    }
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Tally { book: Mutex::new(Book { stripes: Vec::new(), gone: [0; N] }) }
    }
}

impl<const N: usize> Tally<N> {
    /// Counters for one more handle.
    pub(super) fn stripe(&self) -> Arc<Stripe<N>> {
        let stripe = Arc::new(Stripe { counts: std::array::from_fn(|_| AtomicU64::new(0)) });
        let mut book = self.book.lock();
        book.fold_locked();
        book.stripes.push(stripe.clone());
        stripe
    }

    /// The sums.
    pub fn sums(&self) -> [u64; N] {
        let mut book = self.book.lock();
        book.fold_locked();
        book.stripes.iter().fold(book.gone, |sums, stripe| plus(sums, stripe))
    }
}

impl<const N: usize> Book<N> {
    /// Take over the counts of handles that are gone: only this book still holds their stripes.
    fn fold_locked(&mut self) {
        let gone = &mut self.gone;
        self.stripes.retain_mut(|stripe| {
            // Not the count, which is read without order: whoever sees the handle gone must see its last counts.
            let lives = Arc::get_mut(stripe).is_none();
            if !lives {
                *gone = plus(*gone, stripe);
            }
            lives
        });
    }
}

fn plus<const N: usize>(sums: [u64; N], stripe: &Stripe<N>) -> [u64; N] {
    let mut counts = stripe.counts.iter();
    sums.map(|sum| sum + counts.next().map_or(0, |count| count.load(Ordering::Relaxed)))
}
