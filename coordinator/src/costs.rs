//! What each step of a run costs: seconds, and requests to the store and to the inputs.

use serde::{Deserialize, Serialize};
use tenfold_store::locations::Locations;
use tenfold_store::metered::{Counted, Operation};
use tenfold_store::object::Store;
use tokio::time::Instant;

/// What a step took, as seen by the process that drives the run: requests of workers elsewhere are theirs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepCost {
    /// Name of the step.
    pub step: String,
    /// Tasks, adopted ones among them.
    pub tasks: u64,
    /// Seconds from the end of the step before to its own end, over all of its parts.
    pub seconds: f64,
    /// Objects read, or parts of them, or their lengths.
    pub get: u64,
    /// Objects written.
    pub put: u64,
    /// Listings.
    pub list: u64,
    /// Objects removed.
    pub delete: u64,
}

/// Tells the costs of the steps of a run, one after the other.
pub(crate) struct Costs<'a> {
    store: &'a Store,
    inputs: &'a Locations,
    since: Instant,
    before: Counted,
    steps: Vec<StepCost>,
}

impl<'a> Costs<'a> {
    /// Begins to count.
    pub fn new(store: &'a Store, inputs: &'a Locations) -> Self {
        Self {
            store,
            inputs,
            since: Instant::now(),
            before: counted(store, inputs),
            steps: Vec::new(),
        }
    }

    /// Everything since the last end was the step of that name.
    pub fn end(&mut self, name: &str, tasks: usize) {
        let now = counted(self.store, self.inputs);
        let since = |operation| now.of(operation) - self.before.of(operation);
        let place = self.steps.iter().position(|step| step.step == name);
        let place = place.unwrap_or_else(|| {
            self.steps.push(StepCost {
                step: name.to_owned(),
                ..StepCost::default()
            });
            self.steps.len() - 1
        });
        let step = &mut self.steps[place];
        step.tasks += tasks as u64;
        step.seconds += self.since.elapsed().as_secs_f64();
        step.get += since(Operation::Get);
        step.put += since(Operation::Put);
        step.list += since(Operation::List);
        step.delete += since(Operation::Delete);
        self.before = now;
        self.since = Instant::now();
    }

    /// The steps so far, in the order in which they began.
    pub fn steps(&self) -> Vec<StepCost> {
        self.steps.clone()
    }
}

fn counted(store: &Store, inputs: &Locations) -> Counted {
    let mut counted = inputs.requests();
    counted.add(store.requests());
    counted
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[tokio::test]
    async fn requests_belong_to_the_step_that_ends_after_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().to_str().unwrap()).unwrap();
        let inputs = Locations::default();
        let mut costs = Costs::new(&store, &inputs);
        store.put("a", Bytes::from_static(b"1")).await.unwrap();
        costs.end("absorb", 2);
        store.get("a").await.unwrap();
        costs.end("merge", 1);
        store.put("b", Bytes::from_static(b"2")).await.unwrap();
        inputs
            .head(&format!("{}/b", directory.path().display()))
            .await
            .unwrap();
        costs.end("absorb", 3);
        let seen: Vec<_> = costs
            .steps()
            .into_iter()
            .map(|step| (step.step, step.tasks, step.get, step.put, step.list))
            .collect();
        let expected = [("absorb", 5, 1, 2, 0), ("merge", 1, 1, 0, 0)];
        let expected =
            expected.map(|(step, tasks, get, put, list)| (step.to_owned(), tasks, get, put, list));
        assert_eq!(seen, expected);
    }
}
