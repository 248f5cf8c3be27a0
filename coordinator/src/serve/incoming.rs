//! Connections: how many there may be, how long they may take to begin, and who is at the other
//! end.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::access::{Role, role_of};
use crate::cluster::lock;

/// Connections at a time.
const CONNECTIONS: usize = 1024;
/// Connections of one address at a time.
const CONNECTIONS_PER_ADDRESS: usize = 128;
/// A connection has so long to agree on TLS, and as long again to begin HTTP.
const GREETING: Duration = Duration::from_secs(10);
/// Bytes that begin every HTTP/2 connection; a request of HTTP/1 has more.
const PREFACE: usize = 24;
/// Pause after the machine had no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The address that it comes from.
    pub address: SocketAddr,
    /// Name and role by a client certificate that the server's client authority signed.
    pub identity: Option<(String, Role)>,
}

/// A connection that has its place.
pub struct Connection {
    io: Io,
    peer: Peer,
    /// When it is given up, until it has sent what HTTP begins with.
    greeting: Option<(Pin<Box<Sleep>>, usize)>,
    _place: Place,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connections as they come, without end. One that finds no place is closed at once.
pub fn incoming(
    listener: TcpListener,
    tls: Option<watch::Receiver<TlsAcceptor>>,
) -> impl Stream<Item = io::Result<Connection>> {
    let accepting = Accepting {
        listener,
        tls,
        places: Places::default(),
        greeted: JoinSet::new(),
    };
    futures::stream::unfold(accepting, |mut accepting| async move {
        let connection = accepting.next().await;
        Some((Ok(connection), accepting))
    })
}

struct Accepting {
    listener: TcpListener,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    places: Places,
    greeted: JoinSet<Option<Connection>>,
}

impl Accepting {
    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.begin(stream, address),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(PAUSE).await;
                    }
                },
                Some(greeted) = self.greeted.join_next() => {
                    if let Ok(Some(connection)) = greeted {
                        return connection;
                    }
                }
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        let Some(place) = self.places.take(address.ip()) else {
            tracing::debug!(%address, "too many connections: one was closed");
            return;
        };
        let tls = self.tls.as_ref().map(|tls| tls.borrow().clone());
        self.greeted.spawn(greet(stream, address, tls, place));
    }
}

async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    place: Place,
) -> Option<Connection> {
    // Without it answers are slower, and no worse.
    let _ = stream.set_nodelay(true);
    let (io, identity) = match tls {
        None => (Io::Plain(stream), None),
        Some(tls) => match timeout(GREETING, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let identity = identity(&stream);
                (Io::Tls(Box::new(stream)), identity)
            }
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "no TLS with a client");
                return None;
            }
            Err(_) => return None,
        },
    };
    Some(Connection {
        io,
        peer: Peer { address, identity },
        greeting: Some((Box::pin(sleep(GREETING)), 0)),
        _place: place,
    })
}

/// Name and role by the certificate of whoever is at the other end.
pub fn identity(stream: &TlsStream<TcpStream>) -> Option<(String, Role)> {
    let certificates = stream.get_ref().1.peer_certificates();
    certificates.and_then(|all| role_of(all.first()?))
}

/// Connections by address: so many at a time, and so many of one address.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

impl Places {
    /// A place for one more connection, when there is one.
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let mut taken = lock(&self.0);
        let all: usize = taken.values().sum();
        let of_address = taken.get(&address).copied().unwrap_or_default();
        if all >= CONNECTIONS || of_address >= CONNECTIONS_PER_ADDRESS {
            return None;
        }
        taken.insert(address, of_address + 1);
        Some(Place {
            places: self.clone(),
            address,
        })
    }
}

/// The place of a connection, until it is closed.
pub struct Place {
    places: Places,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.0);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl Connection {
    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer().clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let Some((until, heard)) = &mut this.greeting else {
            return read;
        };
        *heard += buffer.filled().len() - before;
        if *heard >= PREFACE {
            this.greeting = None;
        } else if read.is_pending() && until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(context),
            Io::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let places = Places::default();
        let address = IpAddr::from([10, 0, 0, 1]);
        let mut held: Vec<Place> = (0..CONNECTIONS_PER_ADDRESS)
            .map(|_| places.take(address).unwrap())
            .collect();
        assert!(places.take(address).is_none());
        assert!(places.take(IpAddr::from([10, 0, 0, 2])).is_some());
        held.pop();
        assert!(places.take(address).is_some());
        drop(held);
        assert!(lock(&places.0).is_empty());
    }

    #[test]
    fn all_addresses_together_have_so_many_places() {
        let places = Places::default();
        let address = |number: usize| {
            let host = u8::try_from(number / CONNECTIONS_PER_ADDRESS).unwrap();
            IpAddr::from([10, 0, 0, host])
        };
        let held: Vec<Place> = (0..CONNECTIONS)
            .map(|number| places.take(address(number)).unwrap())
            .collect();
        assert!(places.take(IpAddr::from([10, 9, 9, 9])).is_none());
        drop(held);
    }
}
