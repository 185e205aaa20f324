//! How a stream to an address comes about, over whatever carries it. Owns nothing.
//! Never says a word to the server, nor limits the time: who calls does.

use super::dial::{Obstacle, tcp};
use super::obstacle::broken;
use super::target::{Address, Tls};
use super::tls;
use super::wire::Wire;
#[cfg(unix)]
use tokio::net::UnixStream;

/// Connect, with TLS if there are options of it.
pub(super) async fn connect(address: &Address, options: Option<&Tls>) -> Result<Wire, Obstacle> {
    let (host, port) = match address {
        Address::Tcp { host, port } => (host.as_str(), *port),
        #[cfg(unix)]
        Address::Unix { path } => return UnixStream::connect(path).await.map(Wire::Unix).map_err(broken(address)),
        #[cfg(not(unix))]
        Address::Unix { .. } => {
            return Err(Obstacle::Down("no sockets in the file system on this platform".to_owned()));
        }
    };
    let Some(options) = options else { return tcp(host, port).await.map(Wire::Tcp) };
    let connector = tls::connector(options).map_err(broken(address))?;
    let name = tls::server_name(options, host).map_err(broken(address))?;
    let stream = connector.connect(name, tcp(host, port).await?).await;
    stream.map(|stream| Wire::Tls(Box::new(stream))).map_err(broken(address))
}
