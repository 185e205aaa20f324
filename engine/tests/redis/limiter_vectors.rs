//! The golden vectors of the limiter, followed by the scripts. Never takes anything from the engine but its texts.

use crate::manual::{Wire, at_will, error_of};
use crate::server::Server;
use serde_json::Value as Json;
use spillway_engine::redis::Value;

const CHARGE: &str = concat!(
    include_str!("../../src/redis/lua/limiter/cell.lua"),
    include_str!("../../src/redis/lua/limiter/judges.lua"),
    include_str!("../../src/redis/lua/limiter/charge.lua")
);
const REFUND: &str = concat!(
    include_str!("../../src/redis/lua/limiter/cell.lua"),
    include_str!("../../src/redis/lua/limiter/own.lua"),
    include_str!("../../src/redis/lua/limiter/refund.lua")
);

fn number(value: &Json) -> u64 {
    value.as_str().map_or_else(|| value.as_u64().unwrap(), |text| text.parse().unwrap())
}

/// The word that a cell means.
fn word_of(cell: &Value) -> u64 {
    let Value::BulkString(cell) = cell else { return 0 };
    let number = |at: usize| f64::from_be_bytes(cell[2 + 8 * at..10 + 8 * at].try_into().unwrap()) as u64;
    match cell[0] {
        b'b' => number(1),
        b'f' => (number(0) & 0xFFFF_FFFF) << 32 | number(1),
        _ => (number(0) & 0xFF_FFFF) << 40 | number(1) << 20 | number(2),
    }
}

/// A word whose counts are all 0 is none.
fn meaning(algorithm: &str, word: u64) -> u64 {
    let counts = match algorithm {
        "token-bucket" => 64,
        "fixed-window" => 32,
        _ => 40,
    };
    if counts < 64 && word & ((1 << counts) - 1) == 0 { 0 } else { word }
}

struct Follower {
    wire: Wire,
    charge: String,
    refund: String,
    /// Of every charge another one.
    nonce: u64,
}

impl Follower {
    fn run(&mut self, refund: bool, key: &[u8], arguments: &[String], now: u64) -> Vec<Value> {
        let mut rest = vec![b"1".to_vec(), key.to_vec()];
        rest.extend(arguments.iter().map(|argument| argument.clone().into_bytes()));
        rest.extend([now / 1_000_000, now % 1_000_000].map(|part| part.to_string().into_bytes()));
        let source = if refund { &self.refund } else { &self.charge };
        match self.wire.run(source.as_bytes(), &rest) {
            Value::Array(elements) => elements,
            other => panic!("{:?}", error_of(&other)),
        }
    }

    /// The answer of one step: what was granted, if it is a charge, and the word that is left.
    fn step(&mut self, config: &Json, key: &[u8], step: &Json) -> (Option<u64>, u64) {
        self.nonce += 1;
        let [now, cost] = ["now", "cost"].map(|field| number(&step[field]));
        let algorithm = config["algorithm"].as_str().unwrap();
        let letter = &algorithm[..1].replace('t', "b");
        let number_of = |field: &str| number(&config[field]);
        if step["op"] == "refund" {
            let length = if algorithm == "token-bucket" { number_of("period") } else { number_of("window") };
            let arguments =
                [letter.clone(), cost.to_string(), number(&step["chargedAt"]).to_string(), length.to_string()];
            let arguments = [&arguments[..], &["0".to_owned(), format!("{:08}", self.nonce)]].concat();
            self.run(true, key, &arguments, now);
            return (None, word_of(&self.wire.ask(&[b"GET", key])));
        }
        let patience = step.get("patience").map_or(0, number);
        let (rate, more) = match algorithm {
            "token-bucket" => {
                let reach = number_of("reach").to_string();
                ([number_of("period").to_string(), number_of("tolerance").to_string(), reach], patience)
            }
            "fixed-window" => ([number_of("limit"), number_of("window"), 0].map(|number| number.to_string()), 0),
            _ => (
                [number_of("limit"), number_of("window"), number_of("scale")].map(|number| number.to_string()),
                1 << number_of("shift"),
            ),
        };
        let looks = if step["op"] == "peek" { "1" } else { "0" };
        let more = if looks == "0" && more < 2 { String::new() } else { format!("{cost} {looks} {more}") };
        let arguments =
            [&["1".to_owned(), letter.clone(), cost.to_string()], &rate[..], &[more, format!("{:08}", self.nonce)]]
                .concat();
        let answer = self.run(false, key, &arguments, now);
        let Value::Int(granted) = answer[1] else { panic!("{answer:?}") };
        let granted = granted.try_into().unwrap_or_else(|_| panic!("{step}: {answer:?}"));
        (Some(granted), word_of(&self.wire.ask(&[b"GET", key])))
    }
}

#[test]
fn the_scripts_follow_the_golden_vectors_word_by_word() {
    let server = Server::start();
    let vectors: Json = serde_json::from_str(include_str!("../../vectors/limiter.json")).unwrap();
    let slack = Some(number(&vectors["slack"]));
    let mut follower = Follower {
        wire: Wire::to(server.port),
        charge: at_will(CHARGE, slack),
        refund: at_will(REFUND, slack),
        nonce: 0,
    };
    let (mut followed, mut steps) = ([0; 3], 0);
    for (index, case) in vectors["cases"].as_array().unwrap().iter().enumerate() {
        if case["exactInDoubles"] != true {
            continue;
        }
        let config = &case["config"];
        let algorithm = config["algorithm"].as_str().unwrap();
        let key = format!("case {index}").into_bytes();
        for step in case["steps"].as_array().unwrap() {
            let (granted, word) = follower.step(config, &key, step);
            let name = &case["name"];
            if let Some(granted) = granted {
                let expected = if step["verdict"]["answer"] == "allowed" { number(&step["cost"]) } else { 0 };
                assert_eq!(granted, expected, "{name}: {step}");
            }
            let expected = number(&step["after"]);
            assert_eq!(meaning(algorithm, word), meaning(algorithm, expected), "{name}: {step}");
            steps += 1;
        }
        followed
            [["token-bucket", "fixed-window", "sliding-window"].iter().position(|name| *name == algorithm).unwrap()] +=
            1;
    }
    assert!(steps > 1_000 && followed.iter().all(|cases| *cases > 5), "{steps} steps, {followed:?} cases");
    println!("{steps} steps of {followed:?} cases");
}
