//! `tenfold coordinator`: keeps the ledger, leases tasks, answers operators.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_coordinator::book::{Book, Nearby};
use tenfold_coordinator::cluster::{Cluster, OpenProject, Projects, Settings};
use tenfold_coordinator::listing::Understanding;
use tenfold_coordinator::metrics::{metrics, standby_metrics};
use tenfold_coordinator::nearby::InDirectory;
use tenfold_coordinator::notify::Notifier;
use tenfold_coordinator::seams::System;
use tenfold_coordinator::serve::{Audit, HTTP_2, Listening, serve};
use tenfold_core::failure::Failure;
use tenfold_core::lease::Rules;
use tenfold_query::SessionOptions;
use tenfold_store::object::Store;
use tokio::sync::watch;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use ulid::Ulid;

use super::client::Remote;
use super::credentials::{Credentials, Identity};
use super::delivering::keep_delivered;
use super::http::{HttpListen, Probe};
use super::listen::listen;
use super::loading::keep_loaded;
use super::notify::Notify;
use super::signals::{stop_requested, stopped};
use super::wide::Scheduler;
use super::worker::version;
use crate::args::Global;
use crate::machine::Machine;
use crate::project::{self, lookup};

/// How a coordinator listens.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on; beyond 127.0.0.1 it needs TLS and authentication
    #[arg(long, env = "TENFOLD_LISTEN", default_value = "127.0.0.1:7400")]
    pub listen: SocketAddr,
    /// Address as workers and a standby reach it; the one it listens on when left out
    #[arg(long, env = "TENFOLD_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    #[command(flatten)]
    pub identity: Identity,
    /// Authority of the other coordinators' certificates, for a standby; that of the clients when
    /// left out
    #[arg(long, env = "TENFOLD_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    #[command(flatten)]
    pub http: HttpListen,
    #[command(flatten)]
    pub notify: Notify,
    /// Seconds until a worker that does not report is given up
    #[arg(long, env = "TENFOLD_LEASE_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub lease_seconds: u64,
    /// Directory of this coordinator alone for copies of the ledger, so that a restart need not read
    /// all of it from a bucket; without one it is read from the store
    #[arg(long, env = "TENFOLD_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Number of shards, a power of two: when left out as many as the newest snapshot has, 64 in a
    /// new store
    #[arg(long, env = "TENFOLD_SHARDS")]
    pub shards: Option<u32>,
}

/// The project that the command line names, read anew for each run.
struct NamedProject {
    global: Global,
}

impl Projects for NamedProject {
    fn open(&self) -> BoxFuture<'_, Result<OpenProject, Failure>> {
        async move {
            let opened = project::open_project(&self.global).await?;
            Ok(OpenProject {
                project: opened.project,
                base: opened.base,
                inputs: opened.inputs,
                lookup,
            })
        }
        .boxed()
    }

    fn understanding(&self) -> Understanding<'_> {
        Understanding {
            check: &tenfold_worker::check_mapping,
            rules_out: &tenfold_worker::rules_out,
        }
    }
}

/// Runs until the process is told to stop.
///
/// # Errors
/// When it may not listen so, or the store or the ledger cannot be used.
pub fn run(listen: &Listen, global: &Global, machine: &Machine) -> Result<(), Failure> {
    let store = project::open_store(global)?;
    machine.runtime.block_on(async {
        let stop = stop_requested()?;
        Coordinator::new(listen, global, store, machine.reading())
            .await?
            .serve(stop)
            .await
    })
}

/// A coordinator of this process.
pub struct Coordinator {
    listen: Listen,
    global: Global,
    store: Store,
    credentials: Credentials,
    notifier: Notifier,
    identity: String,
    office: watch::Sender<Office>,
    nearby: Option<Arc<dyn Nearby>>,
    /// What loading a snapshot into a database of the project may use.
    loading: SessionOptions,
    scheduler: Scheduler,
}

/// Where the office is, as a process knows.
#[derive(Clone)]
pub enum Office {
    /// It is not known yet, or nobody's.
    Vacant,
    /// Another process is in office; this one stands by.
    Elsewhere {
        /// Its address.
        address: String,
    },
    /// This process is in office.
    Here {
        /// What it serves.
        cluster: Arc<Cluster>,
        /// What it records.
        audit: Arc<Audit>,
    },
}

/// The store confirms every few seconds that a coordinator is in office; one that goes without for
/// so long is not ready.
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// What a coordinator tells about itself.
struct OfficeProbe(watch::Receiver<Office>);

impl Probe for OfficeProbe {
    fn ready(&self) -> Result<String, String> {
        match &*self.0.borrow() {
            Office::Vacant => Err("not in office yet".to_owned()),
            Office::Elsewhere { address } => Err(format!("standing by for {address}")),
            Office::Here { cluster, .. } => match cluster.unconfirmed_for() {
                ago if ago > UNCONFIRMED => Err(format!(
                    "the store has not answered for {} s",
                    ago.as_secs()
                )),
                _ => Ok("in office".to_owned()),
            },
        }
    }

    fn metrics(&self) -> BoxFuture<'_, Result<String, Failure>> {
        let office = self.0.borrow().clone();
        async move {
            match office {
                Office::Here { cluster, audit } => metrics(&cluster, &audit).await,
                Office::Vacant | Office::Elsewhere { .. } => standby_metrics(),
            }
        }
        .boxed()
    }
}

/// How often a standby asks whether the coordinator in office is there.
const PROBE: Duration = Duration::from_secs(2);
/// Questions without an answer after which a standby takes over.
const PROBES: u32 = 3;

impl Coordinator {
    /// Checks how it is to be reached.
    ///
    /// # Errors
    /// When it may not listen so, or its files cannot be read.
    pub async fn new(
        listen: &Listen,
        global: &Global,
        store: Store,
        loading: SessionOptions,
    ) -> Result<Self, Failure> {
        listen.identity.check(listen.listen)?;
        let nearby = match &listen.state {
            Some(directory) => Some(Arc::new(InDirectory::open(directory)?) as Arc<dyn Nearby>),
            None => None,
        };
        Ok(Self {
            nearby,
            loading,
            scheduler: Scheduler::start(&store).await?,
            listen: listen.clone(),
            global: global.clone(),
            notifier: listen.notify.notifier(store.location())?,
            store,
            credentials: Credentials::load(&listen.identity, HTTP_2)?,
            office: watch::Sender::new(Office::Vacant),
            identity: format!(
                "coordinator-{}",
                Ulid::new().to_string().to_ascii_lowercase()
            ),
        })
    }

    /// Serves until told to stop: as the standby of the coordinator in office while there is one,
    /// in office from then on.
    ///
    /// # Errors
    /// When the store or the ledger cannot be used, or the address cannot be listened on.
    pub async fn serve(&self, stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let probe = Arc::new(OfficeProbe(self.office()));
        tokio::select! {
            served = self.take_turns(stop) => served,
            failed = self.listen.http.serve(probe) => failed,
        }
    }

    async fn take_turns(&self, stop: watch::Receiver<bool>) -> Result<(), Failure> {
        loop {
            let (store, nearby) = (self.store.clone(), self.nearby.clone());
            let book = Book::open(store, nearby, Arc::new(System), Arc::new(System)).await?;
            tokio::select! {
                () = self.stand_by(&book) => {}
                () = stopped(stop.clone()) => return Ok(()),
            }
            let served = self.in_office(book, stop.clone()).await;
            self.office.send_replace(Office::Vacant);
            served?;
            if *stop.borrow() {
                tracing::info!("coordinator stops");
                return Ok(());
            }
            tracing::warn!("another coordinator took office: this one stands by");
        }
    }

    /// What has executors of other processes compute statements of user tables.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Where the office is, from moment to moment.
    pub fn office(&self) -> watch::Receiver<Office> {
        self.office.subscribe()
    }

    /// Waits while the coordinator in office answers.
    async fn stand_by(&self, book: &Book) {
        let Some((_, holder, address)) = &book.ledger().office else {
            return;
        };
        let mut missed = 0;
        let mut said = false;
        while missed < PROBES {
            match self.answers(address).await {
                true => {
                    missed = 0;
                    if !std::mem::replace(&mut said, true) {
                        tracing::info!(%holder, %address, "standing by");
                        self.office.send_replace(Office::Elsewhere {
                            address: address.clone(),
                        });
                    }
                    tokio::time::sleep(PROBE).await;
                }
                // The one that listened here before is gone: this process took its place.
                false if *address == self.own_address(self.listen.listen) => return,
                false => {
                    missed += 1;
                    tokio::time::sleep(PROBE / 4).await;
                }
            }
        }
        tracing::warn!(%holder, %address, "the coordinator in office does not answer");
    }

    fn own_address(&self, bound: SocketAddr) -> String {
        let scheme = self.listen.identity.scheme();
        let own = format!("{scheme}://{bound}");
        self.listen.advertise.clone().unwrap_or(own)
    }

    async fn in_office(&self, mut book: Book, stop: watch::Receiver<bool>) -> Result<(), Failure> {
        let (listener, bound) = listen(self.listen.listen, "--listen").await?;
        let address = self.own_address(bound);
        let epoch = book
            .take_office(&self.identity, &address, &version())
            .await?;
        let cluster = Cluster::new(
            self.settings(&address),
            self.store.clone(),
            Arc::new(NamedProject {
                global: self.global.clone(),
            }),
            Arc::new(System),
            Arc::new(System),
            book,
        )?;
        tracing::info!(%address, epoch, store = %self.store.location(), "in office");
        let listening = Listening {
            listener,
            tls: self.credentials.tls(),
            access: self.credentials.access(),
        };
        let audit = Audit::new(self.store.clone(), Arc::new(System), epoch);
        let audit = Arc::new(audit);
        self.office.send_replace(Office::Here {
            cluster: cluster.clone(),
            audit: audit.clone(),
        });
        let deposed = cluster.clone();
        let until = async move {
            tokio::select! {
                () = stopped(stop) => {}
                () = deposed.until_deposed() => {}
            }
        };
        let beside = self.scheduler.routes();
        let server = serve(cluster.clone(), listening, audit, beside, until);
        tokio::select! {
            served = server => served,
            () = self.notifier.run(cluster.clone()) => Ok(()),
            () = cluster.run() => Ok(()),
            () = self.scheduler.watch() => Ok(()),
            () = self.credentials.keep_fresh() => Ok(()),
            () = keep_loaded(&self.global, self.loading) => Ok(()),
            () = keep_delivered(&self.global) => Ok(()),
        }
    }

    /// Whether the coordinator at an address answers. A process that is stopped or gone does not.
    async fn answers(&self, address: &str) -> bool {
        let remote = Remote {
            addresses: vec![address.to_owned()],
            ca: self
                .listen
                .ca
                .clone()
                .or(self.listen.identity.client_ca.clone()),
            ..Remote::default()
        };
        let Some(channel) = remote
            .channels()
            .ok()
            .and_then(|mut channels| channels.pop())
        else {
            return false;
        };
        let mut health = HealthClient::new(channel);
        let asking = health.check(HealthCheckRequest::default());
        matches!(tokio::time::timeout(PROBE, asking).await, Ok(Ok(_)))
    }

    fn settings(&self, address: &str) -> Settings {
        let lease_ms = self.listen.lease_seconds * 1000;
        Settings {
            coordinator: self.identity.clone(),
            address: address.to_owned(),
            version: version(),
            project: self.global.project.clone(),
            shards: self.listen.shards,
            rules: Rules {
                lease_ms,
                heartbeat_ms: (lease_ms * 3 / 10).max(100),
                ..Rules::default()
            },
        }
    }
}
