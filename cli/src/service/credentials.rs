//! Certificates and tokens of a process that answers others: read when it begins, and again when their files
//! change, so that they are renewed without a restart.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tenfold_coordinator::serve::access::Access;
use tenfold_coordinator::serve::{Tls, TlsAcceptor, check_exposure};
use tenfold_core::failure::Failure;
use tokio::sync::watch;

use super::client::read;

/// How often the files are read.
const LOOK: Duration = Duration::from_secs(5);

/// How a process shows who it is, and knows who asks.
#[derive(Debug, Clone, Default, Args)]
pub struct Identity {
    /// Certificate, PEM
    #[arg(
        long,
        env = "TENFOLD_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM
    #[arg(
        long,
        env = "TENFOLD_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// Authority whose client certificates are believed, PEM
    #[arg(
        long,
        env = "TENFOLD_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub client_ca: Option<PathBuf>,
    /// File of tokens: lines of name, role and SHA-256
    #[arg(long, env = "TENFOLD_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
}

impl Identity {
    /// Refuses an address that others reach without TLS and a way to know them.
    ///
    /// # Errors
    /// When either is missing.
    pub fn check(&self, address: SocketAddr) -> Result<(), Failure> {
        let authenticates = self.tokens.is_some() || self.client_ca.is_some();
        check_exposure(address, self.tls_cert.is_some(), authenticates)
    }

    /// What an address begins with.
    pub fn scheme(&self) -> &'static str {
        match self.tls_cert {
            Some(_) => "https",
            None => "http",
        }
    }
}

/// Certificates and tokens of a process.
pub struct Credentials {
    identity: Identity,
    protocol: &'static str,
    contents: Mutex<Contents>,
    access: watch::Sender<Arc<Access>>,
    tls: Option<watch::Sender<TlsAcceptor>>,
}

/// What the files say.
#[derive(PartialEq)]
struct Contents {
    tls: Option<Tls>,
    tokens: Option<Vec<u8>>,
}

impl Credentials {
    /// Reads the files that the command line names, for a server that speaks a protocol.
    ///
    /// # Errors
    /// When one cannot be read or used.
    pub fn load(identity: &Identity, protocol: &'static str) -> Result<Self, Failure> {
        let contents = read_files(identity)?;
        let tls = contents.tls.as_ref().map(|tls| tls.acceptor(protocol));
        let tls = tls.transpose()?;
        Ok(Self {
            access: watch::Sender::new(access(identity, &contents)?),
            tls: tls.map(watch::Sender::new),
            contents: Mutex::new(contents),
            identity: identity.clone(),
            protocol,
        })
    }

    /// Who may do what, from now on.
    pub fn access(&self) -> watch::Receiver<Arc<Access>> {
        self.access.subscribe()
    }

    /// What accepts TLS, from now on.
    pub fn tls(&self) -> Option<watch::Receiver<TlsAcceptor>> {
        self.tls.as_ref().map(watch::Sender::subscribe)
    }

    /// Reads the files again and again, for as long as the future is polled. Files that cannot be
    /// used change nothing: they may be half written.
    pub async fn keep_fresh(&self) {
        let mut said = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            match self.refresh() {
                Ok(false) => said.clear(),
                Ok(true) => {
                    said.clear();
                    tracing::info!("certificates and tokens were read again");
                }
                Err(failure) if failure.message != said => {
                    tracing::warn!(%failure, "the certificates and tokens from before go on");
                    said = failure.message;
                }
                Err(_) => {}
            }
        }
    }

    /// Reads the files again; true when they changed.
    fn refresh(&self) -> Result<bool, Failure> {
        let contents = read_files(&self.identity)?;
        let mut before = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == contents {
            return Ok(false);
        }
        let access = access(&self.identity, &contents)?;
        if let (Some(sender), Some(tls)) = (&self.tls, &contents.tls) {
            sender.send_replace(tls.acceptor(self.protocol)?);
        }
        self.access.send_replace(access);
        *before = contents;
        Ok(true)
    }
}

fn read_files(identity: &Identity) -> Result<Contents, Failure> {
    let tls = match (&identity.tls_cert, &identity.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: read(certificate)?,
            key: read(key)?,
            client_ca: identity.client_ca.as_deref().map(read).transpose()?,
        }),
        _ => None,
    };
    Ok(Contents {
        tls,
        tokens: identity.tokens.as_deref().map(read).transpose()?,
    })
}

fn access(identity: &Identity, contents: &Contents) -> Result<Arc<Access>, Failure> {
    let access = match (&identity.tokens, &contents.tokens) {
        (Some(file), Some(text)) => {
            let text = String::from_utf8_lossy(text);
            Access::from_tokens(&text, &file.display().to_string())?
        }
        _ if identity.client_ca.is_some() => Access::default(),
        _ => Access::open(),
    };
    Ok(Arc::new(access))
}
