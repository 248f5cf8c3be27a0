//! Who may ask over PostgreSQL's protocol, from where.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tenfold_coordinator::serve::{POSTGRESQL, check_exposure};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_serve::{Passwords, PgListening};
use tokio::sync::watch;

use super::client::read;
use super::credentials::{Credentials, Identity};
use super::listen::listen;

/// How often the file of passwords is read.
const LOOK: Duration = Duration::from_secs(5);

/// How clients of PostgreSQL are answered.
#[derive(Debug, Clone, Args)]
pub struct PgListen {
    /// Address to answer clients of PostgreSQL on; beyond 127.0.0.1 it needs TLS and passwords or client
    /// certificates. None are answered when left out
    #[arg(long, env = "TENFOLD_PG_LISTEN", value_name = "ADDRESS")]
    pub pg_listen: Option<SocketAddr>,
    /// File of those who may ask over PostgreSQL's protocol: lines of name and SCRAM verifier
    #[arg(long, env = "TENFOLD_PG_PASSWORDS", value_name = "FILE")]
    pub pg_passwords: Option<PathBuf>,
}

/// Clients of PostgreSQL are listened to; who may ask is read again and again.
pub struct Answering {
    credentials: Credentials,
    file: Option<PathBuf>,
    passwords: watch::Sender<Arc<Passwords>>,
}

impl PgListen {
    /// Refuses an address at which somebody could ask who is not known.
    fn check(&self, address: SocketAddr, identity: &Identity) -> Result<(), Failure> {
        let authenticates = self.pg_passwords.is_some() || identity.client_ca.is_some();
        let remedy = "give --pg-passwords (`tenfold token new` adds to that file) or --client-ca, \
                      both with --tls-cert and --tls-key, or listen on 127.0.0.1 only";
        check_exposure(address, identity.tls_cert.is_some(), authenticates)
            .map_err(|failure| failure.remedy(remedy))?;
        if identity.tokens.is_some() && !authenticates {
            return Err(Failure::config(format!(
                "everybody on this machine could ask at {address}, while other ways need a token"
            ))
            .code(ErrorCode::Exposed)
            .remedy("give --pg-passwords; `tenfold token new` adds to that file"));
        }
        Ok(())
    }

    /// Begins to listen, when it is asked for.
    ///
    /// # Errors
    /// When it may not listen so, or cannot.
    pub async fn begin(
        &self,
        identity: &Identity,
    ) -> Result<Option<(PgListening, Answering)>, Failure> {
        let Some(address) = self.pg_listen else {
            return Ok(None);
        };
        self.check(address, identity)?;
        let credentials = Credentials::load(identity, POSTGRESQL)?;
        let passwords = match &self.pg_passwords {
            Some(file) => passwords(file, None)?,
            None if identity.client_ca.is_some() => Passwords::read("", "")?,
            None => Passwords::open()?,
        };
        let passwords = watch::Sender::new(Arc::new(passwords));
        let (listener, bound) = listen(address, "--pg-listen").await?;
        tracing::info!(address = %format!("postgresql://{bound}"), "SQL for clients of PostgreSQL");
        let listening = PgListening {
            listener,
            tls: credentials.tls(),
            passwords: passwords.subscribe(),
        };
        let answering = Answering {
            credentials,
            file: self.pg_passwords.clone(),
            passwords,
        };
        Ok(Some((listening, answering)))
    }
}

/// Reads the file of passwords, again where it was read before.
fn passwords(file: &Path, before: Option<&Passwords>) -> Result<Passwords, Failure> {
    let text = read(file)?;
    let (text, name) = (String::from_utf8_lossy(&text), file.display().to_string());
    match before {
        Some(before) => before.again(&text, &name),
        None => Passwords::read(&text, &name),
    }
}

impl Answering {
    /// Reads the files again and again, for as long as the future is polled.
    pub async fn keep_fresh(&self) {
        tokio::join!(self.credentials.keep_fresh(), self.keep_passwords());
    }

    /// A file that cannot be used changes nothing: it may be half written.
    async fn keep_passwords(&self) {
        let Some(file) = &self.file else {
            return;
        };
        let mut said = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let before = self.passwords.borrow().clone();
            match passwords(file, Some(&before)) {
                Ok(read) => {
                    said.clear();
                    self.passwords.send_replace(Arc::new(read));
                }
                Err(failure) if failure.message != said => {
                    tracing::warn!(%failure, "the passwords from before go on");
                    said = failure.message;
                }
                Err(_) => {}
            }
        }
    }
}
