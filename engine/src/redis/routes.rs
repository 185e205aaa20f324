//! Which server has which keys. Owns the seam between who asks and where it goes. Never waits.

use super::node::Node;
use super::refusal::Refusal;
use std::sync::Arc;

/// The servers of one link.
pub trait Routes: Send + Sync + 'static {
    /// The node of a slot; of no slot, any.
    fn node(&self, slot: Option<u16>) -> Option<Arc<Node>>;

    /// All of them.
    fn each(&self, visit: &mut dyn FnMut(&Arc<Node>));

    /// Whether two keys may be far apart.
    fn is_cluster(&self) -> bool;

    /// One slot of each server that has any, for what is to be asked everywhere; none of them where any slot will do.
    fn shards(&self) -> Vec<Option<u16>> {
        vec![None]
    }

    /// `from` has refused what belongs to `slot`. Whom to ask at once; none to ask the slot's node a little later. Called on the
    /// thread of the connections.
    fn refused(&self, from: &Arc<Node>, slot: Option<u16>, refusal: &Refusal) -> Option<Arc<Node>>;

    /// It is over: end what goes on in the background, and every node.
    fn close(&self);
}

/// One server, whoever that is at the moment.
pub struct One(
    /// Its node.
    pub Arc<Node>,
);

impl Routes for One {
    fn node(&self, _slot: Option<u16>) -> Option<Arc<Node>> {
        Some(self.0.clone())
    }

    fn each(&self, visit: &mut dyn FnMut(&Arc<Node>)) {
        visit(&self.0);
    }

    fn is_cluster(&self) -> bool {
        false
    }

    fn refused(&self, _from: &Arc<Node>, _slot: Option<u16>, _refusal: &Refusal) -> Option<Arc<Node>> {
        None
    }

    fn close(&self) {
        self.0.close();
    }
}
