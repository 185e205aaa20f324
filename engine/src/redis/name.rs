//! What things are called in Redis. Owns the scheme of the keys. Never shortens two names to one.
//!
//! `spillway:<prefix>:<kind>:<name>:{<id>}<part>`, where only the id decides over the slot: what belongs to one key of one primitive
//! lies together. In prefix and name `%`, `:`, `{` and `}` are written as `%xx`, so an ACL or a SCAN can go by `spillway:<prefix>:*`.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

/// The beginning of every key of one primitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(String);

impl Home {
    /// Of the primitive of this kind and name.
    pub fn new(prefix: &str, kind: &str, name: &str) -> Self {
        Home(format!("spillway:{}:{kind}:{}:", escaped(prefix), escaped(name)))
    }

    /// As text, up to the brace.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key whose id is the text itself, which a SCAN can find. `part` tells apart what lies together.
    pub fn readable(&self, id: &[u8], part: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.0.len() + id.len() + part.len() + 2);
        key.extend_from_slice(self.0.as_bytes());
        key.push(b'{');
        for &byte in id {
            match byte {
                b'%' => key.extend_from_slice(b"%25"),
                b'{' => key.extend_from_slice(b"%7B"),
                b'}' => key.extend_from_slice(b"%7D"),
                _ => key.push(byte),
            }
        }
        key.push(b'}');
        key.extend_from_slice(part.as_bytes());
        key
    }

    /// A key of a fixed length, whatever its id: 128 bits of SHA-256, so that who chooses ids cannot make two meet.
    pub fn hashed(&self, id: &[u8], part: &str) -> Vec<u8> {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut key = Vec::with_capacity(self.0.len() + 34 + part.len().max(ROOM));
        key.extend_from_slice(self.0.as_bytes());
        key.push(b'{');
        for byte in Sha256::digest(id).iter().take(16) {
            for nibble in [byte >> 4, byte & 15] {
                key.push(HEX.get(usize::from(nibble)).copied().unwrap_or_default());
            }
        }
        key.push(b'}');
        key.extend_from_slice(part.as_bytes());
        key
    }
}

/// Left free behind a hashed id, for the part that follows.
const ROOM: usize = 24;

/// The slot of a key in a cluster: CRC-16/XMODEM of what is between its first braces.
pub fn slot_of(key: &[u8]) -> u16 {
    let tagged = key.iter().position(|&byte| byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let length = rest.iter().position(|&byte| byte == b'}')?;
        rest.get(..length).filter(|tag| !tag.is_empty())
    });
    crc16::State::<crc16::XMODEM>::calculate(tagged.unwrap_or(key)) % 16_384
}

/// A text as bytes: most are short.
pub type Bytes = SmallVec<[u8; 64]>;

/// UTF-16 as bytes, in a way that no two texts share: UTF-8, and lone surrogates as three bytes each (WTF-8).
pub fn bytes_of(units: &[u16]) -> Bytes {
    if units.iter().all(|unit| *unit < 0x80) {
        return units.iter().map(|unit| *unit as u8).collect();
    }
    let mut bytes = Bytes::with_capacity(units.len() + 8);
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                bytes.extend([0xE0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3F) as u8, 0x80 | (unit & 0x3F) as u8]);
            }
        }
    }
    bytes
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '%' | ':' | '{' | '}' => out.push_str(&format!("%{:02X}", character as u32)),
            _ => out.push(character),
        }
    }
    out
}
