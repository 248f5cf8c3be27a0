//! A coordinator over a store in memory and a clock of the test's own, and those that follow it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::failure::Failure;
use tenfold_core::lease::Rules;
use tenfold_core::ledger::{Ending, Record, RunState};
use tenfold_core::project::parse;
use tenfold_core::schedule::nominal_ms;
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;

use super::{Cluster, OpenProject, Projects, Settings};
use crate::book::Book;
use crate::listing::Understanding;
use crate::seams::{System, WallClock};

const PROJECT: &str = "\
project: shop
time_zone: Europe/Berlin
customer: {type: int64}
sources:
  sales:
    path: sales/
    format: csv
    layout: hive
    types: {customer: int64, day: date, n: int64}
    customer: customer
    time: day
    measures:
      n: {column: n}
deciles:
  - {measure: n, lookbacks: [1]}
";

pub(super) struct Clock(pub(super) AtomicI64);

impl WallClock for Clock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct Shop(String);

impl Projects for Shop {
    fn open(&self) -> BoxFuture<'_, Result<OpenProject, Failure>> {
        let project = parse(PROJECT).unwrap();
        let opened = OpenProject {
            project,
            base: self.0.clone(),
            inputs: Arc::new(Locations::default()),
            lookup: |_| None,
        };
        std::future::ready(Ok(opened)).boxed()
    }

    fn understanding(&self) -> Understanding<'_> {
        Understanding {
            check: &|_, _, _| Ok(()),
            rules_out: &|_, _| Ok(false),
        }
    }
}

/// A coordinator in office.
pub(super) struct World {
    store: Store,
    pub(super) clock: Arc<Clock>,
    pub(super) base: tempfile::TempDir,
    pub(super) cluster: Arc<Cluster>,
}

async fn office(store: &Store, clock: &Arc<Clock>, base: &Path) -> Arc<Cluster> {
    let mut book = Book::open(store.clone(), None, clock.clone(), Arc::new(System))
        .await
        .unwrap();
    book.take_office("c", "http://c", "1").await.unwrap();
    let settings = Settings {
        coordinator: "c".to_owned(),
        address: "http://c".to_owned(),
        version: "1".to_owned(),
        project: "p".to_owned(),
        shards: None,
        rules: Rules::default(),
    };
    let project = Shop(base.to_str().unwrap().to_owned());
    let (clock, ids) = (clock.clone(), Arc::new(System));
    Cluster::new(settings, store.clone(), Arc::new(project), clock, ids, book).unwrap()
}

impl World {
    pub(super) async fn at(now: &str) -> Self {
        let store = Store::in_memory();
        let clock = Arc::new(Clock(AtomicI64::new(ms(now))));
        let base = tempfile::tempdir().unwrap();
        let cluster = office(&store, &clock, base.path()).await;
        Self {
            store,
            clock,
            base,
            cluster,
        }
    }

    /// The coordinator is lost, and another one takes office.
    pub(super) async fn takeover(&mut self) {
        self.cluster = office(&self.store, &self.clock, self.base.path()).await;
    }

    /// Ends the first run of the queue.
    pub(super) async fn end(&self, state: RunState) {
        let run = self.cluster.ledger().queue[0].clone();
        let started = Record::Started {
            run: run.clone(),
            missing: None,
        };
        self.cluster.add(started).await.unwrap();
        let ending = Box::new(Ending::without(state, None));
        self.cluster
            .add(Record::Ended { run, ending })
            .await
            .unwrap();
    }
}

/// A moment in milliseconds since 1970.
pub(super) fn ms(text: &str) -> i64 {
    nominal_ms(text).unwrap()
}
