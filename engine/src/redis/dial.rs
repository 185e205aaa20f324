//! How a connection comes about. Owns the socket's options and what a signed-on stream is. Never retries: nodes do.

use bytes::BytesMut;
use serde::Serialize;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub use super::wire::Wire;

/// Why there is no connection. Never contains credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "text", rename_all = "lowercase")]
pub enum Obstacle {
    /// Not reached, or not now.
    Down(String),
    /// The user or the password is wrong, or missing.
    Auth(String),
    /// The user may not do what is needed.
    Denied(String),
    /// The server is too old, or no Redis.
    Version(String),
    /// There is no such database.
    Database(String),
    /// The certificates do not fit.
    Tls(String),
    /// It is another kind of server: one of a cluster, a sentinel, or neither where one was expected.
    Mode(String),
}

impl Obstacle {
    /// Whether it is configuration, which no waiting mends.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Obstacle::Down(_))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Obstacle::Down(text)
        | Obstacle::Auth(text)
        | Obstacle::Denied(text)
        | Obstacle::Version(text)
        | Obstacle::Database(text)
        | Obstacle::Tls(text)
        | Obstacle::Mode(text)) = self;
        f.write_str(text)
    }
}

/// A stream to come, or the reason why there is none.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = Result<Wire, Obstacle>> + Send + 'a>>;

/// The way to one server.
pub trait Dial: Send + Sync + 'static {
    /// Connect and sign on, finding out anew where the server is. Bounded in time by who asks; several may be under way.
    fn dial(&self) -> Dialing<'_>;

    /// Where it is, as reports show it. Never contains credentials.
    fn address(&self) -> String;
}

/// Probes of a silent connection begin after this long.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// What was sent and not acknowledged ends the connection after this long.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A TCP connection as every server is reached by: without delay, and noticing when the other side is gone.
pub async fn tcp(host: &str, port: u16) -> Result<TcpStream, Obstacle> {
    let stream =
        TcpStream::connect((host, port)).await.map_err(|error| unreached(&format!("{host}:{port}"), &error))?;
    prepare(&stream).map_err(|error| unreached(&format!("{host}:{port}"), &error))?;
    Ok(stream)
}

/// What is said of an address that cannot be reached.
pub fn unreached(address: &str, error: &io::Error) -> Obstacle {
    Obstacle::Down(format!("{address} is not reached: {error}"))
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(unix)]
    {
        use rustix::net::sockopt;
        sockopt::set_socket_keepalive(stream, true)?;
        #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_vendor = "apple")))]
        sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED.as_millis() as u32)?;
    }
    Ok(())
}

/// A server without password or TLS, by its address.
pub struct Plain {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Dial for Plain {
    fn dial(&self) -> Dialing<'_> {
        Box::pin(async move {
            let mut stream = tcp(&self.host, self.port).await?;
            let lost = |error: io::Error| unreached(&self.address(), &error);
            stream.write_all(b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n").await.map_err(lost)?;
            let (mut buffer, mut framer) = (BytesMut::new(), super::reply::Framer::default());
            loop {
                match framer.next(&mut buffer) {
                    Ok(Some(super::Value::Map(_))) => return Ok(Wire::Tcp(stream)),
                    Ok(None) => {}
                    Ok(Some(super::Value::ServerError(error))) if error.code() == "NOAUTH" => {
                        return Err(Obstacle::Auth("the server wants a password".to_owned()));
                    }
                    _ => return Err(Obstacle::Version("the server does not answer HELLO 3".to_owned())),
                }
                if stream.read_buf(&mut buffer).await.map_err(lost)? == 0 {
                    return Err(lost(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
    }

    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
