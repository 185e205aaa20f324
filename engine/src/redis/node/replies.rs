//! Replies, handed to those they are for. Owns the matching. Never hands on what it cannot tell whose it is.

use super::Node;
use super::connection::{Connection, Ear, End};
use super::health::Tidings;
use super::pending::Pending;
use super::pipeline::Entry;
use crate::clock::monotonic;
use crate::redis::refusal::{Judgement, Refusal, judge, text};
use crate::redis::reply::Framer;
use crate::redis::request::Trouble;
use crate::redis::script::Sharing;
use crate::redis::{batch, merge};
use ::redis::Value;
use bytes::BytesMut;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::AsyncReadExt;

/// Room for what comes at once.
const ROOM: usize = 16 << 10;
/// A server that refuses so often does not get to it.
const REFUSALS: u8 = 5;

/// Read until the connection is over.
pub(super) async fn read(node: Arc<Node>, connection: Arc<Connection>, mut ear: Ear) {
    let mut buffer = BytesMut::new();
    let mut framer = Framer::default();
    // What has come and is not proven yet, and what is.
    let (mut values, mut answered) = (Vec::new(), Vec::new());
    loop {
        buffer.reserve(ROOM);
        match ear.read_buf(&mut buffer).await {
            Ok(0) => return connection.finish(End::Broken("the server has closed the connection".to_owned())),
            Ok(_) => {}
            Err(error) => return connection.finish(End::Broken(error.to_string())),
        }
        let intact = loop {
            match framer.next(&mut buffer) {
                // Told without being asked: nothing that this connection has subscribed to.
                Ok(Some(Value::Push { .. })) => {}
                Ok(Some(value)) => values.push(value),
                Ok(None) => break Ok(()),
                Err(garbage) => break Err(garbage.to_string()),
            }
        };
        let (sound, finished) = {
            let mut pipeline = connection.pipeline.lock();
            (pipeline.take(&mut values, &mut answered), pipeline.is_empty())
        };
        hand_out(&node, &connection, &mut answered);
        if let Err(garbage) = intact {
            return connection.finish(End::Garbage(garbage));
        }
        if !sound {
            return connection.finish(End::Garbage("replies came in another order than was asked".to_owned()));
        }
        if finished && connection.retired.load(Relaxed) {
            return connection.finish(End::Retired);
        }
    }
}

/// What replies of one batch bring beside the answers.
#[derive(Default)]
struct Batch {
    tidings: Tidings,
    /// To be sent to this node once more, in this order.
    again: Vec<Pending>,
    why: Option<String>,
}

fn hand_out(node: &Arc<Node>, connection: &Connection, answered: &mut Vec<(Entry, Value)>) {
    if answered.is_empty() {
        return;
    }
    let _together = batch::Batch::open();
    let now = monotonic();
    let stalled = node.traffic.was_stalled(now);
    let mut batch = Batch::default();
    connection.late_in_a_row.store(0, Relaxed);
    connection.heard_at.store(now, Relaxed);
    let mut latest = 0;
    for (call, value) in answered.drain(..) {
        latest = now.saturating_sub(call.sent_at);
        let slow = !stalled && call.is_slow(now, node.slow());
        batch.judge(node, call, value, slow);
    }
    let before = node.counts.latency.load(Relaxed);
    node.counts.latency.store(if before == 0 { latest } else { before - before / 8 + latest / 8 }, Relaxed);
    let Batch { tidings, again, why } = batch;
    node.count(tidings, now, || why.unwrap_or_else(|| "replies are slow".to_owned()));
    if !again.is_empty() {
        node.ask_again(again);
        node.flush();
    }
}

impl Batch {
    fn judge(&mut self, node: &Arc<Node>, call: Entry, value: Value, slow: bool) {
        let Entry { mut askers, sharing, .. } = call;
        match value {
            Value::Attribute { data, .. } => {
                self.judge(node, Entry { askers, sharing, mark: None, sent_at: 0, ahead: 0 }, *data, slow)
            }
            Value::ServerError(error) => {
                let (judgement, said) = (judge(&error), text(&error));
                self.count(&judgement, &said, askers.len() as u64, slow);
                for pending in askers {
                    self.refuse(node, pending, &judgement, &said);
                }
            }
            Value::Array(elements) if sharing != Sharing::None => {
                let Some(parts) = merge::share(sharing, elements, askers.len()) else {
                    return self.mistaken(node, askers, slow);
                };
                for (pending, element) in askers.into_iter().zip(parts) {
                    match element {
                        Value::ServerError(error) => {
                            let (judgement, said) = (judge(&error), text(&error));
                            self.count(&judgement, &said, 1, slow);
                            self.refuse(node, pending, &judgement, &said);
                        }
                        element => self.tell(node, pending, Ok(element), slow),
                    }
                }
            }
            _ if sharing != Sharing::None => self.mistaken(node, askers, slow),
            value => {
                if let Some(pending) = askers.pop() {
                    self.tell(node, pending, Ok(value), slow);
                }
            }
        }
    }

    fn mistaken(&mut self, node: &Node, askers: impl IntoIterator<Item = Pending>, slow: bool) {
        for pending in askers {
            let wrong = "a script has not answered as many as have asked".to_owned();
            self.tell(node, pending, Err(Trouble::Error(wrong)), slow);
        }
    }

    fn tell(&mut self, node: &Node, pending: Pending, answer: Result<Value, Trouble>, slow: bool) {
        // A late one was counted when its deadline passed.
        if !pending.is_awaited() {
            return;
        }
        if slow {
            self.tidings.slow += 1
        } else {
            self.tidings.ok += 1
        }
        node.counts.answered.fetch_add(1, Relaxed);
        pending.answer(answer);
    }

    /// Whatever a server answers shows that it is there; some of it, that it is no use.
    fn count(&mut self, judgement: &Judgement, text: &str, calls: u64, slow: bool) {
        match judgement {
            Judgement::Final(Trouble::Unready(why)) => {
                self.tidings.failed += calls;
                self.why = Some(why.clone());
            }
            Judgement::Final(Trouble::Denied(_)) | Judgement::NoScript => {}
            // A change of masters is one failure, however much is refused by it: it is about to be over.
            Judgement::Refused(Refusal::ReadOnly | Refusal::ClusterDown | Refusal::MasterDown) => {
                self.tidings.failed = self.tidings.failed.max(1);
                self.why.get_or_insert_with(|| text.to_owned());
            }
            Judgement::Refused(_) | Judgement::Final(_) if slow => self.tidings.slow += calls,
            Judgement::Refused(_) | Judgement::Final(_) => self.tidings.ok += calls,
        }
    }

    fn refuse(&mut self, node: &Arc<Node>, mut pending: Pending, judgement: &Judgement, text: &str) {
        if !pending.is_awaited() {
            return;
        }
        match judgement {
            Judgement::NoScript if !pending.whole => {
                // The first says it, and the server knows it when it comes to the others.
                pending.whole =
                    !self.again.iter().any(|other| other.whole && other.request.same_script(&pending.request));
                self.again.push(pending);
            }
            Judgement::NoScript => pending.answer(Err(Trouble::Error(text.to_owned()))),
            Judgement::Final(trouble) => {
                node.counts.answered.fetch_add(1, Relaxed);
                pending.answer(Err(trouble.clone()));
            }
            Judgement::Refused(refusal) => {
                if *refusal == Refusal::ReadOnly {
                    node.redial();
                }
                redirect(node, pending, refusal, text);
            }
        }
    }
}

/// Ask another, or later.
fn redirect(node: &Arc<Node>, mut pending: Pending, refusal: &Refusal, text: &str) {
    let Some(routes) = node.traffic.routes() else { return pending.answer(Err(Trouble::Down)) };
    let moves = matches!(refusal, Refusal::Moved { .. } | Refusal::Ask { .. });
    if moves && !routes.is_cluster() {
        return pending.answer(Err(Trouble::Error(format!("{text}: the server belongs to a cluster"))));
    }
    pending.refused = pending.refused.saturating_add(1);
    pending.why = Some(Trouble::Unready(text.to_owned()));
    pending.asking = false;
    if moves && pending.refused > REFUSALS {
        return pending.answer(Err(Trouble::Unready(text.to_owned())));
    }
    match routes.refused(node, pending.slot, refusal) {
        Some(other) => {
            pending.asking = matches!(refusal, Refusal::Ask { .. });
            other.ask_again(vec![pending]);
            other.flush();
        }
        None => node.traffic.parked.lock().push(pending),
    }
}
