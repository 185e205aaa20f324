//! Which node of a cluster has which slots, as a node tells it. Owns the reading of maps and redirections.
//! Never decides when to ask.

use super::Value;
use super::dial::Obstacle;
use super::obstacle::{broken, graver, refused};
use super::request::Request;
use super::sign_on::{open, within};
use super::talk::text;
use super::target::{Address, Target};

/// Some slots in a row, and who answers for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) from: u16,
    pub(super) to: u16,
    pub(super) address: Address,
}

/// The map, from the first node that has one.
pub(super) async fn routes(target: &Target, nodes: &[Address]) -> Result<Vec<Route>, Obstacle> {
    let mut worst = Obstacle::Down("no node of the cluster answers".to_owned());
    for node in nodes {
        match ask(target, node).await {
            Ok(routes) if routes.is_empty() => {
                worst = graver(worst, Obstacle::Down(format!("{node} knows of no slots")));
            }
            Ok(routes) => return Ok(routes),
            Err(obstacle) => worst = graver(worst, obstacle),
        }
    }
    Err(worst)
}

async fn ask(target: &Target, node: &Address) -> Result<Vec<Route>, Obstacle> {
    let patience = target.patience() / 4;
    let (mut talk, _) = open(target, node, patience).await?;
    within(patience, node, async {
        let request = Request::command("CLUSTER").arg("SLOTS");
        match talk.ask(request).await.map_err(broken(node))? {
            Value::ServerError(error) if error.code() == "ERR" => {
                Err(Obstacle::Mode(format!("{node} is not a node of a cluster")))
            }
            Value::ServerError(error) => Err(refused(&error, "CLUSTER SLOTS")),
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

/// A node that does not know its own name means the one it was reached by; one it does not know at all is `?`.
pub(super) fn at(host: &str, port: u16, asked: &Address) -> Option<Address> {
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
    fn a_node_is_where_it_says_or_where_the_one_is_that_speaks_of_itself() {
        let asked = Address::tcp("redis.local", 7000);
        assert_eq!(at("10.0.0.1", 7001, &asked), Some(Address::tcp("10.0.0.1", 7001)));
        assert_eq!(at("fe80::1", 7001, &asked), Some(Address::tcp("fe80::1", 7001)));
        assert_eq!(at("[fe80::1]", 7001, &asked), Some(Address::tcp("fe80::1", 7001)));
        assert_eq!(at("", 7001, &asked), Some(Address::tcp("redis.local", 7001)));
        assert_eq!(at("", 7001, &Address::Unix { path: "/run/a".into() }), Some(Address::tcp("127.0.0.1", 7001)));
        assert_eq!(at("?", 7001, &asked), None);
        assert_eq!(at("host", 0, &asked), None);
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
