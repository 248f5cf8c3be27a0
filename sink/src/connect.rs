//! The connection to a database: its address holds a password and is told to nobody.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tenfold_core::failure::{ErrorCode, Failure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config};
use tokio_rustls::TlsConnector;

/// A database.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: TlsConnector,
    place: String,
}

impl Target {
    /// The database at an address such as `postgresql://user:password@host/database`. `authority` are
    /// certificates that its own is checked by; those of the machine when there are none.
    ///
    /// # Errors
    /// When the address or the certificates cannot be used.
    pub fn new(address: &str, authority: Option<&[u8]>) -> Result<Self, Failure> {
        let mut config: Config = address.trim().parse().map_err(|_| {
            Failure::config("the address of the database cannot be read").remedy(
                "write it like postgresql://user:password@host:5432/database?sslmode=require",
            )
        })?;
        // Passwords and customers go over no network unencrypted.
        let is_near = |host: &Host| match host {
            #[cfg(unix)]
            Host::Unix(_) => true,
            Host::Tcp(name) => ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        };
        let are_near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
        if !are_near {
            config.ssl_mode(SslMode::Require);
        }
        config.application_name("tenfold");
        let tls = client(authority)?;
        let database = config.get_dbname().unwrap_or("its default database");
        let hosts = config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let place = format!("{database} on {}", hosts.collect::<Vec<_>>().join(", "));
        Ok(Self {
            config,
            tls: TlsConnector::from(Arc::new(tls)),
            place,
        })
    }

    /// Where it is, without a password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Connects.
    ///
    /// # Errors
    /// When the database does not answer, or not to this user.
    pub async fn connect(&self) -> Result<Client, Failure> {
        let tls = MakeTls(self.tls.clone());
        let connected = self.config.connect(tls).await;
        let (client, connection) = connected.map_err(|error| self.failure("connect", &error))?;
        // Its errors come with the next request of the client, too.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to PostgreSQL ended");
            }
        });
        Ok(client)
    }

    /// What went wrong with the database. Values of rows are in no message: they may be personal.
    pub fn failure(&self, doing: &str, error: &tokio_postgres::Error) -> Failure {
        let state = error.code().map_or("", SqlState::code);
        let what = match error.as_db_error() {
            Some(db) => format!("{} ({state})", db.message()),
            None => one_line(error),
        };
        let failure = Failure::dependency(format!("{}: cannot {doing}: {what}", self.place))
            .code(ErrorCode::Database);
        if state == "42P06" {
            return failure
                .remedy("load into another schema, or rename the one that is in the way");
        }
        failure.remedy(match state.get(..2).unwrap_or_default() {
            "28" => "check user and password in the address of the database",
            "42" => {
                "give the user of the address the right to create schemas in the database, and to \
                 drop the tables that are replaced"
            }
            "2B" => "something in the database depends on a table; keep views over these tables elsewhere, or drop them before",
            _ => "check that the database answers, and try again: nothing was changed",
        })
    }
}

fn one_line(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn client(authority: Option<&[u8]>) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::config(format!(
            "the certificates for the database cannot be used: {error}"
        ))
        .code(ErrorCode::Certificates)
        .remedy("give a PEM file with --ca")
    };
    match authority {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
        }
        None => {
            // One that cannot be used is as good as none.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// TLS by the provider that everything else here uses.
struct MakeTls(TlsConnector);

struct Tls(TlsConnector, ServerName<'static>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for MakeTls {
    type Stream = Stream<S>;
    type TlsConnect = Tls;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<Tls> {
        let name = ServerName::try_from(domain.to_owned()).map_err(io::Error::other)?;
        Ok(Tls(self.0.clone(), name))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let stream = self.0.connect(self.1, stream).await?;
            Ok(Stream(Box::new(stream)))
        })
    }
}

struct Stream<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password_and_encrypted_unless_it_is_near() {
        let mode = |address: &str| {
            let target = Target::new(address, None).unwrap();
            assert!(!target.place().contains("secret"));
            target.config.get_ssl_mode()
        };
        assert_eq!(
            mode("postgresql://a:secret@db.example/shop"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgresql://a:secret@db.example/shop?sslmode=disable"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgresql://a:secret@127.0.0.1/shop"),
            SslMode::Prefer
        );
        assert_eq!(
            mode("postgresql://a:secret@localhost/shop?hostaddr=192.0.2.1"),
            SslMode::Require
        );
        assert!(Target::new("mysql:nothing", None).is_err());
    }
}
