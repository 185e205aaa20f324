//! The bytes of one connection, whatever carries them. Owns the socket and its options.
//! Never knows what the bytes mean.

use super::target::Address;
use super::target::Tls;
use super::tls;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::client::TlsStream;

/// How long the kernel waits for what was sent to be acknowledged before it gives the connection up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// How long a connection is silent before the kernel asks whether the other end is there.
const SILENT: Duration = Duration::from_secs(15);

/// An open connection.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP, which a second thread may write to directly.
    Tcp(TcpStream),
    /// A socket in the file system, which a second thread may write to directly.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS, whose state only one thread can have.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connect. Takes as long as it takes: who calls sets the limit.
    pub async fn connect(address: &Address, tls: Option<&Tls>) -> io::Result<Self> {
        let (host, port) = match address {
            Address::Tcp { host, port } => (host.as_str(), *port),
            #[cfg(unix)]
            Address::Unix { path } => return UnixStream::connect(path).await.map(Stream::Unix),
            #[cfg(not(unix))]
            Address::Unix { .. } => return Err(io::Error::other("no sockets in the file system on this platform")),
        };
        let tcp = TcpStream::connect((host, port)).await?;
        tune(&tcp)?;
        match tls {
            None => Ok(Stream::Tcp(tcp)),
            Some(options) => {
                let stream = tls::connector(options)?.connect(tls::server_name(options, host)?, tcp).await?;
                Ok(Stream::Tls(Box::new(stream)))
            }
        }
    }
}

fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = socket2::SockRef::from(tcp);
    let keepalive = socket2::TcpKeepalive::new().with_time(SILENT).with_interval(SILENT / 3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
