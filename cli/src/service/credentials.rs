//! Certificates and tokens of a coordinator: read when it begins, and again when their files
//! change, so that they are renewed without a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenfold_coordinator::serve::access::Access;
use tenfold_coordinator::serve::{Tls, TlsAcceptor};
use tenfold_core::failure::Failure;
use tokio::sync::watch;

use super::client::read;
use super::coordinator::Listen;

/// How often the files are read.
const LOOK: Duration = Duration::from_secs(5);

/// Certificates and tokens of a coordinator.
pub struct Credentials {
    listen: Listen,
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
    /// Reads the files that the command line names.
    ///
    /// # Errors
    /// When one cannot be read or used.
    pub fn load(listen: &Listen) -> Result<Self, Failure> {
        let contents = read_files(listen)?;
        let tls = contents.tls.as_ref().map(Tls::acceptor).transpose()?;
        Ok(Self {
            access: watch::Sender::new(access(listen, &contents)?),
            tls: tls.map(watch::Sender::new),
            contents: Mutex::new(contents),
            listen: listen.clone(),
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
        let contents = read_files(&self.listen)?;
        let mut before = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if *before == contents {
            return Ok(false);
        }
        let access = access(&self.listen, &contents)?;
        if let (Some(sender), Some(tls)) = (&self.tls, &contents.tls) {
            sender.send_replace(tls.acceptor()?);
        }
        self.access.send_replace(access);
        *before = contents;
        Ok(true)
    }
}

fn read_files(listen: &Listen) -> Result<Contents, Failure> {
    let tls = match (&listen.tls_cert, &listen.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls {
            certificate: read(certificate)?,
            key: read(key)?,
            client_ca: listen.client_ca.as_deref().map(read).transpose()?,
        }),
        _ => None,
    };
    Ok(Contents {
        tls,
        tokens: listen.tokens.as_deref().map(read).transpose()?,
    })
}

fn access(listen: &Listen, contents: &Contents) -> Result<Arc<Access>, Failure> {
    let access = match (&listen.tokens, &contents.tokens) {
        (Some(file), Some(text)) => {
            let text = String::from_utf8_lossy(text);
            Access::from_tokens(&text, &file.display().to_string())?
        }
        _ if listen.client_ca.is_some() => Access::default(),
        _ => Access::open(),
    };
    Ok(Arc::new(access))
}
