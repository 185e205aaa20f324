//! A letter box for tests: what was posted, in order.
//! Never acts on a letter by itself.

use parking_lot::{Condvar, Mutex};
use spillway_engine::store::ledger::{Ledger, Letter, News, Post, Receipt, Refused};
use std::sync::Arc;
use std::time::Duration;

#[derive(Default)]
pub struct LetterBox {
    letters: Mutex<Vec<Letter>>,
    came: Condvar,
}

struct Slot(Arc<LetterBox>);

impl Post for Slot {
    fn post(&self, letter: Letter) {
        self.0.letters.lock().push(letter);
        self.0.came.notify_one();
    }
}

/// What a letter says, as something that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    Yours(Receipt),
    Landed(Receipt, Vec<u8>),
    Expired(Receipt),
    Admitted { receipt: Receipt, ticket: u64, fence: u64, alone: bool, took_over: bool },
    Refused(Receipt, bool),
}

/// An environment: its book and its box.
pub fn environment() -> (Arc<Ledger>, Arc<LetterBox>) {
    let letters = Arc::new(LetterBox::default());
    (Arc::new(Ledger::new(Box::new(Slot(letters.clone())))), letters)
}

impl LetterBox {
    /// Wait until something has come. Gives up at last, so that a lost letter fails a test and does not hang it.
    pub fn wait(&self) -> Vec<Said> {
        let mut letters = self.letters.lock();
        self.came.wait_while_for(&mut letters, |letters| letters.is_empty(), Duration::from_secs(60));
        assert!(!letters.is_empty(), "no letter comes");
        drop(letters);
        self.empty()
    }

    /// Take out what has come.
    pub fn empty(&self) -> Vec<Said> {
        let letters = std::mem::take(&mut *self.letters.lock());
        letters
            .into_iter()
            .map(|Letter { receipt, news }| match news {
                News::Yours => Said::Yours(receipt),
                News::Expired => Said::Expired(receipt),
                News::Admitted { ticket, fence, alone, took_over, .. } => {
                    Said::Admitted { receipt, ticket, fence, alone, took_over }
                }
                News::Refused(why) => Said::Refused(receipt, why == Refused::Full),
                News::Landed(value, _) => Said::Landed(receipt, value.bytes().to_vec()),
            })
            .collect()
    }
}
