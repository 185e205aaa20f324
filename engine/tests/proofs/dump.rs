//! The file a cache is written to: what comes back from it, and that a damaged one brings nothing.
//! Never trusts a file that was not written by the test itself.

use crate::dice::Dice;
use spillway_engine::Code;
use spillway_engine::policy::freshness::{State, Windows};
use spillway_engine::store::bytes::{ByteStore, Shape};
use spillway_engine::store::dump::Passport;
use spillway_engine::store::entry::{Draft, Kind};
use spillway_engine::store::fingerprint::Fingerprint;
use spillway_engine::store::tags::{Force, TagHash};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
/// The calendar's time at the start of every test.
const WALL: u64 = 1_700_000_000 * SECOND;
const PASSPORT: Passport<'static> = Passport { name: "pages", version: Some("3"), codec: "json" };

/// A folder of its own, which goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("spillway-dump-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("pages.dump")
    }

    fn files(&self) -> Vec<String> {
        fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn tag(name: &str) -> TagHash {
    TagHash::of(&units(name))
}

/// Ten seconds stale, a hundred seconds of grace.
fn store() -> ByteStore {
    store_of(1 << 22)
}

fn store_of(max_bytes: u64) -> ByteStore {
    let windows = Windows::new(10 * SECOND, 100 * SECOND);
    ByteStore::new(Shape { max_bytes, max_value_bytes: 4_096, windows })
}

fn set(store: &ByteStore, name: &[u16], kind: Kind, value: &[u8], tags: &[TagHash], ttl: u64, now: u64) {
    let key = Fingerprint::of_units(name);
    let value = store.make(&Draft { key, name, kind, value, tags, ttl }, None, now);
    assert!(store.insert(key, &value, now).stored);
}

fn state(store: &ByteStore, name: &str, now: u64) -> Option<State> {
    store.peek(Fingerprint::of_units(&units(name)), now, &[]).map(|look| look.state)
}

fn refused(store: &ByteStore, file: &Path, passport: &Passport<'_>) -> String {
    let fault = store.restore(file, passport, 0, WALL).unwrap_err();
    assert_eq!(fault.code, Code::DumpFile);
    assert_eq!(store.accounts().entries, 0, "nothing of it was taken over");
    fault.message
}

#[test]
fn what_comes_back_is_as_it_was_but_stale_until_its_grace_and_as_old_as_it_is() {
    let (folder, old) = (Folder::new(), store());
    let now = 50 * SECOND;
    set(&old, &units("fresh"), Kind::Ascii, b"[1]", &[tag("a"), tag("b")], 40 * SECOND, now);
    set(&old, &units("gone meanwhile"), Kind::Ascii, b"[2]", &[], SECOND, now - 47 * SECOND);
    set(&old, &units("gone"), Kind::Ascii, b"[2]", &[], SECOND, 0);
    set(&old, &[0xd800, 0x20ac], Kind::Utf8, "[\"\u{20ac}\"]".as_bytes(), &[tag("a")], 40 * SECOND, now);
    set(&old, &units("ÿ"), Kind::Bytes, &[0, 255, 0], &[], 40 * SECOND, now);
    set(&old, &units("nothing"), Kind::Nothing, &[], &[], 40 * SECOND, now);
    set(&old, &units("expired"), Kind::Ascii, b"[3]", &[], 40 * SECOND, now);
    set(&old, &units("invalid"), Kind::Ascii, b"[4]", &[tag("c")], 40 * SECOND, now);
    set(&old, &units("softly"), Kind::Ascii, b"[5]", &[tag("d")], 40 * SECOND, now);
    drop(old.expire(Fingerprint::of_units(&units("expired")), now));
    old.invalidate(&[tag("c")], Force::Hard, now, 0);
    old.invalidate(&[tag("d")], Force::Soft(now + 15 * SECOND), now, 0);
    // Five seconds after they were stored.
    let now = now + 5 * SECOND;
    assert_eq!(old.dump(&folder.file(), &PASSPORT, now, WALL), Ok(8));
    assert_eq!(folder.files(), ["pages.dump"]);

    // In another process, whose clock has just begun, a minute later.
    let (new, wall) = (store(), WALL + 3 * SECOND);
    assert_eq!(new.restore(&folder.file(), &PASSPORT, 7, wall), Ok(8));
    let look = |name: &[u16]| new.peek(Fingerprint::of_units(name), 7, &[]).unwrap();
    for (name, kind, bytes, tags) in [
        (units("fresh"), Kind::Ascii, b"[1]".as_slice(), vec![tag("a"), tag("b")]),
        (vec![0xd800, 0x20ac], Kind::Utf8, "[\"\u{20ac}\"]".as_bytes(), vec![tag("a")]),
        (units("ÿ"), Kind::Bytes, &[0, 255, 0], vec![]),
        (units("nothing"), Kind::Nothing, &[], vec![]),
    ] {
        let look = look(&name);
        assert_eq!((look.state, look.age), (State::Stale, 8 * SECOND));
        assert!(look.fresh_for <= 0 && look.value.restored());
        assert_eq!((look.value.kind(), look.value.bytes()), (kind, bytes));
        assert_eq!(look.value.tags().collect::<Vec<_>>(), tags);
        assert_eq!(look.value.name().units().collect::<Vec<_>>(), name);
    }
    let all = [
        // Forty seconds fresh and ten stale, of which eight are over; then a hundred of grace.
        ("fresh", 42, 142),
        ("nothing", 32, 32),
        ("expired", 0, 92),
        ("softly", 0, 7),
        ("gone meanwhile", 0, 56),
    ];
    for (name, stale, grace) in all {
        if stale > 0 {
            assert_eq!(state(&new, name, 7 + stale * SECOND - SECOND), Some(State::Stale), "{name}");
        }
        if grace > stale {
            assert_eq!(state(&new, name, 7 + stale * SECOND), Some(State::Grace), "{name}");
            assert_eq!(state(&new, name, 7 + grace * SECOND - SECOND), Some(State::Grace), "{name}");
        }
        assert_eq!(state(&new, name, 7 + grace * SECOND), None, "{name}");
    }
    // Later still, less is left of it.
    let late = store();
    assert_eq!(late.restore(&folder.file(), &PASSPORT, 0, WALL + 93 * SECOND), Ok(4));
}

#[test]
fn a_file_that_was_cut_anywhere_or_changed_in_any_byte_restores_nothing() {
    let (folder, old) = (Folder::new(), store());
    for number in 0..5 {
        let name = units(&format!("key {number}"));
        set(&old, &name, Kind::Ascii, format!("[{number}]").as_bytes(), &[tag("a")], SECOND, 0);
    }
    assert_eq!(old.dump(&folder.file(), &PASSPORT, 0, WALL), Ok(5));
    let whole = fs::read(folder.file()).unwrap();
    let new = store();
    for len in 0..whole.len() {
        fs::write(folder.file(), &whole[..len]).unwrap();
        refused(&new, &folder.file(), &PASSPORT);
    }
    for at in 0..whole.len() {
        for change in [1, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            fs::write(folder.file(), changed).unwrap();
            refused(&new, &folder.file(), &PASSPORT);
        }
    }
    for more in [&[0][..], &whole] {
        fs::write(folder.file(), [&whole[..], more].concat()).unwrap();
        refused(&new, &folder.file(), &PASSPORT);
    }
    fs::write(folder.file(), &whole).unwrap();
    assert_eq!(new.restore(&folder.file(), &PASSPORT, 0, WALL), Ok(5), "whole, it is believed");
}

#[test]
fn random_bytes_with_checksums_that_agree_are_refused_or_harmless() {
    let folder = Folder::new();
    let old = store();
    (0..3).for_each(|number| set(&old, &[number], Kind::Bytes, &[1; 9], &[tag("a")], SECOND, 0));
    old.dump(&folder.file(), &PASSPORT, 0, WALL).unwrap();
    let whole = fs::read(folder.file()).unwrap();
    let mut dice = Dice::new(77);
    for _ in 0..1_000 {
        let mut changed = whole.clone();
        // Also the tail's count and the lengths of entries: whatever the file's own checksum covers.
        for _ in 0..1 + dice.below(3) {
            let at = 8 + dice.below(whole.len() as u64 - 12) as usize;
            let anything = dice.word() as u8;
            changed[at] = dice.one_of(&[0, 1, 127, 255, anything]);
        }
        let end = changed.len() - 4;
        let crc = crc32fast::hash(&changed[..end]);
        changed[end..].copy_from_slice(&crc.to_le_bytes());
        fs::write(folder.file(), changed).unwrap();
        let new = store();
        if let Err(fault) = new.restore(&folder.file(), &PASSPORT, 0, WALL) {
            assert_eq!(fault.code, Code::DumpFile);
        }
        new.sweep(0);
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_one_of_another_version_is_empty() {
    let (folder, old, new) = (Folder::new(), store(), store());
    set(&old, &units("key"), Kind::Ascii, b"1", &[], SECOND, 0);
    old.dump(&folder.file(), &PASSPORT, 0, WALL).unwrap();
    let with = |passport: Passport<'_>| refused(&new, &folder.file(), &passport);
    assert_eq!(with(Passport { codec: "v8", ..PASSPORT }), "the file is of a cache with the codec 'json', not 'v8'");
    assert_eq!(
        with(Passport { name: "users", ..PASSPORT }),
        "the file is a dump of the cache \"pages\", not of \"users\""
    );
    for version in [None, Some("4"), Some("")] {
        assert_eq!(new.restore(&folder.file(), &Passport { version, ..PASSPORT }, 0, WALL), Ok(0));
    }
    assert_eq!(new.accounts().entries, 0);
    fs::write(folder.file(), "{\"a\":1}").unwrap();
    assert_eq!(with(PASSPORT), "the file is no dump of a cache");
    fs::remove_file(folder.file()).unwrap();
    assert!(with(PASSPORT).starts_with("the file could not be read: "));
    assert!(refused(&new, &folder.0, &PASSPORT).starts_with("the file "));
}

#[test]
fn a_dump_that_fails_leaves_the_old_file_and_nothing_else() {
    let (folder, old) = (Folder::new(), store());
    set(&old, &units("key"), Kind::Ascii, b"1", &[], SECOND, 0);
    old.dump(&folder.file(), &PASSPORT, 0, WALL).unwrap();
    let whole = fs::read(folder.file()).unwrap();
    // What processes that crashed while they wrote have left; one in the same place again, as in a container.
    for number in [1, std::process::id(), u32::MAX] {
        fs::write(folder.0.join(format!("pages.dump.{number}.unfinished")), &whole[..20]).unwrap();
    }
    let others = ["pages.dump.x.unfinished", "pages.dump..unfinished", "pages.1.unfinished"];
    others.iter().for_each(|name| fs::write(folder.0.join(name), "").unwrap());
    assert_eq!(store().restore(&folder.file(), &PASSPORT, 0, WALL), Ok(1), "the old one is whole");
    // Not before the file system's clock has gone on: what is as young as this dump may be somebody's who is at it.
    while folder.files().len() > 1 + others.len() {
        old.dump(&folder.file(), &PASSPORT, 0, WALL).unwrap();
    }
    others.iter().for_each(|name| fs::remove_file(folder.0.join(name)).unwrap());
    assert_eq!(folder.files(), ["pages.dump"]);
    // A name that cannot be taken, and a folder that is not there.
    let taken = folder.0.join("taken");
    fs::create_dir(&taken).unwrap();
    let fault = old.dump(&taken, &PASSPORT, 0, WALL).unwrap_err();
    assert!(fault.code == Code::DumpFile && fault.message.starts_with("the file could not be written: "));
    assert_eq!(old.dump(&folder.0.join("no/pages.dump"), &PASSPORT, 0, WALL).unwrap_err().code, Code::DumpFile);
    fs::remove_dir(&taken).unwrap();
    assert_eq!(folder.files(), ["pages.dump"]);
    assert_eq!(fs::read(folder.file()).unwrap(), whole);
}

#[test]
fn an_entry_of_a_file_does_not_replace_a_newer_one_nor_outlive_an_invalidated_tag() {
    let (folder, cache) = (Folder::new(), store());
    for name in ["newer", "tagged", "softly", "kept"] {
        let tags = [tag(name)];
        set(&cache, &units(name), Kind::Ascii, b"old", &tags, 20 * SECOND, 0);
    }
    cache.dump(&folder.file(), &PASSPORT, SECOND, WALL + SECOND).unwrap();
    cache.clear();
    set(&cache, &units("newer"), Kind::Ascii, b"new", &[], 20 * SECOND, 2 * SECOND);
    let wall_ms = (WALL + 2 * SECOND) / MILLI;
    cache.invalidate(&[tag("tagged"), tag("newer")], Force::Hard, 2 * SECOND, wall_ms);
    cache.invalidate(&[tag("softly")], Force::Soft(u64::MAX), 2 * SECOND, wall_ms);
    assert_eq!(cache.restore(&folder.file(), &PASSPORT, 3 * SECOND, WALL + 3 * SECOND), Ok(2));
    let now = 3 * SECOND;
    assert_eq!(state(&cache, "newer", now), Some(State::Fresh));
    assert_eq!(state(&cache, "tagged", now), None);
    assert_eq!(state(&cache, "softly", now), Some(State::Grace));
    assert_eq!(state(&cache, "softly", 102 * SECOND), None);
    assert_eq!(state(&cache, "kept", now), Some(State::Stale));
    // It can be invalidated as any other.
    cache.invalidate(&[tag("kept")], Force::Hard, now, wall_ms + 1_000);
    assert_eq!(state(&cache, "kept", now), None);
}

#[test]
fn a_file_fills_what_room_there_is_and_nobody_goes_for_it() {
    let (folder, large, small) = (Folder::new(), store(), store_of(1 << 18));
    for number in 0..2_000 {
        set(&large, &units(&format!("old {number}")), Kind::Ascii, &[b'x'; 1_000], &[], SECOND, 0);
    }
    assert_eq!(large.dump(&folder.file(), &PASSPORT, 0, WALL), Ok(2_000));
    for number in 0..100 {
        set(&small, &units(&format!("new {number}")), Kind::Ascii, &[b'x'; 1_000], &[], SECOND, 0);
    }
    let restored = small.restore(&folder.file(), &PASSPORT, 0, WALL).unwrap();
    let accounts = small.accounts();
    assert!((20..140).contains(&restored), "{restored}");
    assert_eq!((accounts.entries, accounts.evictions), (100 + restored, 0));
}

#[test]
fn whatever_is_changed_while_a_file_is_read_in_knows_better_than_the_file() {
    const KEYS: u64 = 50_000;
    let (folder, old) = (Folder::new(), store_of(1 << 25));
    let name = |number: u64| units(&format!("{}:{number}", number % 10));
    for number in 0..KEYS {
        set(&old, &name(number), Kind::Ascii, b"old", &[], SECOND, 0);
    }
    assert_eq!(old.dump(&folder.file(), &PASSPORT, 0, WALL), Ok(KEYS));
    let mut all = 0;
    for seed in 0..5 {
        let (cache, over) = (store_of(1 << 25), AtomicBool::new(false));
        let mut changed = vec![false; KEYS as usize];
        let mut without = None;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                cache.restore(&folder.file(), &PASSPORT, 0, WALL).unwrap();
                over.store(true, Ordering::SeqCst);
            });
            let mut dice = Dice::new(seed);
            while cache.accounts().entries == 0 && !over.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            while !over.load(Ordering::SeqCst) {
                let number = dice.below(KEYS);
                let key = Fingerprint::of_units(&name(number));
                match dice.below(3) {
                    0 => drop(cache.remove(key, 0)),
                    _ => set(&cache, &name(number), Kind::Ascii, b"new", &[], SECOND, 0),
                }
                changed[number as usize] = true;
                if without.is_none() && cache.accounts().entries > KEYS / 4 {
                    let prefix = dice.below(10);
                    cache.remove_prefix(&units(&format!("{prefix}:")), 0);
                    without = Some(prefix);
                }
            }
        });
        all += changed.iter().filter(|changed| **changed).count();
        for number in 0..KEYS {
            let look = cache.peek(Fingerprint::of_units(&name(number)), 0, &[]);
            let is_old = look.is_some_and(|look| look.value.bytes() == b"old");
            assert!(!is_old || !changed[number as usize] && Some(number % 10) != without, "{number} came back");
        }
    }
    assert!(all > 300, "{all} changed while it was read in");
}
