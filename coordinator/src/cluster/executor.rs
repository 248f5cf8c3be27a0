//! Runs the tasks of a refresh on workers.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};

use super::Cluster;
use super::link::Told;
use super::live::{Event, Level, LiveStep};
use crate::{Executor, Progress};

/// Runs the tasks of one run on workers.
pub(crate) struct OnWorkers {
    pub cluster: Arc<Cluster>,
    pub run: String,
    pub try_number: u32,
}

/// A batch that is taken back when nobody waits for it any more, such as when its run is cancelled.
struct Batch<'a> {
    of: &'a OnWorkers,
    number: u64,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let over = self.of.cluster.desk.withdraw(self.number);
        self.of.cluster.live.change_step(&self.of.run, |step| {
            step.batch = None;
            step.over = over;
        });
        self.of.cluster.changed();
    }
}

impl Executor for OnWorkers {
    fn execute<'a>(
        &'a self,
        tasks: &'a [Task],
        finished: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>> {
        self.execute_all(tasks, finished).boxed()
    }
}

impl OnWorkers {
    async fn execute_all(
        &self,
        tasks: &[Task],
        finished: &(dyn Fn() + Sync),
    ) -> Result<Vec<TaskOutput>, Failure> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let mut enlisted = self.cluster.desk.enlist(&self.run, tasks.to_vec())?;
        let _batch = Batch {
            of: self,
            number: enlisted.batch,
        };
        self.cluster
            .live
            .change_step(&self.run, |step| step.batch = Some(enlisted.batch));
        let mut answers: Vec<Option<TaskOutput>> = tasks.iter().map(|_| None).collect();
        let mut left = tasks.len();
        while left > 0 {
            match enlisted.told.next().await {
                Some(Told::Answer { index, output }) => {
                    left -= usize::from(answers[index].is_none());
                    answers[index] = Some(*output);
                    finished();
                    self.cluster.changed();
                }
                Some(Told::Spoilt {
                    index,
                    worker,
                    failure,
                }) => {
                    let step = tasks[index].step().to_owned();
                    let event = Event {
                        step,
                        worker,
                        ..Event::failure(self.now(), Level::Warning, &failure)
                    };
                    self.cluster.live.happened(&self.run, event);
                    self.cluster.changed();
                }
                Some(Told::Failed(failure)) => return Err(failure),
                None => return Err(Failure::bug("the tasks of a step were forgotten")),
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn now(&self) -> i64 {
        self.cluster.clock.now_ms()
    }

    fn say(&self, step: &str, message: String) {
        let event = Event {
            step: step.to_owned(),
            ..Event::of_run(self.now(), Level::Info, message)
        };
        self.cluster.live.happened(&self.run, event);
        self.cluster.changed();
    }
}

impl Progress for OnWorkers {
    fn step(&self, name: &'static str, tasks: usize, adopted: usize) {
        let step = LiveStep {
            step: name,
            try_number: self.try_number,
            tasks,
            reused: adopted,
            started_ms: self.now(),
            ended_ms: None,
            batch: None,
            over: Vec::new(),
        };
        self.cluster
            .live
            .change(&self.run, |live| live.steps.push(step));
        let reused = match adopted {
            0 => String::new(),
            adopted => format!(", {adopted} done before"),
        };
        self.say(name, format!("{name}: {tasks} tasks{reused}"));
    }

    fn task_done(&self) {}

    fn step_done(&self) {
        let now = self.now();
        let mut named = "";
        self.cluster.live.change_step(&self.run, |step| {
            step.ended_ms = Some(now);
            named = step.step;
        });
        self.say(named, format!("{named}: done"));
        let (cluster, run, number) = (self.cluster.clone(), self.run.clone(), self.try_number);
        tokio::spawn(async move { cluster.keep_story(&run, number, false).await });
    }
}
