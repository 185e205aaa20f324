//! Who is master, by asking the sentinels. Owns the list of them.
//! Never believes them alone: whoever they name has to say himself that he is the master.

mod guarded;
mod watching;

pub(super) use guarded::{Guarded, Guided};

use super::Value;
use super::dial::{Obstacle, Wire};
use super::obstacle::{broken, graver, refused};
use super::race::{First, first};
use super::request::Request;
use super::sign_on::{open_sentinel, sign_on, within};
use super::talk::{Talk, field, text};
use super::target::{Address, Target};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use watching::Watching;

/// Between two questions to sentinels.
const PAUSE: Duration = Duration::from_millis(20);

/// Everyone who may know the master.
pub(super) struct Sentinels {
    target: Arc<Target>,
    /// Who was useful last comes first.
    list: Mutex<Vec<Address>>,
    /// A connection has come about, to whomever.
    led: Notify,
}

impl Sentinels {
    pub(super) fn new(target: Arc<Target>) -> Arc<Self> {
        let list = Mutex::new(target.nodes.clone());
        Arc::new(Sentinels { target, list, led: Notify::new() })
    }

    /// A connection to the master, whoever that is now, and where that is.
    async fn connect(&self) -> Result<(Wire, Address), Obstacle> {
        let mut worst = Obstacle::Down("no sentinel answers".to_owned());
        for sentinel in self.sentinels() {
            match self.through(&sentinel).await {
                Ok(found) => return Ok(found),
                Err(obstacle) => worst = graver(worst, obstacle),
            }
            self.pass_over(&sentinel);
        }
        Err(worst)
    }

    /// Who they say is master.
    pub(super) async fn master(&self) -> Result<Address, Obstacle> {
        let mut worst = Obstacle::Down("no sentinel answers".to_owned());
        for sentinel in self.sentinels() {
            match self.ask(&sentinel).await {
                Ok(found) => return Ok(found.master),
                Err(obstacle) => worst = graver(worst, obstacle),
            }
        }
        Err(worst)
    }

    async fn through(&self, sentinel: &Address) -> Result<(Wire, Address), Obstacle> {
        let found = self.ask(sentinel).await?;
        let wire = sign_on(&self.target, &found.master, self.target.patience() / 2).await?;
        Ok((wire, found.master))
    }

    /// Listen to the sentinels, for ever. `turn` is to part from whoever is found to be the wrong one.
    async fn watch(&self, turn: impl Fn(&dyn Fn(&Address) -> bool)) {
        let (mut former, mut latest) = (None, None);
        loop {
            let Some(sentinel) = self.sentinels().into_iter().next() else { return };
            match self.ask(&sentinel).await {
                Ok(found) => {
                    if latest.as_ref() != Some(&found.master) {
                        former = latest.replace(found.master.clone());
                    }
                    turn(&|led_to| *led_to != found.master);
                    let mut news = pin!(found.watching.news());
                    // A connection that was begun before the change may come to the former master only now. To anybody else it has
                    // come because another sentinel knows more than this one.
                    while let First::That(()) = first(news.as_mut(), self.led.notified()).await {
                        turn(&|led_to| former.as_ref() == Some(led_to));
                    }
                    // Who has told of a change is asked first again: the others learn of it later.
                }
                Err(_) => self.pass_over(&sentinel),
            }
            sleep(PAUSE).await;
        }
    }

    /// The next attempt begins with another.
    fn pass_over(&self, useless: &Address) {
        let mut list = self.list.lock();
        if list.first() == Some(useless) {
            list.rotate_left(1);
        }
    }

    fn sentinels(&self) -> Vec<Address> {
        self.list.lock().clone()
    }

    /// Those that were configured are never forgotten: they may be names whose addresses change.
    fn learn(&self, useful: &Address, others: Vec<Address>) {
        let mut list = Vec::new();
        for address in [useful.clone()].into_iter().chain(others).chain(self.target.nodes.iter().cloned()) {
            if !list.contains(&address) {
                list.push(address);
            }
        }
        *self.list.lock() = list;
    }

    async fn ask(&self, sentinel: &Address) -> Result<Found, Obstacle> {
        let name = self.target.master.as_deref().unwrap_or_default();
        let patience = self.target.patience() / 4;
        let mut talk = open_sentinel(&self.target, sentinel, patience).await?;
        let (master, others) = within(patience, sentinel, async {
            // Listened to before the question, and the question comes last: no change falls in between, none is passed over after it.
            talk.send(&[Request::command("SUBSCRIBE").arg("+switch-master")]).await.map_err(broken(sentinel))?;
            if let Value::ServerError(error) = talk.next().await.map_err(broken(sentinel))? {
                return Err(refused(&error, "SUBSCRIBE"));
            }
            let others = answer(&mut talk, sentinel, "SENTINELS", name).await;
            let named = match answer(&mut talk, sentinel, "GET-MASTER-ADDR-BY-NAME", name).await? {
                Value::Array(words) => pair(words.first(), words.get(1)),
                _ => None,
            };
            let unknown = || Obstacle::Mode(format!("the sentinels know no master called {name}"));
            Ok((named.ok_or_else(unknown)?, others.map(|said| addresses(&said)).unwrap_or_default()))
        })
        .await?;
        self.learn(sentinel, others);
        Ok(Found { master, watching: Watching::new(talk, name) })
    }
}

struct Found {
    master: Address,
    watching: Watching,
}

async fn answer(talk: &mut Talk, sentinel: &Address, what: &str, name: &str) -> Result<Value, Obstacle> {
    let request = Request::command("SENTINEL").arg(what).arg(name);
    match talk.ask(request).await.map_err(broken(sentinel))? {
        Value::ServerError(error) => Err(refused(&error, "SENTINEL")),
        said => Ok(said),
    }
}

fn pair(host: Option<&Value>, port: Option<&Value>) -> Option<Address> {
    let (host, port) = (text(host?)?, text(port?)?.parse().ok()?);
    Some(Address::tcp(&host, port))
}

fn addresses(said: &Value) -> Vec<Address> {
    let Value::Array(entries) = said else { return Vec::new() };
    entries.iter().filter_map(|entry| pair(field(entry, "ip"), field(entry, "port"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_useful_goes_first_and_who_was_configured_is_never_forgotten() {
        let [a, b, c] = [1, 2, 3].map(|port| Address::tcp("h", port));
        let target = Target { nodes: vec![a.clone(), b.clone()], ..Target::default() };
        let sentinels = Sentinels::new(Arc::new(target));
        sentinels.learn(&b, vec![c.clone()]);
        assert_eq!(sentinels.sentinels(), [b.clone(), c.clone(), a.clone()]);
        sentinels.learn(&a, vec![]);
        assert_eq!(sentinels.sentinels(), [a, b]);
    }
}
