//! Decisions of one script that leave together. Owns how they become one call, and whose the parts of its reply are. Never reorders
//! requests.

use super::pack::{push_bulk, push_count};
use super::request::Request;
use super::script::{Grouped, Script, Sharing};
use ::redis::Value;

/// Requests in one call at most: Redis serves nobody else meanwhile.
pub(super) const MOST: usize = 32;

/// Append to `out` what all of them ask, as one call: all keys, then all arguments in the same order.
pub(super) fn pack(script: &'static Script, requests: &[&Request], whole: bool, out: &mut Vec<u8>) {
    let groups = || requests.chunk_by(|one, next| one.packed_common() == next.packed_common());
    let arguments = match script.sharing() {
        Sharing::Grouped(Grouped { common, own, .. }) => groups().count() * (1 + common) + requests.len() * own,
        _ => requests.iter().map(|request| request.arguments()).sum(),
    };
    push_count(out, 3 + requests.len() + arguments);
    if whole {
        push_bulk(out, b"EVAL");
        push_bulk(out, script.source().as_bytes());
    } else {
        push_bulk(out, b"EVALSHA");
        push_bulk(out, script.digest().as_bytes());
    }
    push_bulk(out, requests.len().to_string().as_bytes());
    requests.iter().for_each(|request| out.extend_from_slice(request.packed_keys()));
    if let Sharing::Grouped(_) = script.sharing() {
        for group in groups() {
            push_bulk(out, group.len().to_string().as_bytes());
            out.extend_from_slice(group.first().map_or(&[], |first| first.packed_common()));
            group.iter().for_each(|request| out.extend_from_slice(request.packed_own()));
        }
    } else {
        requests.iter().for_each(|request| out.extend_from_slice(request.packed_arguments()));
    }
}

/// What each of `askers` gets of a reply to all; none if it is no reply to so many.
pub(super) fn share(sharing: Sharing, elements: Vec<Value>, askers: usize) -> Option<Vec<Value>> {
    match sharing {
        Sharing::None => None,
        Sharing::Each(_) => (elements.len() == askers).then_some(elements),
        Sharing::Grouped(Grouped { head, row, .. }) => {
            if elements.len() != head + row * askers {
                return None;
            }
            let mut elements = elements.into_iter();
            let all: Vec<_> = elements.by_ref().take(head).collect();
            let part = |_| Value::Array(all.iter().cloned().chain(elements.by_ref().take(row)).collect());
            Some((0..askers).map(part).collect())
        }
    }
}
