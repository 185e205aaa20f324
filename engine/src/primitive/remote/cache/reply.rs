//! Looks into what Redis answers. Never fails on an answer of another shape: it has no number there.

use crate::redis::Value;

/// A whole number, however it is told.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Double(number) => (*number >= 0.0).then_some(*number as u64),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Value::SimpleString(text) => text.parse().ok(),
        _ => None,
    }
}

/// The number at a place of a list.
pub(super) fn number_at(value: &Value, place: usize) -> Option<u64> {
    number(at(value, place)?)
}

/// The element at a place of a list.
pub(super) fn at(value: &Value, place: usize) -> Option<&Value> {
    list(value).get(place)
}

/// The elements of a list.
pub(super) fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        _ => &[],
    }
}

/// Bytes.
pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
