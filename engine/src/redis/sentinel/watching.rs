//! A sentinel that is listened to. Owns the connection to it.
//! Never says who is master: that is asked anew.

use crate::redis::Value;
use crate::redis::request::Request;
use crate::redis::talk::{Talk, text};
use ::redis::PushKind;
use std::time::Duration;
use tokio::time::timeout;

/// A sentinel is asked whether it is still there after this long a silence, and given up after as long again.
const SILENCE: Duration = Duration::from_secs(5);

/// It was subscribed to `+switch-master` before it was asked anything.
pub(super) struct Watching {
    talk: Talk,
    name: String,
}

impl Watching {
    pub(super) fn new(talk: Talk, master: &str) -> Self {
        Watching { talk, name: master.to_owned() }
    }

    /// Until it tells of another master, or is no longer there itself: then ask again.
    pub(super) async fn news(mut self) {
        let mut asked = false;
        loop {
            match timeout(SILENCE, self.talk.next()).await {
                Ok(Ok(Value::Push { kind: PushKind::Message, data })) if self.concerns_us(&data) => return,
                Ok(Ok(_)) => asked = false,
                Ok(Err(_)) => return,
                Err(_) if asked => return,
                Err(_) => {
                    asked = true;
                    if self.talk.send(&[Request::command("PING")]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// What a sentinel says of a change begins with the name of the master.
    fn concerns_us(&self, data: &[Value]) -> bool {
        data.get(1).and_then(text).is_some_and(|said| said.split(' ').next() == Some(self.name.as_str()))
    }
}
