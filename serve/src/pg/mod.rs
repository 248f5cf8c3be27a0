//! SQL over snapshots by PostgreSQL's protocol: for tools that speak it.
//!
//! Only queries are answered, on the same threads and within the same limits as those that come over
//! HTTP. Whoever asks shows a password (SCRAM-SHA-256) or a client certificate, unless only this
//! machine can reach the server.
//!
//! Queries are read where their sessions are served, which has to have the stack for it
//! ([`tenfold_query::STACK`]).

mod login;
mod passwords;
mod refused;
mod run;
mod scram;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod values;
mod wire;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenfold_coordinator::serve::{Places, TlsAcceptor};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::answer::Server;

pub use passwords::{Passwords, password_line};

/// Pause after the machine had no room for one more connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How the server is reached by clients of PostgreSQL.
pub struct PgListening {
    /// Where.
    pub listener: TcpListener,
    /// What accepts TLS, when it speaks TLS: then it speaks nothing else.
    pub tls: Option<watch::Receiver<TlsAcceptor>>,
    /// Who may ask; the newest counts.
    pub passwords: watch::Receiver<Arc<Passwords>>,
}

/// What all sessions share.
pub struct Shared {
    /// Answers queries.
    pub server: Arc<Server>,
    /// How queries of sessions are stopped.
    pub cancels: Cancels,
    passwords: watch::Receiver<Arc<Passwords>>,
}

/// Serves until `stop`.
pub async fn serve(server: Arc<Server>, listening: PgListening, stop: impl Future<Output = ()>) {
    let shared = Arc::new(Shared {
        server,
        cancels: Cancels::default(),
        passwords: listening.passwords,
    });
    let places = Places::default();
    // Dropped with this, and with them all sessions and what they ask.
    let mut sessions = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            Some(_) = sessions.join_next() => {}
            accepted = listening.listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(place) = places.take(address.ip()) else {
                        tracing::debug!(%address, "too many connections: one was closed");
                        continue;
                    };
                    let tls = listening.tls.as_ref().map(|tls| tls.borrow().clone());
                    let shared = shared.clone();
                    sessions.spawn(async move {
                        let _place = place;
                        if let Err(error) = login::connection(stream, address, tls, shared).await {
                            tracing::debug!(%address, %error, "a connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Which query each session runs, and what has to be known to stop it.
#[derive(Default)]
pub struct Cancels(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: i32,
    sessions: HashMap<i32, (i32, Option<String>)>,
}

impl Cancels {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a session its number.
    fn enter(&self, secret: i32) -> i32 {
        let mut known = self.known();
        let next = |last: i32| last.checked_add(1).unwrap_or(1);
        let mut number = next(known.last);
        while known.sessions.contains_key(&number) {
            number = next(number);
        }
        known.last = number;
        known.sessions.insert(number, (secret, None));
        number
    }

    /// Notes the query that a session runs.
    pub fn runs(&self, process: i32, query: &str) {
        if let Some((_, running)) = self.known().sessions.get_mut(&process) {
            *running = Some(query.to_owned());
        }
    }

    /// Notes that a session runs nothing.
    pub fn rests(&self, process: i32) {
        if let Some((_, running)) = self.known().sessions.get_mut(&process) {
            *running = None;
        }
    }

    /// The query of a session, for whoever knows its secret.
    fn query(&self, process: i32, secret: i32) -> Option<String> {
        let known = self.known();
        let (own, query) = known.sessions.get(&process)?;
        query.clone().filter(|_| *own == secret)
    }

    fn leave(&self, process: i32) {
        self.known().sessions.remove(&process);
    }
}
