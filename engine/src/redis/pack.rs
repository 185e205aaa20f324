//! Commands as the protocol has them: counts, and texts with their lengths. Owns nothing.
//! Never allocates for a number.

/// Arguments as they are sent, for what is asked again and again.
pub fn packed<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    arguments.for_each(|argument| push_bulk(&mut out, argument));
    out
}

pub(super) fn push_count(out: &mut Vec<u8>, count: usize) {
    push_line(out, b'*', count);
}

pub(super) fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + DIGITS + 5);
    push_line(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn push_line(out: &mut Vec<u8>, sign: u8, count: usize) {
    out.push(sign);
    out.extend_from_slice(decimal(count as u64, &mut [0; DIGITS]));
    out.extend_from_slice(b"\r\n");
}

/// As many as a number has at most.
pub(super) const DIGITS: usize = 20;

/// The number in decimal, without an allocation.
pub(super) fn decimal(number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let (mut at, mut rest) = (DIGITS, number);
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            return digits.get(at..).unwrap_or_default();
        }
    }
}
