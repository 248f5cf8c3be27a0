//! What a coordinator does that follows another one.

use tenfold_core::ledger::Record;
use tenfold_proto::WorkRequest;

use super::world::World;

#[tokio::test]
async fn a_drained_worker_stays_so_under_the_next_coordinator() {
    let mut world = World::at("2024-05-01T12:00:00Z").await;
    let [drained, back] = ["a-1", "b-2"].map(str::to_owned);
    for record in [
        Record::WorkerCordoned {
            worker: drained.clone(),
        },
        Record::WorkerCordoned {
            worker: back.clone(),
        },
        Record::WorkerUncordoned {
            worker: back.clone(),
        },
    ] {
        world.cluster.add(record).await.unwrap();
    }
    world.takeover().await;
    for worker in [&drained, &back] {
        let report = WorkRequest {
            worker: worker.clone(),
            version: "1".to_owned(),
            slots: 1,
            memory_bytes: 1 << 30,
            sequence: 1,
            ..WorkRequest::default()
        };
        world.cluster.work(report).await.unwrap();
    }
    let workers = world.cluster.desk.workers();
    let cordoned = workers.iter().map(|one| (&one.worker, one.cordoned));
    assert_eq!(
        cordoned.collect::<Vec<_>>(),
        [(&drained, true), (&back, false)]
    );
}
