//! What carries the bytes of a connection: how it comes about and is read and written as one thing. Owns nothing.
//! Never knows what the bytes mean.

use super::dial::{Obstacle, Wire, tcp};
use super::obstacle::broken;
use super::target::{Address, Tls};
use super::tls;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;

/// Connect. Takes as long as it takes: who calls sets the limit.
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

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(unix)]
            Wire::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Wire::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(unix)]
            Wire::Unix(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            Wire::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
