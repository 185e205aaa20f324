//! A letter box for tests: what was posted, in order.
//! Never acts on a letter by itself.

use parking_lot::Mutex;
use spillway_engine::store::ledger::{Ledger, Letter, News, Post, Receipt};
use std::sync::Arc;

#[derive(Default)]
pub struct LetterBox(Mutex<Vec<Letter>>);

struct Slot(Arc<LetterBox>);

impl Post for Slot {
    fn post(&self, letter: Letter) {
        self.0.0.lock().push(letter);
    }
}

/// What a letter says, as something that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    Yours(Receipt),
    Landed(Receipt, Vec<u8>),
}

/// An environment: its book and its box.
pub fn environment() -> (Arc<Ledger>, Arc<LetterBox>) {
    let letters = Arc::new(LetterBox::default());
    (Arc::new(Ledger::new(Box::new(Slot(letters.clone())))), letters)
}

impl LetterBox {
    /// Look into the box until something has come. Gives up at last, so that a lost letter fails a test and does not hang it.
    pub fn wait(&self) -> Vec<Said> {
        for _ in 0..10_000_000 {
            let came = self.empty();
            if !came.is_empty() {
                return came;
            }
            std::thread::yield_now();
        }
        panic!("no letter comes");
    }

    /// Take out what has come.
    pub fn empty(&self) -> Vec<Said> {
        let letters = std::mem::take(&mut *self.0.lock());
        letters
            .into_iter()
            .map(|Letter { receipt, news }| match news {
                News::Yours => Said::Yours(receipt),
                News::Landed(bytes) => Said::Landed(receipt, bytes.value.to_vec()),
            })
            .collect()
    }
}
