//! What a limiter must rely on: one key, one fingerprint; two keys, two; and an even spread.
//! Never expects a certain value: the secret is the process's.

use spillway_engine::store::fingerprint::Fingerprint;
use std::collections::HashSet;

#[test]
fn a_million_short_keys_have_a_million_fingerprints_and_keep_them() {
    let of = |number: u32| Fingerprint::of(number.to_string().as_bytes());
    let all: HashSet<_> = (0..1_000_000).map(of).collect();
    assert_eq!(all.len(), 1_000_000);
    assert!((0..1_000).all(|number| all.contains(&of(number))));
    for half in [|print: &Fingerprint| print.low, |print: &Fingerprint| print.high] {
        let halves: HashSet<_> = all.iter().map(half).collect();
        assert!(halves.len() > 999_990, "each half alone tells keys apart as 64 random bits do");
    }
}

#[test]
fn padding_order_and_length_make_another_key() {
    let keys: [&[u8]; 10] =
        [b"", b"\0", b"\0\0", b"a", b"a\0", b"\0a", b"ab", b"ba", b"aaaaaaaaaaaaaaaa", b"aaaaaaaaaaaaaaaaa"];
    let prints: HashSet<_> = keys.into_iter().map(Fingerprint::of).collect();
    assert_eq!(prints.len(), keys.len());
    let longer: HashSet<_> = (0..300).map(|len| Fingerprint::of(&vec![0; len])).collect();
    assert_eq!(longer.len(), 300);
}

#[test]
fn keys_fall_evenly_on_any_number_of_places() {
    for count in [1, 3, 73, 1_000] {
        let mut fell = vec![0_u32; count];
        for number in 0..200_000_u32 {
            fell[Fingerprint::of(&number.to_le_bytes()).place(count)] += 1;
        }
        let mean = 200_000.0 / count as f64;
        // Six standard deviations either way.
        let allowed = 6.0 * mean.sqrt();
        assert!(fell.iter().all(|fell| (f64::from(*fell) - mean).abs() <= allowed), "{fell:?}");
    }
}
