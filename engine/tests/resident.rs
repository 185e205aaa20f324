//! What the store of the cache takes of memory, against what it says: a binary of its own, since others would be measured too.
//! Never a clock, and only where the system tells the resident set and hands out memory as the weights assume.
#![cfg(all(target_os = "linux", target_env = "gnu", not(any(loom, shuttle))))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that panics is a test that fails"
)]

use spillway_engine::policy::freshness::Windows;
use spillway_engine::store::bytes::{ByteStore, Shape};
use spillway_engine::store::entry::{Draft, Kind};
use spillway_engine::store::fingerprint::Fingerprint;

const MEBI: u64 = 1 << 20;

fn resident() -> i64 {
    let said = std::fs::read_to_string("/proc/self/statm").unwrap();
    said.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

fn store(max_bytes: u64) -> ByteStore {
    ByteStore::new(Shape { max_bytes, max_value_bytes: MEBI, windows: Windows::new(0, 0) })
}

fn set(store: &ByteStore, number: u64, value: &[u8]) {
    let name = Vec::from_iter(format!("key:{number:06}").encode_utf16());
    let key = Fingerprint::of_units(&name);
    let draft = Draft { key, name: &name, kind: Kind::Ascii, value, tags: &[], ttl: u64::MAX };
    assert!(store.insert(key, &store.make(&draft, None, 0), 0).stored);
}

/// A number for each turn, spread over all.
fn scattered(turn: u64) -> u64 {
    turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// What is there that was not before, once the thread that drops what was in a store is done.
fn left(before: i64, threads_before: usize) -> i64 {
    while threads() > threads_before {
        std::thread::yield_now();
    }
    resident() - before
}

/// The share of `max_bytes` that is resident when it is full, and after everything in it was written over a few times.
fn filled_and_churned(before: i64, max_bytes: u64, lens: &[usize]) -> [f64; 2] {
    let store = store(max_bytes);
    let value = vec![b'x'; lens.iter().copied().max().unwrap()];
    let average = lens.iter().sum::<usize>() as u64 / lens.len() as u64;
    let entries = max_bytes / (average + 100);
    let share = || (resident() - before) as f64 / max_bytes as f64;
    let of_turn = |turn: u64| &value[..lens[(scattered(turn) >> 30) as usize % lens.len()]];
    (0..entries * 3 / 2).for_each(|turn| set(&store, turn, of_turn(turn)));
    let filled = share();
    (0..entries * 4).for_each(|turn| set(&store, scattered(turn) % (entries * 4), of_turn(turn)));
    assert!(store.accounts().bytes <= max_bytes && store.accounts().bytes > max_bytes / 20 * 19);
    [filled, share()]
}

#[test]
fn the_resident_set_is_what_max_bytes_says_and_a_clear_gives_it_back() {
    let (before, threads) = (resident(), threads());
    // What few large entries leave behind many small ones use: in this order each is measured by itself.
    for lens in [&[100_000][..], &[4_096], &[50, 215, 900, 4_096, 20_000], &[215], &[50]] {
        for share in filled_and_churned(before, 64 * MEBI, lens) {
            println!("values of {lens:?}: {share:.3} of maxBytes are resident");
            assert!((0.9..1.1).contains(&share), "values of {lens:?}: {share} of maxBytes");
        }
        assert!(left(before, threads) < 16 * MEBI as i64, "{} bytes are left", left(before, threads));
    }
    let store = store(256 * MEBI);
    let entries = 300_000;
    (0..entries).for_each(|number| set(&store, number, &[b'x'; 215]));
    assert_eq!(store.accounts().entries, entries);
    let each = (resident() - before) as f64 / entries as f64;
    println!("an entry takes {:.1} beside its key and its value", each - 225.0);
    assert!(each <= 225.0 + 96.0);
    store.clear();
    assert!(left(before, threads) < 16 * MEBI as i64, "{} bytes are left", left(before, threads));
}
