//! A way to a real server on which it is whatever time a test says: the scripts are sent with another line where they read the clock,
//! so what runs in production has no such door. Cells live longer than any test: time does not pass for the server.

use spillway_engine::clock::Moment;
use spillway_engine::redis::{Ask, Done, Remote, Trouble, Value};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub const MICRO: u64 = 1_000;

/// How far ahead of now a cell may lie, where a test wants another way than the scripts'.
pub type Slack = Option<u64>;

/// The same script, at a time it is told in two more arguments: seconds and microseconds.
pub fn at_will(source: &str, slack: Slack) -> String {
    let clock = "redis.call('TIME')";
    assert_eq!(source.matches(clock).count(), 1, "one clock");
    let life = "max(1, ceil(life / 1000))";
    let mut source = source.replace(clock, "{ ARGV[#ARGV - 1], ARGV[#ARGV] }").replace(life, "3600000");
    if let Some(slack) = slack {
        let line = "local BUCKET_SLACK, WINDOW_SLACK = 0, 1000000";
        assert!(source.contains(line), "the slack is where it was");
        source = source.replace(line, &format!("local BUCKET_SLACK, WINDOW_SLACK = {slack}, {slack}"));
    }
    source
}

/// A connection that waits for each answer.
pub struct Wire {
    reader: BufReader<TcpStream>,
    digests: HashMap<Vec<u8>, Vec<u8>>,
}

impl Wire {
    pub fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { reader: BufReader::new(stream), digests: HashMap::new() }
    }

    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Value {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.as_ref().len()).as_bytes());
            out.extend_from_slice(word.as_ref());
            out.extend_from_slice(b"\r\n");
        }
        self.reader.get_mut().write_all(&out).unwrap();
        self.read()
    }

    /// Run a script, sent once and known by its digest from then on.
    pub fn run(&mut self, source: &[u8], rest: &[Vec<u8>]) -> Value {
        if !self.digests.contains_key(source) {
            let Value::BulkString(digest) = self.ask(&[b"SCRIPT", b"LOAD".as_slice(), source]) else {
                panic!("the script does not load");
            };
            self.digests.insert(source.to_vec(), digest);
        }
        let mut words = vec![b"EVALSHA".to_vec(), self.digests[source].clone()];
        words.extend_from_slice(rest);
        self.ask(&words)
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        let (kind, text) = line.split_at(1);
        match kind {
            ":" => Value::Int(text.parse().unwrap()),
            "+" => Value::SimpleString(text.to_owned()),
            "-" => Value::VerbatimString { format: spillway_verbatim(), text: text.to_owned() },
            "$" if text == "-1" => Value::Nil,
            "$" => {
                let mut bytes = vec![0; text.parse::<usize>().unwrap() + 2];
                self.reader.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Value::BulkString(bytes)
            }
            "*" => Value::Array((0..text.parse::<usize>().unwrap()).map(|_| self.read()).collect()),
            _ => panic!("a reply begins with {kind:?}"),
        }
    }
}

/// Errors are told apart by this, which no script of ours answers with.
fn spillway_verbatim() -> redis::VerbatimFormat {
    redis::VerbatimFormat::Text
}

pub fn error_of(value: &Value) -> Option<&str> {
    match value {
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// The words of a packed command.
pub fn words_of(mut packed: &[u8]) -> Vec<Vec<u8>> {
    fn line<'a>(packed: &mut &'a [u8]) -> &'a str {
        let end = packed.iter().position(|&byte| byte == b'\r').unwrap();
        let line = std::str::from_utf8(&packed[1..end]).unwrap();
        *packed = &packed[end + 2..];
        line
    }
    let count = line(&mut packed).parse::<usize>().unwrap();
    let words = (0..count).map(|_| {
        let length = line(&mut packed).parse::<usize>().unwrap();
        let word = packed[..length].to_vec();
        packed = &packed[length + 2..];
        word
    });
    words.collect()
}

/// A store on which it is as late as the test says.
pub struct Manual {
    wire: Mutex<Wire>,
    /// Microseconds since 1970.
    pub time: AtomicU64,
    pub up: AtomicBool,
    pub cluster: AtomicBool,
    /// Commands that were sent, by name.
    pub sent: Mutex<HashMap<String, u64>>,
    /// The next request is carried out so many times, as one that is sent again after its connection was lost.
    pub repeats: AtomicU64,
}

impl Manual {
    pub fn to(port: u16, time: u64) -> Self {
        Manual {
            wire: Mutex::new(Wire::to(port)),
            time: AtomicU64::new(time),
            up: AtomicBool::new(true),
            cluster: AtomicBool::new(false),
            sent: Mutex::default(),
            repeats: AtomicU64::new(1),
        }
    }

    pub fn micros(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> Moment {
        Moment { mono: self.micros() * MICRO, wall: self.micros() * MICRO }
    }

    pub fn pass(&self, micros: u64) {
        self.time.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn raw(&self, words: &[&[u8]]) -> Value {
        self.wire.lock().unwrap().ask(words)
    }

    pub fn count(&self, name: &str) -> u64 {
        self.sent.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Remote for Manual {
    fn ask(&self, ask: Ask, done: Done) -> Result<(), (Trouble, Done)> {
        if !self.up.load(Ordering::Relaxed) {
            return Err((Trouble::Down, done));
        }
        let mut packed = Vec::new();
        ask.request.pack_whole(&mut packed);
        let words = words_of(&packed);
        let name = String::from_utf8(words[0].clone()).unwrap();
        *self.sent.lock().unwrap().entry(name.clone()).or_default() += 1;
        let mut reply = Value::Nil;
        for _ in 0..self.repeats.swap(1, Ordering::Relaxed) {
            let mut wire = self.wire.lock().unwrap();
            reply = if name == "EVAL" {
                let source = String::from_utf8(words[1].clone()).unwrap();
                let time = self.micros();
                let mut rest = words[2..].to_vec();
                rest.extend([time / 1_000_000, time % 1_000_000].map(|number| number.to_string().into_bytes()));
                let reply = wire.run(at_will(&source, None).as_bytes(), &rest);
                let many = source.contains("-- Charges given back");
                match reply {
                    Value::Array(mut elements) if many && words[2] == b"1" => elements.remove(0),
                    other => other,
                }
            } else {
                wire.ask(&words)
            };
        }
        match error_of(&reply).map(str::to_owned) {
            Some(text) => done(Err(Trouble::Error(text))),
            None => done(Ok(reply)),
        }
        Ok(())
    }

    fn flush(&self) {}

    fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    fn is_cluster(&self) -> bool {
        self.cluster.load(Ordering::Relaxed)
    }
}
