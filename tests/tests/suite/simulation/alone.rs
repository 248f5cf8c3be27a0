//! A refresh that no coordinator drives, over a store that dies around its publication.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::memory::InMemory;
use tenfold_coordinator::cluster::Projects;
use tenfold_coordinator::listing::Places;
use tenfold_coordinator::refresh::Refresh;
use tenfold_coordinator::run::{RunRecord, RunStatus};
use tenfold_coordinator::{Executor, Gate, Progress, Stopped};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_core::snapshot::Manifest;
use tenfold_store::object::Store;
use tenfold_store::publish::head;

use super::reference::{SimProject, reference};
use super::runtime;
use crate::dying::Dying;

/// What is around the refresh: tasks are answered from the reference, and from publication on the
/// store lives for so many operations.
struct Around {
    store: Store,
    left: Arc<AtomicI64>,
    operations: i64,
}

impl Executor for Around {
    fn execute<'a>(
        &'a self,
        tasks: &'a [Task],
        finished: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>> {
        async move {
            let mut answers = Vec::new();
            for task in tasks {
                let (answer, parts) = reference().answer(task)?;
                for (path, bytes) in parts {
                    self.store.put(&path, bytes).await?;
                }
                answers.push(answer);
                finished();
            }
            Ok(answers)
        }
        .boxed()
    }
}

impl Gate for Around {
    fn publishing<'a>(&'a self, _: &'a Manifest) -> BoxFuture<'a, Result<(), Failure>> {
        self.left.store(self.operations, Ordering::SeqCst);
        std::future::ready(Ok(())).boxed()
    }
}

impl Progress for Around {
    fn step(&self, _: &'static str, _: usize, _: usize) {}

    fn task_done(&self) {}

    fn step_done(&self) {}
}

/// What a refresh says whose store dies so many operations after its publication began, and whether its
/// snapshot is there.
async fn dying_after(operations: i64) -> (Result<RunRecord, Stopped>, bool) {
    let memory = Arc::new(InMemory::new());
    let left = Arc::new(AtomicI64::new(i64::MAX));
    let store = Store::over(Arc::new(Dying {
        inner: memory.clone(),
        left: left.clone(),
        half_way: false,
    }));
    let around = Around {
        store: store.clone(),
        left,
        operations,
    };
    let project = SimProject;
    let opened = project.open().await.unwrap();
    let refresh = Refresh {
        project: &opened.project,
        as_of: "2026-01-01".parse().unwrap(),
        places: Places {
            base: &opened.base,
            locations: &opened.inputs,
            lookup: &opened.lookup,
        },
        store: &store,
        shards: Some(1),
        understanding: project.understanding(),
        retry: false,
        run: "alone".to_owned(),
        backfill: None,
        plan_hash: None,
        gate: &around,
        now: &|| ("2026-01-01T00:00:00Z".to_owned(), 1_767_225_600_000),
    };
    let said = refresh.run(&around, &around).await;
    let published = head(&Store::over(memory)).await.unwrap();
    (said, published.is_some())
}

#[test]
fn a_refresh_that_published_says_so_wherever_its_store_dies() {
    runtime().block_on(async {
        let (mut failed, mut warned) = (0, 0);
        for operations in 0.. {
            let (said, published) = dying_after(operations).await;
            let place = format!("after {operations} operations: {said:?}");
            assert_eq!(said.is_ok(), published, "{place}");
            let Ok(record) = said else {
                failed += 1;
                continue;
            };
            assert_eq!(record.status, RunStatus::Succeeded, "{place}");
            let mut warnings = record.warnings.iter();
            if !warnings.any(|warning| warning.contains("it is dead")) {
                break;
            }
            warned += 1;
        }
        assert!(failed > 5 && warned > 2, "{failed} failed, {warned} warned");
    });
}
