//! Writes the entries of a cache to a file. Owns the format, and that under the name asked for there is only ever a whole file.
//! Never holds a shard's lock while it writes.
//!
//! | part | what |
//! | --- | --- |
//! | head | magic, format (4 bytes), the calendar's time in ns (8), name, whether there is a version (1) and which, codec |
//! | entries | length of the body (4), its CRC-32 (4), body |
//! | tail | `u32::MAX` where a length would be, number of entries (8), CRC-32 of all before (4) |
//!
//! A body: flags (1), when it ceases to be fresh and when it was stored, on the calendar, in ns (8 each), tags (1 and 8 each),
//! length of the key in bytes (4), key, value. Numbers have the lowest byte first; texts their length (4) before them.

use super::bytes::ByteStore;
use super::entry::{Kind, Name, Value};
use crate::clock::Nanos;
use crate::error::{Code, Fault};
use crc32fast::Hasher;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) const MAGIC: &[u8; 8] = b"spillway";
pub(super) const FORMAT: u32 = 1;
/// Where an entry's length would be: there are no more entries.
pub(super) const END: u32 = u32::MAX;
pub(super) const TAIL_BYTES: u64 = 4 + 8 + 4;
/// Flags of an entry beside its kind: its key is UTF-16; there is only its grace left.
pub(super) const WIDE: u8 = 0b0100;
pub(super) const EXPIRED: u8 = 0b1000;

/// Slots that are looked at before others get the lock.
const SLICE: usize = 256;

/// What a file says of the cache it is of.
#[derive(Clone, Copy, Debug)]
pub struct Passport<'a> {
    /// The cache's name.
    pub name: &'a str,
    /// Its version, if it has one.
    pub version: Option<&'a str>,
    /// How its values are encoded.
    pub codec: &'a str,
}

/// A fault of a file that says what the system said.
pub(super) fn system_fault(what: &str, error: &io::Error) -> Fault {
    Fault::new(Code::DumpFile, format!("the file {what}: {error}"))
}

/// How a kind is written down.
pub(super) fn kind_bits(kind: Kind) -> u8 {
    match kind {
        Kind::Ascii => 0,
        Kind::Utf8 => 1,
        Kind::Bytes => 2,
        Kind::Nothing => 3,
    }
}

/// Counts and checks what goes through to the file.
struct Writer {
    file: BufWriter<File>,
    crc: Hasher,
    entries: u64,
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.file.write_all(bytes)
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        self.write(&(text.len() as u32).to_le_bytes())?;
        self.write(text.as_bytes())
    }

    fn write_head(&mut self, passport: &Passport<'_>, wall: Nanos) -> io::Result<()> {
        self.write(MAGIC)?;
        self.write(&FORMAT.to_le_bytes())?;
        self.write(&wall.to_le_bytes())?;
        self.write_text(passport.name)?;
        self.write(&[u8::from(passport.version.is_some())])?;
        self.write_text(passport.version.unwrap_or_default())?;
        self.write_text(passport.codec)
    }

    fn write_entry(&mut self, body: &[u8]) -> io::Result<()> {
        self.entries += 1;
        self.write(&(body.len() as u32).to_le_bytes())?;
        self.write(&crc32fast::hash(body).to_le_bytes())?;
        self.write(body)
    }

    fn finish(mut self) -> io::Result<u64> {
        let entries = self.entries;
        self.write(&END.to_le_bytes())?;
        self.write(&entries.to_le_bytes())?;
        let crc = self.crc.clone().finalize();
        self.file.write_all(&crc.to_le_bytes())?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(entries)
    }
}

/// One entry as it is written down.
fn write_body(body: &mut Vec<u8>, value: &Value, expired: bool, fresh_until: i64, stored: Nanos) {
    body.clear();
    let (name, flag) = match value.name() {
        Name::Latin1(name) => (name, 0),
        Name::Utf16(name) => (name, WIDE),
    };
    body.push(kind_bits(value.kind()) | flag | if expired { EXPIRED } else { 0 });
    body.extend(fresh_until.to_le_bytes());
    body.extend(stored.to_le_bytes());
    body.push(value.tags().count() as u8);
    body.extend(value.tags().flat_map(|tag| tag.0.to_le_bytes()));
    body.extend((name.len() as u32).to_le_bytes());
    body.extend_from_slice(name);
    body.extend_from_slice(value.bytes());
}

impl ByteStore {
    /// Write what can be read to the file `path`, which then is as it was or has all of it. `now` and `wall` are the same time.
    /// Answers how many entries it has.
    pub fn dump(&self, path: &Path, passport: &Passport<'_>, now: Nanos, wall: Nanos) -> Result<u64, Fault> {
        // One at a time, since the file they are written to first is named after the process.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock();
        // A symbolic link stays, and what it points to is written.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let path = &*real;
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(Fault::new(
                Code::DumpFile,
                "the file could not be written: there is something else of that name",
            ));
        }
        let unfinished = unfinished_name(path);
        let written = self.write_file(&unfinished, passport, now, wall).and_then(|(entries, begun)| {
            fs::rename(&unfinished, path)?;
            remove_abandoned(path, begun);
            sync_directory(path)?;
            Ok(entries)
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&unfinished);
            system_fault("could not be written", &error)
        })
    }

    fn write_file(
        &self,
        path: &Path,
        passport: &Passport<'_>,
        now: Nanos,
        wall: Nanos,
    ) -> io::Result<(u64, SystemTime)> {
        let file = private_file(path)?;
        let begun = file.metadata()?.modified()?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut writer = Writer { file, crc: Hasher::new(), entries: 0 };
        writer.write_head(passport, wall)?;
        let (mut slice, mut body) = (Vec::new(), Vec::new());
        for shard in 0..self.shards() {
            let mut from = Some(0);
            while let Some(at) = from {
                from = self.look_through(shard, at..at + SLICE, now, &mut slice);
                for (value, life, fresh_for) in slice.drain(..) {
                    let stored = wall.saturating_sub(value.entry().age(now));
                    let fresh_until = (wall as i64).saturating_add(fresh_for);
                    write_body(&mut body, &value, life.expired, fresh_until, stored);
                    writer.write_entry(&body)?;
                }
            }
        }
        Ok((writer.finish()?, begun))
    }
}

const UNFINISHED: &str = ".unfinished";

/// Beside `path`, where a rename is one step.
fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(|| OsString::from("dump"), OsString::from);
    name.push(format!(".{}{UNFINISHED}", std::process::id()));
    path.with_file_name(name)
}

/// The folder `path` is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Remove what processes have left that crashed while they wrote to `path`: whoever is still at it has written since `begun`. A file
/// that cannot be removed is left to the next.
fn remove_abandoned(path: &Path, begun: SystemTime) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for file in fs::read_dir(folder(path)).into_iter().flatten().flatten() {
        let of_this = |other: &str| {
            let number = other.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(UNFINISHED)?;
            Some(!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
        };
        let abandoned = file.file_name().to_str().and_then(of_this) == Some(true)
            && file.metadata().and_then(|data| data.modified()).is_ok_and(|written| written < begun);
        if abandoned {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// A file that only this user may read: it holds what the cache held.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// See to it that the new name outlives a crash of the machine.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        File::open(folder(path))?.sync_all()?;
    }
    let _ = path;
    Ok(())
}
