//! One command, one reply: how a connection is spoken over before it carries traffic. Owns what was read and not yet understood.
//! Never pipelines for throughput; that is a node's.

use super::request::Request;
use super::stream::Stream;
use ::redis::{Value, ValueCodec};
use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Decoder;

/// What nobody answers in a few words is not an answer: a limit on what is kept while it is incomplete.
const LONGEST_REPLY_BYTES: usize = 64 << 20;

/// A connection spoken over word by word.
pub(super) struct Wire {
    stream: Stream,
    codec: ValueCodec,
    read: BytesMut,
}

impl Wire {
    /// Over this stream, of which nothing has been read.
    pub(super) fn new(stream: Stream) -> Self {
        Wire { stream, codec: ValueCodec::default(), read: BytesMut::with_capacity(4_096) }
    }

    /// Send these, all in one piece.
    pub(super) async fn send(&mut self, requests: &[Request]) -> io::Result<()> {
        let mut packed = Vec::with_capacity(256);
        for request in requests {
            request.pack(&mut packed);
        }
        self.stream.write_all(&packed).await?;
        self.stream.flush().await
    }

    /// The next reply or push message. Nothing is lost when the future is dropped before it is done.
    pub(super) async fn next(&mut self) -> io::Result<Value> {
        loop {
            if let Some(value) = self.codec.decode(&mut self.read).map_err(|_| garbled())? {
                return Ok(value);
            }
            if self.read.len() > LONGEST_REPLY_BYTES {
                return Err(garbled());
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
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

    /// The stream again, for whoever carries traffic over it. An error if something was said that nobody asked for.
    pub(super) fn into_stream(self) -> io::Result<Stream> {
        if self.read.is_empty() { Ok(self.stream) } else { Err(garbled()) }
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
