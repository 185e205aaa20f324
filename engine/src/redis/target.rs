//! Where a Redis is and how to sign on there. Owns what a user has configured.
//! Never shows a password or a key, neither in `Debug` nor in an error.

use crate::clock::{MILLI, Nanos};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Text that is compared and sent, and otherwise never seen.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keep this text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for whoever sends it to the server.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// What a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum Address {
    /// A host, by name or by number, and a port.
    Tcp {
        /// Without brackets around an IPv6 address.
        host: String,
        /// Not 0.
        port: u16,
    },
    /// A socket in the file system.
    Unix {
        /// Where it is.
        path: PathBuf,
    },
}

impl Address {
    /// A host and a port; brackets around an IPv6 address are taken off.
    pub fn tcp(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        Address::Tcp { host: bare.to_owned(), port }
    }

    /// The host, where there is one.
    pub fn host(&self) -> Option<&str> {
        match self {
            Address::Tcp { host, .. } => Some(host),
            Address::Unix { .. } => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

/// How the servers stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One server; with several addresses, the first that answers as a master.
    #[default]
    Single,
    /// The addresses are sentinels, which know the master.
    Sentinel,
    /// The addresses are nodes of a cluster, which know the others.
    Cluster,
}

/// What a TLS connection is made with. All of it in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    /// The authorities trusted in place of the usual ones.
    pub ca: Option<Pem>,
    /// The client's own certificate and what vouches for it.
    pub cert: Option<Pem>,
    /// The key of that certificate.
    pub key: Option<Secret>,
    /// The name looked for in the server's certificate, in place of the host.
    pub servername: Option<String>,
    /// False: take any certificate. Encrypted, but who is at the other end is not known.
    pub reject_unauthorized: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Tls { ca: None, cert: None, key: None, servername: None, reject_unauthorized: true }
    }
}

/// One PEM text, or several.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(untagged)]
pub enum Pem {
    /// All in one.
    One(String),
    /// One after the other.
    Many(Vec<String>),
}

impl Pem {
    /// All of it as one text.
    pub fn text(&self) -> String {
        match self {
            Pem::One(text) => text.clone(),
            Pem::Many(texts) => texts.join("\n"),
        }
    }
}

/// Everything that makes two connections the same: equal targets share one link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// Servers, sentinels or nodes, in the order they are tried in.
    pub nodes: Vec<Address>,
    /// How they stand to each other.
    pub mode: Mode,
    /// The name the sentinels know the master by.
    pub master: Option<String>,
    /// The ACL user; none for `default`.
    pub username: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// The ACL user of the sentinels themselves.
    pub sentinel_username: Option<String>,
    /// That user's password.
    pub sentinel_password: Option<Secret>,
    /// The number of the database; in a cluster there is only 0.
    pub database: u32,
    /// TLS, to servers and sentinels alike; none for plain connections.
    pub tls: Option<Tls>,
    /// How long a request may take, connecting included.
    #[serde(rename = "deadlineMs", deserialize_with = "millis")]
    pub deadline: Nanos,
    /// How long it may take to connect and sign on.
    #[serde(rename = "connectTimeoutMs", deserialize_with = "millis")]
    pub connect_timeout: Nanos,
    /// How many requests may be on their way at once.
    pub max_in_flight: usize,
    /// How the connections are called in `CLIENT LIST`.
    pub client_name: String,
}

impl Default for Target {
    fn default() -> Self {
        Target {
            nodes: Vec::new(),
            mode: Mode::Single,
            master: None,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            database: 0,
            tls: None,
            deadline: 50 * MILLI,
            connect_timeout: 2_000 * MILLI,
            max_in_flight: 10_000,
            client_name: "spillway".to_owned(),
        }
    }
}

impl Target {
    /// One server without a password, with the defaults of everything.
    pub fn single(address: Address) -> Self {
        Target { nodes: vec![address], ..Target::default() }
    }

    /// From the JSON that a bridge hands over. The error says where it is wrong, not what is written there.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let target: Target =
            serde_json::from_str(json).map_err(|error| format!("not a target, at column {}", error.column()))?;
        if target.nodes.is_empty() {
            return Err("a target without addresses".to_owned());
        }
        if target.mode == Mode::Sentinel && target.master.is_none() {
            return Err("sentinels without the name of a master".to_owned());
        }
        Ok(target)
    }

    /// How long a connection may take to be ready.
    pub fn patience(&self) -> Duration {
        Duration::from_nanos(self.connect_timeout)
    }

    /// How long one of several may take that are tried in turn: who does not answer leaves time for the others.
    pub(super) fn share_of(&self, several: usize) -> Duration {
        self.patience() / u32::try_from(several.clamp(1, 4)).unwrap_or(1)
    }
}

fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Nanos, D::Error> {
    let ms = f64::deserialize(from)?;
    // A day is more than anybody waits; NaN and what is below zero become zero.
    Ok((ms.clamp(0.0, 86_400_000.0) * MILLI as f64) as Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_comes_from_json_with_defaults_for_what_is_not_said() {
        let target = Target::from_json(
            r#"{"nodes":[{"host":"::1","port":6379},{"path":"/run/r.sock"}],"mode":"cluster","password":"hush","deadlineMs":12.5}"#,
        );
        let wanted = Target {
            nodes: vec![Address::tcp("[::1]", 6379), Address::Unix { path: PathBuf::from("/run/r.sock") }],
            mode: Mode::Cluster,
            password: Some(Secret::new("hush")),
            deadline: 12_500_000,
            ..Target::default()
        };
        assert_eq!(target, Ok(wanted));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_secret() {
        let text = r#"{"nodes":[{"host":"h","port":1}],"password":"hush","sentinelPassword":"hush","tls":{"key":"hush","rejectUnauthorized":true}}"#;
        let target = Target::from_json(text).unwrap_or_default();
        assert_eq!(target.password, Some(Secret::new("hush")));
        assert!(!format!("{target:?}").contains("hush"));
        assert!(format!("{target:?}").contains("[hidden]"));
        for wrong in [text.replace("true", "\"hush\""), text.replace("[{", "[\"hush\",{"), text.replace("}", "")] {
            let error = Target::from_json(&wrong).err().unwrap_or_default();
            assert!(!error.is_empty() && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_dialled() {
        assert_eq!(Address::tcp("::1", 7).to_string(), "[::1]:7");
        assert_eq!(Address::tcp("redis.local", 7).to_string(), "redis.local:7");
        assert_eq!(Address::Unix { path: PathBuf::from("/a/b") }.to_string(), "/a/b");
    }

    #[test]
    fn a_target_that_cannot_be_dialled_is_refused() {
        assert!(Target::from_json(r#"{"nodes":[]}"#).is_err());
        assert!(Target::from_json(r#"{"nodes":[{"host":"h","port":1}],"mode":"sentinel"}"#).is_err());
    }
}
