//! Real sentinels, a master and a replica, and what happens when the master is another.

use crate::asking::{ask, ask_within, command, until, until_within};
use crate::opening::{examined, opened, target_of};
use crate::push::{Notes, publish};
use crate::server::{Server, free_port, program};
use spillway_engine::clock::MILLI;
use spillway_engine::redis::{Mode, Obstacle, Secret, Target, Value};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Sentinel {
    child: Child,
    port: u16,
    directory: std::path::PathBuf,
}

impl Sentinel {
    fn start(master: u16, quorum: usize) -> Self {
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("spillway-sentinel-{}-{port}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("sentinel.conf");
        let lines = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nrequirepass watch\nsentinel sentinel-pass watch\n\
             sentinel monitor main 127.0.0.1 {master} {quorum}\nsentinel auth-pass main data\n\
             sentinel down-after-milliseconds main 600\nsentinel failover-timeout main 2000\n",
            directory.display()
        );
        fs::write(&file, lines).unwrap();
        let child = Command::new(program())
            .args([file.to_str().unwrap(), "--sentinel"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Sentinel { child, port, directory }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Guarded {
    servers: Vec<Server>,
    sentinels: Vec<Sentinel>,
}

const DATA: [&str; 4] = ["--requirepass", "data", "--masterauth", "data"];

fn guarded() -> Guarded {
    let quick = ["--repl-diskless-sync-delay", "0"];
    let master = Server::with(&[&DATA[..], &quick[..]].concat());
    let of = format!("127.0.0.1 {}", master.port);
    let replica = Server::with(&[&DATA[..], &quick[..], &["--replicaof", &of]].concat());
    let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(master.port, 2)).collect();
    let guarded = Guarded { servers: vec![master, replica], sentinels };
    let known = || {
        guarded.sentinels.iter().all(|sentinel| {
            let told = said(sentinel.port, "watch", "SENTINEL MASTER main");
            told.contains("num-slaves 1") && told.contains("num-other-sentinels 2")
        })
    };
    until_within("the sentinels know each other", 30, known);
    guarded
}

/// Over redis-cli, the answer in words on one line.
fn said(port: u16, password: &str, words: &str) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string(), "--no-auth-warning", "-a", password])
        .args(words.split(' '))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Guarded {
    fn target(&self) -> Target {
        let ports: Vec<u16> = self.sentinels.iter().map(|sentinel| sentinel.port).collect();
        Target {
            master: Some("main".to_owned()),
            password: Some(Secret::new("data")),
            sentinel_password: Some(Secret::new("watch")),
            deadline: 200 * MILLI,
            ..target_of(&ports, Mode::Sentinel)
        }
    }

    fn role(&self, index: usize) -> String {
        said(self.servers[index].port, "data", "ROLE").split(' ').next().unwrap_or_default().to_owned()
    }
}

#[test]
fn the_master_is_found_and_followed_when_it_is_another() {
    let mut set = guarded();
    let target = set.target();
    assert!(examined(&target, "app").is_ok());
    let opened = opened(target.clone());
    let notes = Arc::new(Notes::default());
    let _listening = opened.push.listen(b"c".to_vec(), notes.clone());
    until("resumed", || notes.has("<resumed>"));
    assert_eq!(ask(&*opened.link, command(&["SET", "k", "first"])), Ok(Value::Okay));
    assert_eq!(said(set.servers[0].port, "data", "GET k"), "first");

    // Asked for: the old master lives on as a replica, where nothing can be written.
    said(set.sentinels[0].port, "watch", "SENTINEL FAILOVER main");
    // The old one is told only seconds later, and takes writes till then: it is the sentinels' word that turns the link.
    until_within("promoted", 30, || set.role(1) == "master");
    let begun = Instant::now();
    until("written to the new one", || {
        let answer = ask_within(&*opened.link, command(&["SET", "k", "second"]), 200 * MILLI);
        answer == Ok(Value::Okay) && said(set.servers[1].port, "data", "GET k") == "second"
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_000), "{took:?}");
    until("heard again", || notes.count("<resumed>") >= 2);
    publish(&opened, "c", "over there");
    until("message", || notes.has("over there"));

    // Killed: nobody has asked for it, and nobody is there to say so.
    until_within("a replica again", 30, || set.role(0) == "slave");
    until_within("in sync", 30, || said(set.servers[1].port, "data", "INFO replication").contains("state=online"));
    until_within("every sentinel knows", 30, || {
        set.sentinels.iter().all(|sentinel| {
            let told = said(sentinel.port, "watch", "SENTINEL MASTER main");
            told.contains(&format!("port {}", set.servers[1].port)) && told.contains("num-slaves 1")
        })
    });
    // Two failovers in a row are not to be had sooner than this.
    std::thread::sleep(Duration::from_millis(2_500));
    set.servers[1].kill();
    until_within("promoted", 30, || set.role(0) == "master");
    let begun = Instant::now();
    until("writable", || ask_within(&*opened.link, command(&["SET", "k", "third"]), 200 * MILLI) == Ok(Value::Okay));
    let took = begun.elapsed();
    // Sentinels name the new master when they see it as one, and they look once a second.
    assert!(took < Duration::from_millis(2_000), "{took:?}");
}

#[test]
fn a_sentinel_less_is_no_trouble_and_sentinels_that_were_not_named_are_asked_too() {
    let mut set = guarded();
    let dead = free_port();
    let only = Target { nodes: target_of(&[dead, set.sentinels[0].port], Mode::Sentinel).nodes, ..set.target() };
    let opened = opened(only.clone());
    assert_eq!(ask(&*opened.link, command(&["SET", "k", "v"])), Ok(Value::Okay));
    // The only one that was named is gone; the others were learned of.
    set.sentinels.remove(0);
    said(set.servers[0].port, "data", "CLIENT KILL TYPE normal");
    until("again", || ask_within(&*opened.link, command(&["SET", "k", "w"]), 200 * MILLI) == Ok(Value::Okay));
}

#[test]
fn what_is_wrong_with_sentinels_is_told() {
    let set = guarded();
    let unknown = Target { master: Some("nobody".to_owned()), ..set.target() };
    assert!(matches!(examined(&unknown, "app"), Err(Obstacle::Mode(why)) if why.contains("nobody")));
    let stranger = Target { sentinel_password: Some(Secret::new("wrong")), ..set.target() };
    assert!(matches!(examined(&stranger, "app"), Err(Obstacle::Auth(_))));
    let stranger = Target { password: Some(Secret::new("wrong")), ..set.target() };
    assert!(matches!(examined(&stranger, "app"), Err(Obstacle::Auth(_))));
    let as_single = Target { mode: Mode::Single, ..set.target() };
    let as_single = Target { password: as_single.sentinel_password.clone(), ..as_single };
    assert!(matches!(examined(&as_single, "app"), Err(Obstacle::Mode(why)) if why.contains("sentinel")));
}
