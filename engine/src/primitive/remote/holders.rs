//! At most so many holders of a spot, each with a token, an expiry and a fence that grows. Owns who they are called and where they
//! are written down. Never remembers who holds what here: the keeper does.
//!
//! A fence is the microsecond of the server's clock it was minted in, or one more than the last where that is not more. So fences
//! grow as whole numbers a JavaScript number holds exactly, also after a failover that lost the last ones, or a key that was evicted.

pub mod far;
pub mod near;

use crate::clock::{MILLI, Nanos};
use crate::redis::Trouble;
use crate::redis::name::{Home, slot_of};
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What somebody of this process holds, or asks for. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// One nobody had before.
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Ticket(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// As a number, which in this process stands for it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The ticket of that number.
    pub fn of_number(number: u64) -> Self {
        Ticket(number)
    }

    /// The token by which it is known to all processes. Says at the end for how long it is good, see `holders_acquire.lua`.
    pub fn token(self, ttl: Nanos) -> String {
        format!("{}-{:x}-{}", process(), self.0, ttl / MILLI)
    }
}

/// 128 random bits that tell this process from any other.
fn process() -> &'static str {
    static NONCE: OnceLock<String> = OnceLock::new();
    NONCE.get_or_init(|| {
        let mut bytes = [0; 16];
        // A system without randomness has no hash maps either: std would have aborted before.
        if getrandom::fill(&mut bytes).is_err() {
            bytes = crate::clock::wall().to_le_bytes().repeat(2).try_into().unwrap_or(bytes);
        }
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    })
}

/// Where the holders of one key are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Its key in Redis.
    pub key: Vec<u8>,
    /// The slot of that.
    pub slot: u16,
}

impl Spot {
    /// That of a key of a primitive; whatever it is, its name has a fixed length.
    pub fn new(home: &Home, id: &[u8]) -> Self {
        let key = home.hashed(id, "");
        Spot { slot: slot_of(&key), key }
    }
}

/// On which channel it is told that a spot of a primitive came free.
pub fn channel(home: &Home) -> Vec<u8> {
    format!("{}freed", home.as_str()).into_bytes()
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// At most so many hold.
    pub limit: u32,
    /// For so long, unless it is renewed.
    pub ttl: Nanos,
    /// Whether it wants to be told when the spot comes free.
    pub waits: bool,
    /// As whom.
    pub ticket: Ticket,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Held from now on.
    Held {
        /// More than any before it of this spot.
        fence: u64,
        /// Whether somebody had held it who never released it.
        took_over: bool,
    },
    /// All are taken; the first expires in this time unless it is renewed.
    Full(Nanos),
}

/// What is called with an answer: once, from any thread, maybe before the call that asks returns.
pub type Told<T> = Box<dyn FnOnce(Result<T, Trouble>) + Send>;

/// Who keeps the holders of spots. Times are spans: each keeps a clock of its own.
pub trait Holders: Send + Sync {
    /// Become a holder.
    fn acquire(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<Verdict>);
    /// Stay one. False for whoever is none any more.
    fn renew(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>);
    /// Be one no longer. False for whoever was none.
    fn release(&self, spot: &Spot, wish: Wish, deadline: Nanos, told: Told<bool>);
    /// Send now what was asked.
    fn flush(&self);
    /// By when an answer must have come to a question of `now`.
    fn deadline(&self, now: Nanos) -> Nanos;
}
