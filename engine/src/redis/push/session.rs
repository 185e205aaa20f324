//! One connection that is listened to, from its first word to its end. Owns what it is subscribed to.
//! Never believes a silent one: who says nothing for 1.5 s, not even when asked, is gone.

use super::Shared;
use crate::redis::Value;
use crate::redis::dial::{Obstacle, Wire};
use crate::redis::race::{First, first};
use crate::redis::request::Request;
use crate::redis::talk::{Talk, text};
use ::redis::PushKind;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// Between two questions whether it is there.
const QUESTION: Duration = Duration::from_millis(500);

/// So long without a word, it is not.
const SILENCE: Duration = Duration::from_millis(1_500);

pub(super) struct Session {
    talk: Talk,
    /// Every channel it was told to subscribe to, and whether the server has said that it is.
    subscribed: HashMap<Vec<u8>, bool>,
    heard_at: Instant,
}

impl Session {
    pub(super) fn new(wire: Wire) -> Self {
        Session { talk: Talk::new(wire), subscribed: HashMap::new(), heard_at: Instant::now() }
    }

    /// Until it is over, for the reason it answers with.
    pub(super) async fn run(mut self, shared: &Shared) -> Obstacle {
        match self.listen(shared).await {
            Ok(()) => Obstacle::Down("nobody listens, or another server is to be listened to".to_owned()),
            Err(obstacle) => obstacle,
        }
    }

    async fn listen(&mut self, shared: &Shared) -> Result<(), Obstacle> {
        shared.troubled(None);
        self.settle(shared).await?;
        let mut question = Instant::now() + QUESTION;
        loop {
            match first(self.talk.next(), first(shared.news.notified(), sleep_until(question))).await {
                First::This(said) => {
                    let said = said.map_err(|error| Obstacle::Down(format!("the push connection is lost: {error}")))?;
                    self.heard_at = Instant::now();
                    self.take(said, shared)?;
                }
                First::That(First::This(())) => {
                    if shared.redial.load(Ordering::Acquire) || shared.is_idle() {
                        return Ok(());
                    }
                    self.settle(shared).await?;
                }
                First::That(First::That(())) => {
                    if self.heard_at.elapsed() >= SILENCE {
                        return Err(Obstacle::Down("the push connection is silent".to_owned()));
                    }
                    question = Instant::now() + QUESTION;
                    // A node that the rest of its cluster has lost answers a PING, but hears nothing any more.
                    let ask = if shared.is_cluster {
                        Request::command("CLUSTER").arg("INFO")
                    } else {
                        Request::command("PING")
                    };
                    self.send(&[ask]).await?;
                }
            }
        }
    }

    /// Subscribe to what is wanted and not yet subscribed to, and the other way round.
    async fn settle(&mut self, shared: &Shared) -> Result<(), Obstacle> {
        let wanted = shared.channels();
        let mut requests = Vec::new();
        self.subscribed.retain(|channel, confirmed| {
            let keep = !*confirmed || wanted.contains(channel);
            if !keep {
                requests.push(Request::command("UNSUBSCRIBE").arg(channel));
            }
            keep
        });
        for channel in &wanted {
            match self.subscribed.get(channel) {
                Some(true) => shared.tell_resumed(channel),
                Some(false) => {}
                None => {
                    requests.push(Request::command("SUBSCRIBE").arg(channel));
                    self.subscribed.insert(channel.clone(), false);
                }
            }
        }
        if requests.is_empty() { Ok(()) } else { self.send(&requests).await }
    }

    async fn send(&mut self, requests: &[Request]) -> Result<(), Obstacle> {
        match timeout(SILENCE, self.talk.send(requests)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Obstacle::Down("the push connection takes nothing any more".to_owned())),
        }
    }

    fn take(&mut self, said: Value, shared: &Shared) -> Result<(), Obstacle> {
        match said {
            Value::Push { kind: PushKind::Message, data } => {
                if let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) =
                    (data.first(), data.get(1))
                {
                    shared.tell(channel, message);
                }
                Ok(())
            }
            Value::Push { kind: PushKind::Subscribe, data } => {
                if let Some(Value::BulkString(channel)) = data.first()
                    && let Some(confirmed) = self.subscribed.get_mut(channel)
                {
                    *confirmed = true;
                    shared.tell_resumed(channel);
                }
                Ok(())
            }
            Value::ServerError(error) if error.code() == "NOPERM" => {
                // Whoever listens there stays deaf, and knows it; the other channels are heard.
                shared.troubled(Some(Obstacle::Denied("the user may not listen to a channel".to_owned())));
                Ok(())
            }
            // It does not write at the moment, and tells messages as ever.
            Value::ServerError(error) if error.code() == "MISCONF" => Ok(()),
            Value::ServerError(error) => {
                Err(Obstacle::Down(format!("the push connection is answered with {}", error.code())))
            }
            other if text(&other).is_some_and(|said| said.contains("cluster_state:fail")) => {
                Err(Obstacle::Down("the node listened to has lost its cluster".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
