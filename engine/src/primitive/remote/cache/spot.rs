//! Where the keys of one cache lie in Redis. Owns that two keys never share a place, and the way back from a place to its key.
//! Never asks anything.

use crate::redis::name::{Bytes, Home, bytes_of, slot_of};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_64;

/// Where one key lies: its entry, and who loads it, in one slot.
#[derive(Debug)]
pub(super) struct Spot {
    /// The key as bytes.
    pub(super) id: Bytes,
    pub(super) entry: Vec<u8>,
    pub(super) slot: u16,
    /// What an entry of this key says of its key.
    pub(super) hash: u64,
}

impl Spot {
    pub(super) fn new(home: &Home, units: &[u16]) -> Self {
        let id = bytes_of(units);
        let entry = home.readable(&id, "");
        Spot { hash: xxh3_64(&id), slot: slot_of(&entry), id, entry }
    }

    /// Who loads it. Only few ask.
    pub(super) fn flight(&self) -> Vec<u8> {
        [&self.entry, FLIGHT].concat()
    }

    pub(super) fn keys(&self) -> [Cow<'_, [u8]>; 2] {
        [Cow::Borrowed(&self.entry), Cow::Owned(self.flight())]
    }
}

const FLIGHT: &[u8] = b":f";

/// What a SCAN finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The entry of a key.
    Entry(Vec<u16>),
    /// Who loads a key.
    Flight(Vec<u16>),
}

/// What lies at a place, if it is one of this home.
pub(super) fn place_of(home: &Home, at: &[u8]) -> Option<Place> {
    let rest = at.strip_prefix(home.as_str().as_bytes())?.strip_prefix(b"{")?;
    let (id, flies) = match rest.strip_suffix(FLIGHT) {
        Some(rest) => (rest.strip_suffix(b"}")?, true),
        None => (rest.strip_suffix(b"}")?, false),
    };
    let units = units_of(&unescaped(id)?)?;
    // Without a key it is the state.
    let place = if flies { Place::Flight } else { Place::Entry };
    (!units.is_empty()).then(|| place(units))
}

/// What a SCAN matches that finds every key beginning with `prefix`, and some more: a half of a pair does not match the whole.
pub(super) fn pattern(home: &Home, prefix: &[u16]) -> Vec<u8> {
    let whole = match prefix.split_last() {
        Some((last, before)) if (0xD800..0xDC00).contains(last) => before,
        _ => prefix,
    };
    let mut readable = home.readable(&bytes_of(whole), "");
    readable.pop();
    let mut pattern = Vec::with_capacity(readable.len() + 8);
    for byte in readable {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

fn unescaped(id: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(id.len()), id);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        out.push(match byte {
            b'%' => {
                let (escaped, after) = rest.split_at_checked(2)?;
                rest = after;
                match escaped {
                    b"25" => b'%',
                    b"7B" => b'{',
                    b"7D" => b'}',
                    _ => return None,
                }
            }
            b'{' | b'}' => return None,
            _ => byte,
        });
    }
    Some(out)
}

/// The way back from [`bytes_of`]. None for bytes that no text has.
pub(super) fn units_of(bytes: &[u8]) -> Option<Vec<u16>> {
    let (mut units, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(rest.get(..error.valid_up_to())?).ok()?,
        };
        units.extend(valid.encode_utf16());
        rest = rest.get(valid.len()..)?;
        if let Some((lone, after)) = rest.split_first_chunk::<3>() {
            let [first, second, third] = lone.map(u16::from);
            if first != 0xED || second & 0xE0 != 0xA0 || third & 0xC0 != 0x80 {
                return None;
            }
            units.push(0xD000 | (second & 0x3F) << 6 | third & 0x3F);
            rest = after;
        } else if !rest.is_empty() {
            return None;
        }
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_again_where_it_lies() {
        let home = Home::new("p", "cache", "c");
        for units in [
            "plain".encode_utf16().collect::<Vec<_>>(),
            "{a}%7B:f}".encode_utf16().collect(),
            "ключ 😀".encode_utf16().collect(),
            vec![0xD83D],
            vec![0xDE00, 0xD83D],
            vec![0x61, 0xD83D, 0x61],
        ] {
            let spot = Spot::new(&home, &units);
            assert_eq!(place_of(&home, &spot.entry), Some(Place::Entry(units.clone())));
            assert_eq!(place_of(&home, &spot.flight()), Some(Place::Flight(units)));
            assert_eq!(slot_of(&spot.flight()), spot.slot);
        }
        assert_eq!(place_of(&home, b"spillway:p:cache:c:{}"), None);
        assert_eq!(place_of(&home, b"spillway:p:cache:d:{a}"), None);
    }

    #[test]
    fn what_could_steer_a_scan_is_taken_literally() {
        let home = Home::new("", "cache", "c");
        let prefix: Vec<u16> = "a*[b]?\\".encode_utf16().collect();
        assert_eq!(pattern(&home, &prefix), b"spillway::cache:c:{a\\*\\[b\\]\\?\\\\*");
    }
}
