//! One command, one reply: how a connection is spoken over before it carries traffic. Owns what was read and not yet understood.
//! Never pipelines for throughput; that is a node's.

use super::Value;
use super::dial::Wire;
use super::reply::Framer;
use super::request::Request;
use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A connection spoken over word by word.
pub(super) struct Talk {
    wire: Wire,
    framer: Framer,
    read: BytesMut,
}

impl Talk {
    /// Over this, of which nothing has been read.
    pub(super) fn new(wire: Wire) -> Self {
        Talk { wire, framer: Framer::default(), read: BytesMut::with_capacity(4_096) }
    }

    /// Send these, all in one piece.
    pub(super) async fn send(&mut self, requests: &[Request]) -> io::Result<()> {
        let mut packed = Vec::with_capacity(256);
        for request in requests {
            request.pack(&mut packed);
        }
        self.wire.write_all(&packed).await?;
        self.wire.flush().await
    }

    /// The next reply or push message. Nothing is lost when the future is dropped before it is done.
    pub(super) async fn next(&mut self) -> io::Result<Value> {
        loop {
            if let Some(value) = self.framer.next(&mut self.read).map_err(|_| garbled())? {
                return Ok(value);
            }
            if self.wire.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Send one and wait for its reply; push messages in between are passed over.
    pub(super) async fn ask(&mut self, request: Request) -> io::Result<Value> {
        self.send(&[request]).await?;
        self.reply().await
    }

    /// The next reply; push messages before it are passed over.
    pub(super) async fn reply(&mut self) -> io::Result<Value> {
        loop {
            match self.next().await? {
                Value::Push { .. } => {}
                Value::Attribute { data, .. } => return Ok(*data),
                value => return Ok(value),
            }
        }
    }

    /// What carried it, for traffic. An error if something was said that nobody asked for.
    pub(super) fn into_wire(self) -> io::Result<Wire> {
        if self.read.is_empty() { Ok(self.wire) } else { Err(garbled()) }
    }
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what the server says is not the Redis protocol")
}

/// A text, however the server has put it.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        Value::Okay => Some("OK".to_owned()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What stands under this name in a map, or in a list of names and values.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(pairs) => pairs.iter().find(|(key, _)| text(key).as_deref() == Some(name)).map(|(_, found)| found),
        Value::Array(items) => items
            .chunks_exact(2)
            .find(|pair| pair.first().and_then(text).as_deref() == Some(name))
            .and_then(|pair| pair.get(1)),
        _ => None,
    }
}
