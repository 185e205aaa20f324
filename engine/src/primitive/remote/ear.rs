//! Who hears that something came free elsewhere. Owns that nobody listens before somebody waits.
//! Never relied on: whoever waits looks again by himself, only later.

use super::rights::Rights;
use crate::redis::{Listener, Listening, Push};
use std::sync::{Arc, OnceLock, Weak};

/// See the top of this file.
pub(super) struct Ear {
    push: Arc<Push>,
    channel: Vec<u8>,
    rights: Weak<Rights>,
    listening: OnceLock<Listening>,
}

impl Ear {
    pub(super) fn new(push: Arc<Push>, channel: Vec<u8>, rights: Weak<Rights>) -> Self {
        Ear { push, channel, rights, listening: OnceLock::new() }
    }

    /// Somebody waits: listen from now on.
    pub(super) fn open(&self) {
        self.listening.get_or_init(|| self.push.listen(self.channel.clone(), Arc::new(Drum(self.rights.clone()))));
    }
}

struct Drum(Weak<Rights>);

impl Listener for Drum {
    fn heard(&self, message: &[u8]) {
        if let Some(rights) = self.0.upgrade() {
            rights.freed(message);
        }
    }

    fn gap(&self) {}

    fn resumed(&self) {
        // What was missed is everything.
        self.heard(&[]);
    }
}
