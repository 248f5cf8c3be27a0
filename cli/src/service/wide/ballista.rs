//! A program with Ballista: its scheduler in coordinators, its executors in workers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use futures::FutureExt;
use tenfold_coordinator::serve::access::{Access, Role};
use tenfold_coordinator::serve::{HTTP_2, Peer, incoming};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_proto::status;
use tenfold_store::object::Store;
use tenfold_wide::{Ballista, Flight, FlightAccess, Link, Taking, take_part};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::{Code, Request};

use super::Part;
use crate::machine::parse_bytes;
use crate::service::client::Remote;
use crate::service::credentials::{Credentials, Identity};
use crate::service::listen::listen;
use crate::service::worker::Share;

pub use tenfold_wide::Scheduler;

/// Memory of an executor unless something else is said.
const MEMORY: &str = "512MiB";

/// How a worker takes part in statements over several machines.
#[derive(Debug, Clone, Default, Args)]
pub struct WideListen {
    /// Address at which other workers fetch rows of statements over several machines; without it this worker
    /// has others compute them. Beyond 127.0.0.1 it needs --client-cert, --client-key and --ca
    #[arg(long, env = "TENFOLD_WIDE_LISTEN", value_name = "ADDRESS")]
    pub wide_listen: Option<SocketAddr>,
    /// Name of this machine for other workers; the address that it listens on when left out
    #[arg(
        long,
        env = "TENFOLD_WIDE_ADVERTISE",
        value_name = "HOST",
        requires = "wide_listen"
    )]
    pub wide_advertise: Option<String>,
    /// Memory for parts of statements over several machines, beside that of tasks; what needs more is spilled
    #[arg(
        long,
        env = "TENFOLD_WIDE_MEMORY",
        value_name = "SIZE",
        default_value = MEMORY
    )]
    pub wide_memory: String,
}

impl WideListen {
    /// The part of a worker that reaches its coordinator so.
    ///
    /// # Errors
    /// When it cannot listen, or its certificates cannot be used.
    pub async fn part(
        &self,
        remote: &Remote,
        share: &Share,
        store: &Store,
    ) -> Result<Part, Failure> {
        let with_tls = remote.client_cert.is_some();
        let tls = with_tls.then(|| remote.tls()).transpose()?;
        let Some(address) = self.wide_listen else {
            let engine = Ballista::new(remote.links()?, tls);
            return Ok(Part {
                engine: Some(Arc::new(engine)),
                running: None,
            });
        };
        let identity = Identity {
            tls_cert: remote.client_cert.clone(),
            tls_key: remote.client_key.clone(),
            client_ca: remote.client_cert.as_ref().and(remote.ca.clone()),
            tokens: None,
        };
        identity.check(address).map_err(|failure| {
            failure.remedy(
                "give --client-cert, --client-key and --ca, or let --wide-listen be 127.0.0.1",
            )
        })?;
        let host = match &self.wide_advertise {
            Some(host) => host.clone(),
            None if address.ip().is_unspecified() => {
                return Err(Failure::config(format!(
                    "other workers cannot reach this one at {address}"
                ))
                .code(ErrorCode::WrongLocation)
                .remedy("give the name of this machine by --wide-advertise"));
            }
            None => address.ip().to_string(),
        };
        let taking = Taking {
            threads: share.threads,
            memory: memory_of(&self.wide_memory)?,
            store: store.clone(),
            tls,
        };
        let listening = Listening {
            listener: listen(address, "--wide-listen").await?,
            host,
            credentials: Credentials::load(&identity, HTTP_2)?,
        };
        tracing::info!(address = %listening.listener.1, "takes part in statements over several machines");
        Ok(begin(taking, listening, remote.links()?))
    }
}

/// The part of a process that has the scheduler itself.
///
/// # Errors
/// When it cannot listen on this machine.
pub async fn within(scheduler: &Scheduler, share: &Share, store: &Store) -> Result<Part, Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let taking = Taking {
        threads: share.threads,
        memory: memory_of(MEMORY)?,
        store: store.clone(),
        tls: None,
    };
    let listening = Listening {
        listener: listen(address, "--wide-listen").await?,
        host: address.ip().to_string(),
        credentials: Credentials::load(&Identity::default(), HTTP_2)?,
    };
    Ok(begin(taking, listening, vec![scheduler.routes()]))
}

/// The part of a process that is alone: with a scheduler of its own.
///
/// # Errors
/// As [`within`].
pub async fn alone(share: &Share, store: &Store) -> Result<Part, Failure> {
    let scheduler = Scheduler::start(store).await?;
    let Part { engine, running } = within(&scheduler, share, store).await?;
    let running = running.map(|running| {
        async move {
            // As a task of its own: a refresh that computes gives this one no turn.
            let mut watching = JoinSet::new();
            watching.spawn(async move { scheduler.watch().await });
            tokio::select! {
                failure = running => failure,
                _ = watching.join_next() => Failure::bug("a loop ended"),
            }
        }
        .boxed()
    });
    Ok(Part { engine, running })
}

struct Listening {
    /// With the address that it has.
    listener: (TcpListener, SocketAddr),
    host: String,
    credentials: Credentials,
}

fn begin<L>(taking: Taking, listening: Listening, links: Vec<L>) -> Part
where
    L: Link,
{
    let Listening {
        listener: (listener, bound),
        host,
        credentials,
    } = listening;
    let engine = Ballista::new(links.clone(), taking.tls.clone());
    let flight = Flight {
        incoming: incoming(listener, credentials.tls()),
        host,
        port: bound.port(),
        access: access(credentials.access()),
    };
    let running = async move {
        let taken = tokio::select! {
            taken = take_part(taking, flight, links) => taken,
            () = credentials.keep_fresh() => Err(Failure::bug("a loop ended")),
        };
        match taken {
            Err(failure) => failure,
            Ok(never) => match never {},
        }
    };
    Part {
        engine: Some(Arc::new(engine)),
        running: Some(running.boxed()),
    }
}

/// Workers alone fetch rows of others.
fn access(known: watch::Receiver<Arc<Access>>) -> FlightAccess {
    Arc::new(move |request: &Request<()>| {
        let headers = request.metadata().clone().into_headers();
        let peer = request.extensions().get::<Peer>();
        let access = known.borrow().clone();
        match access.admit("fetching rows", Role::Worker, &headers, peer) {
            Ok(_) => Ok(()),
            Err(refused) => Err(status(Code::PermissionDenied, &refused.failure)),
        }
    })
}

fn memory_of(text: &str) -> Result<usize, Failure> {
    Ok(usize::try_from(parse_bytes(text)?).unwrap_or(usize::MAX))
}
