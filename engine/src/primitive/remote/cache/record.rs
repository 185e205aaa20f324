//! An entry as it lies in Redis. Owns its bytes. Never believes bytes it has not checked.
//!
//! | at | bytes | what |
//! | --- | --- | --- |
//! | 0 | 4 | magic and format: what begins otherwise is another application's |
//! | 4 | 1 | how the value is to be read |
//! | 5 | 1 | how many tags |
//! | 6 | 8 | another number for each entry that was ever stored |
//! | 14 | 8 | hash of the key, so that no reply can pass for another's |
//! | 22 | 8 | hash of the version and the codec: what has another is as good as absent |
//! | 30 | 8 | for how long it is fresh, in µs |
//! | 38 | 8 | the moment it was born in: what was invalidated at it or later concerns it |
//! | 46 | 8 | when it was stored, by the server's clock, in ms |
//! | 54 | 8 | if it was expired, when its grace is over, in the same way; else 0 |
//! | 62 | 4 | CRC-32 of what is before 38 and of what is from 66 on |
//! | 66 | 4 | bytes of the value |
//! | 70 | | eight bytes for each tag; the value |
//!
//! What is from 38 to 62 is written by the scripts, which know the time. Numbers have the lowest byte first. How long it is stale and
//! graced after that is every reader's own configuration, as in memory.

use crate::clock::Nanos;
use crate::store::entry::{Kind, MAX_TAGS};
use crate::store::tags::TagHash;
use crc32fast::Hasher;

const MAGIC: &[u8; 4] = b"\xF5SW1";
const ID_AT: usize = 6;
const KEY_AT: usize = 14;
const MAKE_AT: usize = 22;
const TTL_AT: usize = 30;
const BORN_AT: usize = 38;
const STORED_AT: usize = 46;
const ENDS_AT: usize = 54;
const CRC_AT: usize = 62;
const LENGTH_AT: usize = 66;
const TAGS_AT: usize = 70;

/// What tells the entries of one store apart.
pub(super) type Id = [u8; 8];

/// What is stored, in two parts: the script puts its own between them.
pub(super) struct Packed {
    pub(super) front: Vec<u8>,
    pub(super) back: Vec<u8>,
}

/// What is to be stored.
pub(super) struct Wanted<'a> {
    pub(super) kind: Kind,
    pub(super) value: &'a [u8],
    pub(super) tags: &'a [TagHash],
    pub(super) ttl: Nanos,
    pub(super) id: Id,
    pub(super) key: u64,
    pub(super) make: u64,
}

impl Wanted<'_> {
    pub(super) fn pack(&self) -> Packed {
        let tags = self.tags.get(..MAX_TAGS).unwrap_or(self.tags);
        let mut front = Vec::with_capacity(BORN_AT);
        front.extend_from_slice(MAGIC);
        front.push(bits_of(self.kind));
        front.push(tags.len() as u8);
        front.extend_from_slice(&self.id);
        [self.key, self.make, self.ttl / 1_000].iter().for_each(|word| front.extend(word.to_le_bytes()));
        let mut back = vec![0; TAGS_AT - CRC_AT];
        back.reserve(8 * tags.len() + self.value.len());
        tags.iter().for_each(|tag| back.extend(tag.0.to_le_bytes()));
        back.extend_from_slice(self.value);
        let length = (self.value.len() as u32).to_le_bytes();
        back.iter_mut().skip(LENGTH_AT - CRC_AT).zip(length).for_each(|(to, from)| *to = from);
        let sum = checksum(&front, back.get(LENGTH_AT - CRC_AT..).unwrap_or_default()).to_le_bytes();
        back.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
        Packed { front, back }
    }
}

fn checksum(front: &[u8], back: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(front);
    hasher.update(back);
    hasher.finalize()
}

fn bits_of(kind: Kind) -> u8 {
    match kind {
        Kind::Ascii => 0,
        Kind::Utf8 => 1,
        Kind::Bytes => 2,
        Kind::Nothing => 3,
    }
}

/// What was found under a key.
pub(super) enum Record<'a> {
    /// Another application's.
    Foreign,
    /// Ours, and of no use: broken, of another key, version or codec. What it is called, as far as can be seen.
    Useless(Id),
    /// Ours.
    Entry(Entry<'a>),
}

/// An entry that has been checked.
pub(super) struct Entry<'a> {
    pub(super) id: Id,
    pub(super) kind: Kind,
    pub(super) ttl: Nanos,
    pub(super) born: u64,
    pub(super) stored_ms: u64,
    pub(super) ends_ms: u64,
    tags: &'a [[u8; 8]],
    pub(super) value: &'a [u8],
}

impl Entry<'_> {
    pub(super) fn tags(&self) -> impl Iterator<Item = TagHash> {
        self.tags.iter().map(|tag| TagHash(u64::from_le_bytes(*tag)))
    }
}

/// What `bytes` are, for who looks for a key and a make of these hashes.
pub(super) fn read(bytes: &[u8], key: u64, make: u64) -> Record<'_> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Record::Foreign;
    }
    let id = bytes.get(ID_AT..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    read_checked(bytes, id, key, make).map_or(Record::Useless(id), Record::Entry)
}

fn read_checked(bytes: &[u8], id: Id, key: u64, make: u64) -> Option<Entry<'_>> {
    let (front, back) = (bytes.get(..BORN_AT)?, bytes.get(LENGTH_AT..)?);
    let (sum, length) = (short(bytes, CRC_AT)?, short(bytes, LENGTH_AT)?);
    let count = usize::from(*bytes.get(5)?);
    let (tags, value) = bytes.get(TAGS_AT..)?.split_at_checked(8 * count)?;
    let whole = value.len() == length as usize && checksum(front, back) == sum;
    if !whole || word(bytes, KEY_AT)? != key || word(bytes, MAKE_AT)? != make {
        return None;
    }
    let kind = match bytes.get(4)? {
        0 => Kind::Ascii,
        1 => Kind::Utf8,
        2 => Kind::Bytes,
        3 => Kind::Nothing,
        _ => return None,
    };
    Some(Entry {
        id,
        kind,
        ttl: word(bytes, TTL_AT)?.saturating_mul(1_000),
        born: word(bytes, BORN_AT)?,
        stored_ms: word(bytes, STORED_AT)?,
        ends_ms: word(bytes, ENDS_AT)?,
        tags: tags.as_chunks().0,
        value,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
