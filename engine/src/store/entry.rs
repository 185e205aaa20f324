//! One stored value with its key and tags, as a row of bytes. Owns how they lie in it.
//! Never changes once it is made: who has a [`Value`] can read it without a lock for as long as he likes.
//!
//! | where | what |
//! | --- | --- |
//! | two words | when it ends in steps of 10 µs (48 bits) and 16 bits of the key's check; its stamp (48) and 16 further bits |
//! | then | when it was stored, in ms modulo 2^40 (5 bytes); flags (1); length of the key (1 and more) |
//! | if it is tagged | how many tags (1) |
//! | if it is of a load that others overtook | by how many moments it was born before its stamp (1 and more) |
//! | then | the key, as Latin-1 if it fits, else as UTF-16; eight bytes for each tag; the value |

use super::fingerprint::Fingerprint;
use super::tags::TagHash;
use crate::clock::{MILLI, Nanos};
use crate::policy::freshness::Life;
use memmap2::MmapMut;
use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use triomphe::{Arc, ThinArc};

/// Steps in which an entry's end is written down, rounded down.
pub const STEP: Nanos = 10_000;

/// Tags one entry may have.
pub const MAX_TAGS: usize = 128;

/// The tags of an entry, as they are handed on.
pub(crate) type TagList = smallvec::SmallVec<[TagHash; 8]>;

const LOW: u64 = (1 << 48) - 1;
const AGES: u64 = (1 << 40) - 1;

const ENDS_AT: usize = 0;
const STAMP_AT: usize = 8;
const STORED_AT: usize = 16;
const FLAGS_AT: usize = 21;

const KIND: u8 = 0b0000_0011;
const WIDE: u8 = 0b0000_0100;
const TAGGED: u8 = 0b0000_1000;
const LATE: u8 = 0b0001_0000;
const RESTORED: u8 = 0b0010_0000;
const EXPIRED: u8 = 0b0100_0000;

/// Entries from this size on have pages of their own: what their last one leaves empty is little then.
const MAPPED: usize = 1 << 15;

/// Of these, in the process. Linux allows 65,530 of all kinds, and nobody else must come to want for one.
const MOST_MAPPINGS: usize = 16_384;

/// Scratch space larger than this is not kept for the next value.
const KEPT_SCRATCH: usize = 1 << 16;

/// How the bytes of a value are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, every byte of it ASCII.
    Ascii,
    /// Text.
    Utf8,
    /// Bytes.
    Bytes,
    /// There is no value: the answer is that there is none.
    Nothing,
}

impl Kind {
    /// The kind of a text.
    pub fn of_text(text: &[u8]) -> Self {
        if text.is_ascii() { Kind::Ascii } else { Kind::Utf8 }
    }

    fn from_bits(bits: u8) -> Self {
        match bits & KIND {
            0 => Kind::Ascii,
            1 => Kind::Utf8,
            2 => Kind::Bytes,
            _ => Kind::Nothing,
        }
    }
}

/// A value on its way in.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// The fingerprint of its key.
    pub key: Fingerprint,
    /// The key, in UTF-16 units.
    pub name: &'a [u16],
    /// How to read the value.
    pub kind: Kind,
    /// The value, encoded; empty if it is `Nothing`.
    pub value: &'a [u8],
    /// Its tags, at most [`MAX_TAGS`].
    pub tags: &'a [TagHash],
    /// How long it is fresh.
    pub ttl: Nanos,
}

/// What an entry knows of itself beside its draft.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    /// The moment it was made: another for each entry of a store.
    pub(super) stamp: u64,
    /// The moment from which on an invalidation concerns it; at most a little above `stamp`.
    pub(super) born: u64,
    /// When it was stored, in milliseconds, modulo 2^40.
    pub(super) stored_ms: u64,
    /// When it is gone.
    pub(super) ends: Nanos,
    /// Whether it comes from a file.
    pub(super) restored: bool,
    /// Whether there is only its grace left.
    pub(super) expired: bool,
}

/// A stored value of its own. A clone is one more reference to it.
#[derive(Clone)]
pub struct Value(Memory);

#[derive(Clone)]
enum Memory {
    Allocated(ThinArc<(), u8>),
    /// Of the system's own, not the allocator's: what is given back is the system's again, whatever lies beside it.
    Mapped(Arc<Mapping>),
}

/// Counted, since a process may have only so many.
struct Mapping(MmapMut);

static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

impl Mapping {
    fn of(bytes: &[u8]) -> Option<Self> {
        if MAPPINGS.load(Ordering::Relaxed) >= MOST_MAPPINGS {
            return None;
        }
        let mut memory = MmapMut::map_anon(bytes.len()).ok()?;
        memory.copy_from_slice(bytes);
        MAPPINGS.fetch_add(1, Ordering::Relaxed);
        Some(Mapping(memory))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        MAPPINGS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Memory {
    fn of(bytes: &[u8]) -> Self {
        if bytes.len() >= MAPPED
            && let Some(mapping) = Mapping::of(bytes)
        {
            return Memory::Mapped(Arc::new(mapping));
        }
        Memory::Allocated(ThinArc::from_header_and_slice((), bytes))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Memory::Allocated(bytes) => &bytes.slice,
            Memory::Mapped(mapping) => &mapping.0,
        }
    }
}

/// A stored value, wherever it lies.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a>(pub(super) &'a [u8]);

/// Without its bytes: they are somebody's data.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("stamp", &self.stamp()).field("kind", &self.kind()).finish_non_exhaustive()
    }
}

/// Where the parts of an entry lie.
struct Parts {
    late_by: u64,
    name: usize,
    tags: usize,
    value: usize,
}

impl Value {
    pub(super) fn new(draft: &Draft<'_>, origin: Origin) -> Self {
        thread_local!(static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.clear();
            write(scratch, draft, origin);
            let value = Value(Memory::of(scratch));
            if scratch.capacity() > KEPT_SCRATCH {
                *scratch = Vec::new();
            }
            value
        })
    }

    /// The entry in it.
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry(self.0.bytes())
    }

    /// The encoding.
    pub fn bytes(&self) -> &[u8] {
        self.entry().bytes()
    }

    /// How to read it.
    pub fn kind(&self) -> Kind {
        self.entry().kind()
    }

    /// Another number for each entry: who has decoded the entry of this stamp has decoded these bytes. Never 0.
    pub fn stamp(&self) -> u64 {
        self.entry().stamp()
    }

    /// The moment from which on an invalidation concerns it.
    pub fn born(&self) -> u64 {
        self.entry().born()
    }

    /// Whether it says that there is nothing.
    pub fn negative(&self) -> bool {
        self.entry().negative()
    }

    /// Whether it comes from a file.
    pub fn restored(&self) -> bool {
        self.entry().flags() & RESTORED != 0
    }

    /// Its key.
    pub fn name(&self) -> Name<'_> {
        self.entry().name()
    }

    /// Its tags.
    pub fn tags(&self) -> impl Iterator<Item = TagHash> {
        self.entry().tags()
    }
}

impl<'a> Entry<'a> {
    /// The entry by itself.
    pub(super) fn to_value(self) -> Value {
        Value(Memory::of(self.0))
    }

    /// The same entry, expired, with an earlier end.
    pub(super) fn expiring(self, ends: Nanos) -> Value {
        let mut bytes = self.0.to_vec();
        let word = self.word(ENDS_AT) & !LOW | (ends / STEP).min(LOW);
        bytes.iter_mut().skip(ENDS_AT).zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
        if let Some(flags) = bytes.get_mut(FLAGS_AT) {
            *flags |= EXPIRED;
        }
        Entry(&bytes).to_value()
    }

    /// The word at a byte.
    fn word(self, at: usize) -> u64 {
        self.0.get(at..).and_then(|from| from.first_chunk::<8>()).map_or(0, |word| u64::from_le_bytes(*word))
    }

    fn flags(self) -> u8 {
        self.0.get(FLAGS_AT).copied().unwrap_or_default()
    }

    fn parts(self) -> Parts {
        let (payload, flags) = (self.0, self.flags());
        let (name_len, mut at) = read_number(payload, FLAGS_AT + 1);
        let mut tags = 0;
        if flags & TAGGED != 0 {
            tags = payload.get(at).copied().map_or(0, usize::from);
            at += 1;
        }
        let mut late_by = 0;
        if flags & LATE != 0 {
            (late_by, at) = read_number(payload, at);
        }
        let tags_at = at + name_len as usize;
        Parts { late_by, name: at, tags: tags_at, value: tags_at + tags * size_of::<u64>() }
    }

    /// Whether it is an entry of `key`, as far as the half of the fingerprint goes that the table does not know.
    pub(super) fn checks(self, key: Fingerprint) -> bool {
        (self.word(STAMP_AT) >> 48 << 16 | self.word(ENDS_AT) >> 48) as u32 == key.high as u32
    }

    /// The encoding.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0.get(self.parts().value..).unwrap_or_default()
    }

    /// How to read it.
    pub(super) fn kind(self) -> Kind {
        Kind::from_bits(self.flags())
    }

    /// Another number for each entry: who has decoded the entry of this stamp has decoded these bytes. Never 0.
    pub(super) fn stamp(self) -> u64 {
        self.word(STAMP_AT) & LOW
    }

    /// The moment from which on an invalidation concerns it.
    pub(super) fn born(self) -> u64 {
        if self.flags() & LATE == 0 { self.stamp() } else { self.stamp().saturating_sub(self.parts().late_by) }
    }

    /// Whether it says that there is nothing.
    pub(super) fn negative(self) -> bool {
        self.kind() == Kind::Nothing
    }

    /// Its key.
    pub(super) fn name(self) -> Name<'a> {
        let Parts { name, tags, .. } = self.parts();
        let bytes = self.0.get(name..tags).unwrap_or_default();
        if self.flags() & WIDE == 0 { Name::Latin1(bytes) } else { Name::Utf16(bytes) }
    }

    /// Its tags.
    pub(super) fn tags(self) -> impl Iterator<Item = TagHash> + use<'a> {
        let Parts { tags, value, .. } = self.parts();
        let words = self.0.get(tags..value).unwrap_or_default().as_chunks::<8>().0;
        words.iter().map(|word| TagHash(u64::from_le_bytes(*word)))
    }

    /// How it ages.
    pub(super) fn life(self) -> Life {
        let ends = (self.word(ENDS_AT) & LOW) * STEP;
        let expired = self.flags() & EXPIRED != 0;
        Life { ends, negative: self.negative(), restored: self.flags() & RESTORED != 0, expired }
    }

    /// How long it has been stored, in whole milliseconds.
    pub(super) fn age(self, now: Nanos) -> Nanos {
        let since = (now / MILLI).wrapping_sub(self.word(STORED_AT)) & AGES;
        // In the upper half the clock was set back.
        if since > AGES / 2 { 0 } else { since * MILLI }
    }
}

/// A key as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name<'a> {
    /// A byte a unit.
    Latin1(&'a [u8]),
    /// Two bytes a unit, the lower first.
    Utf16(&'a [u8]),
}

impl Name<'_> {
    /// Its UTF-16 units.
    pub fn units(&self) -> impl Iterator<Item = u16> {
        let (narrow, wide) = match self {
            Name::Latin1(bytes) => (*bytes, &[][..]),
            Name::Utf16(bytes) => (&[][..], *bytes),
        };
        let wide = wide.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
        narrow.iter().copied().map(u16::from).chain(wide)
    }

    /// Whether it begins with `prefix`.
    pub fn starts_with(&self, prefix: &[u16]) -> bool {
        let len = match self {
            Name::Latin1(bytes) => bytes.len(),
            Name::Utf16(bytes) => bytes.len() / 2,
        };
        len >= prefix.len() && self.units().zip(prefix).all(|(one, other)| one == *other)
    }
}

/// What an entry of `len` bytes takes by itself: its pages; or the allocator's own word, counter, length and bytes, rounded up to
/// the allocator's grain.
pub(super) fn heap_bytes(len: usize) -> u64 {
    if len >= MAPPED { len.next_multiple_of(4096) as u64 } else { (len + 24).next_multiple_of(16) as u64 }
}

/// The most that an entry of this draft takes.
pub(super) fn entry_len(draft: &Draft<'_>) -> usize {
    let name = draft.name.len() << u8::from(wide(draft.name));
    FLAGS_AT + 24 + name + size_of_val(draft.tags) + draft.value.len()
}

/// Whether some unit takes more than a byte.
fn wide(name: &[u16]) -> bool {
    name.iter().any(|unit| *unit > 0xff)
}

fn write(to: &mut Vec<u8>, draft: &Draft<'_>, origin: Origin) {
    let wide = wide(draft.name);
    let tags = draft.tags.get(..MAX_TAGS).unwrap_or(draft.tags);
    let late_by = origin.stamp.saturating_sub(origin.born);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let check = draft.key.high;
    to.extend(((origin.ends / STEP).min(LOW) | check << 48).to_le_bytes());
    to.extend((origin.stamp & LOW | check >> 16 << 48).to_le_bytes());
    to.extend((origin.stored_ms & AGES).to_le_bytes().iter().take(FLAGS_AT - STORED_AT));
    to.push(
        draft.kind as u8
            | flag(wide, WIDE)
            | flag(!tags.is_empty(), TAGGED)
            | flag(late_by > 0, LATE)
            | flag(origin.restored, RESTORED)
            | flag(origin.expired, EXPIRED),
    );
    write_number(to, (draft.name.len() << u8::from(wide)) as u64);
    if !tags.is_empty() {
        to.push(tags.len() as u8);
    }
    if late_by > 0 {
        write_number(to, late_by);
    }
    if wide {
        to.extend(draft.name.iter().flat_map(|unit| unit.to_le_bytes()));
    } else {
        to.extend(draft.name.iter().map(|unit| *unit as u8));
    }
    to.extend(tags.iter().flat_map(|tag| tag.0.to_le_bytes()));
    to.extend_from_slice(draft.value);
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// The number at `at`, and what follows it.
fn read_number(from: &[u8], mut at: usize) -> (u64, usize) {
    let (mut number, mut shift) = (0u64, 0u32);
    while let Some(byte) = from.get(at) {
        at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (number, at)
}
