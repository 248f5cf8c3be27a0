//! Ids that several customers share are settled between merging and what follows.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::plan::Plan;
use tenfold_core::refresh::shared::{Suspected, contenders_tasks, contest_tasks, suspects_tasks};
use tenfold_core::refresh::state::StateIndex;
use tenfold_core::refresh::task::{Contest, MergeOutput, Task, TaskOutput};

use super::{Work, merge_output, mixed_up};

impl Work<'_> {
    /// Lets one event count for each id, whoever its customers are. Shards without suspects stay as
    /// they were merged.
    pub(super) async fn settle_shared(
        &mut self,
        plan: &Plan,
        previous: Option<&StateIndex>,
        mut merged: Vec<MergeOutput>,
    ) -> Result<Vec<MergeOutput>, Failure> {
        let suspected = self
            .suspects(suspects_tasks(plan, previous, &merged))
            .await?;
        if suspected.is_empty() {
            return Ok(merged);
        }
        let tasks = contenders_tasks(plan, &merged, &suspected);
        let contests = self.contests(tasks, suspected).await?;
        let tasks = contest_tasks(plan, &merged, &contests);
        let shards: Vec<usize> = tasks.iter().filter_map(shard_of).collect();
        let outputs = self.step("merge", tasks).await?;
        for (shard, output) in shards.into_iter().zip(outputs) {
            let output = merge_output(output)?;
            let earlier = merged.get_mut(shard).ok_or_else(mixed_up)?;
            *earlier = output.after(earlier);
        }
        Ok(merged)
    }

    /// The suspects of each source that has some.
    async fn suspects(&mut self, tasks: Vec<Task>) -> Result<BTreeMap<String, Suspected>, Failure> {
        let mut suspected: BTreeMap<String, Suspected> = BTreeMap::new();
        if tasks.is_empty() {
            return Ok(suspected);
        }
        let sources: Vec<String> = tasks.iter().filter_map(source_of).collect();
        let outputs = self.step("ids", tasks).await?;
        for (source, output) in sources.into_iter().zip(outputs) {
            let TaskOutput::Suspects(output) = output else {
                return Err(mixed_up());
            };
            self.summary.merge.bytes_read += output.bytes_read;
            if let Some(part) = output.suspects {
                let of_source = suspected.entry(source).or_default();
                of_source.parts.push(part);
                of_source.shards.extend(output.shards);
            }
        }
        Ok(suspected)
    }

    /// The events that have their ids.
    async fn contests(
        &mut self,
        tasks: Vec<Task>,
        suspected: BTreeMap<String, Suspected>,
    ) -> Result<BTreeMap<String, Contest>, Failure> {
        let contest = |(source, suspected): (String, Suspected)| {
            let contest = Contest {
                suspects: suspected.parts,
                contenders: Vec::new(),
            };
            (source, contest)
        };
        let mut contests: BTreeMap<String, Contest> = suspected.into_iter().map(contest).collect();
        let places: Vec<(Option<String>, Option<usize>)> = tasks
            .iter()
            .map(|task| (source_of(task), shard_of(task)))
            .collect();
        let outputs = self.step("contenders", tasks).await?;
        for (place, output) in places.into_iter().zip(outputs) {
            let ((Some(source), Some(shard)), TaskOutput::Contenders(output)) = (place, output)
            else {
                return Err(mixed_up());
            };
            self.summary.merge.bytes_read += output.bytes_read;
            let contest = contests.entry(source).or_default();
            contest.contenders.push((shard as u32, output.contenders));
        }
        Ok(contests)
    }
}

fn source_of(task: &Task) -> Option<String> {
    match task {
        Task::Suspects(task) => Some(task.source.source.clone()),
        Task::Contenders(task) => Some(task.source.source.clone()),
        _ => None,
    }
}

fn shard_of(task: &Task) -> Option<usize> {
    match task {
        Task::Contenders(task) => Some(task.shard as usize),
        Task::Merge(task) => Some(task.shard as usize),
        _ => None,
    }
}
