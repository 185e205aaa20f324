//! A cluster: which node has which slots, as a node tells it. Owns the reading of maps and redirections.
//! Never decides when to ask.

use super::refusal::Refusal;
use super::request::Request;
use super::sign_on::{open_for, within};
use super::target::{Address, Target};
use super::wire::text;
use ::redis::Value;

/// Some slots in a row, and who answers for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) address: Address,
}

/// The map, from the first node that has one.
pub(super) async fn routes(target: &Target, nodes: &[Address]) -> Result<Vec<Route>, Refusal> {
    let mut worst = Refusal::Down("no node of the cluster answers".to_owned());
    for node in nodes {
        match ask(target, node).await {
            Ok(routes) if routes.is_empty() => {
                worst = worst.graver(Refusal::Down(format!("{node} knows of no slots")));
            }
            Ok(routes) => return Ok(routes),
            Err(refusal) => worst = worst.graver(refusal),
        }
    }
    Err(worst)
}

async fn ask(target: &Target, node: &Address) -> Result<Vec<Route>, Refusal> {
    let patience = target.patience() / 4;
    let (mut wire, _) = open_for(target, node, patience).await?;
    within(patience, node, async {
        let request = Request::command("CLUSTER").arg("SLOTS");
        match wire.ask(request).await.map_err(|error| Refusal::of_io(&error, node))? {
            Value::ServerError(error) if error.code() == "ERR" => {
                Err(Refusal::Mode(format!("{node} is not a node of a cluster")))
            }
            Value::ServerError(error) => Err(Refusal::of_server(&error, "CLUSTER SLOTS")),
            said => Ok(read(&said, node)),
        }
    })
    .await
}

/// `[[from, to, [host, port, …], replicas…], …]`. What cannot be understood is left out: its slots have nobody, for now.
fn read(said: &Value, asked: &Address) -> Vec<Route> {
    let Value::Array(entries) = said else { return Vec::new() };
    let slot = |value: Option<&Value>| match value {
        Some(Value::Int(number)) => u16::try_from(*number).ok().filter(|&slot| slot < 16_384),
        _ => None,
    };
    let route = |entry: &Value| {
        let Value::Array(parts) = entry else { return None };
        let Some(Value::Array(master)) = parts.get(2) else { return None };
        let Some(Value::Int(port)) = master.get(1) else { return None };
        let host = master.first().and_then(text).unwrap_or_default();
        let address = at(&host, u16::try_from(*port).ok()?, asked)?;
        Some(Route { from: slot(parts.first())?, to: slot(parts.get(1))?, address })
    };
    entries.iter().filter_map(route).filter(|route| route.from <= route.to).collect()
}

/// The address in a redirection, `host:port`, as the node meant it that has said so.
pub(super) fn told(there: &str, asked: &Address) -> Option<Address> {
    let (host, port) = there.rsplit_once(':')?;
    at(host, port.parse().ok()?, asked)
}

/// A node that does not know its own name means the one it was reached by; one it does not know at all is `?`.
fn at(host: &str, port: u16, asked: &Address) -> Option<Address> {
    match host {
        "?" => None,
        _ if port == 0 => None,
        "" => Some(Address::tcp(asked.host().unwrap_or("127.0.0.1"), port)),
        host => Some(Address::tcp(host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_read_whatever_kind_of_host_it_names() {
        let asked = Address::tcp("redis.local", 7000);
        assert_eq!(told("10.0.0.1:7001", &asked), Some(Address::tcp("10.0.0.1", 7001)));
        assert_eq!(told("node-2.local:7001", &asked), Some(Address::tcp("node-2.local", 7001)));
        assert_eq!(told("fe80::1:7001", &asked), Some(Address::tcp("fe80::1", 7001)));
        assert_eq!(told("[fe80::1]:7001", &asked), Some(Address::tcp("fe80::1", 7001)));
        assert_eq!(told(":7001", &asked), Some(Address::tcp("redis.local", 7001)));
        for nonsense in ["?:7001", "host", "host:", "host:70000", "host:0", ""] {
            assert_eq!(told(nonsense, &asked), None, "{nonsense}");
        }
    }

    #[test]
    fn a_map_is_read_and_what_is_nonsense_in_it_is_left_out() {
        let asked = Address::tcp("h", 1);
        let host = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let entry = |from: i64, to: i64, name: Value, port: i64| {
            Value::Array(vec![Value::Int(from), Value::Int(to), Value::Array(vec![name, Value::Int(port)])])
        };
        let said = Value::Array(vec![
            entry(0, 99, host("a"), 1),
            entry(100, 199, Value::Nil, 2),
            entry(200, 16_384, host("b"), 3),
            entry(400, 300, host("b"), 3),
            entry(500, 600, host("?"), 4),
            entry(500, 600, host("c"), 70_000),
            Value::Nil,
        ]);
        let found = read(&said, &asked);
        let wanted = [
            Route { from: 0, to: 99, address: Address::tcp("a", 1) },
            Route { from: 100, to: 199, address: Address::tcp("h", 2) },
        ];
        assert_eq!(found, wanted);
    }
}
