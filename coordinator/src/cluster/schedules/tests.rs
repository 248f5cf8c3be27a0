//! Schedules against a clock of the test's own: what is recorded, by one coordinator and by the
//! next.

use std::sync::atomic::Ordering;

use tenfold_core::ledger::RunState;
use tenfold_proto::{ApplyScheduleRequest, PauseScheduleRequest, ScheduleRequest};

use super::*;
use crate::cluster::world::{World, ms};
use crate::seams::WallClock;

const NIGHTLY: &str = "schedule: nightly\ncron: 30 0 * * *\n";

impl World {
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
