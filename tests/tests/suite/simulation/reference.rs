//! What the tasks answer. A task is a pure function of its content, so each is computed once, by
//! the real code on a thread of its own and over a store without faults, and its parts are what the
//! workers of every seed write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use tenfold_coordinator::cluster::{OpenProject, Projects};
use tenfold_coordinator::listing::Understanding;
use tenfold_core::failure::Failure;
use tenfold_core::project;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_store::locations::Locations;
use tenfold_store::object::Store;
use tenfold_worker::{Processors, TaskContext};

const PROJECT: &str = "
project: shop
customer: {type: int64}
sources:
  sales:
    path: sales.csv
    types: {customer: int64, day: date, points: int64}
    customer: customer
    time: day
    measures:
      points: {column: points}
deciles:
  - {measure: points, lookbacks: [3]}
";
const BASE: &str = "memory://inputs";

/// The project, its inputs, and the answers so far.
pub struct Reference {
    project: project::Project,
    inputs: Arc<Locations>,
    store: Store,
    answers: Mutex<HashMap<String, Result<TaskOutput, Failure>>>,
    computing: Mutex<tokio::runtime::Runtime>,
}

/// The one reference of this process.
pub fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    // Made on a thread of its own: it has a runtime, and the caller may be in one.
    REFERENCE
        .get_or_init(|| std::thread::scope(|scope| scope.spawn(Reference::new).join().unwrap()))
}

impl Reference {
    fn new() -> Self {
        let computing = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let inputs = Arc::new(Locations::default());
        let (objects, path) = inputs.resolve(&format!("{BASE}/sales.csv")).unwrap();
        let mut csv = String::from("customer,day,points\n");
        for row in 0..60u32 {
            let (customer, day) = (row % 17, 1 + row % 28);
            csv += &format!(
                "{customer},2025-{:02}-{day:02},{}\n",
                9 + row % 4,
                7 * row % 50
            );
        }
        computing.block_on(async { objects.put(&path, csv.into()).await.unwrap() });
        Self {
            project: project::parse(PROJECT).unwrap(),
            inputs,
            store: Store::in_memory(),
            answers: Mutex::default(),
            computing: Mutex::new(computing),
        }
    }

    /// The answer of a task, with the bytes of its parts.
    pub fn answer(&self, task: &Task) -> Result<(TaskOutput, Vec<(String, Bytes)>), Failure> {
        let id = task.id().unwrap();
        let mut answers = self.answers.lock().unwrap();
        let computing = self.computing.lock().unwrap();
        let context = TaskContext {
            store: self.store.clone(),
            inputs: self.inputs.clone(),
            runtime: computing.handle().clone(),
            threads: 1,
            memory: u64::MAX,
            processors: Arc::new(Processors::new(1)),
            progress: Arc::default(),
            wide: None,
        };
        let answer = answers.entry(id).or_insert_with(|| {
            let compute = || tenfold_worker::run(task, &context);
            std::thread::scope(|scope| scope.spawn(compute).join().unwrap())
        });
        let output = answer.clone()?;
        let parts = output.parts().into_iter().map(|part| part.path.clone());
        let read = |path: String| {
            let bytes = self.store.get(&path).now_or_never();
            bytes.unwrap().map(|bytes| (path, bytes))
        };
        let parts = parts.map(read).collect::<Result<_, _>>()?;
        Ok((output, parts))
    }
}

/// The project, as a coordinator opens it.
pub struct SimProject;

impl Projects for SimProject {
    fn open(&self) -> BoxFuture<'_, Result<OpenProject, Failure>> {
        let opened = OpenProject {
            project: reference().project.clone(),
            base: BASE.to_owned(),
            inputs: reference().inputs.clone(),
            lookup: |_| None,
        };
        std::future::ready(Ok(opened)).boxed()
    }

    fn understanding(&self) -> Understanding<'_> {
        Understanding {
            check: &tenfold_worker::check_mapping,
            rules_out: &tenfold_worker::rules_out,
        }
    }
}
