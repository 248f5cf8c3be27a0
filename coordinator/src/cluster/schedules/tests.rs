//! Schedules against a clock of the test's own: what is recorded, by one coordinator and by the
//! next.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_core::lease::Rules;
use tenfold_core::ledger::{Ending, RunState};
use tenfold_core::project::parse;
use tenfold_proto::{ApplyScheduleRequest, PauseScheduleRequest, ScheduleRequest};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;

use super::*;
use crate::book::Book;
use crate::cluster::{Projects, Settings};
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

const NIGHTLY: &str = "schedule: nightly\ncron: 30 0 * * *\n";

struct Clock(AtomicI64);

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

struct World {
    store: Store,
    clock: Arc<Clock>,
    base: tempfile::TempDir,
    cluster: Arc<Cluster>,
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
    async fn at(now: &str) -> Self {
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
    async fn takeover(&mut self) {
        self.cluster = office(&self.store, &self.clock, self.base.path()).await;
    }

    async fn apply(&self, spec: &str) {
        let request = ApplyScheduleRequest {
            spec: spec.to_owned(),
        };
        self.cluster.apply_schedule(&request).await.unwrap();
    }

    /// Serves the schedule at a time; gives when it asks to be served again.
    async fn serve(&self, now: &str) -> Option<i64> {
        self.clock.0.store(ms(now), Ordering::SeqCst);
        self.cluster.serve_schedule("nightly").await
    }

    async fn end(&self, state: RunState) {
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

    /// All runs in the order of their firings: the firing and the day looked back from.
    fn runs(&self) -> Vec<(String, String)> {
        let ledger = self.cluster.ledger();
        let mut runs: Vec<(String, String)> = ledger
            .runs
            .values()
            .map(|run| match &run.origin {
                Origin::Schedule { nominal, .. } => {
                    (nominal.clone(), run.request.as_of.to_string())
                }
                _ => panic!("{run:?}"),
            })
            .collect();
        runs.sort();
        runs
    }

    fn shown(&self) -> tenfold_proto::Schedule {
        let request = ScheduleRequest {
            schedule: "nightly".to_owned(),
        };
        self.cluster.get_schedule(&request).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.base.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn ms(text: &str) -> i64 {
    nominal_ms(text).unwrap()
}

fn pairs(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    wanted.iter().map(owned).collect()
}

#[tokio::test]
async fn a_firing_is_submitted_once_with_the_civil_day_of_the_project() {
    let mut world = World::at("2024-05-01T12:00:00Z").await;
    world.apply(NIGHTLY).await;
    assert_eq!(
        world.serve("2024-05-01T12:00:01Z").await,
        Some(ms("2024-05-01T22:30:00Z"))
    );
    assert_eq!(world.runs(), []);
    world.serve("2024-05-01T22:30:00Z").await;
    let once = pairs(&[("2024-05-01T22:30:00Z", "2024-05-02")]);
    assert_eq!(world.runs(), once);
    let lost = world.cluster.clone();
    world.takeover().await;
    world.serve("2024-05-01T22:30:01Z").await;
    lost.serve_schedule("nightly").await;
    assert_eq!(world.runs(), once);
}

#[tokio::test]
async fn whoever_takes_over_between_any_two_records_each_firing_runs_once() {
    let mut world = World::at("2024-05-10T12:00:00Z").await;
    let all = "start: 2024-05-08\ncatch_up: all\ncatch_up_window: 7d\n";
    world.apply(&format!("{NIGHTLY}{all}")).await;
    let wanted = pairs(&[
        ("2024-05-07T22:30:00Z", "2024-05-08"),
        ("2024-05-08T22:30:00Z", "2024-05-09"),
        ("2024-05-09T22:30:00Z", "2024-05-10"),
    ]);
    for made in 1..=3 {
        // What is decided becomes records one by one, each by another coordinator.
        loop {
            let now_ms = world.clock.now_ms();
            let action = world
                .cluster
                .action(&world.cluster.ledger(), "nightly", now_ms);
            let action = action.unwrap().unwrap();
            if matches!(action, Action::Nothing { .. }) {
                break;
            }
            world.cluster.record("nightly", &action).await.unwrap();
            world.takeover().await;
        }
        assert_eq!(world.runs(), wanted[..made]);
        world.end(RunState::Succeeded).await;
        world.takeover().await;
    }
    world.serve("2024-05-10T12:00:01Z").await;
    assert_eq!(world.runs(), wanted);
}

#[tokio::test]
async fn a_decision_that_the_ledger_overtook_is_not_recorded() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    world.apply(NIGHTLY).await;
    world
        .clock
        .0
        .store(ms("2024-05-01T22:30:00Z"), Ordering::SeqCst);
    let ledger = world.cluster.ledger();
    let action = world
        .cluster
        .action(&ledger, "nightly", world.clock.now_ms());
    let pause = PauseScheduleRequest {
        schedule: "nightly".to_owned(),
        ..PauseScheduleRequest::default()
    };
    world.cluster.pause_schedule(&pause).await.unwrap();
    let action = action.unwrap().unwrap();
    assert!(matches!(action, Action::Fire { .. }));
    let refused = world.cluster.record("nightly", &action).await;
    assert_eq!(refused, Err(NotAdded::Refused(Refusal::Nonsense)));
    assert_eq!(world.runs(), []);
}

#[tokio::test]
async fn it_pauses_itself_after_failures_and_goes_on_when_it_is_resumed() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    world
        .apply(&format!("{NIGHTLY}pause_after_failures: 2\n"))
        .await;
    for night in ["2024-05-01T22:30:00Z", "2024-05-02T22:30:00Z"] {
        world.serve(night).await;
        world.end(RunState::Failed).await;
    }
    world.serve("2024-05-03T22:30:00Z").await;
    assert_eq!(world.runs().len(), 2);
    let shown = world.shown();
    assert_eq!(shown.state, "paused");
    assert_eq!(shown.paused_reason, "2 runs in a row failed");
    let request = ScheduleRequest {
        schedule: "nightly".to_owned(),
    };
    world.cluster.resume_schedule(&request).await.unwrap();
    world.serve("2024-05-03T22:30:01Z").await;
    assert_eq!(world.runs().len(), 2, "what was missed is not made up for");
    world.serve("2024-05-04T22:30:00Z").await;
    assert_eq!(world.runs().len(), 3);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_shown_as_late() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    world.apply(&format!("{NIGHTLY}late_after: 2h\n")).await;
    world.serve("2024-05-01T22:30:00Z").await;
    assert!(!world.shown().late);
    world.serve("2024-05-02T00:30:00Z").await;
    assert!(world.shown().late);
    world.end(RunState::Succeeded).await;
    assert!(!world.shown().late);
}

#[tokio::test]
async fn the_running_run_is_cancelled_for_the_next_firing() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    world
        .apply(&format!("{NIGHTLY}overlap: cancel_other\n"))
        .await;
    world.serve("2024-05-01T22:30:00Z").await;
    world.serve("2024-05-02T22:30:00Z").await;
    let ledger = world.cluster.ledger();
    let mut states: Vec<RunState> = ledger.runs.values().map(|run| run.state).collect();
    states.sort();
    assert_eq!(states, [RunState::Queued, RunState::Cancelled]);
    assert_eq!(world.runs().len(), 2);
}

#[tokio::test]
async fn data_is_looked_for_again_and_again_until_it_is_there() {
    let mut world = World::at("2024-05-01T12:00:00Z").await;
    let ready = "\
ready_when:
  marker: done/{date}
  partition: {source: sales, key: date}
  wait_up_to: 3h
";
    world.apply(&format!("{NIGHTLY}{ready}")).await;
    world.write("sales/date=2024-04-30/a.csv", "customer,day,n\n");
    let again = world.serve("2024-05-01T22:30:00Z").await;
    assert_eq!(again, Some(ms("2024-05-01T22:30:30Z")));
    let shown = world.shown();
    assert_eq!(
        (shown.state.as_str(), shown.waiting_for.len()),
        ("waiting", 2)
    );
    assert!(shown.waiting_for[0].ends_with("done/2024-05-01"));
    assert_eq!(shown.waiting_for[1], "date=2024-05-01 of source sales");
    world.write("sales/date=2024-05-01/a.csv", "customer,day,n\n");
    world.serve("2024-05-01T22:30:30Z").await;
    assert_eq!(world.shown().waiting_for.len(), 1);
    world.takeover().await;
    world.write("done/2024-05-01", "");
    world.serve("2024-05-01T22:30:40Z").await;
    assert_eq!(world.runs().len(), 1);
    let ledger = world.cluster.ledger();
    assert_eq!(
        ledger.runs.values().next().unwrap().request.incomplete,
        None
    );
}

#[tokio::test]
async fn a_run_without_its_data_knows_what_was_missing() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    let ready = "ready_when: {marker: done/now, wait_up_to: 1h, then: partial}\n";
    world.apply(&format!("{NIGHTLY}{ready}")).await;
    world.serve("2024-05-01T22:30:00Z").await;
    assert_eq!(world.runs(), []);
    world.serve("2024-05-01T23:30:00Z").await;
    let ledger = world.cluster.ledger();
    let run = ledger.runs.values().next().unwrap();
    let incomplete = run.request.incomplete.as_ref().unwrap();
    assert!(incomplete.missing[0].ends_with("done/now") && !incomplete.fail);
}
