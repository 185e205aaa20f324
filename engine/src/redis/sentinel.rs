//! Who is master, by asking the sentinels. Owns the list of them.
//! Never believes them alone: whoever they name has to say himself that he is the master.

use super::Value;
use super::dial::{Dial, Dialing, Obstacle, Wire};
use super::node::Node;
use super::obstacle::{broken, graver, refused};
use super::push::Push;
use super::refusal::Refusal;
use super::request::Request;
use super::routes::Routes;
use super::sign_on::{open_sentinel, sign_on, within};
use super::talk::{Talk, field, text};
use super::target::{Address, Target};
use super::thread;
use ::redis::PushKind;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Between two questions to sentinels.
const PAUSE: Duration = Duration::from_millis(20);

/// A sentinel is asked whether it is still there after this long a silence, and given up after as long again.
const SILENCE: Duration = Duration::from_secs(5);

/// Everyone who may know the master.
pub(super) struct Sentinels {
    target: Arc<Target>,
    /// Who was useful last comes first.
    list: Mutex<Vec<Address>>,
    /// Who was let in last as the master.
    master: Mutex<Option<Address>>,
}

impl Sentinels {
    pub(super) fn new(target: Arc<Target>) -> Arc<Self> {
        let list = Mutex::new(target.nodes.clone());
        Arc::new(Sentinels { target, list, master: Mutex::new(None) })
    }

    /// A connection to the master, whoever that is now.
    async fn connect(&self) -> Result<Wire, Obstacle> {
        let mut worst = Obstacle::Down("no sentinel answers".to_owned());
        for sentinel in self.sentinels() {
            match self.through(&sentinel).await {
                Ok(wire) => return Ok(wire),
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

    async fn through(&self, sentinel: &Address) -> Result<Wire, Obstacle> {
        let found = self.ask(sentinel).await?;
        let wire = sign_on(&self.target, &found.master, self.target.patience() / 2).await?;
        *self.master.lock() = Some(found.master);
        Ok(wire)
    }

    /// Listen to the sentinels, for ever: `turned` is called whenever the master is another than the one that was let in.
    pub(super) async fn watch(&self, turned: impl Fn()) {
        loop {
            let Some(sentinel) = self.sentinels().into_iter().next() else { return };
            match self.ask(&sentinel).await {
                Ok(found) => {
                    let before = self.master.lock().clone();
                    if before.is_some_and(|before| before != found.master) {
                        turned();
                    }
                    found.watching.news().await;
                    // The one that has told is asked first: the others learn of it later.
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
        Ok(Found { master, watching: Watching { talk, name: name.to_owned() } })
    }
}

impl Dial for Sentinels {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(self.connect())
    }

    fn address(&self) -> String {
        let master = self.master.lock();
        master.as_ref().map_or_else(
            || format!("sentinels of {}", self.target.master.as_deref().unwrap_or_default()),
            Address::to_string,
        )
    }
}

/// The routes to a master that sentinels guard: its one node, which finds the master anew whenever they name another.
pub(super) struct Guarded {
    node: Arc<Node>,
    watch: Option<AbortHandle>,
}

impl Guarded {
    /// `node` and `push` are told to dial again when the master is another.
    pub(super) fn new(sentinels: &Arc<Sentinels>, node: Arc<Node>, push: &Arc<Push>) -> Arc<Self> {
        let (sentinels, asked, listening) = (sentinels.clone(), Arc::downgrade(&node), Arc::downgrade(push));
        let watch = thread::spawn(async move {
            let turned = || {
                asked.upgrade().iter().for_each(|node| node.redial());
                listening.upgrade().iter().for_each(|push| push.redial());
            };
            sentinels.watch(turned).await;
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

/// A sentinel that is listened to.
pub(super) struct Watching {
    talk: Talk,
    name: String,
}

impl Watching {
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
