//! Takes over the entries of a file that a cache was written to. Owns that a file is believed as a whole or not at all.
//! Never puts an entry over what the cache knows better.

use super::bytes::ByteStore;
use super::dump::{END, EXPIRED, FORMAT, MAGIC, Passport, TAIL_BYTES, WIDE, system_fault};
use super::entry::{Draft, Kind, MAX_TAGS};
use super::fingerprint::Fingerprint;
use super::tags::TagHash;
use crate::clock::Nanos;
use crate::error::{Code, Fault};
use crc32fast::Hasher;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Longer texts are in no head.
const LONGEST_TEXT: usize = 1 << 20;

/// An entry as a file has it.
pub(super) struct Written<'a> {
    /// Key, value and tags. Its time to live means nothing.
    pub(super) draft: Draft<'a>,
    /// Whether there is only its grace left.
    pub(super) expired: bool,
    /// When it ceases to be fresh, on the calendar.
    pub(super) fresh_until: i64,
    /// When it was stored, on the calendar.
    pub(super) stored: Nanos,
}

fn fault(message: impl Into<String>) -> Fault {
    Fault::new(Code::DumpFile, message)
}

fn damaged() -> Fault {
    fault("the file is damaged or not complete: its checksums do not agree with what it holds")
}

fn unreadable(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged() } else { system_fault("could not be read", error) }
}

struct Reader {
    file: BufReader<File>,
    /// Bytes before the tail that have not been read yet.
    left: u64,
}

impl Reader {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.left = self.left.checked_sub(N as u64).ok_or_else(damaged)?;
        self.file.read_exact(&mut bytes).map_err(|error| unreadable(&error))?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self, into: &mut Vec<u8>, len: usize) -> Result<(), Fault> {
        self.left = self.left.checked_sub(len as u64).ok_or_else(damaged)?;
        into.resize(len, 0);
        self.file.read_exact(into).map_err(|error| unreadable(&error))
    }

    fn text(&mut self) -> Result<String, Fault> {
        let len = self.number()? as usize;
        if len > LONGEST_TEXT {
            return Err(damaged());
        }
        let mut bytes = Vec::new();
        self.bytes(&mut bytes, len)?;
        String::from_utf8(bytes).map_err(|_| damaged())
    }
}

/// Open the file and look whether it is a whole one. Answers how many entries it has.
fn open_checked(path: &Path) -> Result<(Reader, u64), Fault> {
    let read = |error: io::Error| unreadable(&error);
    let file = File::open(path).map_err(read)?;
    let len = file.metadata().map_err(read)?.len();
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut magic = [0; MAGIC.len()];
    // Told apart from a dump that was cut: this one never was one.
    if len < magic.len() as u64 || reader.read_exact(&mut magic).is_err() || magic != *MAGIC {
        return Err(fault("the file is no dump of a cache"));
    }
    let body = len.checked_sub(TAIL_BYTES).ok_or_else(damaged)?;
    let mut crc = Hasher::new();
    crc.update(&magic);
    let mut left = body.checked_sub(magic.len() as u64).ok_or_else(damaged)?;
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let part = buffer.get_mut(..left.min(1 << 16) as usize).unwrap_or_default();
        reader.read_exact(part).map_err(read)?;
        crc.update(part);
        left -= part.len() as u64;
    }
    let mut tail = [0; TAIL_BYTES as usize];
    reader.read_exact(&mut tail).map_err(read)?;
    let (said, checked) = tail.split_last_chunk::<4>().map(|(before, crc)| (*crc, before)).ok_or_else(damaged)?;
    crc.update(checked);
    if crc.finalize() != u32::from_le_bytes(said) || !checked.starts_with(&END.to_le_bytes()) {
        return Err(damaged());
    }
    let entries = checked.last_chunk::<8>().map_or(0, |count| u64::from_le_bytes(*count));
    reader.seek(SeekFrom::Start(magic.len() as u64)).map_err(read)?;
    Ok((Reader { file: reader, left: body - magic.len() as u64 }, entries))
}

/// The parts of one body.
fn parse<'a>(body: &'a [u8], name: &'a mut Vec<u16>, tags: &'a mut Vec<TagHash>) -> Option<Written<'a>> {
    let (flags, rest) = body.split_first()?;
    let (fresh_until, rest) = rest.split_first_chunk::<8>()?;
    let (stored, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first()?;
    let (words, rest) = rest.split_at_checked(usize::from(*count) * 8)?;
    let (name_len, rest) = rest.split_first_chunk::<4>()?;
    let (name_bytes, value) = rest.split_at_checked(u32::from_le_bytes(*name_len) as usize)?;
    if usize::from(*count) > MAX_TAGS {
        return None;
    }
    tags.clear();
    tags.extend(words.as_chunks::<8>().0.iter().map(|word| TagHash(u64::from_le_bytes(*word))));
    name.clear();
    if flags & WIDE == 0 {
        name.extend(name_bytes.iter().copied().map(u16::from));
    } else {
        name.extend(name_bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)));
    }
    let kind = match flags & 0b11 {
        0 => Kind::Ascii,
        1 => Kind::Utf8,
        2 => Kind::Bytes,
        _ => Kind::Nothing,
    };
    Some(Written {
        draft: Draft { key: Fingerprint::of_units(name), name, kind, value, tags, ttl: 0 },
        expired: flags & EXPIRED != 0,
        fresh_until: i64::from_le_bytes(*fresh_until),
        stored: u64::from_le_bytes(*stored),
    })
}

impl ByteStore {
    /// Take over what the file holds and is still good for something, where there is room and nothing newer. A file of another
    /// version holds nothing. Answers how many entries were taken over. `now` and `wall` are the same time.
    pub fn restore(&self, path: &Path, passport: &Passport<'_>, now: Nanos, wall: Nanos) -> Result<u64, Fault> {
        self.read_in(path, passport, false, now, wall)
    }

    /// As [`ByteStore::restore`], where others may have changed since what the file holds: it is good for no more than grace.
    pub(crate) fn restore_for_grace(
        &self,
        path: &Path,
        passport: &Passport<'_>,
        now: Nanos,
        wall: Nanos,
    ) -> Result<u64, Fault> {
        self.read_in(path, passport, true, now, wall)
    }

    fn read_in(
        &self,
        path: &Path,
        passport: &Passport<'_>,
        for_grace: bool,
        now: Nanos,
        wall: Nanos,
    ) -> Result<u64, Fault> {
        let restoring = self.begin_restoring(for_grace);
        let (mut reader, entries) = open_checked(path)?;
        let format = reader.number()?;
        if format != FORMAT {
            return Err(fault(format!("the file is a dump of format {format}, and this release reads {FORMAT}")));
        }
        let written_at = u64::from_le_bytes(reader.array()?);
        let name = reader.text()?;
        let versioned = reader.array::<1>()? == [1];
        let version = reader.text()?;
        let codec = reader.text()?;
        if name != passport.name {
            return Err(fault(format!("the file is a dump of the cache {name:?}, not of {:?}", passport.name)));
        }
        if codec != passport.codec {
            return Err(fault(format!("the file is of a cache with the codec '{codec}', not '{}'", passport.codec)));
        }
        if versioned.then_some(&*version) != passport.version {
            return Ok(0);
        }
        // A calendar that was set back does not make entries younger than they were.
        let wall = wall.max(written_at);
        let (mut body, mut name, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        let mut restored = 0;
        for _ in 0..entries {
            let len = reader.number()? as usize;
            let crc = reader.number()?;
            reader.bytes(&mut body, len)?;
            // Looked at once more: the file may have been written to since it was found to be whole.
            if crc32fast::hash(&body) != crc {
                return Err(damaged());
            }
            let written = parse(&body, &mut name, &mut tags).ok_or_else(damaged)?;
            restored += u64::from(restoring.take_over(&written, now, wall));
        }
        Ok(restored)
    }
}
