//! Replies out of bytes. Owns where one ends and what it says. Never believes a length: memory follows what has come, not what was
//! announced, and nothing recurses deeper than [`DEEPEST`].
//!
//! The end of a reply is found first, going on where the last bytes left off, so a long one is looked through once; only a whole
//! one is made into a value.

use super::Value;
use ::redis::{PushKind, VerbatimFormat};
use bytes::{Buf, BytesMut};
use std::fmt;

/// Lists in lists in lists.
const DEEPEST: usize = 32;
/// Bytes of one text: Redis has no longer ones.
const LONGEST: usize = 512 << 20;
/// Elements of one list.
const MOST: usize = 16 << 20;
/// Bytes of a line.
const LINE: usize = 64 << 10;

/// It is no reply. What comes after cannot be understood either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage;

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what came is no reply of a Redis")
    }
}

/// Finds replies in what comes.
#[derive(Debug)]
pub struct Framer {
    /// Bytes of the reply at hand that were looked at.
    at: usize,
    /// Values that are missing until its end.
    missing: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Framer { at: 0, missing: 1 }
    }
}

impl Framer {
    /// The next reply, taken out of the buffer; none until more has come.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, Garbage> {
        if !self.look(buffer)? {
            return Ok(None);
        }
        let whole = std::mem::take(self).at;
        let mut reader = Reader { rest: buffer.get(..whole).unwrap_or_default() };
        let value = reader.value(0)?;
        buffer.advance(whole);
        Ok(Some(value))
    }

    fn look(&mut self, buffer: &[u8]) -> Result<bool, Garbage> {
        while self.missing > 0 {
            let Some(rest) = buffer.get(self.at..) else { return Ok(false) };
            let Some((line, after)) = split_line(rest)? else { return Ok(false) };
            let (&kind, text) = line.split_first().ok_or(Garbage)?;
            let head = rest.len() - after.len();
            match kind {
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => self.at += head,
                b'$' | b'!' | b'=' => {
                    // A length of -1 is none at all.
                    let length = length(text, LONGEST)?.map_or(0, |length| length + 2);
                    // Beyond the buffer until it has come: the loop ends there by itself.
                    if rest.len() < head + length {
                        return Ok(false);
                    }
                    self.at += head + length;
                }
                b'*' | b'~' | b'>' => {
                    self.at += head;
                    self.missing += length(text, MOST)?.unwrap_or(0);
                }
                b'%' => {
                    self.at += head;
                    self.missing += 2 * length(text, MOST)?.unwrap_or(0);
                }
                b'|' => {
                    self.at += head;
                    self.missing += 2 * length(text, MOST)?.unwrap_or(0) + 1;
                }
                _ => return Err(Garbage),
            }
            self.missing -= 1;
        }
        Ok(true)
    }
}

/// A line, and what follows it.
type Line<'a> = (&'a [u8], &'a [u8]);

/// The line at the beginning; none while its end has not come.
fn split_line(bytes: &[u8]) -> Result<Option<Line<'_>>, Garbage> {
    match bytes.iter().take(LINE).position(|&byte| byte == b'\r') {
        Some(end) => match bytes.get(end + 1) {
            Some(b'\n') => Ok(Some((bytes.get(..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default()))),
            Some(_) => Err(Garbage),
            None => Ok(None),
        },
        None if bytes.len() >= LINE => Err(Garbage),
        None => match bytes.first() {
            Some(
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' | b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|',
            )
            | None => Ok(None),
            Some(_) => Err(Garbage),
        },
    }
}

fn number(text: &[u8]) -> Result<i64, Garbage> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(Garbage);
    }
    // Counted downwards, so that the least number there is has room.
    let mut number = 0_i64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Garbage);
        }
        number = number.checked_mul(10).and_then(|number| number.checked_sub(i64::from(digit))).ok_or(Garbage)?;
    }
    if negative { Ok(number) } else { number.checked_neg().ok_or(Garbage) }
}

/// A length; none where it says that there is nothing.
fn length(text: &[u8], most: usize) -> Result<Option<usize>, Garbage> {
    match number(text)? {
        -1 => Ok(None),
        length => usize::try_from(length).ok().filter(|&length| length <= most).map(Some).ok_or(Garbage),
    }
}

fn string(bytes: &[u8]) -> Result<String, Garbage> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Garbage)
}

/// Makes a value of a whole reply.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Result<&'a [u8], Garbage> {
        let (line, after) = split_line(self.rest)?.ok_or(Garbage)?;
        self.rest = after;
        Ok(line)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], Garbage> {
        let (bytes, after) = self.rest.split_at_checked(length).ok_or(Garbage)?;
        self.rest = after.strip_prefix(b"\r\n").ok_or(Garbage)?;
        Ok(bytes)
    }

    fn list(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, Garbage> {
        // A value has three bytes at least.
        let mut values = Vec::with_capacity(count.min(self.rest.len() / 3));
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }

    fn pairs(&mut self, count: usize, depth: usize) -> Result<Vec<(Value, Value)>, Garbage> {
        let mut values = Vec::with_capacity(count.min(self.rest.len() / 6));
        for _ in 0..count {
            values.push((self.value(depth + 1)?, self.value(depth + 1)?));
        }
        Ok(values)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Garbage> {
        if depth > DEEPEST {
            return Err(Garbage);
        }
        let line = self.line()?;
        let (&kind, text) = line.split_first().ok_or(Garbage)?;
        Ok(match kind {
            b':' => Value::Int(number(text)?),
            b'+' if text == b"OK" => Value::Okay,
            b'+' => Value::SimpleString(string(text)?),
            b'-' => error(text)?,
            b'_' => Value::Nil,
            b',' => {
                let text = std::str::from_utf8(text).map_err(|_| Garbage)?;
                Value::Double(text.parse().map_err(|_| Garbage)?)
            }
            b'#' => match text {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                _ => return Err(Garbage),
            },
            b'(' => Value::BigNumber(text.to_vec()),
            b'$' => match length(text, LONGEST)? {
                None => Value::Nil,
                Some(length) => Value::BulkString(self.bytes(length)?.to_vec()),
            },
            b'!' => error(self.bytes(length(text, LONGEST)?.ok_or(Garbage)?)?)?,
            b'=' => {
                let text = self.bytes(length(text, LONGEST)?.ok_or(Garbage)?)?;
                let (format, text) = text.split_at_checked(4).ok_or(Garbage)?;
                let format = match format {
                    b"txt:" => VerbatimFormat::Text,
                    b"mkd:" => VerbatimFormat::Markdown,
                    other => VerbatimFormat::Unknown(string(other.get(..3).unwrap_or_default())?),
                };
                Value::VerbatimString { format, text: string(text)? }
            }
            b'*' => match length(text, MOST)? {
                None => Value::Nil,
                Some(count) => Value::Array(self.list(count, depth)?),
            },
            b'~' => Value::Set(self.list(length(text, MOST)?.unwrap_or(0), depth)?),
            b'%' => Value::Map(self.pairs(length(text, MOST)?.unwrap_or(0), depth)?),
            b'|' => {
                let attributes = self.pairs(length(text, MOST)?.unwrap_or(0), depth)?;
                Value::Attribute { data: Box::new(self.value(depth + 1)?), attributes }
            }
            b'>' => {
                let mut data = self.list(length(text, MOST)?.unwrap_or(0), depth)?.into_iter();
                let kind = match data.next() {
                    Some(Value::BulkString(kind)) => push_kind(&kind)?,
                    Some(Value::SimpleString(kind)) => push_kind(kind.as_bytes())?,
                    _ => return Err(Garbage),
                };
                Value::Push { kind, data: data.collect() }
            }
            _ => return Err(Garbage),
        })
    }
}

fn push_kind(kind: &[u8]) -> Result<PushKind, Garbage> {
    Ok(match kind {
        b"invalidate" => PushKind::Invalidate,
        b"message" => PushKind::Message,
        b"pmessage" => PushKind::PMessage,
        b"smessage" => PushKind::SMessage,
        b"subscribe" => PushKind::Subscribe,
        b"psubscribe" => PushKind::PSubscribe,
        b"ssubscribe" => PushKind::SSubscribe,
        b"unsubscribe" => PushKind::Unsubscribe,
        b"punsubscribe" => PushKind::PUnsubscribe,
        b"sunsubscribe" => PushKind::SUnsubscribe,
        other => PushKind::Other(string(other)?),
    })
}

/// Errors are made by the library alone: there is no other way to one. A line cannot break out of the one it is put in.
fn error(text: &[u8]) -> Result<Value, Garbage> {
    let mut line = Vec::with_capacity(text.len() + 3);
    line.push(b'-');
    line.extend(
        String::from_utf8_lossy(text).bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }),
    );
    line.extend_from_slice(b"\r\n");
    match ::redis::parse_redis_value(&line) {
        Ok(value @ Value::ServerError(_)) => Ok(value),
        _ => Err(Garbage),
    }
}
