//! Backfills: what is submitted and what is stopped, by one coordinator and by the next.

use super::*;
use crate::cluster::world::World;

const DAYS: [Day; 2] = [Day(19_000), Day(19_001)];

/// A world with a backfill of two days.
async fn with_backfill() -> World {
    let world = World::at("2024-05-01T12:00:00Z").await;
    let created = Record::BackfillCreated {
        backfill: "B".to_owned(),
        days: DAYS.to_vec(),
        plan_hash: String::new(),
        by: "ann".to_owned(),
    };
    world.cluster.add(created).await.unwrap();
    world
}

/// Somebody cancels the backfill, and is lost before anything else.
async fn cancel(world: &World) {
    let cancelled = Record::BackfillCancelled {
        backfill: "B".to_owned(),
        reason: "a mistake".to_owned(),
        by: "ann".to_owned(),
    };
    world.cluster.add(cancelled).await.unwrap();
}

#[tokio::test]
async fn one_day_is_submitted_after_the_other() {
    let world = with_backfill().await;
    for day in DAYS {
        assert_eq!(advance(&world.cluster).await, Ok(true));
        assert_eq!(advance(&world.cluster).await, Ok(false));
        let ledger = world.cluster.ledger();
        let (run, _) = &ledger.backfills.get("B").unwrap().runs[&day];
        assert_eq!(ledger.queue, std::slice::from_ref(run));
        world.end(RunState::Succeeded).await;
    }
    assert_eq!(advance(&world.cluster).await, Ok(false));
}

#[tokio::test]
async fn a_day_that_was_decided_on_before_its_backfill_was_cancelled_is_not_submitted() {
    let world = with_backfill().await;
    cancel(&world).await;
    let refused = submit(&world.cluster, "B", DAYS[0]).await;
    assert_eq!(refused, Err(NotAdded::Refused(Refusal::Nonsense)));
    assert!(world.cluster.ledger().queue.is_empty());
    assert_eq!(advance(&world.cluster).await, Ok(false));
}

#[tokio::test]
async fn whoever_takes_over_from_the_one_who_cancelled_a_backfill_stops_its_run() {
    for (started, stopped) in [(false, RunState::Cancelled), (true, RunState::Cancelling)] {
        let mut world = with_backfill().await;
        assert_eq!(advance(&world.cluster).await, Ok(true));
        let run = world.cluster.ledger().queue[0].clone();
        if started {
            let started = Record::Started {
                run: run.clone(),
                missing: None,
            };
            world.cluster.add(started).await.unwrap();
        }
        cancel(&world).await;
        world.takeover().await;
        assert_eq!(advance(&world.cluster).await, Ok(true));
        let ledger = world.cluster.ledger();
        let run = ledger.runs.get(&run).unwrap();
        assert_eq!(run.state, stopped);
        let why = ("ann".to_owned(), "a mistake".to_owned());
        assert_eq!(run.cancel, Some(why));
        assert_eq!(advance(&world.cluster).await, Ok(false));
    }
}

#[tokio::test]
async fn a_cancelled_backfill_has_no_run_that_goes_on() {
    let world = with_backfill().await;
    assert_eq!(advance(&world.cluster).await, Ok(true));
    let (reason, by) = ("a mistake".to_owned(), "ann".to_owned());
    let cancelled = world.cluster.cancel_backfill("B", reason, by).await;
    assert_eq!(cancelled, Ok(()));
    assert!(world.cluster.ledger().queue.is_empty());
    assert_eq!(advance(&world.cluster).await, Ok(false));
}

#[tokio::test]
async fn a_backfill_that_is_asked_for_again_while_it_is_made_is_the_one_that_is_there() {
    let world = World::at("2024-05-01T12:00:00Z").await;
    let planned = |plan_hash: &str, days: &[Day]| Planned {
        plan_hash: plan_hash.to_owned(),
        knowledge: 1,
        days: days.iter().map(|day| (*day, None)).collect(),
        again: false,
    };
    let create = async |planned: Planned| {
        let created = world.cluster.create_backfill(&planned, "ann".to_owned());
        created.await.unwrap()
    };
    let first = create(planned("one", &DAYS)).await;
    assert_eq!(create(planned("one", &DAYS)).await, first);
    assert_eq!(advance(&world.cluster).await, Ok(true));
    assert_eq!(create(planned("one", &DAYS)).await, first);
    // Another plan, and other days.
    assert_ne!(create(planned("two", &DAYS)).await, first);
    assert_ne!(create(planned("one", &DAYS[..1])).await, first);
    // One that is over makes nothing any more.
    let (reason, by) = ("a mistake".to_owned(), "ann".to_owned());
    let cancelled = world.cluster.cancel_backfill(&first, reason, by).await;
    assert_eq!(cancelled, Ok(()));
    assert_ne!(create(planned("one", &DAYS)).await, first);
    assert_eq!(world.cluster.ledger().backfills.size(), 4);
}
