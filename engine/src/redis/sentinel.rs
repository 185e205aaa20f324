//! Who is master, by asking the sentinels. Owns the list of them.
//! Never believes them alone: whoever they name has to say himself that he is the master.

use super::refusal::Refusal;
use super::request::Request;
use super::sign_on::{dial, open_sentinel, within};
use super::target::{Address, Target};
use super::wire::{Wire, field, text};
use ::redis::{PushKind, Value};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// A sentinel is asked whether it is still there after this long a silence, and given up after as long again.
const SILENCE: Duration = Duration::from_secs(5);

/// Everyone who may know the master.
pub(super) struct Sentinels {
    /// Who was useful last comes first.
    list: Vec<Address>,
}

impl Sentinels {
    pub(super) fn new(target: &Target) -> Self {
        Sentinels { list: target.nodes.clone() }
    }

    /// The master, and the sentinel that has named it, which will tell of a change.
    pub(super) async fn find(&mut self, target: &Target) -> Result<(Address, Watching), Refusal> {
        let mut worst = Refusal::Down("no sentinel answers".to_owned());
        for sentinel in self.list.clone() {
            match ask(target, &sentinel).await {
                Ok(found) => {
                    self.learn(sentinel, found.others, target);
                    return Ok((found.master, found.watching));
                }
                Err(refusal) => worst = worst.graver(refusal),
            }
        }
        Err(worst)
    }

    /// Those that were configured are never forgotten: they may be names whose addresses change.
    fn learn(&mut self, useful: Address, others: Vec<Address>, target: &Target) {
        let mut list = Vec::new();
        for address in [useful].into_iter().chain(others).chain(target.nodes.iter().cloned()) {
            if !list.contains(&address) {
                list.push(address);
            }
        }
        self.list = list;
    }
}

struct Found {
    master: Address,
    others: Vec<Address>,
    watching: Watching,
}

async fn ask(target: &Target, sentinel: &Address) -> Result<Found, Refusal> {
    let name = target.master.as_deref().unwrap_or_default();
    let patience = target.patience() / 4;
    let mut wire = open_sentinel(target, sentinel, patience).await?;
    let (master, others) = within(patience, sentinel, async {
        // Listened to before the question, and the question comes last: no change falls in between, none is passed over after it.
        wire.send(&[Request::command("SUBSCRIBE").arg("+switch-master")]).await.map_err(broken(sentinel))?;
        if let Value::ServerError(error) = wire.next().await.map_err(broken(sentinel))? {
            return Err(Refusal::of_server(&error, "SUBSCRIBE"));
        }
        let others =
            answer(&mut wire, sentinel, "SENTINELS", name).await.map(|said| addresses(&said)).unwrap_or_default();
        let named = match answer(&mut wire, sentinel, "GET-MASTER-ADDR-BY-NAME", name).await? {
            Value::Array(words) => pair(words.first(), words.get(1)),
            _ => None,
        };
        let unknown = || Refusal::Mode(format!("the sentinels know no master called {name}"));
        Ok((named.ok_or_else(unknown)?, others))
    })
    .await?;
    dial(target, &master).await?;
    Ok(Found { master, others, watching: Watching { wire, name: name.to_owned() } })
}

async fn answer(wire: &mut Wire, sentinel: &Address, what: &str, name: &str) -> Result<Value, Refusal> {
    let request = Request::command("SENTINEL").arg(what).arg(name);
    match wire.ask(request).await.map_err(broken(sentinel))? {
        Value::ServerError(error) => Err(Refusal::of_server(&error, "SENTINEL")),
        said => Ok(said),
    }
}

fn broken(sentinel: &Address) -> impl Fn(io::Error) -> Refusal {
    move |error| Refusal::of_io(&error, sentinel)
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
    wire: Wire,
    name: String,
}

impl Watching {
    /// Until it tells of another master, or is no longer there itself: then ask again.
    pub(super) async fn news(mut self) {
        let mut asked = false;
        loop {
            match timeout(SILENCE, self.wire.next()).await {
                Ok(Ok(Value::Push { kind: PushKind::Message, data })) if self.concerns_us(&data) => return,
                Ok(Ok(_)) => asked = false,
                Ok(Err(_)) => return,
                Err(_) if asked => return,
                Err(_) => {
                    asked = true;
                    if self.wire.send(&[Request::command("PING")]).await.is_err() {
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
        let mut sentinels = Sentinels::new(&target);
        sentinels.learn(b.clone(), vec![c.clone()], &target);
        assert_eq!(sentinels.list, [b.clone(), c.clone(), a.clone()]);
        sentinels.learn(a.clone(), vec![], &target);
        assert_eq!(sentinels.list, [a, b]);
    }
}
