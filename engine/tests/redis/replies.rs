//! The reader of replies against the one of the library, which thinks differently, and against what is no reply.

use bytes::BytesMut;
use proptest::prelude::*;
use spillway_engine::redis::Value;
use spillway_engine::redis::reply::{Framer, Garbage};

fn read(bytes: &[u8]) -> Result<Option<Value>, Garbage> {
    Framer::default().next(&mut BytesMut::from(bytes))
}

/// Replies as a server writes them.
fn replies() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| format!(":{number}\r\n")),
        "[a-zA-Z0-9 ]{0,12}".prop_map(|text| format!("+{text}\r\n")),
        "[A-Z]{1,8} [a-z ]{0,12}".prop_map(|text| format!("-{text}\r\n")),
        "[A-Z]{1,8} [a-z ]{0,12}".prop_map(|text| format!("!{}\r\n{text}\r\n", text.len())),
        "\\PC{0,20}".prop_map(|text| format!("${}\r\n{text}\r\n", text.len())),
        "[a-z\r\n:*$]{0,20}".prop_map(|text| format!("${}\r\n{text}\r\n", text.len())),
        "[a-z]{0,9}".prop_map(|text| format!("={}\r\ntxt:{text}\r\n", text.len() + 4)),
        (-1e9..1e9_f64).prop_map(|number| format!(",{number}\r\n")),
        any::<bool>().prop_map(|truth| format!("#{}\r\n", if truth { 't' } else { 'f' })),
        Just("_\r\n".to_owned()),
        Just("$-1\r\n".to_owned()),
        Just("*-1\r\n".to_owned()),
        Just("+OK\r\n".to_owned()),
        Just("(3492890328409238509324850943850943825024385\r\n".to_owned()),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..6);
        let pairs = prop::collection::vec((inner.clone(), inner), 0..4);
        prop_oneof![
            (list.clone(), prop_oneof![Just('*'), Just('~')]).prop_map(|(items, kind)| format!(
                "{kind}{}\r\n{}",
                items.len(),
                items.concat()
            )),
            list.prop_map(|items| format!(">{}\r\n+message\r\n{}", items.len() + 1, items.concat())),
            pairs.prop_map(|pairs| {
                let inside: String = pairs.iter().map(|(key, value)| format!("{key}{value}")).collect();
                format!("%{}\r\n{inside}", pairs.len())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_reply_is_what_the_library_reads(reply in replies()) {
        prop_assert_eq!(read(reply.as_bytes()).unwrap().unwrap(), redis::parse_redis_value(reply.as_bytes()).unwrap());
    }

    #[test]
    fn however_the_bytes_come_the_replies_are_the_same(several in prop::collection::vec(replies(), 1..5), sizes in prop::collection::vec(1..40_usize, 1..20)) {
        let whole = several.concat();
        let (mut framer, mut buffer, mut values) = (Framer::default(), BytesMut::new(), Vec::new());
        let mut rest = whole.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            while let Some(value) = framer.next(&mut buffer).unwrap() {
                values.push(value);
            }
        }
        let expected: Vec<_> = several.iter().map(|reply| redis::parse_redis_value(reply.as_bytes()).unwrap()).collect();
        prop_assert_eq!(values, expected);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn nothing_that_comes_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200), reply in replies(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let _ = read(&bytes);
        let mut flipped = reply.into_bytes();
        let at = at.index(flipped.len());
        flipped[at] = byte;
        let _ = read(&flipped);
    }
}

#[test]
fn what_is_no_reply_is_known_by_its_first_byte() {
    assert_eq!(read(b"H"), Err(Garbage));
    assert_eq!(read(b"\0\0\0"), Err(Garbage));
    assert_eq!(read(b"$"), Ok(None));
}

#[test]
fn lengths_that_no_server_sends_are_not_waited_for() {
    assert_eq!(read(b"$99999999999\r\n"), Err(Garbage));
    assert_eq!(read(b"$-2\r\n"), Err(Garbage));
    assert_eq!(read(b"*99999999999\r\n"), Err(Garbage));
    assert_eq!(read(b"$9223372036854775808\r\n"), Err(Garbage));
    assert_eq!(read(b":9223372036854775808\r\n"), Err(Garbage));
    assert_eq!(read(b":-9223372036854775808\r\n"), Ok(Some(Value::Int(i64::MIN))));
    assert_eq!(read(b"$3\r\nabcd\r\n"), Err(Garbage));
    assert_eq!(read("*1\r\n".repeat(40).as_bytes()), Ok(None));
    assert_eq!(read(format!("{}:1\r\n", "*1\r\n".repeat(40)).as_bytes()), Err(Garbage));
    assert_eq!(read("+".repeat(70_000).as_bytes()), Err(Garbage));
}
