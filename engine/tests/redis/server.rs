//! Servers for the tests: started on a free port of this machine in a directory of their own, ended when dropped, whatever happens.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// What is started: the program that `REDIS_SERVER` names, else the system's redis-server, else its valkey-server.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |name: &&str| std::env::split_paths(&folders).any(|folder| folder.join(name).is_file());
        let found = ["redis-server", "valkey-server"].into_iter().find(is_there).unwrap_or("redis-server");
        std::env::var("REDIS_SERVER").unwrap_or_else(|_| found.to_owned())
    })
}

/// A `redis-server`.
pub struct Server {
    child: Option<Child>,
    pub port: u16,
    pub directory: PathBuf,
    arguments: Vec<String>,
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// With nothing special.
    pub fn start() -> Self {
        Server::with(&[])
    }

    /// With more arguments, as on its command line: `["--requirepass", "secret"]`. Answers when the server does.
    pub fn with(arguments: &[&str]) -> Self {
        Server::at(free_port(), arguments)
    }

    /// On this very port.
    pub fn at(port: u16, arguments: &[&str]) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("spillway-redis-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Server { child: None, port, directory, arguments };
        server.restart();
        server
    }

    /// Start it once more on its port, after [`Server::kill`].
    pub fn restart(&mut self) {
        let child = Command::new(program())
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--dir", self.directory.to_str().unwrap(), "--enable-debug-command", "yes"])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{} does not start ({error}): these tests need it; `apt-get install redis-server` has it",
                    program()
                )
            });
        self.child = Some(child);
        self.await_answer();
    }

    fn await_answer(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "redis-server on port {} has ended: {ended:?}", self.port);
            assert!(begun.elapsed() < Duration::from_secs(10), "redis-server on port {} does not answer", self.port);
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether it was not killed.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Send it a signal by name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap().success());
    }

    /// End it as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ask it over a connection of its own, and read one line of the answer: `server.tell(&["SCRIPT", "FLUSH"])`.
    pub fn tell(&self, words: &[&str]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        stream.write_all(text.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_owned();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut bytes = vec![0; length];
                reader.read_exact(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => line,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
