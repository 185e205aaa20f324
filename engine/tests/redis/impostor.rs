//! A server that is none: it answers HELLO, PING and ECHO, and does to its replies what a test tells it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// What becomes of a reply: the bytes to write, or nothing more at all.
pub type Mischief = dyn Fn(u64, Vec<u8>) -> Option<Vec<u8>> + Send + Sync;

pub struct Impostor {
    pub port: u16,
    pub connections: Arc<AtomicU64>,
    /// Takes connections and says nothing.
    pub mute: Arc<AtomicBool>,
}

impl Impostor {
    /// `mischief` gets the number of the command, counted over all connections after HELLO, and the right reply.
    pub fn start(mischief: impl Fn(u64, Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, mute, mischief) =
            (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)), Arc::new(mischief));
        let (counted, muted, commands) = (connections.clone(), mute.clone(), Arc::new(AtomicU64::new(0)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::Relaxed);
                let (mischief, commands, mute) = (mischief.clone(), commands.clone(), muted.clone());
                thread::spawn(move || serve(stream, &*mischief, &commands, &mute));
            }
        });
        Impostor { port, connections, mute }
    }
}

fn serve(stream: TcpStream, mischief: &Mischief, commands: &AtomicU64, mute: &AtomicBool) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(words) = read_command(&mut reader) {
        while mute.load(Ordering::Relaxed) {
            thread::sleep(std::time::Duration::from_millis(1));
        }
        let bulk = |word: &Vec<u8>| [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat();
        let reply = match words[0].as_slice() {
            b"HELLO" => b"%1\r\n$5\r\nproto\r\n:3\r\n".to_vec(),
            b"PING" if words.len() == 1 => b"+PONG\r\n".to_vec(),
            _ => bulk(&words[1]),
        };
        let written = match words[0].as_slice() {
            b"HELLO" => Some(reply),
            _ => mischief(commands.fetch_add(1, Ordering::Relaxed), reply),
        };
        match written {
            Some(bytes) if writer.write_all(&bytes).is_ok() => {}
            _ => return,
        }
    }
}

fn read_command(reader: &mut BufReader<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let number = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.get(1..)?.trim().parse::<usize>().ok()
    };
    let count = number(reader)?;
    (0..count)
        .map(|_| {
            let length = number(reader)?;
            let mut word = vec![0; length + 2];
            reader.read_exact(&mut word).ok()?;
            word.truncate(length);
            Some(word)
        })
        .collect()
}
