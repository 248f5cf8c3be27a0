//! `tenfold serve`, and the same inside `tenfold up`: SQL over HTTP, and for clients of PostgreSQL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::{Args, value_parser};
use futures::FutureExt;
use tenfold_coordinator::serve::{HTTP_1, Listening};
use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Project;
use tenfold_serve::{Coordinators, Folders, Limits, Projects, Ways, serve};
use tenfold_store::object::Store;
use tokio::sync::{Mutex, watch};

use super::client::Remote;
use super::credentials::{Credentials, Identity};
use super::listen::listen;
use super::postgres::PgListen;
use super::signals::stop_requested;
use super::worker::Share;
use crate::args::Global;
use crate::machine::{Machine, parse_bytes};
use crate::project::{self, Written};

/// Where `tenfold serve` answers when it is not told.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7401);

/// How SQL is answered.
#[derive(Debug, Clone, Args)]
pub struct SqlListen {
    /// Address to answer SQL on over HTTP; beyond 127.0.0.1 it needs TLS and authentication.
    /// `tenfold serve` takes 127.0.0.1:7401 when left out, `tenfold up` answers none then
    #[arg(long, env = "TENFOLD_SQL_LISTEN", value_name = "ADDRESS")]
    pub sql_listen: Option<SocketAddr>,
    /// Seconds that a query may take, until its answer is sent
    #[arg(long, env = "TENFOLD_SQL_SECONDS", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    pub sql_seconds: u64,
    /// Rows that an answer may have
    #[arg(long, env = "TENFOLD_SQL_ROWS", default_value_t = 1_000_000)]
    pub sql_rows: u64,
    /// Queries that run at a time; each has its part of the memory
    #[arg(long, env = "TENFOLD_SQL_RUNNING", default_value_t = 4, value_parser = value_parser!(u16).range(1..=1024))]
    pub sql_running: u16,
    /// Queries that wait for others to end; more are refused
    #[arg(long, env = "TENFOLD_SQL_WAITING", default_value_t = 16)]
    pub sql_waiting: u16,
    /// Queries of one caller that run or wait; more are refused, though there are places
    #[arg(long, env = "TENFOLD_SQL_PER_CALLER", default_value_t = 16, value_parser = value_parser!(u16).range(1..))]
    pub sql_per_caller: u16,
    /// Memory for answers that are kept, such as 64MiB
    #[arg(long, env = "TENFOLD_SQL_KEPT", default_value = "64MiB")]
    pub sql_kept: String,
    #[command(flatten)]
    pub postgres: PgListen,
    /// Coordinators that are asked about runs, schedules, backfills and workers, the one in office and
    /// its standby: http(s)://host:port, separated by commas; none when left out. `tenfold up` is its
    /// own, unless it speaks TLS
    #[arg(
        long,
        env = "TENFOLD_COORDINATOR",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub coordinator: Vec<String>,
}

/// What `tenfold serve` is told.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    #[command(flatten)]
    pub sql: SqlListen,
    #[command(flatten)]
    pub identity: Identity,
    /// Authority of the coordinators' certificates, PEM
    #[arg(long, env = "TENFOLD_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Runs until the process is told to stop.
///
/// # Errors
/// When it may not listen so, or the store cannot be used.
pub fn run(told: &Serve, global: &Global, machine: &Machine) -> Result<(), Failure> {
    let store = project::open_store(global)?;
    let share = Share {
        threads: machine.threads,
        memory: machine.memory,
    };
    machine.runtime.block_on(async {
        let stop = stop_requested()?;
        let address = told.sql.sql_listen.unwrap_or(LISTEN);
        let coordinators = coordinators(&told.sql.coordinator, told.ca.as_ref())?;
        let reached = Reached {
            store,
            coordinators,
            projects: projects(global),
            folders: folders(global),
        };
        let identity = &told.identity;
        let answering = told
            .sql
            .answer(Some(address), identity, reached, &share, stop);
        answering.await
    })
}

/// What is reached by whoever asks.
pub struct Reached {
    /// The store.
    pub store: Store,
    /// Coordinators that calls are passed on to.
    pub coordinators: Coordinators,
    /// The project that files are sent to.
    pub projects: Projects,
    /// Its folder.
    pub folders: Folders,
}

/// Reads the project that the command line names, each time anew. What is written there is checked, and
/// findings are told, when it has changed.
pub fn projects(global: &Global) -> Projects {
    let global = global.clone();
    let known: Arc<Mutex<Option<(Written, Project)>>> = Arc::default();
    Arc::new(move || {
        let (global, known) = (global.clone(), known.clone());
        async move {
            let written = project::read(&global).await?;
            let mut known = known.lock().await;
            if let Some((before, project)) = &*known
                && *before == written
            {
                return Ok(project.clone());
            }
            let project = project::checked(&written, &project::base(&global))?;
            *known = Some((written, project.clone()));
            Ok(project)
        }
        .boxed()
    })
}

/// Opens the folder of the project that the command line names, once.
pub fn folders(global: &Global) -> Folders {
    let base = project::base(global);
    let opened: OnceLock<Store> = OnceLock::new();
    Arc::new(move || {
        if let Some(store) = opened.get() {
            return Ok(store.clone());
        }
        if !base.contains("://") && !Path::new(&base).is_dir() {
            return Err(Failure::config(format!("there is no folder {base}"))
                .code(ErrorCode::NoProject)
                .remedy("start the server with -p and the folder of a project"));
        }
        let store = Store::open(&base)?;
        Ok(opened.get_or_init(|| store).clone())
    })
}

/// Channels to coordinators. Calls have the token of whoever asks, never one of this process.
///
/// # Errors
/// When an address or the authority cannot be used.
pub fn coordinators(
    addresses: &[String],
    authority: Option<&PathBuf>,
) -> Result<Coordinators, Failure> {
    let remote = Remote {
        addresses: addresses.to_vec(),
        ca: authority.cloned(),
        ..Remote::default()
    };
    remote.channels()
}

impl SqlListen {
    /// Whether anything is answered beside a coordinator.
    pub fn is_asked_for(&self) -> bool {
        self.sql_listen.is_some() || self.postgres.pg_listen.is_some()
    }

    /// Answers SQL until told to stop: over HTTP at an address, when there is one, and clients of
    /// PostgreSQL when they are to be answered.
    ///
    /// # Errors
    /// When it may not listen so, or the machine gives no threads.
    pub async fn answer(
        &self,
        address: Option<SocketAddr>,
        identity: &Identity,
        reached: Reached,
        share: &Share,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        let credentials = Credentials::load(identity, HTTP_1)?;
        let limits = self.limits(share)?;
        let http = match address {
            Some(address) => Some(listening(address, identity, &credentials).await?),
            None => None,
        };
        let (postgres, answering) = self.postgres.begin(identity).await?.unzip();
        let fresh = async {
            match &answering {
                Some(answering) => answering.keep_fresh().await,
                None => std::future::pending().await,
            }
        };
        let ways = Ways {
            http,
            coordinators: reached.coordinators,
            projects: reached.projects,
            folders: reached.folders,
            postgres,
        };
        tokio::select! {
            served = serve(reached.store, ways, limits, stop) => served,
            () = credentials.keep_fresh() => Ok(()),
            () = fresh => Ok(()),
        }
    }

    fn limits(&self, share: &Share) -> Result<Limits, Failure> {
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Ok(Limits {
            time: Duration::from_secs(self.sql_seconds),
            rows: self.sql_rows,
            running: usize::from(self.sql_running),
            waiting: usize::from(self.sql_waiting),
            per_caller: usize::from(self.sql_per_caller),
            memory_bytes: bytes(share.memory),
            threads: share.threads,
            kept_bytes: bytes(parse_bytes(&self.sql_kept)?),
        })
    }
}

/// Listens for HTTP.
async fn listening(
    address: SocketAddr,
    identity: &Identity,
    credentials: &Credentials,
) -> Result<Listening, Failure> {
    identity.check(address)?;
    let (listener, bound) = listen(address, "--sql-listen").await?;
    let scheme = identity.scheme();
    tracing::info!(address = %format!("{scheme}://{bound}"), "SQL over HTTP");
    Ok(Listening {
        listener,
        tls: credentials.tls(),
        access: credentials.access(),
    })
}
