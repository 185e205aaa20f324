//! What processes tell each other of one cache. Owns the bytes of it. Never acts on it.
//!
//! A kind (1), who says it (8), and then, by the kind: the key as bytes; the beginning of keys; or what was done to the state (1), its
//! moment, and for an expiry when it was and until when at the latest (8 each), and what it was done to.

use super::spot::units_of;
use crate::store::tags::TagHash;

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) from: u64,
    pub(super) news: News,
}

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The value of a key was changed.
    Changed(Vec<u16>),
    /// Of a value only its grace is left.
    Expired(Vec<u16>),
    /// A load is over, whatever came of it.
    Landed(Vec<u16>),
    /// A load has found that there is nothing, and nobody keeps that.
    Nothing(Vec<u16>),
    /// All keys with this beginning are gone.
    Prefix(Vec<u16>),
    /// Something happened to the state.
    State(u64, Turn),
}

/// What can happen to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Tags were invalidated.
    Invalidated(Vec<TagHash>),
    /// Tags were expired: when, and until when at the latest (0: no limit), in the server's ms.
    Expired { tags: Vec<TagHash>, at_ms: u64, until_ms: u64 },
    /// Everything was forgotten.
    Cleared,
    /// A lineage has another version.
    Version { lineage: Vec<u8>, version: String },
}

pub(super) const CHANGED: u8 = b'd';
pub(super) const EXPIRED: u8 = b'x';
pub(super) const LANDED: u8 = b'l';
pub(super) const NOTHING: u8 = b'n';
pub(super) const PREFIX: u8 = b'p';
const STATE: u8 = b'm';

/// A message about a key, or a beginning of keys.
pub(super) fn about(kind: u8, from: u64, id: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(9 + id.len());
    message.push(kind);
    message.extend(from.to_le_bytes());
    message.extend_from_slice(id);
    message
}

/// The beginning of a message about the state, to which the script adds what it has done.
pub(super) fn head(from: u64) -> Vec<u8> {
    about(STATE, from, &[])
}

/// What a message says. None for bytes that are none.
pub(super) fn read(bytes: &[u8]) -> Option<Message> {
    let (&kind, rest) = bytes.split_first()?;
    let (from, rest) = word(rest)?;
    let news = match kind {
        CHANGED => News::Changed(units_of(rest)?),
        EXPIRED => News::Expired(units_of(rest)?),
        LANDED => News::Landed(units_of(rest)?),
        NOTHING => News::Nothing(units_of(rest)?),
        PREFIX => News::Prefix(units_of(rest)?),
        STATE => {
            let (&what, rest) = rest.split_first()?;
            let (moment, rest) = word(rest)?;
            let (at_ms, rest) = word(rest)?;
            let (until_ms, rest) = word(rest)?;
            News::State(moment, turn(what, at_ms, until_ms, rest)?)
        }
        _ => return None,
    };
    Some(Message { from, news })
}

/// What the letter `what` says was done to the state.
pub(super) fn turn(what: u8, at_ms: u64, until_ms: u64, rest: &[u8]) -> Option<Turn> {
    let tags = || rest.as_chunks().0.iter().map(|tag| TagHash(u64::from_le_bytes(*tag))).collect();
    match what {
        b't' => Some(Turn::Invalidated(tags())),
        b's' => Some(Turn::Expired { tags: tags(), at_ms, until_ms }),
        b'c' => Some(Turn::Cleared),
        b'v' => {
            let middle = rest.iter().position(|&byte| byte == 0)?;
            let (lineage, version) = (rest.get(..middle)?, rest.get(middle + 1..)?);
            Some(Turn::Version { lineage: lineage.to_vec(), version: String::from_utf8(version.to_vec()).ok()? })
        }
        _ => None,
    }
}

fn word(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*word), rest))
}
