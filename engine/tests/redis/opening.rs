//! Targets of servers that the tests have started, and what is found out about them.

use crate::server::Server;
use spillway_engine::clock::MILLI;
use spillway_engine::redis::{Address, Findings, Mode, Obstacle, Opened, Secret, Target, examine, open};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

pub fn at(port: u16) -> Address {
    Address::tcp("127.0.0.1", port)
}

/// Patient enough for a busy machine.
pub fn target_of(ports: &[u16], mode: Mode) -> Target {
    let nodes = ports.iter().map(|&port| at(port)).collect();
    Target { nodes, mode, deadline: 2_000 * MILLI, connect_timeout: 4_000 * MILLI, ..Target::default() }
}

pub fn single(server: &Server) -> Target {
    target_of(&[server.port], Mode::Single)
}

pub fn signed(target: Target, user: Option<&str>, password: &str) -> Target {
    Target { username: user.map(str::to_owned), password: Some(Secret::new(password)), ..target }
}

pub fn examined(target: &Target, prefix: &str) -> Result<Findings, Obstacle> {
    let (sender, receiver) = channel();
    examine(Arc::new(target.clone()), prefix.to_owned(), Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv_timeout(Duration::from_secs(20)).expect("whoever examines is told")
}

/// Opened, and let in.
pub fn opened(target: Target) -> Opened {
    let opened = open(target);
    crate::asking::ready(&opened.link).unwrap();
    opened
}
