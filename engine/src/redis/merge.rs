//! Decisions of one script that leave together. Owns how they become one call. Never reorders requests.

use super::request::{Request, Script, push_bulk, push_count};

/// Requests in one call at most: Redis serves nobody else meanwhile.
pub(super) const MOST: usize = 32;

/// Append to `out` what all of them ask, as one call: all keys, then all arguments in the same order.
pub(super) fn pack<'a>(
    script: &'static Script,
    requests: impl Iterator<Item = &'a Request> + Clone,
    whole: bool,
    out: &mut Vec<u8>,
) {
    let (keys, arguments) =
        requests.clone().fold((0, 0), |(keys, arguments), request| (keys + 1, arguments + request.arguments()));
    push_count(out, 3 + keys + arguments);
    if whole {
        push_bulk(out, b"EVAL");
        push_bulk(out, script.source().as_bytes());
    } else {
        push_bulk(out, b"EVALSHA");
        push_bulk(out, script.digest().as_bytes());
    }
    push_bulk(out, keys.to_string().as_bytes());
    requests.clone().for_each(|request| out.extend_from_slice(request.packed_keys()));
    requests.for_each(|request| out.extend_from_slice(request.packed_arguments()));
}
