//! The scripts of the limiter and what they answer. Owns how a question is packed and an answer is read. Never believes an answer that
//! does not carry the question's nonce.

use super::measure::{Found, Measure, Number};
use crate::policy::Ticks;
use crate::redis::{Grouped, Request, Script, Trouble, Value};
use crate::store::fingerprint::random_word;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! lua {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!("../../../redis/lua/limiter/", $file))),+)
    };
}

/// Charges of one limit each, for as many keys as there are.
pub(super) static CHARGE: Script =
    Script::grouped(lua!("cell.lua", "judges.lua", "charge.lua"), Grouped { common: 6, own: 1, head: 1, row: 3 });
/// Charges that are made all or none.
pub(super) static TOGETHER: Script =
    Script::new(lua!("cell.lua", "own.lua", "judges.lua", "windows.lua", "together.lua"));
/// Charges given back.
pub(super) static REFUND: Script = Script::many(lua!("cell.lua", "own.lua", "refund.lua"), 6);
/// A key denied everything, or not any more.
pub(super) static BLOCK: Script = Script::new(lua!("cell.lua", "own.lua", "block.lua"));
/// A key forgotten.
pub(super) static RESET: Script = Script::new(lua!("cell.lua", "own.lua", "reset.lua"));

/// What tells one question from every other: 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonce([u8; 8]);

impl Nonce {
    /// One that no other question of this process, and likely of none, has.
    pub(super) fn next() -> Self {
        static WORD: OnceLock<AtomicU64> = OnceLock::new();
        // An odd step goes round all words before it meets one again; the letters are of the upper bits, which vary.
        let word = WORD.get_or_init(|| AtomicU64::new(random_word()));
        let word = word.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let letter = |index: usize| {
            let bits = word >> (16 + 6 * index) & 63;
            LETTERS.get(bits as usize).copied().unwrap_or_default()
        };
        Nonce(std::array::from_fn(letter))
    }

    /// As it is sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One charge as it is put to a judge.
pub(super) struct Question<'a> {
    pub(super) measure: &'a Measure,
    pub(super) cost: u32,
    /// Fewer will do: what is there is taken, from so many on.
    pub(super) least: u32,
    pub(super) patience: Ticks,
    /// The number of the window, where windows have cells of their own.
    pub(super) window: u64,
    pub(super) nonce: Nonce,
    pub(super) looks: bool,
}

impl Question<'_> {
    /// One unit, now or not at all.
    fn is_plain(&self) -> bool {
        self.cost == 1 && self.least == 1 && self.patience == 0 && !self.looks
    }

    /// Its six arguments, and the nonce.
    pub(super) fn put(&self, request: Request) -> Request {
        if let Some(plain) = self.measure.plain().filter(|_| self.is_plain()) {
            return request.packed(6, plain).own().arg(self.nonce.bytes());
        }
        let request = request.arg([self.measure.letter()]).number(self.cost.into());
        let request = self.measure.rate(self.patience).into_iter().fold(request, |request, number| match number {
            Number::Text(text) => request.arg(text),
            Number::Of(number) => request.number(number),
        });
        let more = self.measure.more(self.patience, self.window);
        let request = if more == 0 && self.least == self.cost && !self.looks {
            request.arg("")
        } else {
            request.arg(format!("{} {} {more}", self.least, u8::from(self.looks)))
        };
        request.own().arg(self.nonce.bytes())
    }
}

/// What a judge has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// Units, 0 if denied.
    pub(super) granted: u32,
    /// Whether it is a charge that had been made before.
    pub(super) repeated: bool,
    /// What was there.
    pub(super) found: Found,
}

/// What a script has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The charges, whether they were made, and a home in shadow that is blocked: which, and until when.
    Judged { made: bool, shadowed: Option<(usize, Ticks)>, charges: Vec<Judged> },
    /// A home is blocked: which, and until when.
    Blocked(usize, Ticks),
    /// It is another window by the clock of Redis.
    Elsewhere,
}

/// An answer and when it was given.
pub(super) struct Answered {
    pub(super) told: Told,
    /// By the clock of Redis.
    pub(super) now: Ticks,
}

/// Reads elements of an answer one by one.
struct Elements(std::vec::IntoIter<Value>);

impl Elements {
    fn of(value: Value) -> Result<Self, Trouble> {
        match value {
            Value::Array(elements) => Ok(Elements(elements.into_iter())),
            Value::ServerError(error) => Err(Trouble::Error(format!("{error:?}"))),
            _ => Err(garbled()),
        }
    }

    fn number(&mut self) -> Result<i64, Trouble> {
        match self.0.next() {
            Some(Value::Int(number)) => Ok(number),
            _ => Err(garbled()),
        }
    }

    fn count(&mut self) -> Result<u64, Trouble> {
        u64::try_from(self.number()?).map_err(|_| garbled())
    }

    /// The question's own nonce comes next.
    fn expect(&mut self, nonce: &Nonce) -> Result<(), Trouble> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) if bytes == nonce.bytes() => Ok(()),
            _ => Err(garbled()),
        }
    }

    fn text(&mut self) -> String {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        }
    }

    /// What was granted is known; what was found comes next: a number, or a text of three.
    fn judged(&mut self, granted: i64) -> Result<Judged, Trouble> {
        let found = match self.0.next() {
            Some(Value::Int(number)) => [u64::try_from(number).map_err(|_| garbled())?, 0, 0],
            Some(Value::BulkString(text)) => numbers(&text).ok_or_else(garbled)?,
            _ => return Err(garbled()),
        };
        let units = if granted == REPEATED { 0 } else { u32::try_from(granted).map_err(|_| garbled())? };
        Ok(Judged { granted: units, repeated: granted == REPEATED, found })
    }
}

/// Three numbers in decimal with a blank between.
fn numbers(text: &[u8]) -> Option<Found> {
    let mut numbers = str::from_utf8(text).ok()?.split(' ').map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// An answer to another question, or to none of ours: nothing in it can be believed.
fn garbled() -> Trouble {
    Trouble::Lost
}

const FOREIGN: i64 = -1;
const REPEATED: i64 = -2;
const BLOCKED: i64 = -3;
const ELSEWHERE: i64 = -4;

/// What [`CHARGE`] says of one key.
pub(super) fn charge(value: Value, nonce: &Nonce) -> Result<Answered, Trouble> {
    let mut elements = Elements::of(value)?;
    let now = elements.count()?;
    let status = elements.number()?;
    elements.expect(nonce)?;
    let told = match status {
        FOREIGN => return Err(Trouble::Error(elements.text())),
        BLOCKED => Told::Blocked(0, elements.count()?),
        _ => {
            let charge = elements.judged(status)?;
            let made = charge.granted > 0 || charge.repeated;
            Told::Judged { made, shadowed: None, charges: vec![charge] }
        }
    };
    Ok(Answered { told, now })
}

/// What [`TOGETHER`] says; it has the nonce of the first charge.
pub(super) fn together(value: Value, nonce: &Nonce) -> Result<Answered, Trouble> {
    let mut elements = Elements::of(value)?;
    let status = elements.number()?;
    elements.expect(nonce)?;
    let now = elements.count()?;
    let told = match status {
        FOREIGN => return Err(Trouble::Error(elements.text())),
        ELSEWHERE => Told::Elsewhere,
        BLOCKED => {
            let home = elements.count()?.saturating_sub(1) as usize;
            Told::Blocked(home, elements.count()?)
        }
        _ => {
            let home = elements.count()? as usize;
            let until = elements.count()?;
            let shadowed = home.checked_sub(1).map(|home| (home, until));
            let mut charges = Vec::with_capacity(elements.0.len() / 2);
            while elements.0.len() > 0 {
                let granted = elements.number()?;
                charges.push(elements.judged(granted)?);
            }
            let repeated = status == REPEATED;
            charges.iter_mut().for_each(|charge| charge.repeated |= repeated);
            Told::Judged { made: status == 1 || repeated, shadowed, charges }
        }
    };
    Ok(Answered { told, now })
}

/// What [`REFUND`], [`BLOCK`] and [`RESET`] say: a number, none if it is another window by the clock of Redis; and the time.
pub(super) fn done(value: Value, nonce: &Nonce) -> Result<(Option<i64>, Ticks), Trouble> {
    let mut elements = Elements::of(value)?;
    let status = elements.number()?;
    elements.expect(nonce)?;
    let now = elements.count()?;
    match status {
        FOREIGN => Err(Trouble::Error(elements.text())),
        ELSEWHERE => Ok((None, now)),
        status => Ok((Some(status), now)),
    }
}
