//! Who waits for the first connection. Owns what is known of it so far. Never keeps anybody longer than was said.

use super::dial::Obstacle;
use crate::clock::Nanos;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is called once it is known.
pub type Ready = Box<dyn FnOnce(Result<(), Obstacle>) + Send>;

#[derive(Default)]
struct Known {
    reached: bool,
    obstacle: Option<Obstacle>,
    waiting: Vec<(Nanos, Ready)>,
}

/// Whether a server was reached.
#[derive(Default)]
pub(super) struct Readiness {
    known: Mutex<Known>,
}

impl Readiness {
    /// Tell, once it is known, at `until` at the latest.
    pub(super) fn wait(&self, until: Nanos, ready: Ready) {
        let mut known = self.known.lock();
        let answer = match &known.obstacle {
            _ if known.reached => Ok(()),
            Some(obstacle) if obstacle.is_lasting() => Err(obstacle.clone()),
            _ => {
                known.waiting.push((until, ready));
                return;
            }
        };
        drop(known);
        ready(answer);
    }

    /// A server has let us in.
    pub(super) fn reached(&self) {
        let mut known = self.known.lock();
        known.reached = true;
        known.obstacle = None;
        let waiting = std::mem::take(&mut known.waiting);
        drop(known);
        waiting.into_iter().for_each(|(_, ready)| call(ready, Ok(())));
    }

    /// A server was not reached, or has not let us in.
    pub(super) fn hindered(&self, obstacle: &Obstacle) {
        let mut known = self.known.lock();
        known.reached = false;
        known.obstacle = Some(obstacle.clone());
        let waiting = if obstacle.is_lasting() { std::mem::take(&mut known.waiting) } else { Vec::new() };
        drop(known);
        waiting.into_iter().for_each(|(_, ready)| call(ready, Err(obstacle.clone())));
    }

    /// Who has waited long enough is told what is known. Whether anybody waits on.
    pub(super) fn tick(&self, now: Nanos) -> bool {
        let mut known = self.known.lock();
        if known.waiting.is_empty() {
            return false;
        }
        let mut due = Vec::new();
        let mut at = 0;
        while let Some((until, _)) = known.waiting.get(at) {
            if *until <= now {
                due.push(known.waiting.swap_remove(at));
            } else {
                at += 1;
            }
        }
        let more = !known.waiting.is_empty();
        let why = known.obstacle.clone();
        drop(known);
        let why = why.unwrap_or_else(|| Obstacle::Down("no answer from the server".to_owned()));
        due.into_iter().for_each(|(_, ready)| call(ready, Err(why.clone())));
        more
    }

    /// Nobody will be reached any more.
    pub(super) fn close(&self) {
        let waiting = std::mem::take(&mut self.known.lock().waiting);
        waiting.into_iter().for_each(|(_, ready)| call(ready, Err(Obstacle::Down("closed".to_owned()))));
    }
}

/// What panics in there is its own trouble.
fn call(ready: Ready, answer: Result<(), Obstacle>) {
    let _ = catch_unwind(AssertUnwindSafe(move || ready(answer)));
}
