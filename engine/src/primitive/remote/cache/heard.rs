//! What other processes tell of a cache. Owns what is done about it here. Never does a second time what this process did itself.

use super::message::{Message, News, read};
use super::{Tier, now};
use crate::redis::push::Listener;
use crate::store::fingerprint::Fingerprint;
use std::sync::Arc;

impl Listener for Arc<Tier> {
    fn heard(&self, message: &[u8]) {
        self.take_news(message);
    }

    fn gap(&self) {
        self.missed();
    }

    fn resumed(&self) {
        self.hears();
    }
}

impl Tier {
    /// A message of its channel.
    fn take_news(self: &Arc<Self>, message: &[u8]) {
        let (Some(Message { from, news }), Some(cache)) = (read(message), self.cache()) else { return };
        let (now, own) = (now(), from == self.process);
        match news {
            News::Changed(units) => {
                if !own {
                    let key = Fingerprint::of_units(&units);
                    self.guard.raise(key);
                    cache.forget(key, now);
                }
                self.waits.wake(self, &units);
            }
            News::Expired(units) => {
                if !own {
                    let key = Fingerprint::of_units(&units);
                    self.guard.raise(key);
                    cache.fade(key, now);
                }
                self.waits.wake(self, &units);
            }
            News::Landed(units) => self.waits.wake(self, &units),
            News::Nothing(units) => self.waits.tell_nothing(self, &units),
            News::Prefix(prefix) if !own => {
                self.guard.raise_all();
                cache.delete_prefix(&prefix, now);
            }
            News::Prefix(_) => (),
            News::State(moment, turn) => {
                // What is known already was told to memory with it.
                if moment > self.replica.moment() {
                    self.turned(moment, &turn, !own, now);
                    self.replica.follow(moment, || cache.moment());
                    if self.replica.moment() < moment && self.standing.is_synced() {
                        // One before it has not come.
                        self.catch_up(Box::new(|_, _| ()));
                    }
                }
            }
        }
        self.flush();
    }
}
