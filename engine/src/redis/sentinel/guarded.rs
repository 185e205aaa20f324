//! A master that sentinels guard: the ways to it, and the one node it is. Owns the watch over who it is.
//! Never leaves a connection with somebody who was the master once.

use super::Sentinels;
use crate::redis::dial::{Dial, Dialing, Obstacle, Wire};
use crate::redis::node::Node;
use crate::redis::push::Push;
use crate::redis::refusal::Refusal;
use crate::redis::routes::Routes;
use crate::redis::target::Address;
use crate::redis::thread;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// The way of one connection to the master.
pub(in crate::redis) struct Guided {
    sentinels: Arc<Sentinels>,
    /// Whom it has led to.
    master: Mutex<Option<Address>>,
}

impl Guided {
    pub(in crate::redis) fn new(sentinels: Arc<Sentinels>) -> Arc<Self> {
        Arc::new(Guided { sentinels, master: Mutex::new(None) })
    }

    async fn connect(&self) -> Result<Wire, Obstacle> {
        let (wire, master) = self.sentinels.connect().await?;
        *self.master.lock() = Some(master);
        self.sentinels.led.notify_one();
        Ok(wire)
    }

    /// Whether it has led to a wrong one. That is said once.
    fn is_wrong(&self, wrong: &dyn Fn(&Address) -> bool) -> bool {
        self.master.lock().take_if(|led_to| wrong(led_to)).is_some()
    }
}

impl Dial for Guided {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(self.connect())
    }

    fn address(&self) -> String {
        let name = self.sentinels.target.master.as_deref().unwrap_or_default();
        self.master.lock().as_ref().map_or_else(|| format!("the master {name}"), Address::to_string)
    }
}

/// The routes to a master that sentinels guard: its one node, which finds the master anew whenever they name another.
pub(in crate::redis) struct Guarded {
    node: Arc<Node>,
    watch: Option<AbortHandle>,
}

impl Guarded {
    /// `node` and `push` are told to dial again when the way of theirs has led to another than the master.
    pub(in crate::redis) fn new(
        sentinels: Arc<Sentinels>,
        (way, node): (Arc<Guided>, Arc<Node>),
        (heard_by, push): (Arc<Guided>, &Arc<Push>),
    ) -> Arc<Self> {
        let (asked, listening) = (Arc::downgrade(&node), Arc::downgrade(push));
        let watch = thread::spawn(async move {
            let turn = |wrong: &dyn Fn(&Address) -> bool| {
                if way.is_wrong(wrong) {
                    asked.upgrade().iter().for_each(|node| node.redial());
                }
                if heard_by.is_wrong(wrong) {
                    listening.upgrade().iter().for_each(|push| push.redial());
                }
            };
            sentinels.watch(turn).await;
        });
        Arc::new(Guarded { node, watch })
    }
}

impl Routes for Guarded {
    fn node(&self, _slot: Option<u16>) -> Option<Arc<Node>> {
        Some(self.node.clone())
    }

    fn each(&self, visit: &mut dyn FnMut(&Arc<Node>)) {
        visit(&self.node);
    }

    fn is_cluster(&self) -> bool {
        false
    }

    fn refused(&self, _from: &Arc<Node>, _slot: Option<u16>, _refusal: &Refusal) -> Option<Arc<Node>> {
        None
    }

    fn close(&self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        self.node.close();
    }
}
